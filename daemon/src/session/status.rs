//! What the frame sees of a session, and how it ends one from outside.

use std::{
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use protocol::{
    Activity,
    request::{Operation, Transfer},
    virtual_path::VirtualPath,
};

use super::waker::Waker;
use crate::{
    task::{Canceller, Task},
    tls::Agreed,
};

/// Written by the session's thread, read and ended from another. Locks are held for an assignment.
#[derive(Debug)]
pub(crate) struct Status {
    state: Mutex<State>,
    /// The control connection, to be shut down if the session's thread is stuck.
    control: Arc<TcpStream>,
    pub(super) waker: Waker,
    /// The beginning of the session, from which `busy_since` counts.
    start: Instant,
    /// When the session's thread began to do what it is doing, in milliseconds and one more; zero
    /// while it waits for something to happen.
    busy_since: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    activity: Activity,
    user: Option<String>,
    /// What protects the control connection.
    tls: Option<Agreed>,
    /// Whether data connections are protected, too.
    data_protected: bool,
    task: Task,
    /// What the transfer is that is under way, or was prepared last.
    transfer: Option<(&'static str, VirtualPath)>,
    /// How long transfers may still take; set when the daemon stops.
    stop: Option<Duration>,
    killed: bool,
    shut_down: bool,
}

impl State {
    fn begin(&mut self, task: &Task) {
        self.task = task.clone();
        if self.killed {
            task.cancel_by(Canceller::Administrator);
        }
    }
}

/// What is told of a session.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Who has logged in.
    pub(crate) user: Option<String>,
    /// What protects its control connection, if TLS is on.
    pub(crate) tls: Option<Agreed>,
    /// Whether its data connections are protected.
    pub(crate) data_protected: bool,
    /// What it does, in a word or two.
    pub(crate) state: &'static str,
    /// The path of the transfer that is under way, and the bytes that it has moved.
    pub(crate) transfer: Option<(VirtualPath, u64)>,
}

/// What the session has been told from outside.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) killed: bool,
    pub(super) stop: Option<Duration>,
}

impl Status {
    pub(super) fn new(control: Arc<TcpStream>, waker: Waker) -> Self {
        Self {
            state: Mutex::default(),
            control,
            waker,
            start: Instant::now(),
            busy_since: AtomicU64::new(1),
        }
    }

    /// The session's thread waits from now on, doing this.
    pub(super) fn waits(&self, activity: Activity) -> Orders {
        self.busy_since.store(0, Ordering::Relaxed);
        let mut state = self.state();
        state.activity = activity;
        Orders {
            killed: state.killed,
            stop: state.stop,
        }
    }

    /// Something has happened, and the session's thread looks at it.
    pub(super) fn works(&self, now: Instant) {
        let since = u64::try_from(now.duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        self.busy_since
            .store(since.saturating_add(1), Ordering::Relaxed);
    }

    /// Notes who has logged in.
    pub(super) fn set_user(&self, user: Option<&str>) {
        self.state().user = user.map(str::to_owned);
    }

    /// Notes what protects the control connection.
    pub(super) fn set_tls(&self, tls: Option<Agreed>) {
        self.state().tls = tls;
    }

    /// Notes whether data connections are protected from now on.
    pub(super) fn set_data_protected(&self, protected: bool) {
        self.state().data_protected = protected;
    }

    /// Notes an operation, and which transfer it prepares if it prepares one.
    pub(super) fn begin(&self, operation: &Operation, task: &Task) {
        match operation {
            Operation::Prepare(Transfer::Download { path, .. }) => {
                self.begin_transfer("download", path, task);
            }
            Operation::Prepare(Transfer::Upload { path, .. }) => {
                self.begin_transfer("upload", path, task);
            }
            Operation::Prepare(Transfer::List(listing)) => {
                self.begin_transfer("listing", &listing.path, task);
            }
            _ => self.state().begin(task),
        }
    }

    /// Notes a transfer: what it is in a word, and its path.
    pub(super) fn begin_transfer(&self, what: &'static str, path: &VirtualPath, task: &Task) {
        let mut state = self.state();
        state.begin(task);
        state.transfer = Some((what, path.clone()));
    }

    /// What there is to tell.
    pub(crate) fn shown(&self) -> Shown {
        let state = self.state();
        let transfer = state.transfer.as_ref();
        let transfer = transfer.filter(|_| state.activity == Activity::Transfer);
        Shown {
            user: state.user.clone(),
            tls: state.tls.clone(),
            data_protected: state.data_protected,
            state: transfer.map_or(state.activity.name(), |(what, _)| what),
            transfer: transfer.map(|(_, path)| (path.clone(), state.task.moved())),
        }
    }

    /// The session has to end, and what it does.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.killed = true;
        state.task.cancel_by(Canceller::Administrator);
        drop(state);
        self.waker.wake();
    }

    /// The session has to end once its transfer has, or after this time.
    pub(crate) fn stop(&self, grace: Duration) {
        self.state().stop = Some(grace);
        self.waker.wake();
    }

    /// For how long the session's thread has been stuck in what it does: nothing if it waits for
    /// something to happen.
    pub(crate) fn stuck_for(&self, now: Instant) -> Option<Duration> {
        let since = self.busy_since.load(Ordering::Relaxed).checked_sub(1)?;
        let elapsed = now.saturating_duration_since(self.start);
        Some(elapsed.saturating_sub(Duration::from_millis(since)))
    }

    /// Whether the session was told to end at once.
    pub(crate) fn is_killed(&self) -> bool {
        self.state().killed
    }

    /// Ends the control connection although the session's thread is stuck; true the first time.
    pub(crate) fn shut_down(&self) -> bool {
        let first = !std::mem::replace(&mut self.state().shut_down, true);
        if first {
            // It fails if the client has ended it.
            let _shut = self.control.shutdown(Shutdown::Both);
        }
        first
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
