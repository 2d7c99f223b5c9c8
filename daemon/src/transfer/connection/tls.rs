//! TLS on a data connection, as the server.
//!
//! It uses rustls without its buffers: that one reads from the socket in steps of 4 KiB, this one
//! in steps of our choice, decrypts in place and encrypts many records for one call to the kernel.

use std::{fmt, sync::Arc};

use protocol::request::Failure;
use rustls::{
    HandshakeKind, ServerConfig,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError},
};
use tracing::{debug, info};

use super::socket::Socket;
use crate::tls::reason_of;

/// The most bytes that a record takes on the wire (RFC 5246, section 6.2.3), and the size of the
/// buffer for what comes in until more is known to come. A handshake message that does not fit is
/// not one that a client needs.
const RECORD_BYTES: usize = 5 + 16 * 1024 + 2048;

/// The size of the buffer for what comes in when much does.
const INCOMING_BYTES: usize = 128 * 1024;

/// Plain bytes that are encrypted at a time; each such piece is one call to the kernel.
const PIECE_BYTES: usize = 64 * 1024;

/// A TLS connection whose handshake has been done.
pub(super) struct Tls {
    connection: UnbufferedServerConnection,
    incoming: Incoming,
    /// Room for records to be sent.
    outgoing: Vec<u8>,
    /// Bytes at its front that have not been sent.
    unsent: usize,
    plain: Plain,
    /// Whether the client has ended TLS.
    ended: bool,
}

/// What has come in and is not decrypted yet: `bytes[start..end]`.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// Decrypted bytes for which there was no room: those from `start` on.
#[derive(Default)]
struct Plain {
    bytes: Vec<u8>,
    start: usize,
}

/// How far the records that have come in lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Everything has been dealt with; more has to come from the client.
    Starved,
    /// So many bytes of a file have been decrypted.
    Decrypted(usize),
    /// The client has ended TLS.
    Ended,
}

impl Tls {
    /// Does the handshake.
    ///
    /// No session tickets follow it: a client that uploads does not read them, and to close with
    /// bytes unread resets the connection, which can take the end of the file with it. Clients
    /// resume the session of the control connection, which has tickets.
    pub(super) fn accept(config: Arc<ServerConfig>, socket: &Socket) -> Result<Self, Failure> {
        let mut config = Arc::unwrap_or_clone(config);
        config.send_tls13_tickets = 0;
        let connection = UnbufferedServerConnection::new(Arc::new(config)).map_err(|error| {
            debug!(%error, "no TLS on the data connection");
            Failure::Internal
        })?;
        let mut tls = Self {
            connection,
            incoming: Incoming::default(),
            outgoing: Vec::new(),
            unsent: 0,
            plain: Plain::default(),
            ended: false,
        };
        loop {
            let progress = tls.advance(socket, &mut []).map_err(in_handshake)?;
            if !tls.connection.is_handshaking() {
                return Ok(tls);
            }
            let received = match progress {
                Progress::Decrypted(_) => continue,
                Progress::Starved => tls.receive(socket).map_err(in_handshake)?,
                Progress::Ended => 0,
            };
            if received == 0 {
                return Err(Failure::Handshake);
            }
        }
    }

    /// Whether the handshake resumed a session.
    pub(super) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Reads what has come, up to the size of `buffer`; waits if nothing has. Zero bytes are the
    /// end that the client has put.
    pub(super) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            let left = self.plain.take(buffer);
            if left > 0 || buffer.is_empty() {
                return Ok(left);
            }
            match self.advance(socket, buffer)? {
                Progress::Decrypted(bytes) => return Ok(bytes),
                Progress::Ended => return Ok(0),
                Progress::Starved => {
                    if self.receive(socket)? == 0 {
                        return Err(Failure::Truncated);
                    }
                }
            }
        }
    }

    /// Encrypts and sends all bytes.
    pub(super) fn write_all(&mut self, socket: &Socket, bytes: &[u8]) -> Result<(), Failure> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.write(socket, piece, false)?;
        }
        Ok(())
    }

    /// Sends our end of TLS.
    pub(super) fn close(&mut self, socket: &Socket) -> Result<(), Failure> {
        self.write(socket, &[], true)
    }

    /// Encrypts a piece, or the end of TLS, and sends it.
    fn write(&mut self, socket: &Socket, piece: &[u8], close: bool) -> Result<(), Failure> {
        // A client that receives has nothing to say that would matter.
        while let Progress::Decrypted(_) = self.advance(socket, &mut [])? {
            self.plain = Plain::default();
        }
        let Self {
            connection,
            incoming,
            outgoing,
            ..
        } = self;
        let state = connection.process_tls_records(incoming.filled()).state;
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
            return Err(Failure::ConnectionLost);
        };
        let length = loop {
            let encrypted = if close {
                traffic.queue_close_notify(outgoing)
            } else {
                traffic.encrypt(piece, outgoing)
            };
            match encrypted {
                Ok(length) => break length,
                Err(EncryptError::InsufficientSize(size)) => {
                    outgoing.resize(size.required_size, 0);
                }
                Err(EncryptError::EncryptExhausted) => return Err(Failure::Internal),
            }
        };
        socket.write_all(outgoing.get(..length).unwrap_or_default(), piece.len())
    }

    /// Deals with the records that have come in, and with what rustls has to say to them, until
    /// bytes of a file are decrypted or nothing is left to do.
    fn advance(&mut self, socket: &Socket, buffer: &mut [u8]) -> Result<Progress, Failure> {
        loop {
            let Self {
                connection,
                incoming,
                outgoing,
                unsent,
                plain,
                ended,
            } = self;
            let status = connection.process_tls_records(incoming.filled());
            let discard = status.discard;
            let mut progress = None;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    let mut decrypted = 0;
                    while let Some(Ok(record)) = traffic.next_record() {
                        let room = buffer.get_mut(decrypted..).unwrap_or_default();
                        decrypted += plain.give(record.payload, room);
                    }
                    // Without a byte it was an empty record, which says nothing.
                    if decrypted > 0 || plain.is_some() {
                        progress = Some(Progress::Decrypted(decrypted));
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    *unsent += loop {
                        let room = outgoing.get_mut(*unsent..).unwrap_or_default();
                        match data.encode(room) {
                            Ok(length) => break length,
                            Err(EncodeError::InsufficientSize(size)) => {
                                outgoing.resize(*unsent + size.required_size, 0);
                            }
                            Err(EncodeError::AlreadyEncoded) => return Err(Failure::Internal),
                        }
                    };
                }
                // What is unsent is sent below, before anything is waited for.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => *ended = true,
                Ok(
                    ConnectionState::BlockedHandshake
                    | ConnectionState::WriteTraffic(_)
                    | ConnectionState::Closed,
                ) => {
                    progress = Some(if *ended {
                        Progress::Ended
                    } else {
                        Progress::Starved
                    });
                }
                // Early data is off; other states would be new to us.
                Ok(_) => return Err(Failure::Internal),
                Err(error) => {
                    let reason = reason_of(&error);
                    if connection.is_handshaking() {
                        info!("data-tls-failed: {reason}");
                    } else {
                        debug!("data-tls-failed: {reason}");
                    }
                    incoming.discard(discard);
                    self.alert(socket);
                    return Err(Failure::ConnectionLost);
                }
            }
            incoming.discard(discard);
            if let Some(progress) = progress {
                let records = outgoing.get(..std::mem::take(unsent)).unwrap_or_default();
                socket.write_all(records, 0)?;
                return Ok(progress);
            }
        }
    }

    /// Sends the alert that a failure has left behind, if there is one.
    fn alert(&mut self, socket: &Socket) {
        let state = self.connection.process_tls_records(&mut []).state;
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = state {
            let mut alert = [0; 64];
            if let Ok(length) = data.encode(&mut alert) {
                // It is a courtesy; the connection is lost either way.
                let _sent = socket.write_all(alert.get(..length).unwrap_or_default(), 0);
            }
        }
    }

    /// Waits for more to come in and returns how much did; zero is the end of the connection.
    fn receive(&mut self, socket: &Socket) -> Result<usize, Failure> {
        let room = self.incoming.room();
        if room.is_empty() {
            // No record is that large: the client makes no sense.
            return Err(Failure::ConnectionLost);
        }
        let received = socket.read(room)?;
        self.incoming.end += received;
        Ok(received)
    }
}

/// What a failure is called while the handshake is not done.
fn in_handshake(failure: Failure) -> Failure {
    match failure {
        Failure::ConnectionLost | Failure::Truncated => Failure::Handshake,
        other => other,
    }
}

impl Incoming {
    fn filled(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Forgets bytes at the front.
    fn discard(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// Free space behind what is there. It is asked for when all records have been dealt with, so
    /// what is there is less than one record and cheap to move.
    fn room(&mut self) -> &mut [u8] {
        let was_full = self.end == self.bytes.len();
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.bytes.is_empty() {
            self.bytes.resize(RECORD_BYTES, 0);
        } else if was_full && self.end < RECORD_BYTES {
            // The client is faster than we are.
            self.bytes.resize(INCOMING_BYTES, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }
}

impl Plain {
    fn is_some(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// Puts what fits of a record into `room`, keeps the rest, and returns how much fitted.
    fn give(&mut self, record: &[u8], room: &mut [u8]) -> usize {
        // What has been kept comes first.
        let fitting = if self.is_some() {
            0
        } else {
            record.len().min(room.len())
        };
        let (now, later) = record.split_at(fitting);
        copy(now, room);
        if !later.is_empty() {
            self.bytes.extend_from_slice(later);
        }
        fitting
    }

    /// Moves what has been kept to `buffer`, as much as fits, and returns how much did.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let kept = self.bytes.get(self.start..).unwrap_or_default();
        let taken = kept.len().min(buffer.len());
        copy(kept, buffer);
        self.start += taken;
        if !self.is_some() {
            self.bytes.clear();
            self.start = 0;
        }
        taken
    }
}

/// Copies as much as both have.
fn copy(from: &[u8], to: &mut [u8]) {
    let length = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..length), to.get_mut(..length)) {
        to.copy_from_slice(from);
    }
}

/// Without what it holds: these are bytes of files.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
