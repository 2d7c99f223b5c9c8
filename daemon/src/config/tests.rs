use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use proptest::prelude::*;

use super::*;

/// The file that the VIB installs.
const SHIPPED: &str = include_str!("../../esxftpd.toml");

/// A hash of the right form; nobody knows its password.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$7FvaOJwlNQLSrCLAwdRT8OqRZKRMgqT8h6ZHKFEz3vY";

/// A file that nobody but its owner can read.
fn private(text: &str) -> Source {
    Source {
        text: text.to_owned(),
        exposed: false,
    }
}

/// The findings about this text, as `check` would print them for a file named `t`.
fn findings(text: &str) -> Vec<String> {
    let mut findings = Findings::new(Path::new("t"));
    let _config = parse(&private(text), &mut findings);
    findings
        .as_slice()
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn user(name: &str, root: &str) -> String {
    format!("[[users]]\nname = \"{name}\"\npassword-hash = \"{HASH}\"\nroot = \"{root}\"\n")
}

#[test]
fn the_shipped_file_states_the_defaults() {
    let mut findings = Findings::new(Path::new("esxftpd.toml"));
    assert_eq!(
        parse(&private(SHIPPED), &mut findings),
        Some(Config::default())
    );
    assert_eq!(findings.as_slice(), []);
}

#[test]
fn the_shipped_file_names_every_key() {
    // Examples in the shipped file are commented out as `# key = ..`; with them, it must still be
    // understood.
    let uncommented: String = SHIPPED
        .lines()
        .map(|line| line.strip_prefix("#!").unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut findings = Findings::new(Path::new("esxftpd.toml"));
    let config = parse(&private(&uncommented), &mut findings).unwrap();
    let unknown: Vec<_> = findings
        .as_slice()
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(config.users.len(), 1);
    assert!(config.anonymous.is_some());
    assert!(config.passive.host.is_some());
}

#[test]
fn an_empty_file_serves_nobody() {
    let mut findings = Findings::new(Path::new("t"));
    let config = parse(&private(""), &mut findings).unwrap();
    assert_eq!(config, Config::default());
    assert!(config.users.is_empty() && config.anonymous.is_none());
}

#[test]
fn every_unknown_key_is_named_with_its_line() {
    let text = format!(
        "greting = \"hi\"\n[limits]\nsesions = 3\n{}colour = \"red\"\n[anonymous]\nroot = \"/\"\nx = 1\n",
        user("a", "/")
    );
    assert_eq!(
        findings(&text),
        [
            "t:1: greting: unknown key; correct its spelling or remove it",
            "t:3: limits.sesions: unknown key; correct its spelling or remove it",
            "t:8: users.0.colour: unknown key; correct its spelling or remove it",
            "t:11: anonymous.x: unknown key; correct its spelling or remove it",
        ]
    );
}

#[test]
fn a_missing_root_is_named_and_does_not_stop_the_daemon() {
    let mut findings = Findings::new(Path::new("t"));
    assert!(parse(&private(&user("a", "/does/not/exist")), &mut findings).is_some());
    assert!(!findings.has_errors());
    assert_eq!(
        findings.as_slice()[0].to_string(),
        "t:4: users.0.root: /does/not/exist does not exist or is not a directory; \
         create it, or correct the path; until it exists this user cannot log in"
    );
}

#[test]
fn overlapping_port_ranges_are_named() {
    assert_eq!(
        findings("[listen]\naddresses = [\"127.0.0.1:2121\"]\n[passive]\nports = \"2000-3000\"\n"),
        [
            "t:4: passive.ports: the passive range 2000-3000 overlaps with the listening port 2121; choose ranges that do not share a port"
        ]
    );
}

#[test]
fn a_readable_file_with_hashes_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("esxftpd.toml");
    let about_mode = |mode, text: &str| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (config, findings) = load(&path);
        assert!(config.is_some());
        findings
            .as_slice()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let finding = format!(
        "{0}:3: users.0.password-hash: every user of this host can read the password hashes in \
         this file; run: chmod o-r {0}",
        path.display()
    );
    assert_eq!(about_mode(0o1644, &user("a", "/")), [finding]);
    assert_eq!(about_mode(0o1640, &user("a", "/")), [""; 0]);
    assert_eq!(about_mode(0o1644, SHIPPED), [""; 0]);
}

#[test]
fn values_of_a_wrong_type_are_named_with_key_and_line() {
    for (text, start) in [
        (
            "[limits]\nsessions = \"many\"\n",
            "t:2: limits.sessions: invalid type: string \"many\"",
        ),
        (
            "[listen]\naddresses = [\"127.0.0.1:21\", \"nowhere\"]\n",
            "t:2: listen.addresses.1: invalid socket address syntax",
        ),
        (
            "[passive]\nports = \"9-8\"\n",
            "t:2: passive.ports: port range \"9-8\" is empty or begins below port 1024",
        ),
        (
            "[passive]\nports = \"some\"\n",
            "t:2: passive.ports: \"some\" is not a port range",
        ),
        (
            "[log]\nlevel = \"loud\"\n",
            "t:2: log.level: unknown variant `loud`",
        ),
        (
            "\n[[users]]\nname = \"a\"\n",
            "t:2: users.0: missing field `password-hash`",
        ),
    ] {
        let found = findings(text);
        assert!(
            found.len() == 1 && found[0].starts_with(start),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn every_syntax_error_is_named_with_its_line() {
    let found = findings("a = \n[limits\nsessions = 1\n");
    assert!(found.len() >= 2, "{found:?}");
    assert!(
        found[0].starts_with("t:1: ") && found[1].starts_with("t:2: "),
        "{found:?}"
    );
}

#[test]
fn values_out_of_range_are_named() {
    let text = "greeting = \"a\\nb\"\n[listen]\naddresses = []\n[limits]\nsessions = 0\nshutdown-grace-seconds = 60\n[passive]\nhost = \"0.0.0.0\"\n";
    let keys: Vec<String> = findings(text)
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        keys,
        [
            "t:1 greeting",
            "t:3 listen.addresses",
            "t:5 limits.sessions",
            "t:6 limits.shutdown-grace-seconds",
            "t:8 passive.host"
        ]
    );
}

#[test]
fn bad_accounts_are_named() {
    let expensive = HASH.replace("m=19456", "m=4000000");
    for (text, problem) in [
        (
            user("a b", "/"),
            "a login name has 1 to 64 bytes and no blanks",
        ),
        (user("ftp", "/"), "\"ftp\" is reserved for anonymous access"),
        (user("a", "relative"), "relative is not an absolute path"),
        (
            user("a", "/").replace(HASH, "secret"),
            "not a password hash",
        ),
        (
            user("a", "/").replace(HASH, &expensive),
            "the parameters of this hash are invalid, or ask for more than",
        ),
        (
            user("a", "/").replace("argon2id", "argon2i"),
            "not an argon2id hash",
        ),
        (
            user("a", "/") + &user("a", "/"),
            "the user \"a\" is configured twice",
        ),
    ] {
        let found = findings(&text);
        assert!(
            found.iter().any(|line| line.contains(problem)),
            "{text}: {found:?}"
        );
        assert!(
            found.iter().all(|line| !line.contains("secret")),
            "a value that may be a password is never shown"
        );
    }
}

#[test]
fn hashes_do_not_appear_in_debug_output() {
    let config: Config = toml::from_str(&user("a", "/")).unwrap();
    assert!(!format!("{config:?}").contains("argon2id"));
}

#[test]
fn an_unreadable_file_is_named() {
    let (config, findings) = load(Path::new("/does/not/exist.toml"));
    assert!(config.is_none());
    assert!(
        findings.as_slice()[0]
            .to_string()
            .starts_with("/does/not/exist.toml: cannot be read: ")
    );
}

#[test]
fn what_is_no_file_of_a_sensible_size_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let large = directory.path().join("large");
    fs::write(&large, "#".repeat(1024 * 1024 + 1)).unwrap();
    for (path, problem) in [
        (large.as_path(), "larger than 1 MiB"),
        (Path::new("/dev/zero"), "not a regular file"),
        (directory.path(), "not a regular file"),
    ] {
        let (config, findings) = load(path);
        assert!(config.is_none());
        let text = findings.as_slice()[0].to_string();
        assert!(text.contains(problem), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z\\[\\]\"=#.0-9 \n-]{0,200}") {
        let _findings = findings(&text);
    }

    #[test]
    fn a_port_range_is_read_as_it_is_written(first in 1024..u16::MAX, count in 0..5000u16) {
        let range = PortRange(first..=first.saturating_add(count));
        prop_assert_eq!(range.to_string().parse::<PortRange>(), Ok(range));
    }
}
