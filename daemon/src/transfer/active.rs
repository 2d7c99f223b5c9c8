//! Active data connections: the server connects to the client.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::sys::socket::{getsockopt, sockopt::SocketError};

use crate::sys::{begin_connect, bind_socket, stream_socket};

/// A connection to the client that has been begun.
#[derive(Debug)]
pub(crate) struct Connecting(OwnedFd);

impl Connecting {
    /// Begins to connect to the client, from a free port of the address of the control connection.
    ///
    /// # Errors
    /// If there is no socket, or the kernel knows no way there.
    pub(crate) fn begin(mut local: SocketAddr, client: SocketAddr) -> io::Result<Self> {
        let socket = stream_socket(&client)?;
        local.set_port(0);
        bind_socket(&socket, local)?;
        begin_connect(&socket, client)?;
        Ok(Self(socket))
    }

    /// The connection, once it can be written to or shows an error.
    ///
    /// # Errors
    /// Why it does not stand.
    pub(crate) fn finish(self) -> io::Result<OwnedFd> {
        match getsockopt(&self.0, SocketError)? {
            0 => Ok(self.0),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl AsFd for Connecting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn connect(address: &str) -> io::Result<(SocketAddr, SocketAddr)> {
        let listener = TcpListener::bind(address).unwrap();
        let target = listener.local_addr().unwrap();
        let connecting = Connecting::begin(target, target)?;
        let mut descriptors = [PollFd::new(connecting.as_fd(), PollFlags::POLLOUT)];
        poll(&mut descriptors, PollTimeout::from(20_000_u16)).unwrap();
        connecting.finish()?;
        let (_, peer) = listener.accept()?;
        Ok((target, peer))
    }

    #[test]
    fn the_server_connects_over_both_protocols_from_its_own_address() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (target, peer) = connect(address).unwrap();
            assert_eq!(peer.ip(), target.ip());
        }
    }

    #[test]
    fn a_port_that_nobody_listens_at_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        drop(listener);
        let refused = Connecting::begin(target, target).and_then(|connecting| {
            let mut descriptors = [PollFd::new(connecting.as_fd(), PollFlags::POLLOUT)];
            poll(&mut descriptors, PollTimeout::from(20_000_u16)).unwrap();
            connecting.finish()
        });
        assert_eq!(
            refused.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }
}
