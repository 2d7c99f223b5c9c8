//! The data connection once it stands: TLS on it, reads and writes that can be cancelled, a clean
//! end.
//!
//! Everything here blocks and belongs on a worker. The descriptor is in non-blocking mode, so this
//! waits with poll(2), in slices, and looks in between whether it is to go on. It has no time limits
//! of its own: the protocol counts the bytes and cancels what stalls.

mod socket;
mod tls;

use std::{fs::File, os::fd::OwnedFd, sync::Arc};

use protocol::request::Failure;
use rustls::ServerConfig;
use tracing::debug;

use self::{socket::Socket, tls::Tls};
use crate::task::Task;

/// How data connections are to be.
#[derive(Debug, Clone)]
pub(crate) enum Protection {
    /// Without TLS.
    Clear,
    /// With TLS.
    Tls(Arc<ServerConfig>),
    /// With TLS, but there is no certificate. The protocol does not let it come to this.
    Impossible,
}

/// What data connections with TLS have to keep to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TlsRules {
    /// The handshake must resume a session of the control connection.
    pub(crate) require_resumption: bool,
    /// An upload may end without TLS's own end (`close_notify`). Whoever can cut the connection can then cut files.
    pub(crate) accept_truncation: bool,
}

/// A data connection that stands, TLS included.
#[derive(Debug)]
pub(crate) struct DataConnection {
    socket: Socket,
    tls: Option<Box<Tls>>,
    rules: TlsRules,
}

impl DataConnection {
    /// Takes over a connection, and does the TLS handshake if it is to be protected.
    ///
    /// # Errors
    /// [`Failure::Handshake`], [`Failure::NotResumed`] or [`Failure::Cancelled`];
    /// [`Failure::NoConnection`] if TLS is wanted and there is no certificate.
    pub(crate) fn open(
        descriptor: OwnedFd,
        protection: Protection,
        rules: TlsRules,
        task: Task,
    ) -> Result<Self, Failure> {
        let socket = Socket::new(descriptor, task).map_err(|_error| Failure::Resources)?;
        let tls = match protection {
            Protection::Clear => None,
            Protection::Impossible => return Err(Failure::NoConnection),
            Protection::Tls(config) => {
                socket.send_at_once();
                let tls = Tls::accept(config, &socket)?;
                debug!(resumed = tls.is_resumed(), "TLS on the data connection");
                if rules.require_resumption && !tls.is_resumed() {
                    return Err(Failure::NotResumed);
                }
                Some(Box::new(tls))
            }
        };
        Ok(Self { socket, tls, rules })
    }

    /// Gets ready to send this much.
    pub(crate) fn expect_to_send(&self, bytes: u64) {
        // Records of TLS are new bytes anyway; there it would only cost more waits.
        if self.tls.is_none() && bytes > socket::UNSENT_BYTES.into() {
            self.socket.bound_unsent();
        }
    }

    /// Whether it is under TLS.
    pub(crate) fn is_protected(&self) -> bool {
        self.tls.is_some()
    }

    /// Has the kernel send up to `length` bytes of a file, from `position` on; waits until some have
    /// been taken. Nothing if it does not do that, as under TLS, or cannot read there. Zero bytes
    /// are the end of the file.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] or [`Failure::ConnectionLost`].
    pub(crate) fn send_file(
        &mut self,
        file: &File,
        position: u64,
        length: usize,
    ) -> Result<Option<usize>, Failure> {
        if self.is_protected() {
            return Ok(None);
        }
        let sent = self.socket.send_file(file, position, length)?;
        self.socket.count(sent.unwrap_or_default());
        Ok(sent)
    }

    /// Reads what is there, up to the size of `buffer`; waits if nothing is. Zero bytes are the
    /// end, unless `buffer` is empty.
    ///
    /// # Errors
    /// [`Failure::Cancelled`], [`Failure::ConnectionLost`], or [`Failure::Truncated`] if TLS was
    /// not ended.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = match &mut self.tls {
            None => self.socket.read(buffer)?,
            Some(tls) => match tls.read(&self.socket, buffer) {
                Err(Failure::Truncated) if self.rules.accept_truncation => 0,
                read => read?,
            },
        };
        self.socket.count(read);
        Ok(read)
    }

    /// Reads until `buffer` is full or the connection ends, and returns how much that was. Bytes
    /// that came before a failure are in `buffer` and `filled` all the same.
    ///
    /// # Errors
    /// Those of [`DataConnection::read`].
    pub(crate) fn fill(&mut self, buffer: &mut [u8], filled: &mut usize) -> Result<(), Failure> {
        while let Some(rest) = buffer.get_mut(*filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                read => *filled += read,
            }
        }
        Ok(())
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] or [`Failure::ConnectionLost`].
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.tls {
            None => self.socket.write_all(bytes, bytes.len()),
            Some(tls) => tls.write_all(&self.socket, bytes),
        }
    }

    /// Ends a download: the client learns that this was all.
    ///
    /// With TLS it then waits a moment for the client's own end, because a connection that is
    /// closed with bytes unread is reset, and a reset can overtake the last bytes of the file.
    ///
    /// # Errors
    /// Those of [`DataConnection::write_all`].
    pub(crate) fn finish_sending(mut self) -> Result<(), Failure> {
        if let Some(tls) = &mut self.tls {
            tls.close(&self.socket)?;
        }
        self.socket.end();
        if self.tls.is_some() {
            self.socket.await_end();
        }
        Ok(())
    }

    /// Ends an upload after its last byte has been read. Clients that close TLS in good order wait
    /// for the answer. In the clear there is none: the connection closes when the file is complete.
    pub(crate) fn finish_receiving(&mut self) {
        let Some(tls) = &mut self.tls else {
            return;
        };
        if tls.close(&self.socket).is_err() {
            // The client has all it needs; it may be gone already.
            debug!("no TLS close on the data connection");
        }
        self.socket.end();
    }
}

#[cfg(test)]
mod tests;
