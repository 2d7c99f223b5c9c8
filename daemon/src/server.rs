//! The server: listeners, admission, and the hand-over of each control connection to a session.

mod admission;
mod listeners;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tracing::{info, warn};

use self::{
    admission::Admission,
    listeners::{Accepted, accept},
};
pub(crate) use self::{admission::Permit, listeners::Listeners};
use crate::{
    accounts::Gatekeeper,
    config::Config,
    session::{NoThread, Session},
};

/// How often a stopping server looks whether its sessions are gone.
const BEAT: Duration = Duration::from_millis(100);

/// How long the daemon waits for its sessions beyond the grace that they give their transfers.
const SESSION_EXIT: Duration = Duration::from_secs(2);

/// Accepts clients until it is told to stop.
#[derive(Debug)]
pub(crate) struct Server {
    config: watch::Sender<Arc<Config>>,
    stopping: watch::Sender<bool>,
    admission: Admission,
    gatekeeper: Gatekeeper,
    sessions: AtomicU64,
    /// Cloned into each session's permit, so that the receiver ends when the last session does.
    alive: mpsc::Sender<Infallible>,
}

/// Ends when the last session and the server itself are gone.
#[derive(Debug)]
pub(crate) struct LastSession(mpsc::Receiver<Infallible>);

impl Server {
    pub(crate) fn new(config: Config) -> (Arc<Self>, LastSession) {
        let (alive, last) = mpsc::channel(1);
        let server = Self {
            config: watch::Sender::new(Arc::new(config)),
            stopping: watch::Sender::new(false),
            admission: Admission::default(),
            gatekeeper: Gatekeeper::new(),
            sessions: AtomicU64::new(1),
            alive,
        };
        (Arc::new(server), LastSession(last))
    }

    /// Uses `config` for the sessions that begin from now on. The listeners stay as they are.
    pub(crate) fn reconfigure(&self, config: Config) {
        if config.listen != self.config.borrow().listen {
            warn!("listen.addresses has changed; restart the daemon to listen there");
        }
        self.config.send_replace(Arc::new(config));
    }

    /// Tells the sessions to end once their transfers have. New clients are no longer served.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// How long [`LastSession::gone`] may take.
    pub(crate) fn patience(&self) -> Duration {
        self.config.borrow().limits.shutdown_grace() + SESSION_EXIT
    }

    /// Accepts from all listeners. Returns when none is left that works.
    pub(crate) async fn run(self: Arc<Self>, listeners: Listeners) {
        let mut loops = JoinSet::new();
        for listener in listeners.into_inner() {
            let server = self.clone();
            loops.spawn(async move {
                while let Accepted::Client(stream, peer) = accept(&listener).await {
                    server.admit(stream, peer);
                }
            });
        }
        while loops.join_next().await.is_some() {}
    }

    /// Starts a session for a client, or tells it why not.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let config = self.config.borrow().clone();
        let permit = match self
            .admission
            .enter(peer.ip(), &config.limits, self.alive.clone())
        {
            Ok(permit) => permit,
            Err(refusal) => {
                info!(client = %peer, "refused: {refusal}");
                return refuse(&stream, &refusal.to_string());
            }
        };
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return warn!(client = %peer, %error, "lost before its session began"),
        };
        let session = Session {
            id: self.sessions.fetch_add(1, Ordering::Relaxed),
            stream,
            peer,
            config,
            gatekeeper: self.gatekeeper.clone(),
            stopping: self.stopping.subscribe(),
            permit,
        };
        if let Err(failure) = session.start() {
            let NoThread { error, stream } = *failure;
            warn!(client = %peer, %error, "refused: no thread for another session; lower limits.sessions");
            if let Ok(stream) = TcpStream::from_std(stream) {
                refuse(&stream, "the server is out of resources, try again later");
            }
        }
    }
}

/// Sends a 421 reply (RFC 959, section 4.2). A client that cannot take one line at once does not
/// get it.
fn refuse(stream: &TcpStream, reason: &str) {
    let _sent = stream.try_write(format!("421 {reason}\r\n").as_bytes());
}

impl LastSession {
    /// Waits until the last session is gone, but not longer than `patience`.
    pub(crate) async fn gone(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        // Sessions are other threads, and what they tell may get lost: see `Work::heartbeat`.
        while timeout(BEAT, self.0.recv()).await.is_err() {
            if Instant::now() > deadline {
                warn!("some sessions did not end in time");
                return;
            }
        }
    }
}
