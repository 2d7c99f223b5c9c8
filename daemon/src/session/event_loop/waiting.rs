//! Waiting for something to happen.

use std::{
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::EventLoop;

/// What poll(2) has seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) control: PollFlags,
    pub(super) data: bool,
    pub(super) wakeup: bool,
}

impl EventLoop {
    /// Waits until something happens, or until the deadline.
    pub(super) fn wait(&mut self, wanted: bool, deadline: Option<Instant>) -> Result<Seen> {
        let has_input = wanted && self.control.has_input();
        let now = Instant::now();
        let refused = self.refused.as_ref().map(|(at, _)| *at);
        let until = [deadline, refused, self.data.watched_from(now)];
        let timeout = match until.into_iter().flatten().min() {
            _ if has_input => PollTimeout::ZERO,
            Some(at) => timeout(at.saturating_duration_since(now)),
            None => PollTimeout::NONE,
        };
        let control = self.control.interest(wanted);
        let data = self.data.interest(now);
        let count = if data.is_some() { 3 } else { 2 };
        let (data, interest) = data.unwrap_or((self.wakeups.as_fd(), PollFlags::empty()));
        let mut descriptors = [
            PollFd::new(self.control.as_fd(), control),
            PollFd::new(self.wakeups.as_fd(), PollFlags::POLLIN),
            PollFd::new(data, interest),
        ];
        let descriptors = descriptors.get_mut(..count).unwrap_or_default();
        match poll(descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno).context("poll(2) has failed"),
        }
        let flags = |at: usize| {
            let flags = descriptors.get(at).and_then(PollFd::revents);
            flags.unwrap_or(PollFlags::empty())
        };
        let mut control = flags(0);
        if has_input {
            control |= PollFlags::POLLIN;
        }
        Ok(Seen {
            control,
            wakeup: !flags(1).is_empty(),
            data: !flags(2).is_empty(),
        })
    }

    /// Waits until another thread wakes the session, or until the deadline.
    pub(super) fn wait_for_wakeup(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut descriptors = [PollFd::new(self.wakeups.as_fd(), PollFlags::POLLIN)];
        // An interruption is no matter: whoever waits looks again.
        let _waited = poll(&mut descriptors, timeout(left));
        self.status.waker.seen(&self.wakeups);
    }
}

/// For poll(2), rounded up: it must not return before the time has come.
fn timeout(left: Duration) -> PollTimeout {
    let milliseconds = left.as_micros().div_ceil(1000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}
