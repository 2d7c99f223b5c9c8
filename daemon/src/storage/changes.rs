//! One line of the log for each change that an operation makes.

use std::time::{Duration, Instant};

use protocol::{
    request::{Operation, Timestamp},
    virtual_path::VirtualPath,
    wire::time_val,
};
use tracing::info;

use crate::task::Task;

/// What an operation changes; it is logged when it has been done.
#[derive(Debug)]
pub(crate) struct Change {
    what: What,
    begun: Instant,
}

#[derive(Debug)]
enum What {
    Deleted(VirtualPath),
    Renamed(VirtualPath, VirtualPath),
    Made(VirtualPath),
    Removed(VirtualPath),
    Mode(VirtualPath, u32),
    Time(VirtualPath, Timestamp),
    Copied(VirtualPath, VirtualPath),
}

impl Change {
    /// What the operation changes that begins now, if it changes anything.
    pub(crate) fn of(operation: &Operation) -> Option<Self> {
        let what = match operation {
            Operation::RemoveFile(path) => What::Deleted(path.clone()),
            Operation::Rename { from, to } => What::Renamed(from.clone(), to.clone()),
            Operation::MakeDirectory(path) => What::Made(path.clone()),
            Operation::RemoveDirectory(path) => What::Removed(path.clone()),
            Operation::SetMode { path, mode } => What::Mode(path.clone(), *mode),
            Operation::SetModified { path, modified } => What::Time(path.clone(), *modified),
            Operation::Copy { from, to } => What::Copied(from.clone(), to.clone()),
            Operation::Facts(_)
            | Operation::Entry(_)
            | Operation::Size(_)
            | Operation::Prepare(_)
            | Operation::Digest { .. }
            | Operation::Space(_)
            | Operation::Lines(_) => return None,
        };
        let begun = Instant::now();
        Some(Self { what, begun })
    }

    /// It has been done.
    pub(crate) fn log(&self, task: &Task) {
        match &self.what {
            What::Deleted(path) => info!(?path, "deleted"),
            What::Renamed(from, to) => info!(?from, ?to, "renamed"),
            What::Made(path) => info!(?path, "directory-made"),
            What::Removed(path) => info!(?path, "directory-removed"),
            What::Mode(path, mode) => {
                info!(?path, mode = %format!("0{mode:03o}"), "permissions-set");
            }
            What::Time(path, time) => info!(?path, time = time_val::format(*time), "time-set"),
            What::Copied(from, to) => {
                let bytes = task.moved();
                let seconds = seconds(self.begun.elapsed());
                info!(?from, ?to, bytes, %seconds, "copied");
            }
        }
    }
}

/// As the log writes times.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.3}", elapsed.as_secs_f64())
}
