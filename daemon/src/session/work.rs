//! What is under way for a session: file operations and checks of passwords.

use tokio::sync::watch;

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
    pub(super) fn is_idle(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Waits until nothing is under way.
    pub(super) async fn idle(&self) {
        let mut count = self.0.subscribe();
        // It fails only when the last sender is gone, and `self` is one.
        let _idle = count.wait_for(|count| *count == 0).await;
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
