//! What the parts of one session share: the driver, the engine's call-backs and the storage.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use nix::sys::socket::{Shutdown, shutdown};
use rustls::ServerConfig;
use tokio::{runtime::Handle, sync::mpsc, task::spawn_blocking};
use tracing::Span;

use super::{gate::StorageEvent, status::Status};
use crate::{accounts::Account, config::Config, storage::Failure};

/// What the parts of one session share. Locks are held for an assignment, never over a wait.
#[derive(Debug)]
pub(crate) struct Context {
    /// The configuration at the start of the session.
    pub(crate) config: Arc<Config>,
    /// For TLS on data connections; it knows the sessions of the control connection, so that clients
    /// can resume them there.
    tls: Option<Arc<ServerConfig>>,
    /// What an administrator sees of the session.
    pub(crate) status: Status,
    state: Mutex<State>,
    events: mpsc::UnboundedSender<(Run, TransferEvent)>,
}

#[derive(Debug, Default)]
struct State {
    account: Option<Arc<Account>>,
    run: Run,
    /// Whether data connections are protected (PROT P).
    protect: bool,
    /// Our descriptor of the data connection that the engine has opened last.
    connection: Option<OwnedFd>,
    /// Our descriptor of the listener at which the engine waits for a data connection.
    listener: Option<OwnedFd>,
}

/// What the storage tells of a transfer, and of which.
pub(crate) type Events = mpsc::UnboundedReceiver<(Run, TransferEvent)>;

/// What the storage tells of a transfer. It is small, because each session has room for 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransferEvent {
    /// See [`StorageEvent::Began`].
    Began,
    /// See [`StorageEvent::Ended`].
    Ended(Result<u64, Failure>),
}

impl From<TransferEvent> for StorageEvent {
    fn from(event: TransferEvent) -> Self {
        match event {
            TransferEvent::Began => Self::Began,
            TransferEvent::Ended(result) => Self::Ended(result),
        }
    }
}

impl Context {
    /// The context of a session that begins.
    pub(crate) fn new(config: Arc<Config>, tls: Option<Arc<ServerConfig>>) -> (Arc<Self>, Events) {
        let (sender, events) = mpsc::unbounded_channel();
        let context = Self {
            config,
            tls,
            status: Status::default(),
            state: Mutex::default(),
            events: sender,
        };
        (Arc::new(context), events)
    }

    /// The account that has logged in.
    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        self.state().account.clone()
    }

    /// Lets an account in, or nobody.
    pub(crate) fn set_account(&self, account: Option<Account>) {
        self.state().account = account.map(Arc::new);
    }

    /// A new operation, or a transfer that begins with its preparation.
    pub(crate) fn begin(&self) -> Run {
        let run = Run::default();
        self.state().run = run.clone();
        run
    }

    /// Gives up what the engine and the storage are doing.
    pub(crate) fn abandon(&self) {
        self.state().run.abandon();
        self.set_listener(None);
    }

    /// The operation or transfer that runs, or ran last. A transfer has the one of the
    /// [`Operation::Prepare`](crate::storage::Operation::Prepare) before it.
    pub(crate) fn run(&self) -> Run {
        self.state().run.clone()
    }

    /// Sets whether data connections are protected.
    pub(crate) fn protect(&self, protect: bool) {
        self.state().protect = protect;
    }

    /// How to do TLS on the data connection; nothing if it is to be in the clear.
    pub(crate) fn data_tls(&self) -> Protection {
        match &self.tls {
            _ if !self.state().protect => Protection::Clear,
            Some(tls) => Protection::Tls(tls.clone()),
            None => Protection::Impossible,
        }
    }

    /// Whether data connections with TLS have to resume a session of the control connection.
    pub(crate) fn must_resume(&self) -> bool {
        let tls = self.config.tls.as_ref();
        tls.is_some_and(|tls| tls.require_session_reuse)
    }

    /// Keeps the data connection that the engine has just opened. Its listener has done its work.
    pub(crate) fn set_connection(&self, connection: OwnedFd) {
        let mut state = self.state();
        state.listener = None;
        state.connection = Some(connection);
    }

    /// Keeps the listener that the engine waits at for a data connection. What was offered before
    /// is no longer valid.
    pub(crate) fn set_listener(&self, listener: Option<OwnedFd>) {
        let mut state = self.state();
        state.connection = None;
        if let Some(before) = std::mem::replace(&mut state.listener, listener) {
            // The engine has a descriptor of its own and would wait on. Where the kernel does not
            // end the wait, it ends after 15 seconds.
            let _ended = shutdown(before.as_raw_fd(), Shutdown::Both);
        }
    }

    /// The data connection, once. Its descriptor is in non-blocking mode, because the engine's is.
    /// Without one, the kernel has shown us no descriptor, and only the engine's stream is left.
    pub(crate) fn take_connection(&self) -> Option<OwnedFd> {
        self.state().connection.take()
    }

    /// Has the session end, and what it does; from any thread.
    pub(crate) fn kill(&self) {
        self.status.kill();
        self.run().cancel();
    }

    /// Tells the gate something about `run`; from any thread.
    pub(crate) fn tell(&self, run: &Run, event: TransferEvent) {
        // Without a receiver, the session has ended, and nobody needs to know.
        let _told = self.events.send((run.clone(), event));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `job` on a thread that may block. If the session ends meanwhile, the job goes on; it should
/// look at [`Run::check`].
///
/// # Errors
/// [`Failure::Internal`] if the job panicked.
pub(crate) async fn blocking<T, J>(job: J) -> Result<T, Failure>
where
    T: Send + 'static,
    J: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    let span = Span::current();
    let result = Arc::new(Mutex::new(None));
    let place = result.clone();
    // One type for all jobs: for each, the runtime would have kilobytes of code of its own.
    let job: Box<dyn FnOnce() + Send> = Box::new(move || {
        let done = span.in_scope(job);
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
    });
    // If it panics, it leaves nothing.
    let _ended = spawn_blocking(job).await;
    let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    done.unwrap_or(Err(Failure::Internal))
}

/// Lets a second thread help one that [`blocking`] gave, as soon as one is free. Nobody waits for
/// it; it should look at [`Run::check`], and at whether the first thread has gone. Boxed, because
/// handing a job over is kilobytes of code for each type.
pub(crate) fn second_thread(job: Box<dyn FnOnce() + Send>) {
    // Without a runtime there are no threads.
    if let Ok(runtime) = Handle::try_current() {
        let _helping = runtime.spawn_blocking(job);
    }
}

/// How data connections are to be.
#[derive(Debug)]
pub(crate) enum Protection {
    /// Without TLS.
    Clear,
    /// With TLS.
    Tls(Arc<ServerConfig>),
    /// With TLS, but there is no certificate. The gate does not let it come to this.
    Impossible,
}

/// An operation or transfer under way, as the threads see it that work on it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run(Arc<Progress>);

#[derive(Debug, Default)]
struct Progress {
    cancelled: AtomicBool,
    abandoned: AtomicBool,
    moved: AtomicU64,
}

impl Run {
    /// Asks the threads to stop. Loops look often enough for that to take less than 100 ms, unless
    /// the kernel holds a thread.
    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Cancels it and stops caring: what it still tells is about an engine that has been replaced.
    pub(super) fn abandon(&self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
        self.cancel();
    }

    /// Whether nobody cares any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Ordering::Relaxed)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> (Arc<Context>, Events) {
        Context::new(Arc::new(Config::default()), None)
    }

    #[tokio::test]
    async fn a_job_that_panics_fails() {
        let result: Result<(), _> = blocking(|| panic!("a fault")).await;
        assert_eq!(result, Err(Failure::Internal));
    }

    #[test]
    fn a_new_operation_is_not_cancelled_by_the_one_before() {
        let (context, _events) = context();
        let before = context.run();
        before.cancel();
        context.begin();
        assert_eq!(context.run().check(), Ok(()));
        assert_eq!(before.check(), Err(Failure::Cancelled));
    }

    /// A transfer of an engine that has been replaced could be taken for the next one's.
    #[test]
    fn what_an_abandoned_operation_tells_is_known_as_such() {
        let (context, mut events) = context();
        let before = context.begin();
        context.abandon();
        context.begin();
        context.tell(&before, TransferEvent::Began);
        context.tell(&context.run(), TransferEvent::Began);
        let abandoned = [(); 2].map(|()| events.try_recv().unwrap().0.is_abandoned());
        assert_eq!(abandoned, [true, false]);
    }
}
