//! The control connection: a TCP stream, in the clear or under TLS. Nothing here waits.

use std::{
    fmt,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use nix::poll::PollFlags;
use rustls::{ServerConfig, ServerConnection};

use crate::tls::Agreed;

/// The control connection and what waits to be sent on it.
pub(super) struct ControlConnection {
    stream: Arc<TcpStream>,
    tls: Option<Box<ServerConnection>>,
    output: Vec<u8>,
    /// How much of `output` has been sent, or given to TLS.
    sent: usize,
}

/// What has come from the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The client sends no more.
    End,
}

impl ControlConnection {
    /// A connection in non-blocking mode.
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        Self {
            stream,
            tls: None,
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Puts bytes behind those that wait to be sent.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        if self.output.is_empty() {
            self.output = bytes;
        } else {
            self.output.extend_from_slice(&bytes);
        }
    }

    /// Whether everything has been sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty() && !self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Bytes that wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.output.len() - self.sent
    }

    /// What protects it, if TLS is on.
    pub(super) fn agreed(&self) -> Option<Agreed> {
        let tls = self.tls.as_ref().filter(|tls| !tls.is_handshaking())?;
        Agreed::of(tls)
    }

    /// Whether TLS is on.
    pub(super) fn is_protected(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.is_handshaking())
    }

    /// Whether a TLS handshake is under way.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether TLS holds bytes that [`ControlConnection::receive`] would give without reading more,
    /// or has seen the client's end.
    pub(super) fn has_input(&mut self) -> bool {
        let Some(Ok(state)) = self.tls.as_mut().map(|tls| tls.process_new_packets()) else {
            return false;
        };
        state.plaintext_bytes_to_read() > 0 || state.peer_has_closed()
    }

    /// What to wait for, if bytes of the client are `wanted` or not.
    pub(super) fn interest(&self, wanted: bool) -> PollFlags {
        let mut interest = PollFlags::empty();
        if wanted || self.is_handshaking() {
            interest |= PollFlags::POLLIN;
        }
        if !self.is_flushed() {
            interest |= PollFlags::POLLOUT;
        }
        interest
    }

    /// Begins a TLS handshake. Everything must have been sent before.
    ///
    /// # Errors
    /// If the configuration is of no use.
    pub(super) fn start_tls(&mut self, config: Arc<ServerConfig>) -> Result<(), rustls::Error> {
        let mut tls = ServerConnection::new(config)?;
        tls.set_buffer_limit(None);
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Goes on with a TLS handshake, with what has come from the client.
    ///
    /// # Errors
    /// Why there will be no TLS; the connection is of no more use then.
    pub(super) fn shake_hands(&mut self) -> io::Result<()> {
        if self.read_tls()? == Some(0) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.flush()
    }

    /// Sends what the kernel takes without waiting.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => {
                while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty())
                {
                    match (&*self.stream).write(rest) {
                        Ok(0) => return Err(ErrorKind::WriteZero.into()),
                        Ok(count) => self.sent += count,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Some(tls) => loop {
                while tls.wants_write() {
                    match tls.write_tls(&mut &*self.stream) {
                        Ok(0) => return Err(ErrorKind::WriteZero.into()),
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                // Only now: what TLS holds is not counted by `waiting`.
                let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty())
                else {
                    break;
                };
                tls.writer().write_all(rest)?;
                self.sent = self.output.len();
            },
        }
        // A session that has nothing to do keeps no buffer.
        self.output = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Reads what has come.
    ///
    /// # Errors
    /// If the connection is lost, or TLS is broken.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.tls.is_none() {
            return match (&*self.stream).read(buffer) {
                Ok(0) => Ok(Received::End),
                Ok(count) => Ok(Received::Bytes(count)),
                Err(error) => nothing(error).map(|()| Received::Nothing),
            };
        }
        if !self.has_input() && self.read_tls()? == Some(0) {
            return Ok(Received::End);
        }
        let Some(tls) = &mut self.tls else {
            return Ok(Received::Nothing);
        };
        match tls.reader().read(buffer) {
            Ok(0) => Ok(Received::End),
            Ok(count) => Ok(Received::Bytes(count)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Received::End),
            Err(error) => nothing(error).map(|()| Received::Nothing),
        }
    }

    /// Reads records; zero bytes are the end, and nothing means that none have come.
    fn read_tls(&mut self) -> io::Result<Option<usize>> {
        let Some(tls) = &mut self.tls else {
            return Ok(None);
        };
        let read = match tls.read_tls(&mut &*self.stream) {
            Ok(read) => Some(read),
            Err(error) => nothing(error).map(|()| None)?,
        };
        if let Err(error) = tls.process_new_packets() {
            // The alert is a courtesy; the connection is lost either way.
            let _sent = tls.write_tls(&mut &*self.stream);
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(read)
    }

    /// Tells the client that nothing more will come. Everything must have been sent before.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)
    }
}

/// No error, if it only means that there is nothing yet.
fn nothing(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

impl AsFd for ControlConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Without the bytes, which may be a password.
impl fmt::Debug for ControlConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlConnection").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
