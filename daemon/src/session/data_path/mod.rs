//! The data connection of a session, from the command that sets it up to the end of its transfer,
//! as far as the session's own thread deals with it. Nothing here waits: what can be done is done
//! when poll(2) says so.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::poll::PollFlags;
use protocol::{DataFailure, request::Failure};
use tracing::{debug, info};

use crate::{
    task::Task,
    transfer::{
        active::Connecting,
        passive::PassiveListener,
        small::{Progress, Receiving},
    },
};

/// How long a listener is left alone: mostly the transfer command comes, and the connection is
/// looked for then. After that, strangers are turned away who would take the client's place.
const UNWATCHED: Duration = Duration::from_millis(50);

/// How a data connection stands.
#[derive(Debug, Default)]
pub(super) enum DataPath {
    /// There is none.
    #[default]
    Closed,
    /// Listening, since then.
    Listening(PassiveListener, Instant),
    /// The transfer waits for the client to connect.
    Awaited(PassiveListener),
    /// Connecting to the client.
    Connecting(Connecting),
    /// It stands and has not been used.
    Open(OwnedFd),
    /// A small upload is being received.
    Receiving(Receiving),
}

/// What has happened to the data connection.
#[derive(Debug)]
pub(super) enum DataEvent {
    /// Nothing that the protocol would want to know.
    Nothing,
    /// In active mode, it stands, or will not.
    Connected(Result<(), DataFailure>),
    /// The transfer that waits for it can begin, or cannot.
    Arrived(Result<OwnedFd, Failure>),
    /// A small upload goes on.
    Received(Progress),
}

impl DataPath {
    /// Listens, in place of what was there before.
    pub(super) fn listen(
        &mut self,
        local: SocketAddr,
        ports: &RangeInclusive<u16>,
        now: Instant,
    ) -> Result<u16, DataFailure> {
        // First, because its port may be the only one.
        *self = Self::Closed;
        let (listener, port) = PassiveListener::open(local, ports)?;
        *self = Self::Listening(listener, now);
        Ok(port)
    }

    /// Begins to connect to the client.
    pub(super) fn connect(
        &mut self,
        local: SocketAddr,
        client: SocketAddr,
    ) -> Result<(), DataFailure> {
        let connecting = Connecting::begin(local, client).map_err(|error| unreachable(&error))?;
        *self = Self::Connecting(connecting);
        Ok(())
    }

    /// The connection for the transfer that begins; nothing if the client has still to come.
    pub(super) fn take(&mut self, client: IpAddr) -> Option<Result<OwnedFd, Failure>> {
        match std::mem::take(self) {
            Self::Open(socket) => Some(Ok(socket)),
            Self::Listening(listener, _) | Self::Awaited(listener) => {
                match listener.accept(client) {
                    Ok(Some(socket)) => Some(Ok(socket)),
                    Ok(None) => {
                        *self = Self::Awaited(listener);
                        None
                    }
                    Err(error) => Some(Err(refused(&error))),
                }
            }
            _ => Some(Err(Failure::NoConnection)),
        }
    }

    /// What to wait for.
    pub(super) fn interest(&self, now: Instant) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Self::Listening(listener, since) if *since + UNWATCHED <= now => {
                Some((listener.as_fd(), PollFlags::POLLIN))
            }
            Self::Awaited(listener) => Some((listener.as_fd(), PollFlags::POLLIN)),
            Self::Connecting(connecting) => Some((connecting.as_fd(), PollFlags::POLLOUT)),
            Self::Receiving(receiving) => Some((receiving.socket().as_fd(), PollFlags::POLLIN)),
            Self::Listening(..) | Self::Open(_) | Self::Closed => None,
        }
    }

    /// When a listener begins to be watched.
    pub(super) fn watched_from(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Listening(_, since) => Some(*since + UNWATCHED).filter(|from| *from > now),
            _ => None,
        }
    }

    /// Does what can be done, now that poll(2) has seen something.
    pub(super) fn advance(&mut self, client: IpAddr, task: &Task) -> DataEvent {
        match std::mem::take(self) {
            Self::Listening(listener, since) => {
                match listener.accept(client) {
                    // The transfer command will come, or another that replaces it.
                    Ok(Some(socket)) => *self = Self::Open(socket),
                    Ok(None) => *self = Self::Listening(listener, since),
                    Err(error) => {
                        refused(&error);
                    }
                }
                DataEvent::Nothing
            }
            Self::Awaited(listener) => {
                *self = Self::Awaited(listener);
                self.take(client)
                    .map_or(DataEvent::Nothing, DataEvent::Arrived)
            }
            Self::Connecting(connecting) => match connecting.finish() {
                Ok(socket) => {
                    *self = Self::Open(socket);
                    DataEvent::Connected(Ok(()))
                }
                Err(error) => DataEvent::Connected(Err(unreachable(&error))),
            },
            Self::Receiving(receiving) => match receiving.receive(task) {
                Progress::Waiting(receiving) => {
                    *self = Self::Receiving(receiving);
                    DataEvent::Nothing
                }
                progress => DataEvent::Received(progress),
            },
            other @ (Self::Open(_) | Self::Closed) => {
                *self = other;
                DataEvent::Nothing
            }
        }
    }

    /// Whether a small upload is being received, which the session's thread has to end itself.
    pub(super) fn is_receiving(&self) -> bool {
        matches!(self, Self::Receiving(_))
    }
}

fn refused(error: &io::Error) -> Failure {
    info!(%error, "data-connection-failed");
    Failure::Resources
}

fn unreachable(error: &io::Error) -> DataFailure {
    debug!(%error, "data-connection-failed: the client's port cannot be reached");
    DataFailure::Unreachable
}

#[cfg(test)]
mod tests;
