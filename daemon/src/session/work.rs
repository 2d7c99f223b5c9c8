//! What is under way for a session: file operations and checks of passwords.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How long the engine may take from a data connection to the storage, or from the storage to its
/// reply.
const SETTLE: Duration = Duration::from_millis(250);

/// Counts the work under way. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    count: watch::Sender<usize>,
    /// Whether a data connection has been offered for which the engine has not yet come to the
    /// storage.
    offered: Arc<AtomicBool>,
}

/// A piece of work; it is done when this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay(Work);

/// Work was not done in time.
#[derive(Debug)]
pub(super) struct Unfinished;

impl Work {
    pub(crate) fn new() -> Self {
        Self {
            count: watch::Sender::new(0),
            offered: Arc::default(),
        }
    }

    /// Counts one more piece of work.
    #[must_use]
    pub(crate) fn begin(&self) -> UnderWay {
        self.count.send_modify(|count| *count += 1);
        UnderWay(self.clone())
    }

    /// Like [`Work::begin`], for what a data connection was offered for.
    #[must_use]
    pub(crate) fn begin_transfer(&self) -> UnderWay {
        self.offered.store(false, Ordering::Relaxed);
        self.begin()
    }

    /// The client has been told where to open a data connection.
    pub(super) fn offer(&self) {
        self.offered.store(true, Ordering::Relaxed);
    }

    /// Lets what is under way finish, replies included, but not for longer than about `grace`.
    ///
    /// # Errors
    /// If the time was not enough.
    pub(super) async fn finish(&self, grace: Duration) -> Result<(), Unfinished> {
        if self.offered.load(Ordering::Relaxed) {
            sleep(SETTLE).await;
        }
        if self.is_idle() {
            return Ok(());
        }
        timeout(grace, self.idle())
            .await
            .map_err(|_elapsed| Unfinished)?;
        sleep(SETTLE).await;
        Ok(())
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        *self.count.borrow() == 0
    }

    /// Waits until nothing is under way.
    async fn idle(&self) {
        let mut count = self.count.subscribe();
        // It fails only when the last sender is gone, and `self` is one.
        let _idle = count.wait_for(|count| *count == 0).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_finished_when_the_last_piece_is_done() {
        let work = Work::new();
        let (one, two) = (work.begin(), work.begin());
        drop(one);
        assert!(work.finish(SETTLE).await.is_err());
        drop(two);
        assert!(work.finish(SETTLE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_offered_data_connection_gets_the_time_to_become_a_transfer() {
        let work = Work::new();
        work.offer();
        let (result, ()) = tokio::join!(work.finish(SETTLE), async {
            sleep(SETTLE / 2).await;
            let transfer = work.begin_transfer();
            sleep(2 * SETTLE).await;
            drop(transfer);
        });
        assert!(
            result.is_err(),
            "the transfer took longer than it was given"
        );
    }
}
