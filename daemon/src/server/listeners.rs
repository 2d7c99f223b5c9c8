//! Listening sockets, and what to do when one cannot accept.

use std::{fmt, io, net::SocketAddr, time::Duration};

use anyhow::{Result, bail};
use nix::{
    errno::Errno,
    sys::socket::{setsockopt, sockopt},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};
use tracing::{debug, error, info, warn};

use crate::config::Listen;

/// Connections that the kernel keeps for us until they are accepted.
const BACKLOG: u32 = 128;

/// How long to wait for somebody to give a resource back.
const BACK_OFF: Duration = Duration::from_millis(250);

/// How often an address is tried again that the host does not have yet.
const RETRY: Duration = Duration::from_secs(10);

/// The sockets on which control connections arrive, with whether clients there begin with a TLS
/// handshake, and the addresses that the host does not have yet.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(super) bound: Vec<(TcpListener, bool)>,
    pub(super) awaited: Vec<(SocketAddr, bool)>,
}

impl Listeners {
    /// Binds every configured address. One that the host does not have yet is waited for, because
    /// interfaces may come up later than the daemon. IPv6 is optional: a host may have it switched
    /// off.
    ///
    /// # Errors
    /// If an address is in use, or an IPv4 address, or every address, cannot be bound for another
    /// reason.
    pub(crate) fn bind(listen: &Listen) -> Result<Self> {
        let (mut bound, mut awaited) = (Vec::new(), Vec::new());
        for (address, implicit_tls) in listen.all() {
            let key = if implicit_tls {
                "listen.implicit-tls"
            } else {
                "listen.addresses"
            };
            match bind(address) {
                Ok(listener) => bound.push((listener, implicit_tls)),
                Err(error) if errno(&error) == Some(Errno::EADDRNOTAVAIL) => {
                    let seconds = RETRY.as_secs();
                    warn!(
                        "{key}: the host has no address {address} now; it is tried again every \
                         {seconds} seconds; if it will never have it, correct the address"
                    );
                    awaited.push((address, implicit_tls));
                }
                // A program that has the port is as much of a fault as over IPv4.
                Err(error) if address.is_ipv6() && errno(&error) != Some(Errno::EADDRINUSE) => {
                    warn!(
                        "{key}: cannot listen on {address}, going on without it: {error}; {}",
                        remedy(&error)
                    );
                }
                Err(error) => bail!(
                    "{key}: cannot listen on {address}: {error}; {}",
                    remedy(&error)
                ),
            }
        }
        if bound.is_empty() && awaited.is_empty() {
            bail!("listen.addresses: cannot listen on any address; list one that this host has");
        }
        Ok(Self { bound, awaited })
    }
}

/// Waits until the host has this address, and listens there.
pub(super) async fn await_address(address: SocketAddr) -> TcpListener {
    loop {
        sleep(RETRY).await;
        match bind(address) {
            Ok(listener) => {
                info!(%address, "listening: the host has this address now");
                return listener;
            }
            Err(error) => debug!(%address, %error, "still no such address"),
        }
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

/// What to do about an address that cannot be bound.
fn remedy(error: &io::Error) -> &'static str {
    match errno(error) {
        Some(Errno::EADDRINUSE) => {
            "end the program that uses the port, or choose another address or port"
        }
        Some(Errno::EACCES | Errno::EPERM) => {
            "start the daemon as root, or choose a port from 1024 on"
        }
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
            "raise the limit on open files or free memory, and start it again"
        }
        _ => "choose another address",
    }
}

/// The addresses with their real ports, separated by blanks.
impl fmt::Display for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self
            .bound
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
    async fn an_address_that_the_host_does_not_have_yet_is_waited_for() {
        let absent = "192.0.2.77:0".parse().unwrap();
        let listen = Listen {
            addresses: vec![absent],
            ..Listen::default()
        };
        let Listeners { bound, awaited } = Listeners::bind(&listen).unwrap();
        assert!(bound.is_empty());
        assert_eq!(awaited, [(absent, false)]);
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error_with_its_key_and_a_remedy() {
        for address in ["127.0.0.1", "[::1]"] {
            let taken = bind(format!("{address}:0").parse().unwrap()).unwrap();
            let listen = Listen {
                addresses: vec!["127.0.0.1:0".parse().unwrap()],
                implicit_tls: vec![taken.local_addr().unwrap()],
                ..Listen::default()
            };
            let error = Listeners::bind(&listen).unwrap_err().to_string();
            let start = format!("listen.implicit-tls: cannot listen on {address}:");
            assert!(error.starts_with(&start), "{error}");
            assert!(
                error.contains("end the program that uses the port"),
                "{error}"
            );
        }
    }
}
