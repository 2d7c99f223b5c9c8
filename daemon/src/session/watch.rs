//! What the frame sees and limits of a session whose engine does not do it itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use protocol::{Activity, virtual_path::VirtualPath};
use tracing::{Span, info};

use super::{status::Status, waker::Wakeups};
use crate::{config::Limits, task::Task};

/// Watches one session.
#[derive(Debug)]
pub(crate) struct Watch {
    status: Arc<Status>,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logged_in: bool,
    refused: u32,
    /// The transfer that is under way.
    transfer: Option<Task>,
    /// What it has moved, and since when it has moved no more.
    moved: Option<(u64, Instant)>,
    /// When a session that is to stop ends at the latest.
    stop: Option<Instant>,
}

impl State {
    fn activity(&self) -> Activity {
        match self.transfer {
            Some(_) => Activity::Transfer,
            None if self.logged_in => Activity::Idle,
            None => Activity::LogIn,
        }
    }
}

impl Watch {
    /// Of a session that begins now.
    pub(crate) fn new(status: Arc<Status>) -> Self {
        status.waits(Activity::LogIn);
        Self {
            status,
            start: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Notes who has logged in.
    pub(crate) fn log_in(&self, name: &str) {
        self.status.set_user(Some(name));
        Span::current().record("user", name);
        let mut state = self.state();
        state.logged_in = true;
        self.status.waits(state.activity());
    }

    /// Counts a login that was refused.
    pub(crate) fn refuse(&self) {
        self.state().refused += 1;
    }

    /// A transfer begins. What it moves is to be counted in its task.
    pub(crate) fn begin(&self, what: &'static str, path: &VirtualPath) -> Task {
        let task = Task::default();
        self.status.begin_transfer(what, path, &task);
        let mut state = self.state();
        state.transfer = Some(task.clone());
        self.status.waits(state.activity());
        task
    }

    /// The transfer has ended.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.transfer = None;
        self.status.waits(state.activity());
    }

    /// Whether the session may go on; the log says why not. To be asked now and then, and when it
    /// was woken.
    pub(crate) fn goes_on(&self, limits: &Limits, now: Instant) -> bool {
        let reason = self.reason_to_end(limits, now);
        reason.inspect(|reason| info!("ended: {reason}")).is_none()
    }

    fn reason_to_end(&self, limits: &Limits, now: Instant) -> Option<&'static str> {
        let mut state = self.state();
        let orders = self.status.waits(state.activity());
        let over = |since: Instant, seconds: u32| {
            now.saturating_duration_since(since) > Duration::from_secs(seconds.into())
        };
        let moved = state.transfer.as_ref().map(Task::moved);
        if state.moved.map(|(bytes, _)| bytes) != moved {
            state.moved = moved.map(|bytes| (bytes, now));
        }
        state.stop = state.stop.or(orders.stop.map(|grace| now + grace));
        if orders.killed {
            Some("killed by an administrator")
        } else if state
            .stop
            .is_some_and(|until| now >= until || moved.is_none())
        {
            Some("the daemon stops")
        } else if !state.logged_in && state.refused >= limits.log_in_attempts {
            Some("too many refused logins")
        } else if !state.logged_in && over(self.start, limits.log_in_seconds) {
            Some("no login within limits.log-in-seconds")
        } else {
            let stalled = |(_, since)| over(since, limits.stall_seconds);
            let stalled = state.moved.is_some_and(stalled);
            stalled.then_some("nothing moved within limits.stall-seconds")
        }
    }

    /// The session has seen that it was woken.
    pub(crate) fn seen(&self, wakeups: &Wakeups) {
        self.status.waker.seen(wakeups);
    }

    /// The session ends, and with it what it does and its control connection.
    pub(crate) fn finish(&self) {
        self.state().transfer.iter().for_each(Task::cancel);
        self.status.shut_down();
        let seconds = self.start.elapsed().as_secs();
        info!(seconds, "disconnected");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{session::waker::waker, tests::pair};

    const SECOND: Duration = Duration::from_secs(1);

    fn watch() -> (Watch, Arc<Status>) {
        let (ours, _client) = pair();
        let (waker, _wakeups) = waker().unwrap();
        let status = Arc::new(Status::new(Arc::new(ours.into()), waker));
        (Watch::new(status.clone()), status)
    }

    fn ends(watch: &Watch, now: Instant) -> Option<&'static str> {
        let limits = Limits {
            log_in_seconds: 10,
            stall_seconds: 20,
            ..Limits::default()
        };
        watch.reason_to_end(&limits, now)
    }

    #[test]
    fn somebody_has_to_log_in_in_time() {
        let (watch, _status) = watch();
        assert_eq!(ends(&watch, watch.start + 9 * SECOND), None);
        let late = ends(&watch, watch.start + 11 * SECOND).unwrap();
        assert!(late.contains("log-in-seconds"), "{late}");
        watch.log_in("alice");
        assert_eq!(ends(&watch, watch.start + 11 * SECOND), None);
    }

    #[test]
    fn a_client_that_guesses_is_ended() {
        let (watch, _status) = watch();
        for _ in 0..Limits::default().log_in_attempts {
            assert_eq!(ends(&watch, watch.start), None);
            watch.refuse();
        }
        assert_eq!(ends(&watch, watch.start), Some("too many refused logins"));
        watch.log_in("alice");
        assert_eq!(ends(&watch, watch.start), None);
    }

    #[test]
    fn a_transfer_has_to_move() {
        let (watch, status) = watch();
        watch.log_in("alice");
        let task = watch.begin("upload", &VirtualPath::root());
        assert_eq!(status.shown().state, "upload");
        let at = |seconds: u32| ends(&watch, watch.start + seconds * SECOND);
        assert_eq!(at(0), None);
        assert_eq!(at(19), None);
        task.add(1);
        assert_eq!(at(21), None);
        assert_eq!(at(40), None);
        let stalled = at(42).unwrap();
        assert!(stalled.contains("stall-seconds"), "{stalled}");
        watch.end();
        assert_eq!(at(42), None);
        assert_eq!(status.shown().state, "idle");
    }

    #[test]
    fn a_session_that_is_to_stop_ends_after_its_transfer_or_its_grace() {
        let (watch, status) = watch();
        watch.log_in("alice");
        let _task = watch.begin("upload", &VirtualPath::root());
        status.stop(5 * SECOND);
        assert_eq!(ends(&watch, watch.start), None);
        assert!(ends(&watch, watch.start + 5 * SECOND).is_some());
        watch.end();
        assert!(ends(&watch, watch.start).is_some());
    }

    #[test]
    fn a_session_that_is_killed_ends() {
        let (watch, status) = watch();
        let task = watch.begin("upload", &VirtualPath::root());
        status.kill();
        assert!(ends(&watch, watch.start).is_some());
        task.check().unwrap_err();
    }
}
