//! The session's worker: a thread for what may take long. It exists only while it is needed and a
//! moment longer, and wakes the session's loop when it has something to tell.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use protocol::request::{Denied, Failure, Outcome, PathFailure};
use tracing::{Span, error, info};

use super::status::Status;
use crate::{
    accounts::LogIn,
    storage::prepare::Prepared,
    task::{Kept, start_thread},
};

/// Workers of one session at one time. More than one means that the others were given up and hang.
const MOST_WORKERS: usize = 2;

/// How long a worker waits for the next job. Starting a thread costs as much as sending 64 KiB, and
/// clients ask for one file after the other.
const WAIT: Duration = Duration::from_secs(1);

/// What a worker does.
type Job = Box<dyn FnOnce() + Send>;

/// What a worker tells the session.
#[derive(Debug)]
pub(super) enum Message {
    /// The transfer has its data connection, TLS included.
    Began,
    /// A log-in has been looked at.
    LoggedIn(LogIn),
    /// An operation has ended, and has left a transfer ready if it was to.
    Performed(Result<(Outcome, Option<Prepared>), PathFailure>),
    /// The transfer has ended.
    Ended(Result<(), Failure>),
}

/// The workers of one session.
#[derive(Debug)]
pub(super) struct Workers {
    name: String,
    kept: Kept,
    mailbox: Arc<Mailbox>,
    /// Which job the session waits for; what those before it tell is thrown away.
    job: u64,
    running: Arc<AtomicUsize>,
    next: Arc<NextJob>,
}

#[derive(Debug)]
struct Mailbox {
    messages: Mutex<Vec<(u64, Message)>>,
    status: Arc<Status>,
}

/// Where one job sends what it has to tell.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    job: u64,
    mailbox: Arc<Mailbox>,
}

impl Sender {
    /// Tells the session something.
    pub(super) fn send(&self, message: Message) {
        self.mailbox.messages().push((self.job, message));
        self.mailbox.status.waker.wake();
    }
}

impl Mailbox {
    fn messages(&self) -> MutexGuard<'_, Vec<(u64, Message)>> {
        self.messages.lock()
    }
}

impl Workers {
    pub(super) fn new(name: String, kept: Kept, status: Arc<Status>) -> Self {
        Self {
            name,
            kept,
            mailbox: Arc::new(Mailbox {
                messages: Mutex::default(),
                status,
            }),
            job: 0,
            running: Arc::default(),
            next: Arc::default(),
        }
    }

    /// A sender for the job that begins now.
    pub(super) fn sender(&mut self) -> Sender {
        self.job += 1;
        Sender {
            job: self.job,
            mailbox: self.mailbox.clone(),
        }
    }

    /// Has a thread do a job and send what came of it; `panicked` if it panics.
    ///
    /// # Errors
    /// [`Failure::Resources`] if there is no thread, or too many of this session hang.
    pub(super) fn start(
        &self,
        sender: Sender,
        panicked: Message,
        job: impl FnOnce() -> Message + Send + 'static,
    ) -> Result<(), Failure> {
        let running = Running::count(&self.running)?;
        let span = Span::current();
        let next = self.next.clone();
        let job: Job = Box::new(move || {
            span.in_scope(|| {
                let message = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_panic| {
                    error!("panicked: what the session was doing has ended");
                    panicked
                });
                // First: the session may start the next one as soon as it hears of this.
                drop(running);
                next.expect_one();
                sender.send(message);
            });
        });
        let Err(job) = self.next.give(job) else {
            return Ok(());
        };
        let next = self.next.clone();
        let started = start_thread(self.name.clone(), self.kept.clone(), move || {
            let mut job = Some(job);
            while let Some(current) = job {
                current();
                job = next.wait();
            }
        });
        started.map_err(|error| {
            info!(%error, "no-thread: lower limits.sessions");
            Failure::Resources
        })
    }

    /// Has a thread do what nobody needs to hear of. It is done here if there is none, or if too many
    /// of this session hang.
    pub(super) fn start_unheard(&self, job: impl FnOnce() + Send + 'static) {
        let span = Span::current();
        match Running::count(&self.running) {
            Ok(running) => {
                let job = move || {
                    let _running = running;
                    span.in_scope(job);
                };
                if let Err(error) = start_thread(self.name.clone(), self.kept.clone(), job) {
                    // What it was to drop has been dropped with it.
                    info!(%error, "no-thread: lower limits.sessions");
                }
            }
            Err(_too_many) => job(),
        }
    }

    /// Waits for no job any more.
    pub(super) fn abandon(&mut self) {
        self.job += 1;
    }

    /// What the job that the session waits for has told since this was asked last.
    pub(super) fn messages(&self) -> Vec<Message> {
        let messages = std::mem::take(&mut *self.mailbox.messages());
        let current = messages.into_iter().filter(|(job, _)| *job == self.job);
        current.map(|(_, message)| message).collect()
    }
}

/// Nobody gives a job any more.
impl Drop for Workers {
    fn drop(&mut self) {
        self.next.end();
    }
}

/// The next job, for a worker that waits for one.
#[derive(Default)]
struct NextJob {
    state: Mutex<NextState>,
    changed: Condvar,
}

#[derive(Default)]
struct NextState {
    job: Option<Job>,
    /// Whether a worker waits, or is about to.
    expected: bool,
    ended: bool,
}

impl NextJob {
    /// Says that the worker whose job has ended will wait for one more, if no other does.
    fn expect_one(&self) {
        self.state.lock().expected = true;
    }

    /// Gives a job to the worker that waits, or back if none does.
    fn give(&self, job: Job) -> Result<(), Job> {
        let mut state = self.state.lock();
        if !state.expected {
            return Err(job);
        }
        state.expected = false;
        state.job = Some(job);
        self.changed.notify_one();
        Ok(())
    }

    /// The next job; nothing if none comes in time, or if another worker is quicker.
    fn wait(&self) -> Option<Job> {
        let deadline = Instant::now() + WAIT;
        let mut state = self.state.lock();
        while state.job.is_none() && state.expected && !state.ended {
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                state.expected = false;
            }
        }
        state.job.take()
    }

    fn end(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
    }
}

/// Without the job.
impl fmt::Debug for NextJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NextJob")
    }
}

/// Counts a worker until it has ended.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn count(running: &Arc<AtomicUsize>) -> Result<Self, Failure> {
        let counted = Self(running.clone());
        if running.fetch_add(1, Ordering::Relaxed) < MOST_WORKERS {
            Ok(counted)
        } else {
            Err(Failure::Resources)
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Message {
    /// A log-in that could not be looked at.
    pub(super) fn no_log_in() -> Self {
        Self::LoggedIn(LogIn::failed(Denied::Unavailable))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender as Release, channel};

    use super::*;
    use crate::{
        session::waker::waker,
        tests::{pair, wait_until},
    };

    fn workers() -> Workers {
        let (ours, _client) = pair();
        let (waker, _wakeups) = waker().unwrap();
        let status = Status::new(Arc::new(ours.into()), waker);
        Workers::new("worker-1".to_owned(), Arc::new(()), Arc::new(status))
    }

    /// The next message, in its `Debug` form.
    fn told(workers: &Workers) -> String {
        wait_until("a message", || !workers.mailbox.messages().is_empty());
        format!("{:?}", workers.messages())
    }

    fn panicked() -> Message {
        Message::Ended(Err(Failure::Internal))
    }

    const DONE: &str = "[Ended(Ok(()))]";

    /// A job that ends when it is released.
    fn hanging(workers: &mut Workers) -> Result<Release<()>, Failure> {
        let (release, released) = channel();
        let sender = workers.sender();
        workers.start(sender, panicked(), move || {
            let _released = released.recv();
            Message::Ended(Ok(()))
        })?;
        Ok(release)
    }

    #[test]
    fn a_panic_becomes_the_message_that_was_given_for_it() {
        let mut workers = workers();
        let sender = workers.sender();
        workers
            .start(sender, panicked(), || panic!("a fault"))
            .unwrap();
        assert_eq!(told(&workers), "[Ended(Err(Internal))]");
        // The next one works.
        drop(hanging(&mut workers).unwrap());
        assert_eq!(told(&workers), DONE);
    }

    #[test]
    fn what_an_abandoned_job_tells_is_thrown_away() {
        let mut workers = workers();
        for again in [false, true] {
            let old = hanging(&mut workers).unwrap();
            // Told before it is abandoned, and not looked at.
            let sender = workers.sender();
            sender.send(Message::Began);
            if again {
                workers.abandon();
            } else {
                workers.sender();
            }
            sender.send(Message::Began);
            drop(old);
            wait_until("the old job ends", || {
                workers.running.load(Ordering::Relaxed) == 0
            });
            assert!(workers.messages().is_empty());
        }
        drop(hanging(&mut workers).unwrap());
        assert_eq!(told(&workers), DONE);
    }

    #[test]
    fn a_worker_that_has_told_its_result_does_not_count() {
        let mut workers = workers();
        for _ in 0..500 {
            drop(hanging(&mut workers).unwrap());
            assert_eq!(told(&workers), DONE);
            assert_eq!(workers.running.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn a_worker_does_the_next_job_that_comes_soon() {
        let mut workers = workers();
        let mut threads = Vec::new();
        for _ in 0..3 {
            let (thread, told_thread) = channel();
            let sender = workers.sender();
            workers
                .start(sender, panicked(), move || {
                    let _told = thread.send(std::thread::current().id());
                    Message::Ended(Ok(()))
                })
                .unwrap();
            threads.push(told_thread.recv().unwrap());
            assert_eq!(told(&workers), DONE);
        }
        assert_eq!(threads[0], threads[1]);
        assert_eq!(threads[1], threads[2]);
    }

    #[test]
    fn a_third_worker_beside_two_that_hang_is_refused_until_one_has_ended() {
        let mut workers = workers();
        let [one, other] = [(); 2].map(|()| hanging(&mut workers).unwrap());
        for _ in 0..3 {
            let refused = hanging(&mut workers).map(drop);
            assert_eq!(refused, Err(Failure::Resources));
        }
        drop(one);
        wait_until("one ends", || workers.running.load(Ordering::Relaxed) == 1);
        drop(hanging(&mut workers).unwrap());
        wait_until("the new one ends", || {
            workers.running.load(Ordering::Relaxed) == 1
        });
        assert_eq!(told(&workers), DONE);
        drop(other);
    }

    #[test]
    fn a_worker_keeps_the_permit_of_its_session_until_it_ends() {
        let permit: Kept = Arc::new(());
        let mut workers = workers();
        workers.kept = permit.clone();
        let job = hanging(&mut workers).unwrap();
        drop(workers);
        assert!(Arc::strong_count(&permit) > 1);
        drop(job);
        wait_until("the worker ends", || Arc::strong_count(&permit) == 1);
    }
}
