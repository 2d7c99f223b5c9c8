//! The control connection, byte by byte.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, connect, send,
    socket,
};

use super::literal::show;
use super::tls::{Tls, TlsStream};

/// Longest line of a reply, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// Most lines of a reply.
const MAX_LINES: usize = 10_000;
/// Bytes of a line in the record of the dialogue.
const RECORDED: usize = 300;

/// A reply: its code, and its lines joined by line feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
    /// Between the two: a handshake that failed leaves nothing to go on with.
    Broken,
}

/// A control connection and the record of what went over it.
pub(crate) struct Control {
    stream: Stream,
    received: Vec<u8>,
    patience: Duration,
    record: Vec<String>,
    waiting: Option<Reply>,
}

impl Control {
    /// Connects, from `from` if it is given.
    pub(crate) fn connect(
        to: SocketAddr,
        from: Option<IpAddr>,
        patience: Duration,
    ) -> Result<Self> {
        let stream = connect_from(to, from, patience)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: Stream::Plain(stream),
            received: Vec::new(),
            patience,
            record: Vec::new(),
            waiting: None,
        })
    }

    /// The dialogue so far, a line each.
    pub(crate) fn record(&self) -> &[String] {
        &self.record
    }

    pub(crate) fn socket(&self) -> Result<&TcpStream> {
        match &self.stream {
            Stream::Plain(stream) => Ok(stream),
            Stream::Tls(stream) => Ok(&stream.sock),
            Stream::Broken => bail!("the control connection is broken"),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.record.push(format!("> {}", show(bytes, RECORDED)));
        self.socket()?.set_write_timeout(Some(self.patience))?;
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Broken => Err(io::ErrorKind::NotConnected.into()),
        };
        sent.context("sending to the server")
    }

    /// Sends `bytes`, the last one as urgent data (RFC 959, section 4.1.3; RFC 854).
    pub(crate) fn send_urgent(&mut self, bytes: &[u8]) -> Result<()> {
        self.record
            .push(format!("> urgent {}", show(bytes, RECORDED)));
        let sent = send(self.socket()?.as_raw_fd(), bytes, MsgFlags::MSG_OOB)?;
        ensure!(
            sent == bytes.len(),
            "the kernel took {sent} of {} bytes",
            bytes.len()
        );
        Ok(())
    }

    /// The next reply, which must come in time.
    pub(crate) fn reply(&mut self) -> Result<Reply> {
        if let Some(reply) = self.waiting.take() {
            return Ok(reply);
        }
        let deadline = Instant::now() + self.patience;
        let first = self.line(deadline)?;
        let code = code_of(&first).with_context(|| {
            format!(
                "no reply code at the start of \"{}\"",
                show(&first, RECORDED)
            )
        })?;
        let mut text = first.clone();
        if first.get(3) == Some(&b'-') {
            let last = [&first[..3], b" "].concat();
            for lines in 1.. {
                ensure!(lines < MAX_LINES, "a reply of more than {MAX_LINES} lines");
                let line = self.line(deadline)?;
                text.push(b'\n');
                text.extend_from_slice(&line);
                if line.starts_with(&last) {
                    break;
                }
            }
        } else {
            ensure!(
                matches!(first.get(3), None | Some(b' ')),
                "neither a blank nor a hyphen follows the code: \"{}\"",
                show(&first, RECORDED)
            );
        }
        Ok(Reply { code, text })
    }

    /// Puts a reply back for the next step.
    pub(crate) fn put_back(&mut self, reply: Reply) {
        self.waiting = Some(reply);
    }

    /// Whether the server sends nothing for that long.
    pub(crate) fn is_quiet(&mut self, time: Duration) -> Result<bool> {
        if self.waiting.is_some() || !self.received.is_empty() {
            return Ok(false);
        }
        Ok(self.fill(Instant::now() + time)? == Filled::Nothing)
    }

    /// Whether the server closes the connection in time; replies before that are skipped.
    pub(crate) fn is_closed(&mut self) -> Result<bool> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.fill(deadline) {
                Ok(Filled::Bytes) => self.received.clear(),
                Ok(Filled::End) | Err(_) => return Ok(true),
                Ok(Filled::Nothing) => return Ok(false),
            }
        }
    }

    /// Encrypts the connection.
    pub(crate) fn start_tls(&mut self, tls: &Tls, host: &str) -> Result<()> {
        ensure!(
            self.received.is_empty(),
            "clear bytes came after the reply to AUTH"
        );
        match std::mem::replace(&mut self.stream, Stream::Broken) {
            Stream::Plain(stream) => {
                stream.set_read_timeout(Some(self.patience))?;
                stream.set_write_timeout(Some(self.patience))?;
                self.stream = Stream::Tls(Box::new(tls.connect(host, stream)?));
                self.record.push("= TLS".to_owned());
                Ok(())
            }
            _ => bail!("the control connection is encrypted already, or broken"),
        }
    }

    /// A line without its end.
    fn line(&mut self, deadline: Instant) -> Result<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                break end;
            }
            ensure!(
                self.received.len() < MAX_LINE,
                "a reply line of more than {MAX_LINE} bytes"
            );
            match self.fill(deadline)? {
                Filled::Bytes => {}
                Filled::Nothing => bail!("no reply within {:?}", self.patience),
                Filled::End => bail!("the server closed the control connection"),
            }
        };
        let mut line: Vec<u8> = self.received.drain(..=end).collect();
        self.record.push(format!(
            "< {}",
            show(&line, RECORDED).trim_end_matches("\\r\\n")
        ));
        ensure!(
            line.ends_with(b"\r\n"),
            "a reply line ends without CR (RFC 959, section 4.2)"
        );
        line.truncate(line.len() - 2);
        // The server may decline Telnet options (RFC 854): three bytes each, before a reply.
        while let [0xff, 0xfb..=0xfe, _, ..] = line[..] {
            line.drain(..3);
        }
        Ok(line)
    }

    fn fill(&mut self, deadline: Instant) -> Result<Filled> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Filled::Nothing);
        }
        self.socket()?.set_read_timeout(Some(left))?;
        let mut part = [0; 4096];
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut part),
            Stream::Tls(stream) => stream.read(&mut part),
            Stream::Broken => Err(io::ErrorKind::NotConnected.into()),
        };
        match read {
            Ok(0) => Ok(Filled::End),
            Ok(len) => {
                self.received.extend_from_slice(&part[..len]);
                Ok(Filled::Bytes)
            }
            Err(error) if timed_out(&error) => Ok(Filled::Nothing),
            Err(error) => Err(error).context("reading from the server"),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Filled {
    Bytes,
    /// The time is over.
    Nothing,
    /// The server has closed the connection.
    End,
}

/// Whether an error only says that the time limit of a socket is over.
pub(crate) fn timed_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn code_of(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !(b'1'..=b'6').contains(&digits[0]) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Connects to `to`, from the address `from` if it is given.
pub(crate) fn connect_from(
    to: SocketAddr,
    from: Option<IpAddr>,
    patience: Duration,
) -> Result<TcpStream> {
    let context = || format!("connecting to {to}");
    let socket = |family| socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
    // Only loopback addresses are given: the kernel answers a `connect` at once.
    let socket = match (from.map(|from| SocketAddr::new(from, 0)), to) {
        (None, _) => return TcpStream::connect_timeout(&to, patience).with_context(context),
        (Some(SocketAddr::V4(from)), SocketAddr::V4(to)) => {
            let socket = socket(AddressFamily::Inet)?;
            bind(socket.as_raw_fd(), &SockaddrIn::from(from))?;
            connect(socket.as_raw_fd(), &SockaddrIn::from(to)).with_context(context)?;
            socket
        }
        (Some(SocketAddr::V6(from)), SocketAddr::V6(to)) => {
            let socket = socket(AddressFamily::Inet6)?;
            bind(socket.as_raw_fd(), &SockaddrIn6::from(from))?;
            connect(socket.as_raw_fd(), &SockaddrIn6::from(to)).with_context(context)?;
            socket
        }
        (Some(from), _) => bail!("{from} and {to} are not of one family"),
    };
    Ok(socket.into())
}
