//! One session: from an accepted control connection to its end.
//!
//! A session is a thread with a loop around poll(2): control connection, at most one data
//! connection or listener, and a pipe by which other threads wake it. What may take long is done by
//! a worker. A panic ends this session only.

pub(crate) mod admission;
mod control_connection;
mod data_path;
mod event_loop;
pub(crate) mod refusal;
pub(crate) mod registry;
pub(crate) mod setup;
pub(crate) mod status;
mod waker;
#[cfg(feature = "libunftp")]
pub(crate) mod watch;
mod worker;

use std::{
    io,
    net::{SocketAddr, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

#[cfg(feature = "libunftp")]
use anyhow::bail;
use anyhow::{Context as _, Result};
use nix::sys::socket::{setsockopt, sockopt};
use tracing::{debug, error, error_span, field::Empty, warn};

use self::{
    admission::Permit,
    event_loop::EventLoop,
    registry::{Listed, Sessions},
    setup::Setup,
    status::Status,
    waker::{Wakeups, waker},
};
#[cfg(feature = "libunftp")]
use crate::config::Required;
use crate::{accounts::LogIns, task::start_thread};

/// Everything that a session is made of.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    pub(crate) stream: Arc<TcpStream>,
    pub(crate) peer: SocketAddr,
    pub(crate) setup: Arc<Setup>,
    pub(crate) implicit_tls: bool,
    pub(crate) log_ins: LogIns,
    pub(crate) status: Arc<Status>,
    pub(crate) wakeups: Wakeups,
    /// Its entry in the list that administrators see; gone when the session is.
    listed: Listed,
}

/// What the server knows of a client that is to have a session.
#[derive(Debug)]
pub(crate) struct Client {
    /// A number that no other session of this process has.
    pub(crate) id: u64,
    /// The control connection, in non-blocking mode.
    pub(crate) stream: Arc<TcpStream>,
    /// The client's end of it.
    pub(crate) peer: SocketAddr,
    /// Whether the client begins with a TLS handshake.
    pub(crate) implicit_tls: bool,
}

/// What serves a session on its thread, until its end. The permit is for the threads that it starts.
pub(crate) type Engine = fn(Session, Arc<Permit>) -> Result<()>;

/// Starts a session on a thread of its own. `permit` is kept until the last thread of the session
/// has ended.
///
/// # Errors
/// If there is no pipe or no thread for it.
pub(crate) fn start(
    client: Client,
    setup: Arc<Setup>,
    log_ins: LogIns,
    permit: Permit,
    sessions: &Sessions,
    engine: Engine,
) -> io::Result<()> {
    let Client {
        id,
        stream,
        peer,
        implicit_tls,
    } = client;
    let (waker, wakeups) = waker()?;
    let status = Arc::new(Status::new(stream.clone(), waker));
    let session = Session {
        id,
        listed: sessions.enter(id, peer, status.clone()),
        stream,
        peer,
        setup,
        implicit_tls,
        log_ins,
        status,
        wakeups,
    };
    // Made here: the registry of spans has memory for each thread that makes some.
    // At the level of errors, so that no line lacks it at any level.
    let span = error_span!(
        "session",
        session = id,
        client = %peer,
        user = Empty,
        tls = Empty,
        cipher = Empty,
        data = Empty,
    );
    let permit = Arc::new(permit);
    let kept = permit.clone();
    start_thread(format!("session-{id}"), permit, move || {
        span.in_scope(|| {
            debug!("connected");
            contained(|| engine(session, kept));
        });
    })
}

impl Session {
    /// Tells the client that nobody can log in, if log-ins need TLS and there is no certificate.
    ///
    /// # Errors
    /// If that is so.
    #[cfg(feature = "libunftp")]
    pub(crate) fn refuse_unless_protected(&self) -> Result<()> {
        let tls = self.setup.config.tls.as_ref();
        let required = tls.is_some_and(|tls| tls.required >= Required::Control);
        if required && self.setup.lacks_certificate() {
            let text = "there is no certificate for TLS now, try again later";
            refusal::refuse(&*self.stream, text);
            bail!("TLS is required, and there is no certificate");
        }
        Ok(())
    }

    /// Serves the connection until the client leaves or the daemon stops: the native engine.
    pub(crate) fn serve(self, permit: Arc<Permit>) -> Result<()> {
        let local = self
            .stream
            .local_addr()
            .context("the connection has no local address")?;
        tune(&self.stream);
        let _listed = self.listed;
        let event_loop = EventLoop::new(
            self.stream,
            self.status,
            self.wakeups,
            self.setup,
            self.log_ins,
            (canonical(self.peer), canonical(local)),
            (format!("worker-{}", self.id), permit),
        )?;
        event_loop.run(self.implicit_tls)
    }
}

/// Serves a session and logs how it ended. A panic ends this session and no other.
fn contained(serve: impl FnOnce() -> Result<()>) {
    match catch_unwind(AssertUnwindSafe(serve)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!("ended: {error:#}"),
        Err(_panic) => error!("ended: by a panic"),
    }
}

/// An IPv4 address that came as IPv6, unwrapped.
fn canonical(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        // Its scope is part of a local address.
        (ip, SocketAddr::V6(_)) if ip.is_ipv6() => address,
        (ip, _) => SocketAddr::new(ip, address.port()),
    }
}

/// Socket options; all of them optional, because not every kernel knows them.
pub(crate) fn tune(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "no-nodelay: replies may be slow");
    }
    if let Err(error) = setsockopt(stream, sockopt::KeepAlive, &true) {
        debug!(%error, "no-keepalive: a vanished client is noticed by the idle limit only");
    }
    // Clients mark an ABOR as urgent (RFC 959, section 4.1.3); it is to come in its place.
    if let Err(error) = setsockopt(stream, sockopt::OobInline, &true) {
        debug!(%error, "no-oobinline: an urgent ABOR loses a byte of its marks");
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, thread};

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
}
