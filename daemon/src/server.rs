//! The server: listeners, admission, and the hand-over of each control connection to a session.

mod admission;
mod listeners;
mod sessions;

use std::{
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use nix::sys::socket::{MsgFlags, send};
use rustls::ServerConfig;
use tokio::{
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};
use tracing::{debug, error, info, warn};

use self::{admission::Admission, listeners::accept};
pub(crate) use self::{
    admission::Permit,
    listeners::Listeners,
    sessions::{Listed, Row, Sessions},
};
use crate::{
    accounts::PasswordChecks,
    config::Config,
    session::{NoThread, OUT_OF_RESOURCES, Session},
    tls,
};

/// How often a stopping server looks whether its sessions are gone.
const BEAT: Duration = Duration::from_millis(50);

/// How long the daemon waits for its sessions beyond the grace that they give their transfers.
const SESSION_EXIT: Duration = Duration::from_secs(2);

/// Accepts clients until it is told to stop.
#[derive(Debug)]
pub(crate) struct Server {
    setup: watch::Sender<Arc<Setup>>,
    /// How long running transfers may take when the server stops; nothing until then.
    stop: watch::Sender<Option<Duration>>,
    admission: Admission,
    checks: PasswordChecks,
    next_id: AtomicU64,
    /// Those that there are.
    pub(crate) sessions: Sessions,
}

/// What sessions start with.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The configuration.
    pub(crate) config: Arc<Config>,
    /// Certificate and key, if TLS is configured.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

impl Setup {
    /// Reads what the configuration refers to.
    ///
    /// # Errors
    /// If certificate or key cannot be used.
    pub(crate) fn new(config: Config) -> Result<Self> {
        let tls = config.tls.as_ref().map(tls::load).transpose()?;
        Ok(Self {
            config: Arc::new(config),
            tls,
        })
    }
}

impl Server {
    pub(crate) fn new(setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            setup: watch::Sender::new(Arc::new(setup)),
            stop: watch::Sender::new(None),
            admission: Admission::default(),
            checks: PasswordChecks::new(),
            next_id: AtomicU64::new(1),
            sessions: Sessions::default(),
        })
    }

    /// Uses `setup` for the sessions that begin from now on. The listeners stay as they are.
    pub(crate) fn reconfigure(&self, setup: Setup) {
        let before = self.setup.borrow().config.clone();
        if !setup.config.listen.all().eq(before.listen.all()) {
            warn!("the addresses of [listen] have changed; restart the daemon to listen there");
        }
        self.setup.send_replace(Arc::new(setup));
    }

    /// Tells the sessions to end once their transfers have, and waits for them, within bounds.
    pub(crate) async fn stop(&self) {
        let grace = self.setup.borrow().config.limits.shutdown_grace();
        self.stop.send_replace(Some(grace));
        let deadline = Instant::now() + grace + SESSION_EXIT;
        while !self.admission.is_empty() {
            if Instant::now() > deadline {
                return warn!("some sessions did not end in time");
            }
            sleep(BEAT).await;
        }
    }

    /// Accepts from all listeners. Returns when none is left that works.
    pub(crate) async fn run(self: Arc<Self>, listeners: Listeners) {
        let mut loops = JoinSet::new();
        for (listener, implicit_tls) in listeners.into_inner() {
            let server = self.clone();
            loops.spawn(async move {
                while let Some((stream, peer)) = accept(&listener).await {
                    server.admit(stream, peer, implicit_tls);
                }
            });
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(fault) = ended {
                error!(%fault, "a listening socket is lost");
            }
        }
    }

    /// Starts a session for a client, or tells it why not.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, implicit_tls: bool) {
        let setup = self.setup.borrow().clone();
        let permit = match self
            .admission
            .enter(peer.ip().to_canonical(), &setup.config)
        {
            Ok(permit) => permit,
            Err(refusal) => {
                info!(client = %peer, "refused: {refusal}");
                // Nothing is said to a client that expects TLS.
                if !implicit_tls {
                    refuse(&stream, &refusal.to_string());
                }
                return;
            }
        };
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return warn!(client = %peer, %error, "lost before its session began"),
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let session = Session {
            id,
            stream,
            peer,
            setup,
            implicit_tls,
            checks: self.checks.clone(),
            stop: self.stop.subscribe(),
            permit,
            listed: self.sessions.enter(id, peer),
        };
        if let Err(failure) = session.start() {
            let NoThread { error, stream } = *failure;
            warn!(client = %peer, %error, "refused: no thread for another session; lower limits.sessions");
            refuse(&stream, OUT_OF_RESOURCES);
        }
    }
}

/// Sends a 421 reply (RFC 959, section 4.2). A client that cannot take one line at once does not
/// get it.
pub(crate) fn refuse(stream: &impl AsFd, reason: &str) {
    let reply = format!("421 {reason}\r\n");
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    if let Err(error) = send(stream.as_fd().as_raw_fd(), reply.as_bytes(), flags) {
        debug!(%error, "a client could not be told that it is refused");
    }
}
