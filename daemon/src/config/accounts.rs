//! Accounts: the users of the TOML file and anonymous access.

use std::{
    collections::HashSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use argon2::{Params, password_hash::phc};
use protocol::virtual_path::NAME_BYTES;
use serde::Deserialize;

use super::{Config, Findings, Required, Umask};
use crate::sys::uninterrupted;

/// An account with a password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, and they are independent"
)]
pub struct User {
    /// The login name, compared byte by byte.
    pub name: String,
    /// What `esxftpd hash-password` printed.
    pub password_hash: PasswordHash,
    /// The directory that this user sees as `/`; absolute.
    pub root: PathBuf,
    /// Whether the user may only look and download.
    #[serde(default)]
    pub read_only: bool,
    /// Whether what is there stays: no DELE, no RMD. Files may still be replaced and renamed.
    #[serde(default)]
    pub no_delete: bool,
    /// Whether what exists stays as it is: not replaced, appended to, or renamed over, and with its
    /// times and permissions.
    #[serde(default)]
    pub no_overwrite: bool,
    /// Whether all that is allowed is to list, make directories and store new files.
    #[serde(default)]
    pub upload_only: bool,
    /// Permission bits that new files do not get; absent means [`super::Storage::umask`].
    pub umask: Option<Umask>,
    /// Patterns of names that listings leave out, such as `*.key`.
    #[serde(default)]
    pub hidden: Vec<String>,
    /// What this user must protect by TLS, beyond what `tls.required` says.
    #[serde(default)]
    pub tls_required: Required,
}

/// Access without a password, under the names `anonymous` and `ftp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, and they are independent"
)]
pub struct Anonymous {
    /// The directory that anonymous users see as `/`; absolute.
    pub root: PathBuf,
    /// Whether anonymous users may only look and download.
    #[serde(default = "yes")]
    pub read_only: bool,
    /// Whether what is there stays: no DELE, no RMD. Files may still be replaced and renamed.
    #[serde(default)]
    pub no_delete: bool,
    /// Whether what exists stays as it is: not replaced, appended to, or renamed over, and with its
    /// times and permissions.
    #[serde(default)]
    pub no_overwrite: bool,
    /// Whether all that is allowed is to list, make directories and store new files.
    #[serde(default)]
    pub upload_only: bool,
    /// Permission bits that new files do not get; absent means [`super::Storage::umask`].
    pub umask: Option<Umask>,
    /// Patterns of names that listings leave out, such as `*.key`.
    #[serde(default)]
    pub hidden: Vec<String>,
}

fn yes() -> bool {
    true
}

/// The names under which anonymous users log in (RFC 1635, section 2, and long practice).
pub(crate) const ANONYMOUS_NAMES: [&str; 2] = ["anonymous", "ftp"];

/// A password hash in PHC form. Its `Debug` form does not show it: a hash can be attacked offline.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The PHC string.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Longest login name in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The most memory, in KiB, that checking one password may take. Hosts give daemons little memory,
/// and the number in a hash is asked for before the password is known to be right.
const MAX_HASH_MEMORY_KIB: u32 = 64 * 1024;

/// The most passes over that memory, so that one log-in cannot occupy a core for long.
const MAX_HASH_PASSES: u32 = 16;

/// Checks all accounts. `exposed` tells that every user of the host can read the file.
pub(super) fn check(config: &Config, exposed: bool, findings: &mut Findings) {
    if exposed && !config.users.is_empty() {
        findings.warning(
            "users.0.password-hash",
            "every user of this host can read the password hashes in this file",
            &format!("run: chmod o-r {}", findings.file().display()),
        );
    }
    let mut names = HashSet::new();
    for (index, user) in config.users.iter().enumerate() {
        let key = |field: &str| format!("users.{index}.{field}");
        check_name(&user.name, &key("name"), findings);
        if !names.insert(&user.name) {
            findings.error(
                &key("name"),
                &format!("the user \"{}\" is configured twice", user.name),
                "remove one of the two",
            );
        }
        check_hash(&user.password_hash, &key("password-hash"), findings);
        check_root(&user.root, &key("root"), findings);
        check_rights(
            user.read_only,
            user.upload_only,
            &user.hidden,
            &key,
            findings,
        );
    }
    if let Some(anonymous) = &config.anonymous {
        check_root(&anonymous.root, "anonymous.root", findings);
        let key = |field: &str| format!("anonymous.{field}");
        let (read_only, upload_only) = (anonymous.read_only, anonymous.upload_only);
        check_rights(read_only, upload_only, &anonymous.hidden, &key, findings);
    }
}

fn check_name(name: &str, key: &str, findings: &mut Findings) {
    if ANONYMOUS_NAMES.contains(&name) {
        findings.error(
            key,
            &format!("\"{name}\" is reserved for anonymous access"),
            "use an [anonymous] table, or another name",
        );
    } else if name.is_empty()
        || name.len() > MAX_NAME_BYTES
        || name.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        findings.error(
            key,
            &format!(
                "a login name has 1 to {MAX_NAME_BYTES} bytes, no blanks and no control characters"
            ),
            "choose another name",
        );
    }
}

fn check_hash(hash: &PasswordHash, key: &str, findings: &mut Findings) {
    let Ok(parsed) = phc::PasswordHash::new(hash.as_str()) else {
        findings.error(
            key,
            "not a password hash",
            "put in the line that `esxftpd hash-password` prints",
        );
        return;
    };
    if parsed.algorithm != argon2::ARGON2ID_IDENT {
        findings.error(
            key,
            "not an argon2id hash",
            "put in the line that `esxftpd hash-password` prints",
        );
        return;
    }
    let bounded = Params::try_from(&parsed).is_ok_and(|params| {
        params.m_cost() <= MAX_HASH_MEMORY_KIB && params.t_cost() <= MAX_HASH_PASSES
    });
    if !bounded {
        findings.error(
            key,
            &format!(
                "the parameters of this hash are invalid, or ask for more than \
                 {MAX_HASH_MEMORY_KIB} KiB or {MAX_HASH_PASSES} passes"
            ),
            "make a new hash with `esxftpd hash-password`",
        );
    }
}

/// The most patterns of hidden names. Each name of a listing is compared with all of them.
const MOST_PATTERNS: usize = 32;

fn check_rights(
    read_only: bool,
    upload_only: bool,
    hidden: &[String],
    key: &dyn Fn(&str) -> String,
    findings: &mut Findings,
) {
    if read_only && upload_only {
        findings.error(
            &key("upload-only"),
            "read-only and upload-only exclude each other",
            "set read-only = false, or remove upload-only",
        );
    }
    if hidden.len() > MOST_PATTERNS {
        findings.error(
            &key("hidden"),
            &format!("more than {MOST_PATTERNS} patterns"),
            "join some of them with * or [...]",
        );
    }
    for (index, pattern) in hidden.iter().enumerate() {
        if pattern.is_empty() || pattern.len() > NAME_BYTES || pattern.contains(['/', '\0']) {
            findings.error(
                &key(&format!("hidden.{index}")),
                &format!("not a pattern for a name, which has 1 to {NAME_BYTES} bytes and no /"),
                "write a name, or a pattern such as \"*.key\"",
            );
        }
    }
}

/// A file of the daemon's own must be where no account can change it.
pub(super) fn check_out_of_reach(config: &Config, path: &Path, key: &str, findings: &mut Findings) {
    if !path.is_absolute() || path.file_name().is_none() {
        return findings.error(
            key,
            "not the absolute path of a file",
            "begin it with /, such as /vmfs/volumes/datastore1/logs/xferlog",
        );
    }
    // Datastores have two names: that of a link, and that of the directory.
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_absent| path.to_owned());
    let directory = real(path.parent().unwrap_or(path));
    let users = config.users.iter().filter(|user| !user.read_only);
    let users = users.map(|user| (user.name.as_str(), &user.root));
    let anonymous = config.anonymous.iter().filter(|it| !it.read_only);
    let anonymous = anonymous.map(|it| ("anonymous", &it.root));
    for (name, root) in users.chain(anonymous) {
        if directory.starts_with(real(root)) {
            let problem = format!(
                "{} is below the root of {name}, who can write",
                path.display()
            );
            let remedy = "choose a directory outside of the roots of accounts that can write";
            findings.error(key, &problem, remedy);
        }
    }
}

fn check_root(root: &Path, key: &str, findings: &mut Findings) {
    if !root.is_absolute() {
        findings.error(
            key,
            &format!("{} is not an absolute path", root.display()),
            "begin it with /, such as /vmfs/volumes/datastore1",
        );
    } else if !uninterrupted(|| fs::metadata(root)).is_ok_and(|root| root.is_dir()) {
        findings.warning(
            key,
            &format!("{} does not exist or is not a directory", root.display()),
            "create it, or correct the path; until it exists this user cannot log in",
        );
    }
}
