//! What goes into the gate, and what comes out of it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use crate::storage::{Failure, Operation, Outcome};

/// What the gate knows from the start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The text of the reply that greets a client.
    pub greeting: String,
    /// The client's address, IPv4 in IPv6 unwrapped.
    pub client: IpAddr,
    /// The address at which the client reached us, IPv4 in IPv6 unwrapped.
    pub local: IpAddr,
    /// The IPv4 address that the reply to PASV names instead of [`Settings::local`].
    pub passive_host: Option<Ipv4Addr>,
    /// Whether PORT and EPRT are allowed.
    pub active: bool,
    /// Whether TYPE A converts line ends; otherwise it is accepted and means nothing.
    pub ascii: bool,
    /// What holds for TLS; absent without a certificate.
    pub tls: Option<TlsPolicy>,
    /// Whether the connection began with a TLS handshake (implicit TLS), which has been done.
    pub implicit_tls: bool,
    /// How long things may take.
    pub times: Times,
    /// Refused log-ins after which the connection ends.
    pub log_in_attempts: u32,
}

/// What holds for TLS.
#[derive(Debug, Clone, Copy, Default)]
pub struct TlsPolicy {
    /// Nobody logs in without TLS on the control connection.
    pub control_required: bool,
    /// No data connection without TLS.
    pub data_required: bool,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From the greeting to a log-in.
    pub log_in: Duration,
    /// Between two commands.
    pub idle: Duration,
    /// From a transfer command to its data connection, TLS handshake included.
    pub data_connection: Duration,
    /// For the TLS handshake of the control connection.
    pub handshake: Duration,
    /// Without a byte moved in a transfer.
    pub stall: Duration,
    /// For an answer of the engine or the storage that should come at once.
    pub engine: Duration,
}

/// What is to be done, in this order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send these bytes to the client, over TLS if it is on.
    ToClient(Vec<u8>),
    /// Find out whether this user may log in; [`super::Gate::logged_in`] wants to know.
    LogIn {
        /// The login name.
        user: String,
        /// The password, also for anonymous users.
        password: Password,
    },
    /// Give up on the log-in that is being checked, and on what the user could do.
    LogOut,
    /// Start an engine for the user who has logged in; there is none. It greets.
    StartEngine,
    /// End the engine and everything that it and the storage do.
    EndEngine,
    /// Send this line to the engine, with a line end.
    ToEngine(String),
    /// Have the storage do this, in place of what it may still be doing. The answer comes as
    /// [`StorageEvent::Performed`].
    Perform(Operation),
    /// From now on data connections are protected by TLS (PROT P), or are not (PROT C).
    Protect(bool),
    /// Cancel the operation or transfer that is under way. It ends as all do, with an event.
    Cancel,
    /// Do a TLS handshake as the server, after everything before this has been sent. Bytes of the
    /// client that have been read already are lost. The result comes as [`TlsEvent`].
    StartTls,
    /// Close the control connection after everything before this has been sent. The session ends.
    Close,
}

/// How a TLS handshake of the control connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsEvent {
    /// TLS is on.
    Established,
    /// There is nobody to talk to any more.
    Failed,
}

/// What the storage tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageEvent {
    /// What [`Action::Perform`] asked for has ended.
    Performed(Result<Outcome, Failure>),
    /// A transfer has its data connection, and TLS on it if that is asked for.
    Began,
    /// Bytes that the transfer has moved since it began.
    Moved(u64),
    /// The transfer has ended, with so many bytes. The engine's reply follows.
    Ended(Result<u64, Failure>),
}

/// What a session does, as an administrator sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// TLS is being set up, or the session has just begun.
    #[default]
    Handshake,
    /// Nobody has logged in yet.
    LogIn,
    /// Waiting for a command.
    Idle,
    /// Something that moves no bytes over a data connection.
    Busy,
    /// A transfer or listing, or what it waits for.
    Transfer,
}

impl Activity {
    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::LogIn => "log-in",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Transfer => "transfer",
        }
    }
}

/// What a user who has logged in may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// No data connection of this user without TLS.
    pub data_tls_required: bool,
}

/// Why nobody has logged in. With the wrong password, clients are told no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// The name or the password is wrong.
    Refused,
    /// The account may log in over TLS only.
    TlsRequired,
    /// The account's directory is not there; its datastore may be away.
    NoRoot,
    /// It cannot be found out now.
    Unavailable,
}

/// A password. It does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub Vec<u8>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
