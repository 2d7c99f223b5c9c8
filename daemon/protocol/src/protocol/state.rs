//! What the state machine remembers.

use std::{net::SocketAddr, time::Instant};

use super::{operation::Performing, transfer::Transferring};
use crate::{
    request::{Access, Algorithm, FactSet},
    virtual_path::VirtualPath,
};

/// What the control connection is doing.
#[derive(Debug)]
pub(crate) enum State {
    /// Waiting for a command.
    Ready,
    /// Waiting to hear whether the user may log in.
    LoggingIn,
    /// The storage does something that is answered on the control connection.
    Performing(Performing),
    /// A port is being opened for a data connection.
    Listening(Passive),
    /// A transfer is under way.
    Transferring(Transferring),
    /// TLS is being set up.
    Handshaking,
    /// The session has ended.
    Closed,
}

/// The command that asks for a port, which decides the form of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passive {
    /// PASV
    Plain,
    /// EPSV
    Extended,
}

/// Who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody yet.
    Nobody,
    /// Somebody who has still to give a password.
    Named(String),
    /// Somebody who has logged in.
    In(String, Access),
}

/// How the next data connection will come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    /// The server listens.
    Passive,
    /// The server will connect.
    Active(SocketAddr),
}

/// Where the next transfer begins and ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The first byte.
    pub(crate) start: u64,
    /// The byte behind the last one (RANG only).
    pub(crate) end: Option<u64>,
}

/// What a user sets up by commands.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// The working directory.
    pub(crate) directory: VirtualPath,
    /// Whether TYPE is A. It is not, at the start, although RFC 959 says so: clients that rely on
    /// the default do not exist, and those that forget TYPE I do.
    pub(crate) ascii: bool,
    /// EPSV ALL has been sent.
    pub(crate) epsv_all: bool,
    /// REST or RANG.
    pub(crate) position: Position,
    /// ALLO, in bytes.
    pub(crate) expected: Option<u64>,
    /// RNFR.
    pub(crate) rename_from: Option<VirtualPath>,
    /// SITE CPFR.
    pub(crate) copy_from: Option<VirtualPath>,
    /// OPTS HASH.
    pub(crate) algorithm: Algorithm,
    /// OPTS MLST.
    pub(crate) facts: FactSet,
    /// The data connection that has been set up.
    pub(crate) setup: Option<Setup>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            directory: VirtualPath::root(),
            ascii: false,
            epsv_all: false,
            position: Position::default(),
            expected: None,
            rename_from: None,
            copy_from: None,
            algorithm: Algorithm::Sha256,
            facts: FactSet::ALL,
            setup: None,
        }
    }
}

/// What is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Security {
    pub(crate) control: Control,
    /// Data connections are protected (PROT P).
    pub(crate) data: bool,
}

/// The control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// It is in clear text.
    Clear,
    /// TLS is on.
    Tls,
}

impl Security {
    /// Without what PROT says; with implicit TLS, PROT P holds without being sent.
    pub(crate) fn new(control: Control, implicit: bool) -> Self {
        Self {
            control,
            data: implicit,
        }
    }

    /// Whether TLS is on, on the control connection.
    pub(crate) fn tls(self) -> bool {
        self.control == Control::Tls
    }
}

/// The progress of what is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Bytes moved.
    pub(crate) bytes: u64,
    /// When the number was last seen to change.
    pub(crate) at: Instant,
}

impl Progress {
    pub(crate) fn new(now: Instant) -> Self {
        Self { bytes: 0, at: now }
    }

    pub(crate) fn moved(&mut self, bytes: u64, now: Instant) {
        if bytes != self.bytes {
            *self = Self { bytes, at: now };
        }
    }
}
