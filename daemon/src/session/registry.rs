//! The list of all sessions, for administrators to see and to end single ones.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use protocol::wire::name;
use serde::Serialize;
use tracing::warn;

use super::status::Status;

/// The sessions that there are, oldest first. As many as are admitted, so looking through all of
/// them is quick. Clones share the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    id: u64,
    peer: SocketAddr,
    since: Instant,
    status: Arc<Status>,
}

/// A session's entry; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    sessions: Sessions,
    id: u64,
}

/// How long the thread of a session that was killed may be stuck before its connection is ended.
const KILLED_PATIENCE: Duration = Duration::from_secs(1);

/// What is told of a session.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What [`Sessions::kill`] takes.
    pub(crate) id: u64,
    /// The client's end of the control connection.
    pub(crate) peer: String,
    /// Who has logged in.
    pub(crate) user: Option<String>,
    /// The version of TLS on its control connection.
    pub(crate) tls: Option<&'static str>,
    /// The cipher suite there.
    pub(crate) cipher: Option<String>,
    /// Whether its data connections are protected.
    pub(crate) data_protected: bool,
    /// For how long it has been connected.
    pub(crate) seconds: u64,
    /// What it does, in a word.
    pub(crate) state: &'static str,
    /// The path of the transfer that is under way, as a client would see it.
    pub(crate) path: Option<String>,
    /// What that transfer has moved.
    pub(crate) bytes: Option<u64>,
}

impl Sessions {
    /// Lists a session that begins.
    pub(super) fn enter(&self, id: u64, peer: SocketAddr, status: Arc<Status>) -> Listed {
        self.entries().push(Entry {
            id,
            peer,
            since: Instant::now(),
            status,
        });
        Listed {
            sessions: self.clone(),
            id,
        }
    }

    /// Has a session end; false if there is none with this number.
    pub(crate) fn kill(&self, id: u64) -> bool {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.id == id);
        entry.inspect(|entry| entry.status.kill()).is_some()
    }

    /// Has all sessions end once their transfers have, or after this time.
    pub(crate) fn stop(&self, grace: Duration) {
        for entry in self.entries().iter() {
            entry.status.stop(grace);
        }
    }

    /// Ends the control connections of sessions whose thread has been stuck for too long, in a call
    /// of a storage that hangs: so their clients learn of it. Their permits stay taken.
    pub(crate) fn end_stuck(&self, patience: Duration) {
        let now = Instant::now();
        for Entry { id, status, .. } in self.entries().iter() {
            let stuck = status.stuck_for(now);
            let patience = if status.is_killed() {
                KILLED_PATIENCE.min(patience)
            } else {
                patience
            };
            if let Some(stuck) = stuck.filter(|stuck| *stuck >= patience)
                && status.shut_down()
            {
                let seconds = stuck.as_secs();
                warn!(
                    session = id,
                    seconds, "the storage hangs: the session's control connection was ended"
                );
            }
        }
    }

    /// Whether there is a session with this number.
    pub(crate) fn contains(&self, id: u64) -> bool {
        self.entries().iter().any(|entry| entry.id == id)
    }

    /// What there is to tell of each.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.entries().iter().map(Entry::row).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn row(&self) -> Row {
        let shown = self.status.shown();
        let (path, bytes) = shown.transfer.unzip();
        let (tls, cipher) = shown.tls.map(|tls| (tls.version, tls.cipher)).unzip();
        Row {
            id: self.id,
            peer: self.peer.to_string(),
            user: shown.user,
            tls,
            cipher,
            data_protected: shown.data_protected,
            seconds: self.since.elapsed().as_secs(),
            state: shown.state,
            path: path.map(|path| name::encode(path.as_bytes()).into_owned()),
            bytes,
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.entries().retain(|entry| entry.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use protocol::Activity;

    use super::*;
    use crate::session::waker::waker;

    fn status() -> Arc<Status> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (waker, _wakeups) = waker().unwrap();
        Arc::new(Status::new(Arc::new(stream), waker))
    }

    fn enter(sessions: &Sessions, id: u64) -> (Listed, Arc<Status>) {
        let status = status();
        let peer = "192.0.2.7:40000".parse().unwrap();
        (sessions.enter(id, peer, status.clone()), status)
    }

    fn ids(sessions: &Sessions) -> Vec<u64> {
        sessions.rows().iter().map(|row| row.id).collect()
    }

    #[test]
    fn a_session_is_listed_until_it_ends() {
        let sessions = Sessions::default();
        let [first, second] = [1, 2].map(|id| enter(&sessions, id));
        assert_eq!(ids(&sessions), [1, 2]);
        drop(first);
        assert_eq!(ids(&sessions), [2]);
        assert!(!sessions.contains(1) && sessions.contains(2));
        drop(second);
        assert!(ids(&sessions).is_empty());
    }

    #[test]
    fn only_the_session_that_is_named_is_killed() {
        let sessions = Sessions::default();
        let entries = [1, 2].map(|id| enter(&sessions, id));
        assert!(sessions.kill(2));
        assert_eq!(
            entries.each_ref().map(|(_, status)| status.is_killed()),
            [false, true]
        );
        assert!(!sessions.kill(3), "there is no such session");
    }

    #[test]
    fn only_a_session_that_is_stuck_is_shut_down() {
        let sessions = Sessions::default();
        let [(_one, stuck), (_other, waiting)] = [1, 2].map(|id| enter(&sessions, id));
        stuck.works(Instant::now());
        waiting.waits(Activity::Idle);
        sessions.end_stuck(Duration::from_hours(1));
        assert!(stuck.shut_down(), "not yet");
        let (_third, stuck) = enter(&sessions, 3);
        sessions.end_stuck(Duration::ZERO);
        assert!(!stuck.shut_down(), "it was shut down");
        assert!(waiting.shut_down(), "it was not shut down");
    }
}
