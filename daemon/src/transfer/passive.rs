//! Passive data connections: a listener in the configured range of ports.

use std::{
    hash::{BuildHasher as _, RandomState},
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{Backlog, listen, setsockopt, sockopt::ReuseAddr},
};
use protocol::DataFailure;
use socket2::Socket;
use tracing::debug;

use crate::sys::{bind_socket, stream_socket};

/// Listens for one data connection.
#[derive(Debug)]
pub(crate) struct PassiveListener(Socket);

impl PassiveListener {
    /// Listens at the address of the control connection, at a free port of the range: each is tried
    /// once, beginning at one that nobody can foretell.
    ///
    /// # Errors
    /// [`DataFailure::NoPort`] if all are in use, [`DataFailure::Resources`] if there is no socket.
    pub(crate) fn open(
        mut local: SocketAddr,
        ports: &RangeInclusive<u16>,
    ) -> Result<(Self, u16), DataFailure> {
        let resources = |error: io::Error| {
            debug!(%error, "no passive data connection");
            DataFailure::Resources
        };
        let mut socket = None;
        for port in candidates(ports.clone(), RandomState::new().hash_one(())) {
            local.set_port(port);
            let unbound = match socket.take() {
                Some(socket) => socket,
                None => stream_socket(&local).map_err(|errno| resources(errno.into()))?,
            };
            match claim(&unbound, local) {
                Ok(Claimed::Yes) => return Ok((Self(unbound.into()), port)),
                Ok(Claimed::BoundByAnother) => socket = Some(unbound),
                Ok(Claimed::ListenedToByAnother) => {}
                Err(error) => return Err(resources(error)),
            }
        }
        Err(DataFailure::NoPort)
    }

    /// The connection of this client, if it has come. Those of others are closed: nobody but the
    /// client of the control connection gets its files (RFC 2577, section 4).
    ///
    /// # Errors
    /// Those of accept(2).
    pub(crate) fn accept(&self, client: IpAddr) -> io::Result<Option<OwnedFd>> {
        loop {
            // Not accept4(2): no report says that the VMkernel has it.
            let (socket, peer) = match self.0.accept_raw() {
                Ok(accepted) => accepted,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(None),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => continue,
                    _ => return Err(error),
                },
            };
            let peer = peer.as_socket().map(|peer| peer.ip().to_canonical());
            if peer == Some(client) {
                return Ok(Some(socket.into()));
            }
            debug!(?peer, "a stranger at the passive port was turned away");
        }
    }
}

impl AsFd for PassiveListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

enum Claimed {
    Yes,
    BoundByAnother,
    ListenedToByAnother,
}

/// Takes the port for this socket alone. Two sockets with `SO_REUSEADDR` can be bound to one port:
/// the second one fails when it listens.
fn claim(socket: &OwnedFd, address: SocketAddr) -> io::Result<Claimed> {
    // Without it, a port would rest for a minute after each transfer.
    setsockopt(socket, ReuseAddr, &true)?;
    match bind_socket(socket, address) {
        Err(Errno::EADDRINUSE) => return Ok(Claimed::BoundByAnother),
        bound => bound?,
    }
    match listen(socket, Backlog::new(1)?) {
        Err(Errno::EADDRINUSE) => Ok(Claimed::ListenedToByAnother),
        listening => Ok(listening.map(|()| Claimed::Yes)?),
    }
}

/// Every port of the range once, beginning at one that nobody can foretell.
fn candidates(ports: RangeInclusive<u16>, random: u64) -> impl Iterator<Item = u16> {
    let count = u64::try_from(ports.len()).unwrap_or(1).max(1);
    let skip = usize::try_from(random % count).unwrap_or(0);
    ports.clone().cycle().skip(skip).take(ports.len())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::candidates;

    proptest! {
        #[test]
        fn every_port_of_the_range_is_tried_once(first in 1024..u16::MAX, count in 0..2000u16, random: u64) {
            let range = first..=first.saturating_add(count);
            let tried: Vec<u16> = candidates(range.clone(), random).collect();
            prop_assert_eq!(tried.len(), range.len());
            prop_assert_eq!(tried.into_iter().collect::<HashSet<_>>(), range.collect::<HashSet<_>>());
        }
    }

    #[test]
    fn the_first_port_depends_on_chance() {
        assert_eq!(
            candidates(50_000..=50_003, 6).collect::<Vec<_>>(),
            [50_002, 50_003, 50_000, 50_001]
        );
    }
}
