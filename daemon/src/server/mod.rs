//! The server: listeners, and the hand-over of each control connection to a session.

mod listeners;
mod refusals;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};
use tracing::{debug, error, warn};

pub(crate) use self::listeners::Listeners;
use self::{
    listeners::{accept, await_address},
    refusals::Refusals,
};
use crate::{
    accounts::LogIns,
    config::{Config, Engine},
    session::{
        self, Client,
        admission::{Admission, Refusal},
        refusal::refuse,
        registry::Sessions,
        setup::Setup,
    },
    sys::memory,
    task::start_thread,
    tls::keeper::Keeper,
};

/// How often a stopping server looks whether its sessions are gone.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// How often the server looks for sessions that are stuck.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// How long the thread of a session may be stuck in a call to the kernel.
const STUCK: Duration = Duration::from_secs(30);

/// The same while the server stops.
const STUCK_AT_STOP: Duration = Duration::from_secs(1);

/// How long the daemon waits for its sessions beyond the grace that they give their transfers.
const SESSION_EXIT: Duration = Duration::from_secs(2);

/// Accepts clients until it is told to stop.
#[derive(Debug)]
pub(crate) struct Server {
    setup: watch::Sender<Arc<Setup>>,
    certificate: Keeper,
    admission: Admission,
    refusals: Refusals,
    /// Checks of passwords, and bans.
    pub(crate) log_ins: LogIns,
    next_id: AtomicU64,
    /// The engine of the start, whatever the configuration says later.
    engine: Engine,
    /// Those that there are.
    pub(crate) sessions: Sessions,
}

impl Server {
    /// A server that has descriptors for so many sessions.
    pub(crate) fn new(config: Config, places: u16) -> Arc<Self> {
        let certificate = Keeper::default();
        let setup = Setup {
            tls: certificate.configure(config.tls.as_ref()),
            config: Arc::new(config),
        };
        Arc::new(Self {
            engine: setup.config.server.engine,
            setup: watch::Sender::new(Arc::new(setup)),
            certificate,
            admission: Admission::new(places),
            refusals: Refusals::default(),
            log_ins: LogIns::default(),
            next_id: AtomicU64::new(1),
            sessions: Sessions::default(),
        })
    }

    /// Whether anybody can log in.
    pub(crate) fn has_accounts(&self) -> bool {
        let setup = self.setup.borrow();
        !setup.config.users.is_empty() || setup.config.anonymous.is_some()
    }

    /// Uses `config`, and certificate and key as they are now, for the sessions that begin from now
    /// on. The listeners stay as they are.
    pub(crate) fn reconfigure(&self, config: Config) {
        let before = self.setup.borrow().config.clone();
        if !config.listen.all().eq(before.listen.all()) {
            warn!("the addresses of [listen] have changed; restart the daemon to listen there");
        }
        if config.server.engine != self.engine {
            warn!("server.engine has changed; restart the daemon to use the other engine");
        }
        self.setup.send_replace(Arc::new(Setup {
            tls: self.certificate.configure(config.tls.as_ref()),
            config: Arc::new(config),
        }));
    }

    /// Has a thread look at certificate and key, if their time has come: their storage may hang.
    fn look_at_certificate(self: &Arc<Self>, client: bool) {
        let Some(look) = self.certificate.due(client, Instant::now().into_std()) else {
            return;
        };
        let server = self.clone();
        let started = start_thread("certificate".to_owned(), Arc::new(()), move || {
            if let Some(tls) = server.certificate.finish(&look) {
                server.setup.send_modify(|setup| {
                    let config = setup.config.clone();
                    let tls = Some(tls);
                    *setup = Arc::new(Setup { config, tls });
                });
            }
        });
        if let Err(error) = started {
            debug!(%error, "no thread to look at the certificate");
            self.certificate.give_up();
        }
    }

    /// Tells the sessions to end once their transfers have, and waits for them, within bounds.
    pub(crate) async fn stop(&self) {
        let grace = self.setup.borrow().config.limits.shutdown_grace();
        self.sessions.stop(grace);
        self.refusals.log_all();
        let deadline = Instant::now() + grace + SESSION_EXIT;
        while !self.admission.is_empty() {
            if Instant::now() > deadline {
                return warn!("some sessions did not end in time");
            }
            self.sessions.end_stuck(STUCK_AT_STOP);
            sleep(STOP_INTERVAL).await;
        }
    }

    /// Ends the control connections of sessions that are stuck, and logs what was counted.
    async fn watch_sessions(self: Arc<Self>) {
        loop {
            sleep(WATCH_INTERVAL).await;
            self.look_at_certificate(false);
            self.refusals.log_counted();
            self.log_ins.guard.end_bans();
            watch_memory();
            if !self.admission.is_empty() {
                self.sessions.end_stuck(STUCK);
            }
        }
    }

    /// Accepts from all listeners. Returns when none is left that works.
    pub(crate) async fn run(self: Arc<Self>, listeners: Listeners) {
        let mut loops = JoinSet::new();
        let watching = self.clone();
        let watch = tokio::spawn(watching.watch_sessions());
        let Listeners { bound, awaited } = listeners;
        for (listener, implicit_tls) in bound {
            loops.spawn(self.clone().accept_all(listener, implicit_tls));
        }
        for (address, implicit_tls) in awaited {
            let server = self.clone();
            loops.spawn(async move {
                let listener = await_address(address).await;
                server.accept_all(listener, implicit_tls).await;
            });
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(fault) = ended {
                error!(%fault, "a listening socket is lost");
            }
        }
        watch.abort();
    }

    /// Accepts from one listener until it is broken.
    async fn accept_all(self: Arc<Self>, listener: TcpListener, implicit_tls: bool) {
        while let Some((stream, peer)) = accept(&listener).await {
            self.admit(stream, peer, implicit_tls);
        }
    }

    /// Starts a session for a client, or tells it why not.
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, implicit_tls: bool) {
        self.look_at_certificate(true);
        let setup = self.setup.borrow().clone();
        if self.log_ins.guard.refuses(peer.ip(), &setup.config.guard) {
            // Counted for the line at the end of the ban; nothing is said to a client that expects TLS.
            if !implicit_tls {
                refuse(&stream, &Refusal::Banned.to_string());
            }
            return;
        }
        let permit = match self
            .admission
            .enter(peer.ip().to_canonical(), &setup.config)
        {
            Ok(permit) => permit,
            Err(refusal) => {
                self.refusals.log(peer, refusal);
                // Nothing is said to a client that expects TLS.
                if !implicit_tls {
                    refuse(&stream, &refusal.to_string());
                }
                return;
            }
        };
        let stream = match stream.into_std() {
            Ok(stream) => Arc::new(stream),
            Err(error) => return warn!(client = %peer, %error, "lost: before its session began"),
        };
        let client = Client {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            stream: stream.clone(),
            peer,
            implicit_tls,
        };
        let log_ins = self.log_ins.clone();
        if let Err(error) = session::start(
            client,
            setup,
            log_ins,
            permit,
            &self.sessions,
            implementation(self.engine),
        ) {
            self.refusals.log_failure(peer, &error);
            refuse(&*stream, &Refusal::Resources.to_string());
        }
    }
}

/// Sets the reserve aside again after a shortage of memory.
fn watch_memory() {
    if !memory::is_short() {
        return;
    }
    if memory::keep_reserve() {
        warn!(
            "the host gave no more memory for a while; lower limits.sessions or transfers.buffers"
        );
    } else {
        debug!("memory is short; nothing new is begun");
    }
}

/// What serves the sessions of an engine. A configuration with one that this build lacks is refused.
fn implementation(engine: Engine) -> session::Engine {
    #[cfg(feature = "libunftp")]
    if engine == Engine::Libunftp {
        return |session, permit| {
            // The library asks for TLS only where it has a certificate.
            session.refuse_unless_protected()?;
            crate::libunftp::serve(session, permit)
        };
    }
    debug_assert_eq!(engine, Engine::Native, "refused by `check`");
    session::Session::serve
}
