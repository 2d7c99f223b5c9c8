//! The configuration: one TOML file, kebab-case, unknown keys refused.
//!
//! Reading has two outcomes that the callers treat differently. What cannot be understood (syntax,
//! types, unknown keys, values out of range) is an [`Severity::Error`]: the daemon does not start
//! with it. What is understood but will hurt (a root that does not exist *now*, hashes that
//! everybody can read) is a [`Severity::Warning`]: `serve` logs it and goes on, because a datastore
//! may appear later. `check` reports both.

mod accounts;
mod day;
mod document;
mod finding;
mod guard;
mod limits;
mod listen;
mod rules;
mod server;
mod stamp;
mod storage;
mod tls;
mod transfers;

use std::{
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use self::document::Document;
pub(crate) use self::{accounts::ANONYMOUS_NAMES, guard::MOST_FAILURES, stamp::Stamp};
pub use self::{
    accounts::{Login, PasswordHash, User},
    day::Day,
    finding::{Finding, Findings, Severity},
    guard::Guard,
    limits::Limits,
    listen::{Active, Listen, Passive, PortRange},
    rules::Rules,
    server::{Engine, Server},
    storage::{ByteSize, LinkForm, RootChoice, Storage, Umask, UtcOffset},
    tls::{Required, Tls},
    transfers::Transfers,
};
use crate::sys::open_regular;

/// Where the VIB puts the configuration on a host.
pub const DEFAULT_PATH: &str = "/etc/config/esxftpd/esxftpd.toml";

/// A larger file is not a configuration; it would only cost memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The permission bit by which users other than the owner and the group may read a file.
const READABLE_BY_OTHERS: u32 = 0o004;

/// The longest path of the control socket in bytes; the kernel's form of an address has room for a few
/// more.
const MAX_SOCKET_PATH_BYTES: usize = 100;

/// Longest greeting in bytes. RFC 959 sets no limit; clients read lines of at least 512 bytes.
const MAX_GREETING_BYTES: usize = 400;

/// The whole configuration. Every section has a default, so an empty file is valid and serves
/// nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub struct Config {
    /// Text of the 220 reply that greets a client; one line of printable text.
    pub greeting: String,
    /// Where administrators reach the running daemon; beside the pid file if absent.
    pub control_socket: Option<PathBuf>,
    /// What serves the sessions.
    pub server: Server,
    /// Where control connections are accepted.
    pub listen: Listen,
    /// How passive data connections are offered.
    pub passive: Passive,
    /// Whether and how the daemon connects to clients for data.
    pub active: Active,
    /// TLS; absent means none.
    pub tls: Option<Tls>,
    /// Bounds on what all clients together may use.
    pub limits: Limits,
    /// When addresses are banned.
    pub guard: Guard,
    /// How files are stored and listed.
    pub storage: Storage,
    /// How files are sent and stored.
    pub transfers: Transfers,
    /// What is logged.
    pub log: Log,
    /// Anonymous access; absent means none.
    pub anonymous: Option<Rules>,
    /// The accounts.
    pub users: Vec<User>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            greeting: "esxftpd ready".to_owned(),
            control_socket: None,
            server: Server::default(),
            listen: Listen::default(),
            passive: Passive::default(),
            active: Active::default(),
            tls: None,
            limits: Limits::default(),
            guard: Guard::default(),
            storage: Storage::default(),
            transfers: Transfers::default(),
            log: Log::default(),
            anonymous: None,
            users: Vec::new(),
        }
    }
}

/// What is logged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Log {
    /// The least severe level that is logged.
    pub level: Level,
    /// A file for transfers and deletions in the form of wu-ftpd's xferlog; absolute.
    pub transfers: Option<PathBuf>,
}

/// A log level, most severe first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Reads and checks the file at `path`.
///
/// Returns the configuration, if the file could be understood, and everything that was found.
/// Without a configuration there is at least one finding of [`Severity::Error`].
pub fn load(path: &Path) -> (Option<Config>, Findings) {
    load_and(path, |_, _| ())
}

/// The same, and has `further` look at what was read; its findings get the lines of their keys.
pub(crate) fn load_and(
    path: &Path,
    further: impl FnOnce(&Config, &mut Findings),
) -> (Option<Config>, Findings) {
    let mut findings = Findings::new(path);
    let config = match Source::read(path) {
        Ok(source) => read_and_check(&source, &mut findings, further),
        Err(error) => {
            findings.file_error(
                &format!("cannot be read: {error}"),
                "check the path given with --config, and the permissions of the file",
            );
            None
        }
    };
    let usable = !findings.has_errors();
    (config.filter(|_| usable), findings)
}

/// What a file holds, and who may read it.
struct Source {
    text: String,
    /// Whether every user of the host can read the file.
    exposed: bool,
}

impl Source {
    fn read(path: &Path) -> io::Result<Self> {
        let file = open_regular(path)?;
        let metadata = file.metadata()?;
        let exposed = metadata.permissions().mode() & READABLE_BY_OTHERS != 0;
        let mut text = String::new();
        (&file).take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
        if Stamp::of(&file.metadata()?) != Stamp::of(&metadata) {
            return Err(io::Error::other(
                "it was changed while it was read; try again",
            ));
        }
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        Ok(Self { text, exposed })
    }
}

/// Parses and checks a configuration. `None` if the text is not TOML; where it is not of the right
/// shape, findings say so and the defaults stand in.
fn read_and_check(
    source: &Source,
    findings: &mut Findings,
    further: impl FnOnce(&Config, &mut Findings),
) -> Option<Config> {
    let config = Document::parse(&source.text, findings).map(|document| {
        let config = Config::read(&document, findings);
        findings.locate_in(&document, |findings| {
            config.check(source.exposed, findings);
            further(&config, findings);
        });
        config
    });
    findings.sort();
    config
}

impl Config {
    /// Reads every section on its own, so that an error in one does not hide those in the others.
    fn read(document: &Document<'_>, findings: &mut Findings) -> Self {
        let mut config = Self::default();
        for entry in document.entries() {
            match entry.key() {
                "greeting" => entry.read_into(&mut config.greeting, findings),
                "control-socket" => config.control_socket = entry.read(findings),
                "server" => entry.read_into(&mut config.server, findings),
                "listen" => entry.read_into(&mut config.listen, findings),
                "passive" => entry.read_into(&mut config.passive, findings),
                "active" => entry.read_into(&mut config.active, findings),
                "tls" => config.tls = entry.read(findings),
                "limits" => entry.read_into(&mut config.limits, findings),
                "guard" => entry.read_into(&mut config.guard, findings),
                "storage" => entry.read_into(&mut config.storage, findings),
                "transfers" => entry.read_into(&mut config.transfers, findings),
                "log" => entry.read_into(&mut config.log, findings),
                "anonymous" => config.anonymous = entry.read(findings),
                "users" => {
                    config.users = entry.read_all(findings, User::read).unwrap_or_default();
                }
                _ => entry.unknown(findings),
            }
        }
        config
    }

    /// Says in sentences what will not work, or not as intended.
    fn check(&self, exposed: bool, findings: &mut Findings) {
        if self.greeting.len() > MAX_GREETING_BYTES || self.greeting.chars().any(char::is_control) {
            findings.error(
                "greeting",
                &format!("not one line of at most {MAX_GREETING_BYTES} bytes"),
                "use one line of plain text",
            );
        }
        if let Some(path) = &self.control_socket
            && !(path.is_absolute() && path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES)
        {
            findings.error(
                "control-socket",
                &format!("not an absolute path of at most {MAX_SOCKET_PATH_BYTES} bytes"),
                "use one, such as /var/run/esxftpd.sock",
            );
        }
        server::check(self, findings);
        self.listen.check(findings);
        self.passive.check(&self.listen, findings);
        if let Some(tls) = &self.tls {
            tls.check(findings);
        } else if !self.listen.implicit_tls.is_empty() {
            findings.error(
                "listen.implicit-tls",
                "clients that begin with TLS cannot be served without the table [tls]",
                "add [tls] with certificate and key, or empty this list",
            );
        }
        if let Some(path) = &self.log.transfers {
            accounts::check_out_of_reach(self, path, "log.transfers", findings);
        }
        self.limits.check(findings);
        self.guard.check(findings);
        self.storage.check(findings);
        self.transfers.check(findings);
        accounts::check(self, exposed, findings);
    }
}

#[cfg(test)]
mod tests;
