//! The list of all sessions, for administrators to see and to end single ones.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde::Serialize;

use crate::{session::Context, wire_name};

/// The sessions that there are, oldest first. As many as are admitted, so looking through all of
/// them is quick. Clones share the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    id: u64,
    peer: SocketAddr,
    since: Instant,
    /// Once its thread runs.
    context: Option<Arc<Context>>,
    killed: bool,
}

/// A session's entry; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    sessions: Sessions,
    id: u64,
}

/// What is told of a session.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What [`Sessions::kill`] takes.
    pub(crate) id: u64,
    /// The client's end of the control connection.
    pub(crate) peer: String,
    /// Who has logged in.
    pub(crate) user: Option<String>,
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
    pub(super) fn enter(&self, id: u64, peer: SocketAddr) -> Listed {
        self.entries().push(Entry {
            id,
            peer,
            since: Instant::now(),
            context: None,
            killed: false,
        });
        Listed {
            sessions: self.clone(),
            id,
        }
    }

    /// Has a session end; false if there is none with this number.
    pub(crate) fn kill(&self, id: u64) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) else {
            return false;
        };
        entry.killed = true;
        if let Some(context) = &entry.context {
            context.kill();
        }
        true
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
        let context = self.context.as_deref();
        let (state, path) = context.map_or(("handshake", None), |it| it.status.describe());
        let moved = context.map(|context| context.run().moved());
        let user = context.and_then(Context::account);
        Row {
            id: self.id,
            peer: self.peer.to_string(),
            user: user.map(|account| account.name.clone()),
            seconds: self.since.elapsed().as_secs(),
            state,
            bytes: path.as_ref().and(moved),
            path: path.map(|path| wire_name::encode(path.as_bytes()).into_owned()),
        }
    }
}

impl Listed {
    /// From now on the session can be looked into. One that was killed before ends now.
    pub(crate) fn attach(&self, context: &Arc<Context>) {
        let mut entries = self.sessions.entries();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.id == self.id) {
            entry.context = Some(context.clone());
            if entry.killed {
                context.kill();
            }
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
    use super::*;
    use crate::config::Config;

    fn peer() -> SocketAddr {
        "192.0.2.7:40000".parse().unwrap()
    }

    fn ids(sessions: &Sessions) -> Vec<u64> {
        sessions.rows().iter().map(|row| row.id).collect()
    }

    #[test]
    fn a_session_is_listed_until_it_ends() {
        let sessions = Sessions::default();
        let [first, second] = [1, 2].map(|id| sessions.enter(id, peer()));
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
        let listed = [1, 2].map(|id| sessions.enter(id, peer()));
        let contexts = [(); 2].map(|()| Context::new(Arc::new(Config::default()), None));
        for (listed, (context, _)) in listed.iter().zip(&contexts) {
            listed.attach(context);
        }
        assert!(sessions.kill(2));
        let cancelled = contexts.each_ref().map(|(it, _)| it.run().check().is_err());
        assert_eq!(cancelled, [false, true]);
        assert!(!sessions.kill(3), "there is no such session");
    }

    #[test]
    fn a_session_that_was_killed_before_its_thread_ran_ends_when_it_does() {
        let sessions = Sessions::default();
        let listed = sessions.enter(1, peer());
        assert!(sessions.kill(1));
        let (context, _events) = Context::new(Arc::new(Config::default()), None);
        listed.attach(&context);
        assert!(context.run().check().is_err());
    }
}
