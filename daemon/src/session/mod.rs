//! One session: from an accepted control connection to its end.
//!
//! A session has an OS thread and a tokio runtime of its own. When the runtime is dropped,
//! everything that the engine spawned for the session ends with it, stuck or not; a panic ends this
//! session only.

mod context;
pub(crate) mod data;
mod engine;
pub mod gate;
mod passive;
mod work;

use std::{
    cell::Cell,
    convert::Infallible,
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
    runtime::{Builder, Runtime},
    sync::watch,
    time::sleep,
};
use tracing::{debug, error, info, info_span, warn};

pub(crate) use self::context::{Context, Protection, Run};
use self::work::Unfinished;
pub(crate) use self::work::{UnderWay, Work};
use crate::{
    accounts::PasswordChecks,
    config::Config,
    server::{Permit, refuse},
};

/// Stack of a session's threads in bytes. Hosts limit what a daemon may use; this much proved
/// enough.
const STACK_BYTES: usize = 512 * 1024;

/// Threads of a session for blocking work: one reads or writes files, the other checks a password
/// or lists.
const BLOCKING_THREADS: usize = 2;

/// How often a session looks around although nobody has told it anything.
///
/// mio's poll(2) selector loses a wake-up from another thread now and then: registering a socket
/// empties the pipe through which it came (mio issue 1874). Without this beat, the session would
/// then sleep until its client sends something. The selector for epoll is free of this, but may not
/// work on the VMkernel.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Tasks that run before the runtime looks at its sockets again. With tokio's default of 61, a
/// client that sends one command after the other keeps the engine from accepting its data
/// connection, and the engine then takes it for the next one's.
const EVENT_INTERVAL: u32 = 1;

/// The reason for a 421 reply when descriptors, threads or memory have run out.
pub(crate) const OUT_OF_RESOURCES: &str = "the server is out of resources, try again later";

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
    /// The checks of passwords of all sessions.
    pub(crate) checks: PasswordChecks,
    /// When the daemon is told to stop: how long running transfers may take.
    pub(crate) stop: watch::Receiver<Option<Duration>>,
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
        let place = Arc::new(self.permit);
        let runtime = match runtime(place.clone()) {
            Ok(runtime) => runtime,
            Err(error) => {
                refuse(&self.stream, OUT_OF_RESOURCES);
                return Err(error).context("no runtime for the session; lower limits.sessions");
            }
        };
        let result = runtime.block_on(drive(self.stream, self.config, self.checks, self.stop));
        // Not a plain drop: that would wait for a thread that is stuck in the kernel.
        runtime.shutdown_background();
        drop(place);
        result
    }
}

/// The runtime of a session. Its threads keep the session's `place` until they end, because one
/// that is stuck in the kernel outlives the session, and places are what bounds their number.
fn runtime(place: Arc<Permit>) -> io::Result<Runtime> {
    thread_local! {
        static PLACE: Cell<Option<Arc<Permit>>> = const { Cell::new(None) };
    }
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .event_interval(EVENT_INTERVAL)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK_BYTES)
        .on_thread_start(move || PLACE.set(Some(place.clone())))
        .build()
}

/// Serves the connection until the client leaves or the daemon stops.
async fn drive(
    stream: net::TcpStream,
    config: Arc<Config>,
    checks: PasswordChecks,
    stop: watch::Receiver<Option<Duration>>,
) -> Result<()> {
    let stream = TcpStream::from_std(stream).context("the connection cannot be polled")?;
    tune(&stream);
    let work = Work::new();
    let grace = config.limits.shutdown_grace();
    let engine = engine::build(&config, checks, work.clone())?;
    let served = async {
        // It reports no failure: what goes wrong in the engine ends the connection.
        engine.service(stream).await?;
        // A client may leave as soon as it has sent its last byte.
        if let Err(Unfinished) = work.finish(grace).await {
            debug!("the client left during a transfer that does not end");
        }
        Ok(())
    };
    // The engine goes on while the session drains: it is what answers when a transfer has ended.
    tokio::select! {
        result = served => result,
        () = drained_after_stop(stop, &work) => Ok(()),
        never = heartbeat() => match never {},
    }
}

/// See [`HEARTBEAT`].
async fn heartbeat() -> Infallible {
    loop {
        sleep(HEARTBEAT).await;
    }
}

/// Waits until the daemon is told to stop and what was under way has ended, or has had its time.
async fn drained_after_stop(mut stop: watch::Receiver<Option<Duration>>, work: &Work) {
    // Without a server, there is nobody to give a grace.
    let told = stop.wait_for(Option::is_some).await;
    let grace = told.ok().and_then(|grace| *grace).unwrap_or_default();
    if !work.is_idle() {
        info!(
            seconds = grace.as_secs(),
            "stopping: waiting for the transfer to finish"
        );
    }
    if let Err(Unfinished) = work.finish(grace).await {
        warn!("stopping: the transfer is cut off");
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
