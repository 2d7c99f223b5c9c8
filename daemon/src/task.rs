//! Work that a session has under way: to be cancelled and counted from outside, on threads that may
//! block.

use std::{
    any::Any,
    cell::RefCell,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::poll::{PollTimeout, poll};
use parking_lot::Mutex;
use protocol::request::Failure;
use tracing::Span;

use crate::sys::memory;

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
    /// Who has cancelled it, as in [`Canceller::ALL`]; zero if nobody has.
    cancelled: AtomicU8,
    moved: AtomicU64,
    pace: Option<Paced>,
}

/// Who has cancelled a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canceller {
    /// The session, which ends or has no use for the result.
    Session,
    /// The client, by a command.
    Client,
    /// The client, by ending its connection.
    ClientLeft,
    /// An administrator.
    Administrator,
    /// The daemon, because it stops.
    Stop,
    /// A limit on time.
    Time,
}

impl Canceller {
    const ALL: [Self; 6] = [
        Self::Session,
        Self::Client,
        Self::ClientLeft,
        Self::Administrator,
        Self::Stop,
        Self::Time,
    ];

    /// Whether the client has had it so.
    pub(crate) fn is_client(self) -> bool {
        matches!(self, Self::Client | Self::ClientLeft)
    }

    /// In words for the log.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Session => "the session, which ended",
            Self::Client => "the client",
            Self::ClientLeft => "the client, which disconnected",
            Self::Administrator => "an administrator",
            Self::Stop => "the daemon, which stops",
            Self::Time => "a limit on time",
        }
    }
}

/// Limits how fast bytes are moved.
pub(crate) trait Pace: fmt::Debug + Send + Sync {
    /// Charges bytes, and returns when they are paid for.
    fn charge(&self, bytes: u64, now: Instant) -> Option<Instant>;
}

#[derive(Debug)]
struct Paced {
    pace: Box<dyn Pace>,
    /// When the bytes that have been moved are paid for.
    paid: Mutex<Option<Instant>>,
}

impl Task {
    /// A task that moves bytes no faster than this: [`Task::check`] waits for their time.
    pub(crate) fn paced(pace: impl Pace + 'static) -> Self {
        Self(Arc::new(Shared {
            pace: Some(Paced {
                pace: Box::new(pace),
                paid: Mutex::default(),
            }),
            ..Shared::default()
        }))
    }

    /// Asks the threads to stop, on behalf of the session. See [`Task::cancel_by`].
    pub(crate) fn cancel(&self) {
        self.cancel_by(Canceller::Session);
    }

    /// Asks the threads to stop. Loops look often enough for that to take less than 100 ms, unless
    /// the kernel holds a thread.
    pub(crate) fn cancel_by(&self, canceller: Canceller) {
        let mut codes = (1_u8..).zip(Canceller::ALL);
        let code = codes.find(|(_, it)| *it == canceller).map_or(1, |it| it.0);
        let shared = &self.0.cancelled;
        // The first one had it cancelled.
        let _before = shared.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Who has cancelled it, if somebody has.
    pub(crate) fn cancelled_by(&self) -> Option<Canceller> {
        let code = self.0.cancelled.load(Ordering::Relaxed).checked_sub(1)?;
        Canceller::ALL.get(usize::from(code)).copied()
    }

    /// Whether to go on; waits until the bytes that were moved are paid for.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] if not; [`Failure::Resources`] if this thread has met a shortage of
    /// memory.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0.pace.as_ref().and_then(|paced| *paced.paid.lock()) {
            Some(paid) => self.wait_until(paid),
            None => self.is_to_go_on(),
        }
    }

    fn is_to_go_on(&self) -> Result<(), Failure> {
        if memory::take_shortage() {
            return Err(Failure::Resources);
        }
        match self.0.cancelled.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Failure::Cancelled),
        }
    }

    /// Waits until this time.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(crate) fn wait_until(&self, until: Instant) -> Result<(), Failure> {
        loop {
            self.is_to_go_on()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            // Sleeping by std needs a call that old kernels lack.
            let slice = left.min(CHECK_INTERVAL).as_millis().max(1);
            let slice = PollTimeout::from(u8::try_from(slice).unwrap_or(u8::MAX));
            // Nothing is waited for, so nothing but time can come of it.
            let _waited = poll(&mut [], slice);
        }
    }

    /// Counts bytes that were moved.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.moved.fetch_add(bytes, Ordering::Relaxed);
        if let Some(Paced { pace, paid }) = &self.0.pace {
            *paid.lock() = pace.charge(bytes, Instant::now());
        }
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
        memory::thread_has_begun();
        KEPT.set(Some(kept));
        job();
    };
    memory::start_thread(STACK_BYTES, || thread.spawn(job).map(drop))
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
        let job = || {
            memory::thread_has_begun();
            job()
        };
        let started = memory::start_thread(STACK_BYTES, || thread.spawn_scoped(scope, job));
        let thread = started.ok()?;
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
    fn the_first_who_cancels_a_task_is_named() {
        let task = Task::default();
        assert_eq!((task.check(), task.cancelled_by()), (Ok(()), None));
        for canceller in Canceller::ALL {
            let task = Task::default();
            task.cancel_by(canceller);
            task.cancel();
            assert_eq!(task.check(), Err(Failure::Cancelled));
            assert_eq!(task.cancelled_by(), Some(canceller));
        }
    }

    #[test]
    fn a_paced_task_waits_for_its_bytes_and_can_be_cancelled_meanwhile() {
        #[derive(Debug)]
        struct BytePerMillisecond;
        impl Pace for BytePerMillisecond {
            fn charge(&self, bytes: u64, now: Instant) -> Option<Instant> {
                Some(now + Duration::from_millis(bytes))
            }
        }
        let task = Task::paced(BytePerMillisecond);
        let start = Instant::now();
        task.check().unwrap();
        task.add(120);
        task.check().unwrap();
        assert!(start.elapsed() >= Duration::from_millis(120));
        task.add(u64::from(u32::MAX));
        task.cancel();
        assert_eq!(task.check(), Err(Failure::Cancelled));
    }

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
