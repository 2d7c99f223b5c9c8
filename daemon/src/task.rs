//! Work that a session has under way: to be cancelled and counted from outside, on threads that may
//! block.

use std::{
    any::Any,
    cell::RefCell,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use protocol::request::Failure;
use tracing::Span;

/// Stack of a session's threads in bytes. Hosts limit what a daemon may use; this much proved
/// enough.
pub(crate) const STACK_BYTES: usize = 512 * 1024;

/// How long a thread waits for something before it looks whether to go on. Cancelling takes effect
/// within 100 ms.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// An operation or transfer under way, as the threads see it that work on it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Task(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    moved: AtomicU64,
}

impl Task {
    /// Asks the threads to stop. Loops look often enough for that to take less than 100 ms, unless
    /// the kernel holds a thread.
    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] if not.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.0.cancelled.load(Ordering::Relaxed) {
            return Err(Failure::Cancelled);
        }
        Ok(())
    }

    /// Counts bytes that were moved.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes moved so far.
    pub(crate) fn moved(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }
}

/// What the threads of one session keep until they end: its permit, because a thread that is stuck
/// in the kernel outlives its session, and permits are what bounds the number of threads.
pub(crate) type Kept = Arc<dyn Any + Send + Sync>;

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Has this thread, which a runtime has started, keep what the session keeps.
#[cfg(feature = "libunftp")]
pub(crate) fn keep(kept: Kept) {
    KEPT.set(Some(kept));
}

/// Starts a thread of a session. It is not waited for.
///
/// # Errors
/// If there is none to be had.
pub(crate) fn start_thread(
    name: String,
    kept: Kept,
    job: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
    let job = move || {
        KEPT.set(Some(kept));
        job();
    };
    thread.spawn(job).map(drop)
}

/// Lets a second thread help this one. Nobody waits for it: it should look at [`Task::check`], and
/// at whether the first thread has gone. Where none is to be had, this one works alone.
pub(crate) fn second_thread(job: impl FnOnce() + Send + 'static) {
    let kept = KEPT
        .with_borrow(Clone::clone)
        .unwrap_or_else(|| Arc::new(()));
    let span = Span::current();
    if let Err(error) = start_thread("helper".to_owned(), kept, move || span.in_scope(job)) {
        tracing::debug!(%error, "no second thread");
    }
}

/// Runs `job` beside `other`, on a thread that ends before this returns; nothing if there is no
/// thread.
pub(crate) fn beside<A: Send, B>(
    job: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> Option<(thread::Result<A>, B)> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, job).ok()?;
        let other = other();
        Some((thread.join(), other))
    })
}

/// How often to look whether a job is done. Its thread wakes the runtime, but mio's poll(2)
/// selector loses wake-ups from other threads now and then (mio issue 1874).
#[cfg(feature = "libunftp")]
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Does a job of a session that has a runtime on a thread that may block.
///
/// # Errors
/// Those of the job; [`Failure::Internal`] if it panics.
#[cfg(feature = "libunftp")]
pub(crate) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let span = Span::current();
    let job = tokio::task::spawn_blocking(move || span.in_scope(job));
    looked_at(job).await.unwrap_or(Err(Failure::Internal))
}

/// The result of a job on another thread, looked for also when nothing has woken the runtime.
#[cfg(feature = "libunftp")]
pub(crate) async fn looked_at<T>(job: impl Future<Output = T>) -> T {
    let mut job = std::pin::pin!(job);
    loop {
        tokio::select! {
            result = &mut job => return result,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_that_is_stuck_keeps_the_permit_of_its_session() {
        let permit: Kept = Arc::new(());
        let (started, has_started) = channel();
        let (release, released) = channel::<()>();
        start_thread("stuck".to_owned(), permit.clone(), move || {
            second_thread(move || {
                started.send(()).unwrap();
                released.recv().unwrap_err();
            });
        })
        .unwrap();
        has_started.recv().unwrap();
        assert!(
            Arc::strong_count(&permit) > 1,
            "the second thread still runs"
        );
        drop(release);
        while Arc::strong_count(&permit) > 1 {
            thread::yield_now();
        }
    }
}
