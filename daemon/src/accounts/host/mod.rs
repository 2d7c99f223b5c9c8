//! Accounts of the host, as far as a login with a password needs them: `/etc/passwd`, `/etc/shadow` and
//! the rules of lockdown mode. A static program cannot load the host's PAM modules.
//!
//! The files are read at each login and never kept. The host's own counter of failed logins is neither
//! read nor written.

mod access;
mod passwd;
mod shadow;

use std::{
    fmt, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

pub(crate) use self::shadow::ShadowHash;
use crate::{
    config::Day,
    sys::{open_regular, read_whole},
};

/// Where the host has its accounts.
#[derive(Debug, Clone)]
pub(crate) struct HostFiles {
    passwd: PathBuf,
    shadow: PathBuf,
    access: PathBuf,
}

impl Default for HostFiles {
    fn default() -> Self {
        Self::below(Path::new("/etc"))
    }
}

/// Why an account of the host does not log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostCause {
    /// `/etc/passwd` or `/etc/shadow` does not have it.
    NoAccount,
    /// It has an empty password.
    NoPassword,
    /// Its password is locked.
    Locked,
    /// Its hash is of another kind, or torn.
    UnknownHash,
    /// Its hash takes too many rounds, or too few.
    Rounds,
    /// Its line has another form.
    Malformed,
    /// The account has expired.
    AccountExpired,
    /// The password has expired.
    PasswordExpired,
    /// The password has to be changed at the next login.
    MustChange,
    /// The rules of the host deny it.
    Denied,
    /// The rules of the host have another form.
    MalformedAccess,
    /// A file cannot be read.
    Unreadable(&'static str, io::ErrorKind),
}

impl fmt::Display for HostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAccount => "the host has no such account",
            Self::NoPassword => "the host's account has no password, set one on the host",
            Self::Locked => "the host's account is locked",
            Self::UnknownHash => {
                "the host's account has a hash other than $6$ or $5$, set its password anew on the host"
            }
            Self::Rounds => {
                "the hash of the host's account has fewer than 1000 or more than 1000000 rounds, set its \
                 password anew on the host"
            }
            Self::Malformed => "the line of the host's account is malformed",
            Self::AccountExpired => "the host's account has expired",
            Self::PasswordExpired => {
                "the password of the host's account has expired, set it anew on the host"
            }
            Self::MustChange => "the password of the host's account must be changed on the host first",
            Self::Denied => "access.conf of the host denies it, see lockdown mode",
            Self::MalformedAccess => "access.conf of the host is malformed, no host account logs in",
            Self::Unreadable(file, kind) => {
                return write!(f, "{file} of the host cannot be read ({kind}), no host account logs in");
            }
        })
    }
}

/// What the files held at one time.
#[derive(Debug)]
pub(crate) struct HostTables {
    passwd: Result<Contents, HostCause>,
    shadow: Result<Contents, HostCause>,
    access: Result<Contents, HostCause>,
}

/// Bytes that do not show themselves.
struct Contents(Vec<u8>);

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contents(..)")
    }
}

impl HostFiles {
    /// The files of a host whose `/etc` is here.
    pub(crate) fn below(etc: &Path) -> Self {
        Self {
            passwd: etc.join("passwd"),
            shadow: etc.join("shadow"),
            access: etc.join("security/access.conf"),
        }
    }

    /// Reads the files, each at once.
    pub(crate) fn read(&self) -> HostTables {
        let read = |path: &Path, name| {
            let contents = open_regular(path).and_then(|file| read_whole(&file));
            contents
                .map(Contents)
                .map_err(|error| HostCause::Unreadable(name, error.kind()))
        };
        HostTables {
            passwd: read(&self.passwd, "passwd"),
            shadow: read(&self.shadow, "shadow"),
            access: read(&self.access, "access.conf"),
        }
    }
}

impl HostTables {
    /// The hash of an account that may log in from this address on this day.
    pub(crate) fn find(
        &self,
        name: &str,
        client: IpAddr,
        today: Day,
    ) -> Result<ShadowHash, HostCause> {
        passwd::find(bytes(&self.passwd)?, name)?;
        let hash = shadow::find(bytes(&self.shadow)?, name, today)?;
        access::check(bytes(&self.access)?, name, client)?;
        Ok(hash)
    }
}

fn bytes(file: &Result<Contents, HostCause>) -> Result<&[u8], HostCause> {
    file.as_ref()
        .map(|it| it.0.as_slice())
        .map_err(|cause| *cause)
}

#[cfg(any(test, fuzzing))]
pub(crate) mod hostile {
    //! What fuzz targets give to the readers.

    use std::net::Ipv4Addr;

    use super::{Day, access, passwd, shadow};

    /// The readers of all three files return, whatever the bytes are, and hashes are bounded.
    pub(crate) fn read(data: &[u8]) {
        let today = Day::since_1970(20_000);
        let client = Ipv4Addr::LOCALHOST.into();
        for name in ["root", "backup"] {
            let _found = passwd::find(data, name);
            let _allowed = access::check(data, name, client);
            if let Ok(hash) = shadow::find(data, name, today) {
                assert!(hash.common_time().as_secs() <= 1);
                assert_eq!(format!("{hash:?}"), "ShadowHash(..)");
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
