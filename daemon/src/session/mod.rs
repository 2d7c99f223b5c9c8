//! One session: from an accepted control connection to its end.
//!
//! A session has an OS thread and a tokio runtime of its own. When the runtime is dropped,
//! everything that the engine spawned for the session ends with it, stuck or not; a panic ends this
//! session only.

mod engine;
mod passive;
mod work;

use std::{
    io,
    net::{self, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, error, info, info_span, warn};

pub(crate) use self::work::{UnderWay, Work};
use crate::{accounts::Gatekeeper, config::Config, server::Permit};

/// Stack of a session's threads in bytes. Hosts limit what a daemon may use; this much proved
/// enough.
const STACK_BYTES: usize = 512 * 1024;

/// Threads of a session for blocking work: one reads or writes files, the other checks a password
/// or lists.
const BLOCKING_THREADS: usize = 2;

/// Tasks that run before the runtime looks at its sockets again. With tokio's default of 61, a
/// client that sends one command after the other keeps the engine from accepting its data
/// connection, and the engine then takes it for the next one's.
const EVENT_INTERVAL: u32 = 1;

/// How long a stopping session waits for what is under way between the engine and its storage: a
/// transfer that has been announced to begin, or the final reply of one that has ended.
const SETTLE: Duration = Duration::from_millis(250);

/// Everything that a session is made of.
#[derive(Debug)]
pub(crate) struct Session {
    /// A number that no other session of this process has.
    pub(crate) id: u64,
    /// The control connection, in non-blocking mode.
    pub(crate) stream: net::TcpStream,
    /// The client's end of it.
    pub(crate) peer: SocketAddr,
    /// The configuration at the start of the session.
    pub(crate) config: Arc<Config>,
    /// Guards the passwords of all sessions.
    pub(crate) gatekeeper: Gatekeeper,
    /// Becomes true when the daemon is told to stop.
    pub(crate) stopping: watch::Receiver<bool>,
    /// This session's place among those that are admitted.
    pub(crate) permit: Permit,
}

/// A thread for a session could not be started.
#[derive(Debug)]
pub(crate) struct NoThread {
    /// Why.
    pub(crate) error: io::Error,
    /// The connection that now has no session.
    pub(crate) stream: net::TcpStream,
}

impl Session {
    /// Starts the session on a thread of its own.
    pub(crate) fn start(self) -> Result<(), Box<NoThread>> {
        // The session goes to the thread by a channel, not in its closure: a closure is lost when
        // there is no thread, and the client is owed an answer.
        let (sender, receiver) = sync_channel::<Self>(1);
        let thread = thread::Builder::new()
            .name(format!("session-{}", self.id))
            .stack_size(STACK_BYTES)
            .spawn(move || receiver.recv().map(Self::run));
        match thread {
            Ok(_detached) => {
                // It fails only if the thread has died already, and then there is nothing to serve
                // with.
                let _sent = sender.send(self);
                Ok(())
            }
            Err(error) => Err(Box::new(NoThread {
                error,
                stream: self.stream,
            })),
        }
    }

    fn run(self) {
        let _span = info_span!("session", id = self.id, client = %self.peer).entered();
        info!("connected");
        match catch_unwind(AssertUnwindSafe(|| self.serve())) {
            Ok(Ok(())) => info!("disconnected"),
            Ok(Err(error)) => warn!("ended: {error:#}"),
            Err(_panic) => error!("ended by a panic"),
        }
    }

    fn serve(self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .event_interval(EVENT_INTERVAL)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_stack_size(STACK_BYTES)
            .build()
            .context("no runtime for the session")?;
        let permit = self.permit;
        let result = runtime.block_on(drive(
            self.stream,
            self.config,
            self.gatekeeper,
            self.stopping,
        ));
        // Not a plain drop: that would wait for a thread that is stuck in the kernel.
        runtime.shutdown_background();
        drop(permit);
        result
    }
}

/// Serves the connection until the client leaves or the daemon stops.
async fn drive(
    stream: net::TcpStream,
    config: Arc<Config>,
    gatekeeper: Gatekeeper,
    stopping: watch::Receiver<bool>,
) -> Result<()> {
    let stream = TcpStream::from_std(stream).context("the connection cannot be polled")?;
    tune(&stream);
    let work = Work::new();
    let grace = config.limits.shutdown_grace();
    let engine = engine::build(&config, gatekeeper, work.clone())?;
    // The engine goes on while the session drains: it is what answers when a transfer has ended.
    tokio::select! {
        result = engine.service(stream) => result.context("the FTP engine gave up"),
        () = drained_after_stop(stopping, &work, grace) => Ok(()),
        never = work.heartbeat() => match never {},
    }
}

/// Waits until the daemon is told to stop and what was under way has ended, or has had its `grace`.
async fn drained_after_stop(mut stopping: watch::Receiver<bool>, work: &Work, grace: Duration) {
    // It fails only when the server is gone, which is a reason to stop as well.
    let _told = stopping.wait_for(|stop| *stop).await;
    sleep(SETTLE).await;
    if work.is_idle() {
        return;
    }
    info!(
        seconds = grace.as_secs(),
        "stopping: waiting for the transfer to finish"
    );
    match timeout(grace, work.idle()).await {
        Ok(()) => sleep(SETTLE).await,
        Err(_elapsed) => warn!("stopping: the transfer was cut off"),
    }
}

/// Socket options; all of them optional, because not every kernel knows them.
fn tune(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "no TCP_NODELAY; replies may be slow");
    }
    if let Err(error) = setsockopt(stream, sockopt::KeepAlive, &true) {
        debug!(%error, "no SO_KEEPALIVE; a vanished client is noticed by the idle limit only");
    }
}
