//! What goes into the protocol, and what comes out of it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::{
    request::{Access, Denied, Failure, Operation, Outcome, Password, PathFailure},
    virtual_path::VirtualPath,
};

/// What the protocol knows from the start.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that have nothing to do with one another"
)]
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
    /// What holds for TLS; absent where it is not configured.
    pub tls: Option<TlsPolicy>,
    /// Whether the connection began with a TLS handshake (implicit TLS), which has been done.
    pub implicit_tls: bool,
    /// How long things may take.
    pub times: Times,
    /// Refused log-ins after which the connection ends.
    pub log_in_attempts: u32,
    /// Whether every command is to be noted.
    pub trace: bool,
}

/// What holds for TLS.
#[derive(Debug, Clone, Copy, Default)]
pub struct TlsPolicy {
    /// Nobody logs in without TLS on the control connection.
    pub control_required: bool,
    /// No data connection without TLS.
    pub data_required: bool,
    /// There is no certificate for now, and so no TLS.
    pub no_certificate: bool,
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
    /// For an answer of the storage that should come at once, and for the end of what was cancelled.
    pub answer: Duration,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send these bytes to the client, over TLS if it is on.
    Send(Vec<u8>),
    /// Find out whether this user may log in. The answer is [`Event::LoggedIn`].
    LogIn {
        /// The login name.
        user: String,
        /// The password, also for anonymous users.
        password: Password,
    },
    /// Give up on the log-in that is being checked, and on what the user could do.
    LogOut,
    /// Do a TLS handshake as the server, after everything before this has been sent. Bytes of the
    /// client that have been read already are lost. The answer is [`Event::TlsEstablished`] or
    /// [`Event::TlsFailed`].
    StartTls,
    /// From now on data connections are protected by TLS (PROT P), or are not (PROT C).
    Protect(bool),
    /// Listen for a data connection, in place of any listener before. The answer is
    /// [`Event::Listening`] or [`Event::DataUnavailable`].
    Listen,
    /// Connect to the client for the transfer that has been prepared. The answer is
    /// [`Event::Connected`] or [`Event::DataUnavailable`].
    Connect(SocketAddr),
    /// Have the storage do this. The answer is [`Event::Performed`].
    Perform(Operation),
    /// Begin the transfer that has been prepared, on the data connection that has been set up:
    /// [`Event::Began`] when it is there, [`Event::Ended`] in any case.
    BeginTransfer,
    /// Cancel the operation or transfer that is under way. It ends as all do, with an event.
    Cancel,
    /// Give up what has been set up, prepared or begun: the operation or transfer, the data
    /// connection and its listener. No event about them must come in after this.
    Abandon,
    /// Close the control connection after everything before this has been sent. The session ends;
    /// [`crate::Protocol::ending`] tells why.
    Close,
    /// Note, if anything is noted, that a command was refused.
    Refused {
        /// The name of the command.
        verb: &'static str,
        /// The path that the refusal is about.
        path: Option<VirtualPath>,
        /// The code of the reply.
        code: u16,
        /// Why.
        cause: &'static str,
        /// Whether an administrator may have to know: for want of rights or space, because of a lock
        /// or of the storage. Otherwise the client was wrong about what there is.
        is_denial: bool,
    },
    /// Note a command, with its argument if that can hold no secret. Only with [`Settings::trace`].
    Heard {
        /// The name of the command.
        verb: &'static str,
        /// What followed it.
        argument: Option<Vec<u8>>,
    },
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The answer to [`Action::LogIn`]. A refusal comes as late as its sender wants it to.
    LoggedIn(Result<Access, Denied>),
    /// TLS is on.
    TlsEstablished,
    /// The TLS handshake has failed: there is nobody to talk to any more.
    TlsFailed,
    /// The server listens for a data connection at this port.
    Listening(u16),
    /// The data connection to the client stands.
    Connected,
    /// There is no data connection, and will be none.
    DataUnavailable(DataFailure),
    /// What [`Action::Perform`] asked for has ended.
    Performed(Result<Outcome, PathFailure>),
    /// The transfer has its data connection, and TLS on it if that is asked for.
    Began,
    /// Bytes that the operation or transfer has moved since it began.
    Moved(u64),
    /// The transfer has ended, with so many bytes.
    Ended(Result<u64, Failure>),
}

/// Why there is no data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFailure {
    /// Every port of the passive range is in use.
    NoPort,
    /// There are no descriptors or no memory for it.
    Resources,
    /// The client's address and port cannot be reached.
    Unreachable,
}

impl DataFailure {
    /// The text of the reply, whose code is 425.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NoPort => "The server has no free port, try again later.",
            Self::Resources => "The server is out of resources, try again later.",
            Self::Unreachable => "Your address and port cannot be reached.",
        }
    }
}

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The client has sent QUIT.
    Quit,
    /// The client has ended the connection, or it broke.
    Lost,
    /// No command came for too long.
    Idle,
    /// Nobody logged in, in the time for it.
    LogInTime,
    /// Too many log-ins were refused, or none could be checked.
    LogInRefused,
    /// The storage does not answer.
    Stalled,
    /// The client sends bytes that are no commands.
    Flood,
    /// There is no TLS.
    Tls,
    /// An administrator has ended it.
    Administrator,
    /// The daemon stops.
    Stop,
}

impl Ending {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Lost => "lost",
            Self::Idle => "idle",
            Self::LogInTime => "log-in-time",
            Self::LogInRefused => "log-in-refused",
            Self::Stalled => "stalled",
            Self::Flood => "flood",
            Self::Tls => "tls",
            Self::Administrator => "administrator",
            Self::Stop => "stop",
        }
    }
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
