//! Ports for passive data connections.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    os::fd::AsFd as _,
    sync::Arc,
};

use async_trait::async_trait;
use libunftp::options::Binder;
use nix::sys::socket::{Backlog, listen, setsockopt, sockopt::KeepAlive};
use tokio::net::TcpSocket;

use super::Context;

/// Binds the socket of a passive data connection to a free port of the passive range.
#[derive(Debug)]
pub(super) struct PassivePorts(Arc<Context>);

impl PassivePorts {
    /// Ports for a session with this context, which learns of each listener.
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self(context)
    }
}

#[async_trait]
impl Binder for PassivePorts {
    async fn bind(
        &mut self,
        local_addr: IpAddr,
        passive_ports: RangeInclusive<u16>,
    ) -> io::Result<TcpSocket> {
        // A session has one listener at a time: whoever asks for another gives up the one before.
        self.0.set_listener(None);
        for port in candidates(passive_ports, RandomState::new().hash_one(())) {
            let socket = if local_addr.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            // Without it, a port would rest for a minute after each transfer.
            socket.set_reuseaddr(true)?;
            // Best effort: data connections inherit it from their listener, and not every kernel
            // knows it.
            let _set = socket.set_nodelay(true);
            let _set = setsockopt(&socket, KeepAlive, &true);
            match claim(&socket, (local_addr, port).into()) {
                Ok(()) => {
                    self.0
                        .set_listener(socket.as_fd().try_clone_to_owned().ok());
                    return Ok(socket);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "every port of the passive range is in use",
        ))
    }
}

/// Takes the port for this socket alone.
///
/// Two sockets with `SO_REUSEADDR` can be bound to one port; the second one fails only when it
/// listens, and there libunftp drops the control connection. So the socket listens already when
/// libunftp gets it and listens again.
fn claim(socket: &TcpSocket, address: SocketAddr) -> io::Result<()> {
    socket.bind(address)?;
    Ok(listen(socket, Backlog::new(1)?)?)
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
