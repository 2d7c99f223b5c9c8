//! TLS: from the files of the configuration to what sessions need.
//!
//! [`pair`] reads certificate and key and judges them, [`keeper`] keeps the last good pair and says
//! when to look at the files again.

mod certificate;
pub(crate) mod keeper;
pub(crate) mod pair;

use std::{
    fmt,
    io::{self, ErrorKind},
    sync::Arc,
    time::SystemTime,
};

use anyhow::{Context as _, Result};
use rustls::{
    AlertDescription, Error, ProtocolVersion, ServerConfig, ServerConnection,
    crypto::ring::Ticketer,
    server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions},
};

/// Sessions of one control connection that can be resumed without a ticket: its own.
const OWN_SESSIONS: usize = 4;

/// What the two kinds of connections of a session use. Where clients can resume the session of the
/// one on the other, both know the same sessions and tickets.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    /// For the control connection.
    pub(crate) control: Arc<ServerConfig>,
    /// For data connections.
    pub(crate) data: Arc<ServerConfig>,
}

impl Sides {
    /// For a session whose clients may resume what any session of the daemon has given them.
    pub(crate) fn shared(config: Arc<ServerConfig>) -> Self {
        Self {
            control: config.clone(),
            data: config,
        }
    }

    /// For one session whose data connections resume what its own control connection has given the
    /// client, and nothing else: not what another session has given, and not what a data connection
    /// that was refused might have.
    ///
    /// # Errors
    /// If there are no random bytes for tickets.
    pub(crate) fn separate(config: &ServerConfig) -> Result<Self> {
        let mut control = config.clone();
        control.session_storage = ServerSessionMemoryCache::new(OWN_SESSIONS);
        control.ticketer = ticketer()?;
        let given = Arc::new(Given {
            sessions: control.session_storage.clone(),
            tickets: control.ticketer.clone(),
        });
        let mut data = control.clone();
        data.session_storage = given.clone();
        data.ticketer = given;
        Ok(Self {
            control: Arc::new(control),
            data: Arc::new(data),
        })
    }
}

/// Knows what has been given to the client, and gives nothing.
#[derive(Debug)]
struct Given {
    sessions: Arc<dyn StoresServerSessions>,
    tickets: Arc<dyn ProducesTickets>,
}

impl StoresServerSessions for Given {
    fn put(&self, _key: Vec<u8>, _value: Vec<u8>) -> bool {
        false
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.get(key)
    }

    /// A client has many data connections and one session.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.get(key)
    }

    fn can_cache(&self) -> bool {
        false
    }
}

impl ProducesTickets for Given {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    /// The client gets an empty ticket, which is none (RFC 5077, section 3.3).
    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.tickets.decrypt(cipher)
    }
}

/// The time of day, by which certificates are valid or not.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a certificate is valid depends on the time of day"
)]
fn clock() -> SystemTime {
    SystemTime::now()
}

fn ticketer() -> Result<Arc<dyn ProducesTickets>> {
    Ticketer::new().context("no random bytes for TLS tickets")
}

/// What a connection is protected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The version of the protocol, such as `TLSv1.3`.
    pub(crate) version: &'static str,
    /// The name of the cipher suite in the registry of IANA.
    pub(crate) cipher: String,
}

impl Agreed {
    /// What a handshake has agreed on, once it has ended.
    pub(crate) fn of(connection: &ServerConnection) -> Option<Self> {
        let version = match connection.protocol_version()? {
            ProtocolVersion::TLSv1_2 => "TLSv1.2",
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLS",
        };
        let suite = connection.negotiated_cipher_suite()?.suite();
        // Its own names begin so for TLS 1.3 only; in the registry they all begin with TLS_.
        let cipher = format!("{suite:?}").replacen("TLS13_", "TLS_", 1);
        Some(Self { version, cipher })
    }
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.cipher)
    }
}

/// Why TLS has failed on a connection, in words for the log.
pub(crate) fn reason(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match (inner, error.kind()) {
        (Some(error), _) => reason_of(error),
        (None, ErrorKind::UnexpectedEof) => "the client disconnected".to_owned(),
        (None, _) => error.to_string(),
    }
}

/// The same for an error of rustls.
pub(crate) fn reason_of(error: &Error) -> String {
    use AlertDescription as Alert;
    let rejected = |why| format!("the client rejects the certificate of this host: {why}");
    match error {
        Error::AlertReceived(alert) => match alert {
            Alert::UnknownCA => rejected(
                "it does not trust the issuer; import the CA of this host into the client, or \
                 configure a certificate that the client trusts",
            ),
            Alert::CertificateExpired => rejected("it has expired, or a clock is wrong"),
            Alert::CertificateRevoked => rejected("it is revoked"),
            Alert::UnsupportedCertificate => rejected("its kind is not supported"),
            Alert::BadCertificate | Alert::CertificateUnknown => rejected("it is not accepted"),
            Alert::ProtocolVersion => "the client needs another version of TLS".to_owned(),
            Alert::HandshakeFailure | Alert::InsufficientSecurity => {
                "the client supports none of the ciphers of this host".to_owned()
            }
            Alert::CloseNotify | Alert::UserCanceled => "the client ended it".to_owned(),
            other => format!("the client ended it with alert {}", u8::from(*other)),
        },
        Error::InvalidMessage(_) => "the client does not send TLS".to_owned(),
        Error::PeerIncompatible(_) => {
            "the client supports no version of TLS or cipher that this host supports".to_owned()
        }
        Error::PeerMisbehaved(_) | Error::InappropriateHandshakeMessage { .. } => {
            "the client does not keep to the rules of TLS".to_owned()
        }
        Error::InappropriateMessage { .. } => {
            "the client sends something else than a handshake".to_owned()
        }
        Error::DecryptError => "what the client sent cannot be decrypted".to_owned(),
        other => other.to_string(),
    }
}
