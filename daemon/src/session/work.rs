//! What other threads do for a session at the moment: file operations and checks of passwords.

use std::{convert::Infallible, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How often a session looks whether work that is under way is done, although nobody has told it
/// so.
const BUSY_BEAT: Duration = Duration::from_millis(5);

/// The same while no work is under way: only the server may have something to tell, namely to stop.
const IDLE_BEAT: Duration = Duration::from_millis(500);

/// A count of the work under way. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Work(watch::Sender<usize>);

/// A piece of work; it is done when this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Work);

impl Work {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Counts one more piece of work.
    #[must_use]
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.clone())
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        self.until(true).await;
    }

    async fn until(&self, idle: bool) {
        let mut count = self.0.subscribe();
        // It fails only when the last sender is gone, and `self` is one.
        let _reached = count.wait_for(|count| (*count == 0) == idle).await;
    }

    /// Wakes the session again and again, for as long as it is polled.
    ///
    /// mio's poll(2) selector loses a wake-up from another thread now and then: registering a
    /// socket empties the pipe through which it came (mio issue 1874). Without this, the session
    /// would then sleep until its client sends something. The selector for epoll is free of this,
    /// but may not work on the VMkernel.
    pub(super) async fn heartbeat(&self) -> Infallible {
        loop {
            let _either = timeout(IDLE_BEAT, self.until(false)).await;
            while !self.is_idle() {
                sleep(BUSY_BEAT).await;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_idle_when_the_last_piece_is_done() {
        let work = Work::new();
        let (one, two) = (work.begin(), work.begin());
        drop(one);
        assert!(!work.is_idle());
        drop(two);
        work.idle().await;
        assert!(work.is_idle());
    }
}
