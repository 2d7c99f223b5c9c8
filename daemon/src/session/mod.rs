//! One session: from an accepted control connection to its end.
//!
//! A session has an OS thread and a tokio runtime of its own. When the runtime is dropped,
//! everything that the engine spawned for the session ends with it, stuck or not; a panic ends this
//! session only.

mod context;
mod control;
pub(crate) mod data;
mod driver;
mod engine;
pub mod gate;
mod passive;
mod status;

use std::{
    any::Any,
    cell::Cell,
    io,
    net::{self, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};
use tracing::{debug, error, info, info_span, warn};

#[cfg(test)]
pub(crate) use self::context::Events;
pub(crate) use self::context::{Context, Protection, Run, TransferEvent, blocking, second_thread};
use self::{
    control::{Control, Heard},
    driver::Driver,
    gate::{Gate, Settings, Times, TlsPolicy},
};
use crate::{
    accounts::{Accounts, PasswordChecks},
    config::{Config, Required},
    server::{Listed, Permit, Setup, refuse},
    storage::Storage,
    tls::Sides,
};

/// Stack of a session's threads in bytes. Hosts limit what a daemon may use; this much proved
/// enough.
pub(crate) const STACK_BYTES: usize = 512 * 1024;

/// Threads of a session for blocking work: one reads or writes files, the other checks a password
/// or lists.
const BLOCKING_THREADS: usize = 2;

/// How long a thread for blocking work waits for more. An idle session has none.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Tasks that run before the runtime looks at its sockets again. With tokio's default of 61, a
/// client that sends one command after the other keeps the engine from accepting its data
/// connection, and the engine then takes it for the next one's.
const EVENT_INTERVAL: u32 = 1;

/// Events that the runtime takes from the kernel at once. A session has a handful of sockets, and the
/// buffer for tokio's default of 1024 would be a tenth of its memory.
const EVENTS: usize = 32;

/// How long the engine may take for an answer that needs nothing but itself.
const ENGINE_PATIENCE: Duration = Duration::from_secs(30);

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
    /// The configuration and certificate at the start of the session.
    pub(crate) setup: Arc<Setup>,
    /// Whether the client begins with a TLS handshake.
    pub(crate) implicit_tls: bool,
    /// The checks of passwords of all sessions.
    pub(crate) checks: PasswordChecks,
    /// When the daemon is told to stop: how long running transfers may take.
    pub(crate) stop: watch::Receiver<Option<Duration>>,
    /// This session's place among those that are admitted.
    pub(crate) permit: Permit,
    /// Its entry in the list that administrators see; gone when the session is.
    pub(crate) listed: Listed,
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
        // Made here: the registry of spans has memory for each thread that makes some.
        let span = info_span!("session", id = self.id, client = %self.peer);
        let thread = thread::Builder::new()
            .name(format!("session-{}", self.id))
            .stack_size(STACK_BYTES)
            .spawn(move || span.in_scope(|| receiver.recv().map(Self::run)));
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
        info!("connected");
        contained(|| self.serve());
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
        // As a task, because wake-ups of those cannot be lost; see `driver::HEARTBEAT`. Boxed, so that
        // copies of it on their way there do not make the stack larger for all time.
        let session = runtime.spawn(Box::pin(drive(
            self.stream,
            self.peer,
            self.setup,
            self.implicit_tls,
            self.checks,
            self.stop,
            self.listed,
        )));
        let result = runtime.block_on(session);
        // Not a plain drop: that would wait for a thread that is stuck in the kernel.
        runtime.shutdown_background();
        drop(place);
        result.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(cancelled) => Err(cancelled.into()),
        })
    }
}

/// Serves a session and logs how it ended. A panic ends this session and no other.
fn contained(serve: impl FnOnce() -> Result<()>) {
    match catch_unwind(AssertUnwindSafe(serve)) {
        Ok(Ok(())) => info!("disconnected"),
        Ok(Err(error)) => warn!("ended: {error:#}"),
        Err(_panic) => error!("ended by a panic"),
    }
}

/// The runtime of a session. Its threads keep the session's `place` until they end, because one
/// that is stuck in the kernel outlives the session, and places are what bounds their number.
fn runtime(place: Arc<impl Send + Sync + 'static>) -> io::Result<Runtime> {
    thread_local! {
        static PLACE: Cell<Option<Arc<dyn Any + Send + Sync>>> = const { Cell::new(None) };
    }
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .event_interval(EVENT_INTERVAL)
        .max_io_events_per_tick(EVENTS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK_BYTES)
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .on_thread_start(move || PLACE.set(Some(place.clone())))
        .build()
}

/// Serves the connection until the client leaves or the daemon stops.
async fn drive(
    stream: net::TcpStream,
    peer: SocketAddr,
    setup: Arc<Setup>,
    implicit_tls: bool,
    checks: PasswordChecks,
    stop: watch::Receiver<Option<Duration>>,
    listed: Listed,
) -> Result<()> {
    let local = stream
        .local_addr()
        .context("the connection has no local address")?;
    let [client, local] = [peer, local].map(canonical);
    let stream = TcpStream::from_std(stream).context("the connection cannot be polled")?;
    tune(&stream);
    let mut control = Control::new(stream);
    let settings = settings(&setup, client, local, implicit_tls);
    let tls = sides(&setup)?;
    let (control_tls, data_tls) = tls.map(|tls| (tls.control, tls.data)).unzip();
    let (context, events) = Context::new(setup.config.clone(), data_tls);
    listed.attach(&context);
    if implicit_tls {
        let tls = control_tls
            .clone()
            .context("implicit TLS needs a certificate")?;
        control.start_tls(tls);
        let handshake = timeout(settings.times.handshake, control.turn(None));
        let done = tokio::select! {
            done = handshake => done,
            () = context.status.killed() => {
                info!("ended by an administrator");
                return Ok(());
            }
        };
        match done {
            Ok(Ok(Heard::Handshake(Ok(())))) => {}
            failed => {
                info!(?failed, "the TLS handshake has failed");
                return Ok(());
            }
        }
    }
    let driver = Driver {
        gate: Gate::new(settings, Instant::now()),
        accounts: Arc::new(Accounts::new(context.clone(), checks)),
        storage: Storage::new(context.clone()),
        context,
        control,
        tls: control_tls,
        client,
        local,
    };
    driver.run(events, stop).await;
    Ok(())
}

/// What the session does TLS with, if there is a certificate.
fn sides(setup: &Setup) -> Result<Option<Sides>> {
    let own = setup.config.tls.as_ref();
    let own = own.is_some_and(|tls| tls.require_session_reuse);
    let sides = setup.tls.as_ref().map(|tls| {
        if own {
            Sides::separate(tls)
        } else {
            Ok(Sides::shared(tls.clone()))
        }
    });
    sides.transpose()
}

/// An IPv4 address that came as IPv6, unwrapped.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What the gate has to know of the configuration.
fn settings(setup: &Setup, client: SocketAddr, local: SocketAddr, implicit_tls: bool) -> Settings {
    let config: &Config = &setup.config;
    let limits = &config.limits;
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let policy = |tls: &crate::config::Tls| TlsPolicy {
        control_required: tls.required >= Required::Control,
        data_required: tls.required == Required::Everything,
    };
    Settings {
        greeting: config.greeting.clone(),
        client: client.ip(),
        local: local.ip(),
        passive_host: config.passive.host,
        active: config.active.enabled,
        ascii: config.transfers.ascii,
        tls: config
            .tls
            .as_ref()
            .filter(|_| setup.tls.is_some())
            .map(policy),
        implicit_tls,
        times: Times {
            log_in: seconds(limits.log_in_seconds),
            idle: seconds(limits.idle_seconds),
            data_connection: seconds(limits.data_connection_seconds),
            handshake: seconds(limits.handshake_seconds),
            stall: seconds(limits.stall_seconds),
            engine: ENGINE_PATIENCE,
        },
        log_in_attempts: limits.log_in_attempts,
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
    // Clients mark an ABOR as urgent (RFC 959, section 4.1.3); it is to come in its place.
    if let Err(error) = setsockopt(stream, sockopt::OobInline, &true) {
        debug!(%error, "no SO_OOBINLINE; an urgent ABOR loses a byte of its marks");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_panic_ends_its_session_only() {
        let (sender, receiver) = channel();
        let other = thread::spawn(move || contained(|| Ok(receiver.recv()?)));
        let faulty = thread::spawn(|| contained(|| panic!("a fault")));
        faulty.join().unwrap();
        sender.send(()).unwrap();
        other.join().unwrap();
    }

    #[test]
    fn a_thread_that_is_stuck_keeps_the_place_of_its_session() {
        let place = Arc::new(());
        let runtime = runtime(place.clone()).unwrap();
        let (started, has_started) = channel();
        let (release, released) = channel::<()>();
        runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            released.recv().unwrap_err();
        });
        has_started.recv().unwrap();
        runtime.shutdown_background();
        assert!(Arc::strong_count(&place) > 1, "the thread still runs");
        drop(release);
        while Arc::strong_count(&place) > 1 {
            thread::yield_now();
        }
    }
}
