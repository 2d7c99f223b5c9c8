//! What the gate remembers.

use std::{net::SocketAddrV4, time::Instant};

use super::{interface::Access, operation::Performing, transfer::Transferring};
use crate::{
    storage::{Algorithm, FactSet},
    virtual_path::VirtualPath,
};

/// What the control connection is doing.
#[derive(Debug)]
pub(super) enum State {
    /// Waiting for a command.
    Ready,
    /// Waiting to hear whether the user may log in.
    LoggingIn,
    /// A new engine is getting ready.
    Starting(Startup, Then),
    /// The storage does something that is answered on the control connection.
    Performing(Performing),
    /// The engine opens a port for a data connection.
    Listening(Passive),
    /// A transfer is under way.
    Transferring(Transferring),
    /// TLS is being set up.
    Handshaking,
    /// The session has ended.
    Closed,
}

/// The replies that a new engine still owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Startup {
    /// 220
    Greeting,
    /// 331, to USER.
    User,
    /// 230, to PASS.
    Password,
}

/// What happens when a new engine is ready.
#[derive(Debug)]
pub(super) enum Then {
    /// It opens a port.
    Listen(Passive),
    /// It connects to the client, for this transfer.
    Connect(Transferring, SocketAddrV4),
}

/// What there is of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// None has been started yet, or it has been given up.
    Absent,
    /// It listens for no data connection.
    Free,
    /// It listens for a data connection that has not been used.
    Listens,
}

/// The command that asks for a port, which decides the form of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passive {
    /// PASV
    Plain,
    /// EPSV
    Extended,
}

/// Who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody yet.
    Nobody,
    /// Somebody who has still to give a password.
    Named(String),
    /// Somebody who has logged in.
    In(String, Access),
}

/// How the next data connection will come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// The engine listens.
    Passive,
    /// The engine will connect.
    Active(SocketAddrV4),
}

/// Where the next transfer begins and ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The first byte.
    pub(super) start: u64,
    /// The byte behind the last one (RANG only).
    pub(super) end: Option<u64>,
}

/// What a user sets up by commands.
#[derive(Debug)]
pub(super) struct Parameters {
    /// The working directory.
    pub(super) directory: VirtualPath,
    /// Whether TYPE is A. It is not, at the start, although RFC 959 says so: clients that rely on
    /// the default do not exist, and those that forget TYPE I do.
    pub(super) ascii: bool,
    /// EPSV ALL has been sent.
    pub(super) epsv_all: bool,
    /// REST or RANG.
    pub(super) position: Position,
    /// ALLO, in bytes.
    pub(super) expected: Option<u64>,
    /// RNFR.
    pub(super) rename_from: Option<VirtualPath>,
    /// SITE CPFR.
    pub(super) copy_from: Option<VirtualPath>,
    /// OPTS HASH.
    pub(super) algorithm: Algorithm,
    /// OPTS MLST.
    pub(super) facts: FactSet,
    /// The data connection that has been set up.
    pub(super) setup: Option<Setup>,
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
pub(super) struct Security {
    pub(super) control: Control,
    /// PBSZ has been sent.
    pub(super) buffer_size: bool,
    /// Data connections are protected (PROT P).
    pub(super) data: bool,
}

/// The control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// It is in clear text.
    Clear,
    /// TLS is on.
    Tls,
}

impl Security {
    /// Without what PBSZ and PROT say; with implicit TLS, PBSZ 0 and PROT P hold without being
    /// sent.
    pub(super) fn new(control: Control, implicit: bool) -> Self {
        Self {
            control,
            buffer_size: implicit,
            data: implicit,
        }
    }

    /// Whether TLS is on, on the control connection.
    pub(super) fn tls(self) -> bool {
        self.control == Control::Tls
    }
}

/// The progress of what is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Bytes moved.
    pub(super) bytes: u64,
    /// When the number was last seen to change.
    pub(super) at: Instant,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: 0, at: now }
    }

    pub(super) fn moved(&mut self, bytes: u64, now: Instant) {
        if bytes != self.bytes {
            *self = Self { bytes, at: now };
        }
    }
}
