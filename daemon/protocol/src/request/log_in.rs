//! Log-ins: what is asked and what comes of it.

use std::fmt;

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
