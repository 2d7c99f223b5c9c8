//! What a session shows to an administrator, and how one ends it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::gate::Activity;
use crate::{
    storage::{Operation, Transfer},
    virtual_path::VirtualPath,
};

/// Written by the session's thread, read and ended from another. Locks are held for an assignment.
#[derive(Debug, Default)]
pub(crate) struct Status {
    shown: Mutex<Shown>,
    killed: Notify,
}

#[derive(Debug, Default)]
struct Shown {
    activity: Activity,
    /// What the transfer is that is under way, or was prepared last.
    transfer: Option<(&'static str, VirtualPath)>,
    killed: bool,
}

impl Status {
    /// What the session does from now on; true if it has to end instead.
    pub(super) fn show(&self, activity: Activity) -> bool {
        let mut shown = self.shown();
        shown.activity = activity;
        shown.killed
    }

    /// Notes which transfer is prepared by this operation, if it prepares one.
    pub(super) fn begin(&self, operation: &Operation) {
        if let Operation::Prepare(transfer) = operation {
            let (what, path) = match transfer {
                Transfer::Download { path, .. } => ("download", path),
                Transfer::Upload { path, .. } => ("upload", path),
                Transfer::List(listing) => ("listing", &listing.path),
            };
            self.shown().transfer = Some((what, path.clone()));
        }
    }

    /// In a word or two, and the path of the transfer that is under way.
    pub(crate) fn describe(&self) -> (&'static str, Option<VirtualPath>) {
        let shown = self.shown();
        match (&shown.transfer, shown.activity) {
            (Some((what, path)), Activity::Transfer) => (what, Some(path.clone())),
            (_, activity) => (activity.name(), None),
        }
    }

    /// The session has to end.
    pub(super) fn kill(&self) {
        self.shown().killed = true;
        self.killed.notify_one();
    }

    /// Waits until the session has to end.
    pub(super) async fn killed(&self) {
        while !self.shown().killed {
            self.killed.notified().await;
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
