//! The data connection: how it comes about, and the bytes on it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use super::tls::{Tls, TlsStream};
use super::wire::{connect_from, timed_out};

/// Most bytes that one transfer of a case brings.
const MAX_DATA: usize = 64 << 20;
/// How many times the patience for one reply a whole transfer may take.
const TRANSFER: u32 = 3;
const POLL: Duration = Duration::from_millis(2);

/// The data connection of a session, as far as it has come.
#[derive(Default)]
pub(crate) enum Data {
    #[default]
    None,
    /// Announced by PASV or EPSV, not connected.
    Announced(SocketAddr),
    /// Announced by PORT or EPRT.
    Listening(TcpListener),
    Connected(TcpStream),
    Encrypted(Box<TlsStream>),
}

/// What follows on written bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// More.
    GoOn,
    /// The end in order, with TLS by `close_notify` both ways.
    End,
    /// The end in order of our side; what the server has sent stays unread.
    EndUnread,
}

/// How to encrypt a data connection.
pub(crate) struct Protection<'a> {
    pub(crate) tls: &'a Tls,
    pub(crate) host: &'a str,
}

impl Data {
    /// Listens on a free port of `address`, which the server is told.
    pub(crate) fn listen(address: IpAddr) -> Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((address, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((Self::Listening(listener), address))
    }

    /// A connection of somebody else to where the server said that it listens.
    pub(crate) fn stranger(&self, from: Ipv4Addr, patience: Duration) -> Result<TcpStream> {
        let Self::Announced(to) = *self else {
            bail!("no passive data connection was announced");
        };
        connect_from(to, Some(from.into()), patience)
    }

    /// Connects to where the server said that it listens.
    pub(crate) fn connect(&mut self, from: Option<Ipv4Addr>, patience: Duration) -> Result<()> {
        let Self::Announced(to) = *self else {
            bail!("no passive data connection was announced");
        };
        *self = Self::Connected(connect_from(to, from.map(Into::into), patience)?);
        Ok(())
    }

    /// Brings the connection as far as it takes to move bytes.
    fn ready(&mut self, protection: Option<&Protection<'_>>, patience: Duration) -> Result<()> {
        if let Self::Listening(listener) = self {
            *self = Self::Connected(accept(listener, patience)?);
        }
        let limits = |stream: &TcpStream| -> Result<()> {
            stream.set_read_timeout(Some(patience))?;
            Ok(stream.set_write_timeout(Some(patience))?)
        };
        match std::mem::take(self) {
            Self::Connected(stream) => {
                limits(&stream)?;
                *self = match protection {
                    None => Self::Connected(stream),
                    Some(Protection { tls, host }) => {
                        let encrypted = tls.connect(host, stream);
                        Self::Encrypted(Box::new(encrypted.context("data connection")?))
                    }
                };
                Ok(())
            }
            Self::Encrypted(stream) => {
                *self = Self::Encrypted(stream);
                Ok(())
            }
            _ => bail!("there is no data connection"),
        }
    }

    /// Reads to the end, which then is closed, or `limit` bytes.
    pub(crate) fn read(
        &mut self,
        limit: Option<usize>,
        protection: Option<&Protection<'_>>,
        patience: Duration,
    ) -> Result<Vec<u8>> {
        self.ready(protection, patience)?;
        let most = limit.unwrap_or(MAX_DATA);
        let deadline = Instant::now() + patience * TRANSFER;
        let mut bytes = Vec::new();
        let mut part = vec![0; 64 * 1024];
        while bytes.len() < most {
            let wanted = part.len().min(most - bytes.len());
            let read = match self {
                Self::Connected(stream) => stream.read(&mut part[..wanted]),
                Self::Encrypted(stream) => stream.read(&mut part[..wanted]),
                _ => bail!("there is no data connection"),
            };
            let len =
                read.with_context(|| format!("data connection, after {} bytes", bytes.len()))?;
            if len == 0 {
                break;
            }
            bytes.extend_from_slice(&part[..len]);
            ensure!(
                Instant::now() < deadline,
                "the transfer does not come to its end"
            );
        }
        match limit {
            Some(limit) => ensure!(bytes.len() == limit, "the data end after {}", bytes.len()),
            None => *self = Self::None,
        }
        Ok(bytes)
    }

    /// Writes, and perhaps ends the connection.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        then: Then,
        protection: Option<&Protection<'_>>,
        patience: Duration,
    ) -> Result<()> {
        self.ready(protection, patience)?;
        match self {
            Self::Connected(stream) => stream.write_all(bytes)?,
            Self::Encrypted(stream) => {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
            _ => bail!("there is no data connection"),
        }
        if then != Then::GoOn {
            if let Self::Encrypted(stream) = self {
                stream.conn.send_close_notify();
                stream.flush()?;
                if then == Then::End {
                    let mut rest = Vec::new();
                    let closed = stream.as_mut().take(1).read_to_end(&mut rest);
                    closed.context("the server closes TLS without close_notify")?;
                }
            }
            *self = Self::None;
        }
        Ok(())
    }

    /// Closes with FIN, or so that the server gets RST.
    pub(crate) fn close(&mut self, reset: bool, patience: Duration) -> Result<()> {
        if let Self::Listening(listener) = self {
            *self = Self::Connected(accept(listener, patience)?);
        }
        let stream = match self {
            Self::Connected(stream) => stream,
            Self::Encrypted(stream) => &mut stream.sock,
            _ => bail!("there is no data connection"),
        };
        if reset {
            let at_once = linger {
                l_onoff: 1,
                l_linger: 0,
            };
            setsockopt(stream, sockopt::Linger, &at_once)?;
        } else {
            // The server may have closed first.
            drop(stream.shutdown(Shutdown::Write));
        }
        *self = Self::None;
        Ok(())
    }

    /// Whether it brings no byte: not connected, reset, or ended without one.
    pub(crate) fn is_barren(&mut self, patience: Duration) -> Result<bool> {
        let Self::Connected(mut stream) = std::mem::take(self) else {
            return Ok(true);
        };
        stream.set_read_timeout(Some(patience))?;
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(len) => Ok(len == 0),
            Err(error) if timed_out(&error) => {
                bail!("neither closed nor refused within {patience:?}")
            }
            Err(_) => Ok(true),
        }
    }
}

fn accept(listener: &TcpListener, patience: Duration) -> Result<TcpStream> {
    let deadline = Instant::now() + patience;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if timed_out(&error) => {
                ensure!(
                    Instant::now() < deadline,
                    "the server did not connect in {patience:?}"
                );
                thread::sleep(POLL);
            }
            Err(error) => return Err(error).context("accepting the data connection"),
        }
    }
}
