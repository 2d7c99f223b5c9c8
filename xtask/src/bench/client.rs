//! The client that drives every server: it does as little as it can itself, so that the server is
//! what takes the time.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::socket::{MsgFlags, recv};

use super::relay;
use crate::clients::Target;
use crate::conformance::{Tls, TlsStream};

/// No answer and no block takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is written or read at once.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// The way to a server.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    Direct,
    /// 10 ms there and back, for control and data connections.
    Relayed,
}

impl Route {
    fn connect(self, address: SocketAddr) -> Result<TcpStream> {
        let stream = match self {
            Self::Direct => TcpStream::connect_timeout(&address, PATIENCE)?,
            Self::Relayed => relay::connect(address)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

/// A session that has logged in.
pub(crate) struct Client {
    control: BufReader<Stream>,
    tls: Option<Tls>,
    route: Route,
}

impl Client {
    /// A session that is ready for binary transfers, over TLS if `tls` is given.
    pub(crate) fn ready(target: &Target, tls: Option<&Tls>, route: Route) -> Result<Self> {
        let mut client = Self::log_in(target, tls, route)?;
        if tls.is_some() {
            client.expect("PBSZ 0", "2")?;
            client.expect("PROT P", "2")?;
        }
        client.expect("TYPE I", "2")?;
        Ok(client)
    }

    /// Connects and logs in.
    pub(crate) fn log_in(target: &Target, tls: Option<&Tls>, route: Route) -> Result<Self> {
        let mut client = match tls {
            Some(tls) => Self::secured(target, tls, route)?,
            None => Self::greeted(target, route)?,
        };
        client.expect(&format!("USER {}", target.user), "3")?;
        client.expect(&format!("PASS {}", target.password), "2")?;
        Ok(client)
    }

    /// Connects and does the TLS handshake.
    pub(super) fn secured(target: &Target, tls: &Tls, route: Route) -> Result<Self> {
        let mut client = Self::greeted(target, route)?;
        client.expect("AUTH TLS", "2")?;
        let Stream::Plain(stream) = client.control.into_inner() else {
            bail!("TLS twice");
        };
        let stream = tls.connect(&target.host, stream)?;
        Ok(Self {
            control: BufReader::new(Stream::Tls(Box::new(stream))),
            tls: Some(tls.clone()),
            route,
        })
    }

    fn greeted(target: &Target, route: Route) -> Result<Self> {
        let address = SocketAddr::new(target.host.parse()?, target.port);
        let stream = route.connect(address)?;
        let mut client = Self {
            control: BufReader::new(Stream::Plain(stream)),
            tls: None,
            route,
        };
        client.expect_reply("2")?;
        Ok(client)
    }

    /// Sends a line whose reply must begin with `code`.
    pub(crate) fn expect(&mut self, line: &str, code: &str) -> Result<String> {
        let control = self.control.get_mut();
        control.write_all(format!("{line}\r\n").as_bytes())?;
        control.flush()?;
        self.expect_reply(code).with_context(|| line.to_owned())
    }

    /// Waits for a reply that must begin with `code`.
    pub(crate) fn expect_reply(&mut self, code: &str) -> Result<String> {
        let reply = self.reply()?;
        ensure!(reply.starts_with(code), "expected {code}.., got {reply}");
        Ok(reply)
    }

    /// The last line of the next reply.
    fn reply(&mut self) -> Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(
                self.control.read_line(&mut line)? > 0,
                "the server has closed the connection"
            );
            let is_last = line.as_bytes().get(3) == Some(&b' ')
                && line.bytes().take(3).all(|byte| byte.is_ascii_digit());
            if is_last {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    fn passive(&mut self) -> Result<TcpStream> {
        let reply = self.expect("EPSV", "229")?;
        let port = reply
            .split('|')
            .nth(3)
            .context("no port in the reply to EPSV")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
        self.route.connect(address)
    }

    /// Opens a data connection for `line`.
    pub(crate) fn open(&mut self, line: &str) -> Result<Data> {
        let stream = self.passive()?;
        self.expect(line, "1")?;
        let stream = match &self.tls {
            Some(tls) => Stream::Tls(Box::new(tls.connect("127.0.0.1", stream)?)),
            None => Stream::Plain(stream),
        };
        Ok(Data(stream))
    }

    /// Waits for the end of a transfer.
    pub(crate) fn finished(&mut self) -> Result<()> {
        self.expect_reply("2").map(drop)
    }

    /// Downloads and throws away; returns the number of bytes.
    pub(super) fn download(&mut self, line: &str, buffer: &mut [u8]) -> Result<u64> {
        let bytes = self.open(line)?.discard(buffer)?;
        self.finished().with_context(|| line.to_owned())?;
        Ok(bytes)
    }

    /// Uploads what `blocks` gives.
    pub(crate) fn upload<'a>(
        &mut self,
        line: &str,
        blocks: impl Iterator<Item = &'a [u8]>,
    ) -> Result<()> {
        let mut data = self.open(line)?;
        for block in blocks {
            data.0.write_all(block)?;
        }
        data.finish()?;
        self.finished().with_context(|| line.to_owned())
    }
}

/// A data connection.
pub(crate) struct Data(Stream);

impl Data {
    /// Reads once.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.0.read(buffer)?)
    }

    /// Writes all.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Reads to the end. Without TLS, the kernel throws the bytes away and nothing is copied.
    fn discard(mut self, buffer: &mut [u8]) -> Result<u64> {
        let mut total = 0;
        loop {
            let count = match &mut self.0 {
                Stream::Plain(stream) => recv(stream.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC)?,
                Stream::Tls(stream) => match stream.read(buffer) {
                    // Some servers end TLS without saying so.
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
                    read => read?,
                },
            };
            if count == 0 {
                return Ok(total);
            }
            total += u64::try_from(count)?;
        }
    }

    fn finish(mut self) -> Result<()> {
        if let Stream::Tls(stream) = &mut self.0 {
            stream.conn.send_close_notify();
            stream.flush()?;
            stream.sock.shutdown(Shutdown::Write)?;
            // A connection that is closed with session tickets unread is reset, and a reset can
            // overtake what was sent. A ticket is used once, so the next handshake needs one of
            // these. How servers end it is their business.
            let _ended = stream.read_to_end(&mut Vec::new());
        }
        Ok(())
    }
}
