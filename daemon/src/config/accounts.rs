//! Accounts: the users of the TOML file and anonymous access.

use std::{collections::HashSet, fmt, fs, path::Path};

use argon2::{Params, password_hash::phc};
use protocol::virtual_path::NAME_BYTES;
use serde::Deserialize;

use super::{ByteSize, Config, Day, Findings, Listen, Required, Rules, document::Entry, transfers};
use crate::sys::uninterrupted;

/// An account with a password. Read in two parts: its own keys, and those of [`Rules`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct User {
    /// Who logs in, and how.
    #[cfg_attr(test, serde(flatten))]
    pub login: Login,
    /// What holds for the account.
    #[cfg_attr(test, serde(flatten))]
    pub rules: Rules,
}

/// The keys that only users have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub struct Login {
    /// The login name, compared byte by byte.
    pub name: String,
    /// What `esxftpd hash-password` printed.
    pub password_hash: Option<PasswordHash>,
    /// Takes the password of the host's account with this name instead.
    #[serde(default)]
    pub host_account: bool,
    /// What this user must protect by TLS, beyond what `tls.required` says.
    #[serde(default)]
    pub tls_required: Required,
}

impl User {
    pub(super) fn read(entry: &Entry<'_, '_>, findings: &mut Findings) -> Option<Self> {
        let (login, rules) = entry.read_both(findings)?;
        Some(Self { login, rules })
    }
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
    let hashed = |user: &User| user.login.password_hash.is_some();
    if let Some(index) = config.users.iter().position(hashed).filter(|_| exposed) {
        findings.warning(
            &format!("users.{index}.password-hash"),
            "every user of this host can read the password hashes in this file",
            &format!(
                "run: chmod o-r {}, and change the file as well: the host does not save a change of \
                 the mode alone",
                findings.file().display()
            ),
        );
    }
    let mut names = HashSet::new();
    for (index, user) in config.users.iter().enumerate() {
        let key = |field: &str| format!("users.{index}.{field}");
        let login = &user.login;
        check_name(&login.name, &key("name"), findings);
        if !names.insert(&login.name) {
            findings.error(
                &key("name"),
                &format!("the user \"{}\" is configured twice", login.name),
                "remove one of the two",
            );
        }
        match (&login.password_hash, login.host_account) {
            (Some(hash), false) => check_hash(hash, &key("password-hash"), findings),
            (None, true) => check_host_account(&login.name, &key("host-account"), findings),
            (Some(_), true) => findings.error(
                &key("host-account"),
                "password-hash and host-account exclude each other",
                "remove one of the two",
            ),
            (None, false) => findings.error(
                &key("name"),
                "the user has no password",
                "add password-hash, as `esxftpd hash-password` prints it, or host-account = true",
            ),
        }
        check_rules((&user.rules, false), &config.listen, &key, findings);
    }
    if let Some(anonymous) = &config.anonymous {
        let key = |field: &str| format!("anonymous.{field}");
        check_rules((anonymous, true), &config.listen, &key, findings);
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

/// Accounts that the host needs for itself.
const RESERVED: [&str; 4] = ["vpxuser", "dcui", "daemon", "nfsnobody"];

fn check_host_account(name: &str, key: &str, findings: &mut Findings) {
    if RESERVED.contains(&name) {
        findings.error(
            key,
            &format!("\"{name}\" is an account that ESXi needs for itself"),
            "create an account on the host for FTP, or use password-hash",
        );
    } else if name == "root" {
        findings.warning(
            key,
            "the password of root opens the whole host, and is sent over FTP",
            "create an account on the host for FTP; at least, require TLS",
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

/// The most patterns of one key. Each name of a listing is compared with all of them.
const MOST_PATTERNS: usize = 32;

/// The most networks of one account.
const MOST_NETWORKS: usize = 64;

/// `key` makes the dotted path of a field, `read_only` holds if the rules do not say.
fn check_rules(
    (rules, read_only): (&Rules, bool),
    listen: &Listen,
    key: &dyn Fn(&str) -> String,
    findings: &mut Findings,
) {
    check_root(&rules.root, &key("root"), findings);
    if rules.read_only.unwrap_or(read_only) && rules.upload_only {
        findings.error(
            &key("upload-only"),
            "read-only and upload-only exclude each other",
            "set read-only = false, or remove upload-only",
        );
    }
    for (field, patterns) in [("hidden", &rules.hidden), ("protected", &rules.protected)] {
        check_patterns(patterns, &key(field), findings);
    }
    if rules.allow.len() > MOST_NETWORKS {
        findings.error(
            &key("allow"),
            &format!("more than {MOST_NETWORKS} networks"),
            "join some of them",
        );
    }
    if rules
        .sessions
        .is_some_and(|most| !(1..=1000).contains(&most))
    {
        findings.error(
            &key("sessions"),
            "not within 1 to 1000",
            "choose a number in the range, or set disabled = true",
        );
    }
    if let Some(ByteSize(rate)) = rules.rate {
        transfers::check_rate(rate, &key("rate"), findings);
    }
    if rules.expires.is_some_and(|last| last < Day::today()) {
        findings.warning(
            &key("expires"),
            "the account has expired, every login is refused",
            "choose a later day, or remove the account",
        );
    }
    if !rules.allow.is_empty() && !rules.allow.iter().any(|network| listen.serves(network)) {
        findings.warning(
            &key("allow"),
            "[listen] serves none of these networks, every login is refused",
            "correct the networks, or listen.addresses, listen.allow and listen.deny",
        );
    }
}

fn check_patterns(patterns: &[String], key: &str, findings: &mut Findings) {
    if patterns.len() > MOST_PATTERNS {
        findings.error(
            key,
            &format!("more than {MOST_PATTERNS} patterns"),
            "join some of them with * or [...]",
        );
    }
    for (index, pattern) in patterns.iter().enumerate() {
        if pattern.is_empty() || pattern.len() > NAME_BYTES || pattern.contains(['/', '\0']) {
            findings.error(
                &format!("{key}.{index}"),
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
    let users = config.users.iter();
    let users = users.map(|user| (user.login.name.as_str(), &user.rules, false));
    let anonymous = config.anonymous.iter();
    let anonymous = anonymous.map(|rules| ("anonymous", rules, true));
    for (name, rules, read_only) in users.chain(anonymous) {
        if !rules.read_only.unwrap_or(read_only) && directory.starts_with(real(&rules.root)) {
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

#[cfg(test)]
mod tests {
    use super::Day;
    use crate::config::tests::{findings, user};

    #[test]
    fn limits_of_accounts_that_admit_nobody_are_named() {
        for (lines, key, problem) in [
            (
                "expires = 2020-02-29\n",
                "expires",
                "the account has expired",
            ),
            (
                "expires = \"soon\"\n",
                "expires",
                "expected a date without a time",
            ),
            (
                "expires = 2999-01-01T00:00:00Z\n",
                "expires",
                "expected a date without a time",
            ),
            ("expires = 2999-02-29\n", "expires", ""),
            ("sessions = 0\n", "sessions", "not within 1 to 1000"),
            ("rate = 1023\n", "rate", "slower than 1 KiB per second"),
            (
                "protected = [\"a/b\"]\n",
                "protected.0",
                "not a pattern for a name",
            ),
            ("allow = [\"192.0.2.7\"]\n", "allow.0", ""),
        ] {
            for (text, table, line) in [
                (user("a", "/"), "users.0", 5),
                ("[anonymous]\nroot = \"/\"\n".to_owned(), "anonymous", 3),
            ] {
                let found = findings(&(text + lines));
                let [finding] = found.as_slice() else {
                    panic!("{lines}: {found:?}");
                };
                let beginning = format!("t:{line}: {table}.{key}: ");
                let syntax = format!("t:{line}: ");
                assert!(
                    (finding.starts_with(&beginning) || problem.is_empty())
                        && finding.starts_with(&syntax)
                        && finding.contains(problem),
                    "{finding}"
                );
            }
        }
        let today = Day::today();
        assert_eq!(
            findings(&(user("a", "/") + &format!("expires = {today}\n"))),
            [""; 0],
            "the last day is one on which it logs in"
        );
    }

    #[test]
    fn an_account_that_logs_in_from_no_served_network_is_named() {
        let found = |listen: &str, allow: &str| {
            let text = format!("[listen]\n{listen}\n{}allow = [{allow}]\n", user("a", "/"));
            let found = findings(&text);
            assert!(found.len() < 2, "{found:?}");
            let serves_none = "users.0.allow: [listen] serves none of these networks";
            assert!(found.iter().all(|it| it.contains(serves_none)), "{found:?}");
            !found.is_empty()
        };
        for (listen, allow, named) in [
            ("", "\"192.0.2.0/24\"", false),
            ("allow = [\"192.0.2.0/24\"]", "\"192.0.2.64/26\"", false),
            ("allow = [\"192.0.2.64/26\"]", "\"192.0.2.0/24\"", false),
            ("allow = [\"198.51.100.0/24\"]", "\"192.0.2.0/24\"", true),
            ("deny = [\"192.0.0.0/16\"]", "\"192.0.2.0/24\"", true),
            ("deny = [\"192.0.2.0/25\"]", "\"192.0.2.0/24\"", false),
            (
                "deny = [\"192.0.2.0/24\"]",
                "\"192.0.2.0/24\", \"203.0.113.0/24\"",
                false,
            ),
            ("addresses = [\"0.0.0.0:21\"]", "\"2001:db8::/32\"", true),
            ("", "\"2001:db8::/32\"", false),
        ] {
            assert_eq!(found(listen, allow), named, "{listen}, {allow}");
        }
    }

    #[test]
    fn accounts_of_the_host_that_are_not_for_ftp_are_named() {
        let host = |name: &str| {
            format!("[[users]]\nname = \"{name}\"\nroot = \"/\"\nhost-account = true\n")
        };
        assert_eq!(findings(&host("backup")), [""; 0]);
        for name in ["vpxuser", "dcui", "daemon", "nfsnobody"] {
            let found = findings(&host(name)).join("\n");
            let named = "t:4: users.0.host-account: ";
            assert!(
                found.starts_with(named) && found.contains("ESXi needs for itself"),
                "{found}"
            );
        }
        let found = findings(&host("root")).join("\n");
        assert!(
            found.contains("the password of root opens the whole host"),
            "{found}"
        );
        let both = user("a", "/") + "host-account = true\n";
        let found = findings(&both).join("\n");
        assert!(found.contains("exclude each other"), "{found}");
        let found = findings("[[users]]\nname = \"a\"\nroot = \"/\"\n").join("\n");
        assert!(found.contains("the user has no password"), "{found}");
    }
}
