//! Waking the session's loop from another thread: a pipe, because poll(2) waits for descriptors.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::sys::nonblocking_pipe;

/// The end to wake by.
#[derive(Debug)]
pub(super) struct Waker {
    pipe: File,
    /// Whether a byte is in the pipe already.
    woken: AtomicBool,
}

/// The end to wait at.
#[derive(Debug)]
pub(crate) struct Wakeups(File);

/// Both ends.
///
/// # Errors
/// If there is no pipe to be had.
pub(super) fn waker() -> io::Result<(Waker, Wakeups)> {
    let (reader, writer) = nonblocking_pipe()?;
    let waker = Waker {
        pipe: writer.into(),
        woken: AtomicBool::new(false),
    };
    Ok((waker, Wakeups(reader.into())))
}

impl Waker {
    /// Wakes the loop; what it is to see must have been written before.
    pub(super) fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // A full pipe wakes, too, and without a reader the session has ended.
            let _woken = (&self.pipe).write(&[0]);
        }
    }

    /// The loop has seen it: from now on, it is woken again.
    pub(super) fn seen(&self, wakeups: &Wakeups) {
        let mut byte = [0; 8];
        let _read = (&wakeups.0).read(&mut byte);
        self.woken.store(false, Ordering::Release);
    }
}

impl AsFd for Wakeups {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        thread,
    };

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::tests::PATIENCE;

    fn is_woken(wakeups: &Wakeups, patience: PollTimeout) -> bool {
        let mut descriptors = [PollFd::new(wakeups.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, patience).unwrap() == 1
    }

    #[test]
    fn a_loop_that_was_woken_waits_again_only_after_it_has_seen_it() {
        let (waker, wakeups) = waker().unwrap();
        let woken = || is_woken(&wakeups, PollTimeout::ZERO);
        for _ in 0..3 {
            assert!(!woken());
            waker.wake();
            assert!(woken() && woken());
            waker.seen(&wakeups);
        }
        // Nothing has come between: that is no reason to wait.
        waker.seen(&wakeups);
        waker.wake();
        assert!(woken());
    }

    #[test]
    fn a_thousand_wakes_are_one_byte() {
        let (waker, wakeups) = waker().unwrap();
        (0..1000).for_each(|_| waker.wake());
        let mut bytes = [0; 2000];
        assert_eq!((&wakeups.0).read(&mut bytes).unwrap(), 1);
        let more = (&wakeups.0).read(&mut bytes).unwrap_err();
        assert_eq!(more.kind(), io::ErrorKind::WouldBlock);
    }

    /// The loop looks at what it was woken for after it has seen that it was.
    #[test]
    fn no_wake_between_seeing_one_and_the_next_wait_is_lost() {
        const LAST: u32 = 50_000;
        let (waker, wakeups) = waker().unwrap();
        let (waker, number) = (Arc::new(waker), Arc::new(Mutex::new(0)));
        let writer = thread::spawn({
            let (waker, number) = (waker.clone(), number.clone());
            move || {
                for next in 1..=LAST {
                    *number.lock().unwrap() = next;
                    waker.wake();
                }
            }
        });
        let mut seen = 0;
        while seen < LAST {
            let patience = PollTimeout::try_from(PATIENCE).unwrap();
            assert!(is_woken(&wakeups, patience), "{seen} was the last seen");
            waker.seen(&wakeups);
            seen = *number.lock().unwrap();
        }
        writer.join().unwrap();
    }

    #[test]
    fn a_session_that_has_ended_is_woken_without_harm() {
        let (waker, wakeups) = waker().unwrap();
        drop(wakeups);
        waker.wake();
        waker.wake();
    }
}
