//! The driver of a session: it owns the sockets and reads the clock, carries bytes and events to
//! the gate, and does what the gate says.

use std::{
    future::{Future, pending},
    io,
    net::SocketAddr,
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info};

use super::{
    Context, Run,
    context::{Events, TransferEvent},
    control::{Control, Heard},
    engine::Engine,
    gate::{Action, Denied, Gate, StorageEvent, TlsEvent},
};
use crate::{
    accounts::{Account, Accounts},
    storage::{Failure, Outcome, Storage},
};

/// Bytes that are read from the client at once; most lines fit.
const CLIENT_BYTES: usize = 1024;

/// Bytes that are read from the engine at once; its replies are short.
const ENGINE_BYTES: usize = 512;

/// Bytes that may wait to be sent before nothing more is read from the client.
const OUTPUT_BYTES: usize = 64 * 1024;

/// How long the client gets to take our last words and to close its side.
const FAREWELL: Duration = Duration::from_millis(500);

/// How often a session looks around although nobody has told it anything.
///
/// mio's poll(2) selector forgets a connection for which the kernel reports an error. A reset may
/// show as an error and nothing else for a moment, and tokio does not wake a reader for that; so
/// the session looks for an error itself.
///
/// Wake-ups from other threads get lost there, too: registering a socket empties the pipe through
/// which they came (mio issue 1874). The runtime finds its tasks all the same, because they are in
/// its queue.
const HEARTBEAT: Duration = Duration::from_secs(1);

type LogIn = Pin<Box<dyn Future<Output = Result<Account, Denied>> + Send>>;
type Operating = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send>>;

/// See the module.
pub(super) struct Driver {
    pub(super) gate: Gate,
    pub(super) context: Arc<Context>,
    pub(super) storage: Storage,
    pub(super) control: Control,
    pub(super) accounts: Arc<Accounts>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) client: SocketAddr,
    pub(super) local: SocketAddr,
}

/// What comes and goes.
struct Parts {
    engine: Option<Engine>,
    log_in: Option<LogIn>,
    operating: Option<Operating>,
    /// What must wait until everything has been sent.
    then: Option<Then>,
    /// Whether the client has ended its side.
    deaf: bool,
    /// Whether TLS is on.
    secure: bool,
    /// Whether the daemon stops.
    stopping: bool,
    from_client: [u8; CLIENT_BYTES],
    from_engine: [u8; ENGINE_BYTES],
}

enum Then {
    StartTls,
    Close,
}

/// One thing that has happened.
enum Event {
    Control(io::Result<Heard>),
    Engine(io::Result<usize>),
    Transfer(Run, TransferEvent),
    LogIn(Result<Account, Denied>),
    Performed(Result<Outcome, Failure>),
    Deadline,
    Stop(Duration),
}

impl Driver {
    /// Serves the client until the gate closes the connection.
    pub(super) async fn run(
        mut self,
        mut events: Events,
        mut stop: watch::Receiver<Option<Duration>>,
    ) {
        let mut parts = Parts {
            engine: None,
            log_in: None,
            operating: None,
            then: None,
            deaf: false,
            secure: self.control.is_secure(),
            stopping: false,
            from_client: [0; CLIENT_BYTES],
            from_engine: [0; ENGINE_BYTES],
        };
        let context = self.context.clone();
        // Made once: each has a place in a list while it waits.
        let mut killed = pin!(context.status.killed());
        let mut told_to_stop = pin!(told_to_stop(&mut stop));
        let mut alarm = pin!(sleep(HEARTBEAT));
        while self.act(&mut parts).await.is_continue() {
            let listening = !parts.deaf
                && parts.then.is_none()
                && self.gate.wants_input()
                && self.control.waiting() < OUTPUT_BYTES;
            if let Some(deadline) = self.gate.next_deadline()
                && alarm.deadline() > deadline.into()
            {
                alarm.as_mut().reset(deadline.into());
            }
            // Before anything that could happen, so that a client that never ceases to send is
            // ended, too.
            if self.context.status.show(self.gate.activity()) {
                info!("ended by an administrator");
                self.gate.kill(Instant::now());
                // What waits for everything to be sent waits no longer.
                parts.then = None;
                let _last = self.act(&mut parts).await;
                break;
            }
            let event = tokio::select! {
                // What the storage has to say comes before what the client says about it.
                biased;
                event = events.recv() => match event {
                    Some((run, event)) => Event::Transfer(run, event),
                    None => break,
                },
                () = &mut killed => continue,
                grace = &mut told_to_stop, if !parts.stopping => Event::Stop(grace),
                heard = hear(&mut parts.engine, &mut parts.from_engine) => Event::Engine(heard),
                account = finish(&mut parts.log_in) => Event::LogIn(account),
                outcome = finish(&mut parts.operating) => Event::Performed(outcome),
                heard = self.control.turn(listening.then_some(&mut parts.from_client[..])) => {
                    Event::Control(heard)
                }
                () = &mut alarm => {
                    alarm.as_mut().reset((Instant::now() + HEARTBEAT).into());
                    match self.control.take_error() {
                        Some(error) => Event::Control(Err(error)),
                        None => Event::Deadline,
                    }
                }
            };
            if self.hear_of(event, &mut parts).await.is_break() {
                break;
            }
        }
        self.end_engine(&mut parts).await;
        drop(parts);
        if timeout(FAREWELL, self.control.close()).await.is_err() {
            debug!("the client did not take our last words");
        }
    }

    /// Tells the gate what has happened; breaks if there is nobody left to serve.
    async fn hear_of(&mut self, event: Event, parts: &mut Parts) -> ControlFlow<()> {
        let now = Instant::now();
        // Before every decision that may depend on it.
        self.gate
            .storage(StorageEvent::Moved(self.context.run().moved()), now);
        match event {
            // What an engine that has been replaced was doing may still come to its end.
            Event::Transfer(run, _) if run.is_abandoned() => {}
            Event::Transfer(_, event) => self.gate.storage(event.into(), now),
            Event::Engine(Ok(count @ 1..)) => {
                self.gate
                    .from_engine(parts.from_engine.get(..count).unwrap_or_default(), now);
            }
            Event::Engine(_ended) => {
                parts.engine = None;
                self.gate.engine_closed(now);
            }
            Event::LogIn(result) => {
                parts.log_in = None;
                let access = result.map(|account| {
                    let access = account.access();
                    self.context.set_account(Some(account));
                    access
                });
                self.gate.logged_in(access, now);
            }
            Event::Performed(outcome) => {
                parts.operating = None;
                self.gate.storage(StorageEvent::Performed(outcome), now);
            }
            Event::Control(Ok(Heard::Bytes(count))) => {
                self.gate
                    .from_client(parts.from_client.get(..count).unwrap_or_default(), now);
            }
            Event::Control(Ok(Heard::End)) => {
                parts.deaf = true;
                self.gate.client_closed(now);
            }
            Event::Control(Ok(Heard::Handshake(result))) => {
                parts.secure = result.is_ok();
                let event = result.map_or_else(
                    |error| {
                        info!(%error, "the TLS handshake has failed");
                        TlsEvent::Failed
                    },
                    |()| TlsEvent::Established,
                );
                self.gate.tls(event, now);
            }
            Event::Control(Err(error)) => {
                debug!(%error, "the control connection is lost");
                return ControlFlow::Break(());
            }
            Event::Deadline | Event::Control(Ok(Heard::Sent)) => {}
            Event::Stop(grace) => {
                parts.stopping = true;
                self.gate.stop(grace, now);
                if self.act(parts).await.is_break() {
                    return ControlFlow::Break(());
                }
                if parts.then.is_none() {
                    let seconds = grace.as_secs();
                    info!(seconds, "stopping: waiting for the transfer to finish");
                }
            }
        }
        // After each event: a client that never ceases to send is not to outlast its time.
        self.gate.timeout(now);
        ControlFlow::Continue(())
    }

    /// Does what the gate says, up to what has to wait until everything has been sent. Breaks when
    /// that was the last thing.
    async fn act(&mut self, parts: &mut Parts) -> ControlFlow<()> {
        while parts.then.is_none()
            && let Some(action) = self.gate.poll()
        {
            match action {
                Action::ToClient(bytes) => self.control.send(&bytes),
                Action::LogIn { user, password } => {
                    let accounts = self.accounts.clone();
                    let secure = parts.secure;
                    parts.log_in = Some(Box::pin(async move {
                        accounts.log_in(&user, password, secure).await
                    }));
                }
                Action::LogOut => {
                    parts.log_in = None;
                    self.context.set_account(None);
                }
                Action::StartEngine => {
                    match Engine::start(&self.context, &self.storage, self.client, self.local) {
                        Ok(engine) => parts.engine = Some(engine),
                        Err(error) => {
                            info!("no engine: {error:#}");
                            self.gate.engine_closed(Instant::now());
                        }
                    }
                }
                Action::EndEngine => self.end_engine(parts).await,
                Action::ToEngine(line) => {
                    let told = match &mut parts.engine {
                        Some(engine) => engine.tell(&line).await,
                        None => Err(io::ErrorKind::NotConnected.into()),
                    };
                    if told.is_err() {
                        parts.engine = None;
                        self.gate.engine_closed(Instant::now());
                    }
                }
                Action::Perform(operation) => {
                    self.context.status.begin(&operation);
                    let run = self.context.begin();
                    let storage = self.storage.clone();
                    parts.operating =
                        Some(Box::pin(
                            async move { storage.perform(operation, run).await },
                        ));
                }
                Action::Protect(protect) => self.context.protect(protect),
                Action::Cancel => self.context.run().cancel(),
                Action::StartTls => parts.then = Some(Then::StartTls),
                Action::Close => parts.then = Some(Then::Close),
            }
        }
        match parts.then {
            // What is left to be sent has a time limit of its own.
            Some(Then::Close) => return ControlFlow::Break(()),
            Some(Then::StartTls) if self.control.is_flushed() => {
                parts.then = None;
                if let Some(tls) = &self.tls {
                    self.control.start_tls(tls.clone());
                }
            }
            Some(Then::StartTls) | None => {}
        }
        ControlFlow::Continue(())
    }

    async fn end_engine(&self, parts: &mut Parts) {
        // A disguise must end before the next one begins.
        parts.engine = None;
        parts.operating = None;
        self.context.abandon();
        self.storage.forget().await;
    }
}

async fn hear(engine: &mut Option<Engine>, bytes: &mut [u8]) -> io::Result<usize> {
    match engine {
        Some(engine) => engine.hear(bytes).await,
        None => pending().await,
    }
}

async fn finish<F: Future + Unpin>(work: &mut Option<F>) -> F::Output {
    match work {
        Some(work) => work.await,
        None => pending().await,
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<Option<Duration>>) -> Duration {
    // Without a server, there is nobody to give a grace.
    let told = stop.wait_for(Option::is_some).await;
    told.ok().and_then(|grace| *grace).unwrap_or_default()
}
