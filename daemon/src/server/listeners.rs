//! Listening sockets, and what to do when one cannot accept.

use std::{fmt, io, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    sys::socket::{setsockopt, sockopt},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};
use tracing::{debug, error, warn};

use crate::config::Listen;

/// Connections that the kernel keeps for us until they are accepted.
const BACKLOG: u32 = 128;

/// How long to wait for somebody to give a resource back.
const BACK_OFF: Duration = Duration::from_millis(250);

/// The sockets on which control connections arrive, at least one, and whether clients there begin
/// with a TLS handshake.
#[derive(Debug)]
pub(crate) struct Listeners(Vec<(TcpListener, bool)>);

impl Listeners {
    /// Binds every configured address. IPv6 is optional: a host may have it switched off.
    ///
    /// # Errors
    /// If an IPv4 address, or every address, cannot be bound.
    pub(crate) fn bind(listen: &Listen) -> Result<Self> {
        let mut listeners = Vec::new();
        for (address, implicit_tls) in listen.all() {
            match bind(address) {
                Ok(listener) => listeners.push((listener, implicit_tls)),
                Err(error) if address.is_ipv6() => {
                    warn!(%address, %error, "cannot listen on this IPv6 address; going on without it");
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("cannot listen on {address}; end the program that uses the port, or change [listen]")
                    });
                }
            }
        }
        if listeners.is_empty() {
            bail!("cannot listen on any address; check listen.addresses");
        }
        Ok(Self(listeners))
    }

    pub(super) fn into_inner(self) -> Vec<(TcpListener, bool)> {
        self.0
    }
}

/// The addresses with their real ports, separated by blanks.
impl fmt::Display for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self
            .0
            .iter()
            .filter_map(|(listener, _)| listener.local_addr().ok());
        f.write_str(
            &addresses
                .map(|address| address.to_string())
                .collect::<Vec<_>>()
                .join(" "),
        )
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // Where the kernel knows no such option, there is nothing to switch off.
        if let Err(error) = setsockopt(&socket, sockopt::Ipv6V6Only, &true) {
            debug!(%address, %error, "no IPV6_V6ONLY");
        }
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Waits for the next client; `None` if the listener is broken. Survives clients that vanish, and waits when descriptors or memory
/// run out.
pub(super) async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let mut short_of_resources = false;
    loop {
        let error = match listener.accept().await {
            Ok(client) => return Some(client),
            Err(error) => error,
        };
        match Fault::of(&error) {
            Fault::Client => debug!(%error, "a client vanished before it was accepted"),
            Fault::Resources => {
                // Said once, not four times a second.
                if !short_of_resources {
                    warn!(%error, "cannot accept clients for now; lower limits.sessions");
                }
                short_of_resources = true;
                sleep(BACK_OFF).await;
            }
            Fault::Listener => {
                error!(%error, "a listening socket is broken; it is given up");
                return None;
            }
        }
    }
}

/// Whose fault it is that accepting failed.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The client's, or the network's on the way to it: accept(2) reports pending network errors of
    /// the new socket.
    Client,
    /// Nobody's: something ran out and may come back.
    Resources,
    /// The socket's own.
    Listener,
}

impl Fault {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(
                Errno::ECONNABORTED
                | Errno::EINTR
                | Errno::EPROTO
                | Errno::ENOPROTOOPT
                | Errno::ENETDOWN
                | Errno::ENETUNREACH
                | Errno::EHOSTDOWN
                | Errno::EHOSTUNREACH
                | Errno::ETIMEDOUT,
            ) => Self::Client,
            Some(
                Errno::EBADF
                | Errno::EINVAL
                | Errno::ENOTSOCK
                | Errno::EOPNOTSUPP
                | Errno::EFAULT
                | Errno::ENOSYS,
            ) => Self::Listener,
            // EMFILE, ENFILE, ENOBUFS, ENOMEM, and what nobody knows: waiting never hurts.
            _ => Self::Resources,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_accept_are_sorted_by_whose_fault_they_are() {
        for (errno, fault) in [
            (Errno::ECONNABORTED, Fault::Client),
            (Errno::EPROTO, Fault::Client),
            (Errno::EHOSTUNREACH, Fault::Client),
            (Errno::EMFILE, Fault::Resources),
            (Errno::ENOMEM, Fault::Resources),
            (Errno::EPERM, Fault::Resources),
            (Errno::EBADF, Fault::Listener),
        ] {
            assert_eq!(Fault::of(&io::Error::from(errno)), fault, "{errno}");
        }
    }

    #[tokio::test]
    async fn an_ipv6_socket_leaves_ipv4_alone() {
        let v6 = bind("[::]:0".parse().unwrap()).unwrap();
        let port = v6.local_addr().unwrap().port();
        bind(SocketAddr::from(([0, 0, 0, 0], port))).unwrap();
    }

    #[tokio::test]
    async fn a_missing_ipv6_address_is_survived() {
        let listen = Listen {
            addresses: vec![
                "127.0.0.1:0".parse().unwrap(),
                "[2001:db8::1]:0".parse().unwrap(),
            ],
            ..Listen::default()
        };
        let listeners = Listeners::bind(&listen).unwrap();
        assert!(listeners.to_string().starts_with("127.0.0.1:"));
        assert!(!listeners.to_string().contains(' '));
    }

    #[tokio::test]
    async fn no_address_at_all_is_an_error() {
        let listen = Listen {
            addresses: vec!["[2001:db8::1]:0".parse().unwrap()],
            ..Listen::default()
        };
        assert!(Listeners::bind(&listen).is_err());
    }
}
