//! Session tickets of TLS 1.3 for data connections.
//!
//! Clients resume the session of their control connection on each data connection, most of them
//! with one ticket again and again. rustls uses a ticket once, and a server need not give new ones
//! on data connections: so the tickets are collected before the time is taken.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use super::client::{Client, Route};
use super::subject::Subject;

/// Tickets that are kept at the most.
const KEPT: usize = 1_024;

/// The tickets of one server; the newest is used first.
#[derive(Default)]
pub(super) struct Tickets(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    tickets: Vec<Tls13ClientSessionValue>,
    group: Option<NamedGroup>,
    collecting: bool,
}

impl Tickets {
    /// A store without tickets.
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So that the next handshake is a whole one.
    pub(super) fn forget(&self) {
        self.kept().tickets.clear();
    }

    fn count(&self) -> usize {
        self.kept().tickets.len()
    }

    fn set_collecting(&self, collecting: bool) {
        self.kept().collecting = collecting;
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tickets", self.count())
    }
}

/// For one server name and TLS 1.3.
impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _server: ServerName<'static>, group: NamedGroup) {
        self.kept().group = Some(group);
    }

    fn kx_hint(&self, _server: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept().group
    }

    fn set_tls12_session(&self, _server: ServerName<'static>, _session: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _server: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut kept = self.kept();
        if kept.tickets.len() < KEPT {
            kept.tickets.push(ticket);
        }
    }

    fn take_tls13_ticket(&self, _server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut kept = self.kept();
        if kept.collecting {
            return None;
        }
        kept.tickets.pop()
    }
}

/// Collects so many tickets, from control connections that have ended when this returns; fewer if
/// the server gives none. Those of other servers are forgotten.
///
/// # Errors
/// If the server cannot be reached.
pub(super) fn collect(subject: &Subject<'_>, wanted: usize) -> Result<()> {
    let tickets = subject.tickets;
    tickets.forget();
    tickets.set_collecting(true);
    let collected = connect_until(subject, wanted);
    tickets.set_collecting(false);
    // They end together: some servers take nobody for a while after one has ended.
    drop(collected?);
    subject.server.wait_until_idle()
}

fn connect_until(subject: &Subject<'_>, wanted: usize) -> Result<Vec<Client>> {
    let mut sessions = Vec::new();
    let mut before = None;
    while subject.tickets.count() < wanted && before != Some(subject.tickets.count()) {
        before = Some(subject.tickets.count());
        let mut client = Client::secured(&subject.server.target, subject.tls, Route::Direct)?;
        // The tickets come before the reply.
        client.expect("FEAT", "2")?;
        sessions.push(client);
    }
    Ok(sessions)
}
