use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path};

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

fn parse(source: &Source, findings: &mut Findings) -> Option<Config> {
    read_and_check(source, findings, |_, _| ())
}

#[test]
fn implicit_tls_without_a_certificate_is_an_error() {
    let text = "[listen]\nimplicit-tls = [\"0.0.0.0:990\"]\n";
    let [finding] = &findings(text)[..] else {
        panic!("{:?}", findings(text));
    };
    assert!(
        finding.starts_with("t:2: listen.implicit-tls: "),
        "{finding}"
    );
    let pair = "[tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";
    assert!(findings(&format!("{text}{pair}")).is_empty());
}

/// The findings about this text, as `check` would print them for a file named `t`.
pub(super) fn findings(text: &str) -> Vec<String> {
    let mut findings = Findings::new(Path::new("t"));
    let _config = parse(&private(text), &mut findings);
    findings
        .as_slice()
        .iter()
        .map(ToString::to_string)
        .collect()
}

pub(super) fn user(name: &str, root: &str) -> String {
    format!("[[users]]\nname = \"{name}\"\npassword-hash = \"{HASH}\"\nroot = \"{root}\"\n")
}

#[test]
fn the_shipped_file_states_the_defaults() {
    let mut findings = Findings::new(Path::new("esxftpd.toml"));
    // A file without [tls] has none, as before.
    let tls = Some(Tls {
        certificate: "/etc/vmware/ssl/rui.crt".into(),
        key: "/etc/vmware/ssl/rui.key".into(),
        required: Required::Nothing,
        require_session_reuse: false,
    });
    let shipped = Config {
        tls,
        ..Config::default()
    };
    assert_eq!(parse(&private(SHIPPED), &mut findings), Some(shipped));
    assert_eq!(findings.as_slice(), []);
}

/// Keys of tables, and keys of the tables in them, `outer.inner`.
fn keys(value: &serde_json::Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (outer, value) in value.as_object().unwrap() {
        keys.insert(outer.clone());
        let elements = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        let tables = elements.iter().filter_map(serde_json::Value::as_object);
        for inner in tables.flat_map(serde_json::Map::keys) {
            keys.insert(format!("{outer}.{inner}"));
        }
    }
    keys
}

#[test]
fn the_shipped_file_names_every_key_and_no_other() {
    // Examples are commented out with `#!`.
    let with_examples = SHIPPED.replace("#!", "");
    let mut findings = Findings::new(Path::new("esxftpd.toml"));
    let config = parse(&private(&with_examples), &mut findings).unwrap();
    assert!(!findings.has_errors(), "{findings:?}");
    let written: toml::Table = with_examples.parse().unwrap();
    let mut known = keys(&serde_json::to_value(&config).unwrap());
    // How a port range looks inside.
    known.retain(|key| !["ports.start", "ports.end"].contains(&key.as_str()));
    assert_eq!(keys(&serde_json::to_value(&written).unwrap()), known);
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
         this file; run: chmod o-r {0}, and change the file as well: the host does not save a \
         change of the mode alone",
        path.display()
    );
    assert_eq!(about_mode(0o1644, &user("a", "/")), [finding]);
    assert_eq!(about_mode(0o1640, &user("a", "/")), [""; 0]);
    assert_eq!(about_mode(0o1644, SHIPPED), [""; 0]);
}

#[test]
fn values_of_a_wrong_type_are_named_with_key_and_line() {
    for (text, finding) in [
        (
            "[limits]\nsessions = \"many\"\n",
            "t:2: limits.sessions: expected u16; correct it; the rest of this table was not checked",
        ),
        (
            "[listen]\naddresses = [\"127.0.0.1:21\", \"nowhere\"]\n",
            "t:2: listen.addresses.1: invalid socket address syntax; correct it; the rest of this table was not checked",
        ),
        (
            "[passive]\nports = \"9-8\"\n",
            "t:2: passive.ports: port range \"9-8\" is empty or begins below port 1024; \
             correct it; the rest of this table was not checked",
        ),
        (
            "[passive]\nports = \"some\"\n",
            "t:2: passive.ports: \"some\" is not a port range; write it as \"49152-49407\"; \
             correct it; the rest of this table was not checked",
        ),
        (
            "\n[[users]]\nname = \"a\"\n",
            "t:2: users.0: missing field `root`; correct it; the rest of this table was not checked",
        ),
        (
            "users = 1\n",
            "t:1: users: expected a list of tables; write [[users]] before each table",
        ),
        (
            "limits = 1\n",
            "t:1: limits: expected struct Limits; correct it; the rest of this table was not checked",
        ),
    ] {
        assert_eq!(findings(text), [finding], "{text}");
    }
    let found = findings("[log]\nlevel = \"loud\"\n");
    assert!(
        found[0].starts_with("t:2: log.level: expected one of `error`, `warn`"),
        "{found:?}"
    );
}

#[test]
fn an_error_in_one_section_does_not_hide_others() {
    let text = "[limits]\nsessions = \"x\"\n[passive]\nports = 1\n\
        [listen]\naddresses = [\"0.0.0.0:21\", \"127.0.0.1:21\"]\n[[users]]\n[[users]]\n";
    let places: Vec<_> = findings(text)
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        places,
        [
            "t:2 limits.sessions",
            "t:4 passive.ports",
            "t:6 listen.addresses.1",
            "t:7 users.0",
            "t:8 users.1"
        ]
    );
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    for text in [
        "[[users]]\nname = \"a\"\nroot = \"/\"\npassword-hash = 12345678\n",
        "users = \"alice:12345678\"\n",
        "[[users]]\nname = \"a\"\nroot = \"/\"\npassword-hash = \"12345678\"\n",
        "[[users]]\nname = \"a\"\nroot = \"/\"\npassword-hash = \"x\"\nread-only = \"12345678\"\n",
        "anonymous = \"12345678\"\n",
        "[log]\nlevel = \"12345678\"\n",
    ] {
        let found = findings(text);
        assert!(
            !found.is_empty() && !found.join("").contains("12345678"),
            "{found:?}"
        );
    }
}

#[test]
fn a_file_full_of_nonsense_is_answered_at_once() {
    let lines: Vec<_> = (0..50_000)
        .map(|number| format!("a{number} = {{ b = 1 }}"))
        .collect();
    let nonsense = lines.join("\n");
    assert_eq!(findings(&nonsense).len(), 100);
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

/// The init script kills the daemon after 15 seconds.
#[test]
fn transfers_get_no_more_time_at_a_stop_than_the_init_script_gives() {
    let found = |seconds: u32| {
        let text = format!("[limits]\nshutdown-grace-seconds = {seconds}\n");
        findings(&text).join("\n")
    };
    assert!(!found(12).contains("shutdown-grace-seconds"));
    for seconds in [13, 15] {
        assert!(found(seconds).contains("after 15 seconds"), "{seconds}");
    }
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
            "a login name has 1 to 64 bytes, no blanks",
        ),
        (user("ftp", "/"), "\"ftp\" is reserved for anonymous access"),
        (user("a", "relative"), "relative is not an absolute path"),
        (
            user("a", "/").replace(HASH, "secret"),
            "not a password hash",
        ),
        (
            user("a", "/").replace(HASH, &expensive),
            "the parameters of this hash are invalid, or ask for more than 65536 KiB",
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
fn rights_that_contradict_or_hide_nothing_are_named() {
    let many: Vec<_> = (0..33).map(|number| format!("\"{number}\"")).collect();
    for (text, key, problem) in [
        (
            user("a", "/") + "read-only = true\nupload-only = true\n",
            "t:6: users.0.upload-only: ",
            "read-only and upload-only exclude each other",
        ),
        (
            "[anonymous]\nroot = \"/\"\nupload-only = true\n".to_owned(),
            "t:3: anonymous.upload-only: ",
            "read-only and upload-only exclude each other",
        ),
        (
            user("a", "/") + "hidden = [\"*.key\", \"a/b\"]\n",
            "t:5: users.0.hidden.1: ",
            "not a pattern for a name",
        ),
        (
            user("a", "/") + &format!("hidden = [{}]\n", many.join(", ")),
            "t:5: users.0.hidden: ",
            "more than 32 patterns",
        ),
        (
            user("a", "/") + "umask = \"99\"\n",
            "t:5: users.0.umask: ",
            "\"99\" is not a umask",
        ),
    ] {
        let found = findings(&text);
        let [finding] = found.as_slice() else {
            panic!("{text}: {found:?}");
        };
        assert!(
            finding.starts_with(key) && finding.contains(problem),
            "{finding}"
        );
    }
}

#[test]
fn bad_storage_settings_are_named() {
    for (value, problem) in [
        (
            "root = \"jail\"",
            "storage.root: expected one of `auto`, `confined`, `paths`",
        ),
        (
            "reserve = \"1 GB\"",
            "storage.reserve: \"1 GB\" is not a size",
        ),
        ("reserve = -1", "storage.reserve: a size cannot be negative"),
        (
            "reserve = true",
            "storage.reserve: expected a number of bytes",
        ),
        (
            "reserve = \"2 TiB\"",
            "storage.reserve: more than 1 TiB would be left free",
        ),
        (
            "utc-offset = \"CET\"",
            "storage.utc-offset: \"CET\" is not an offset",
        ),
        (
            "hide-uuid-twins = 1",
            "storage.hide-uuid-twins: expected a boolean",
        ),
    ] {
        let found = findings(&format!("[storage]\n{value}\n"));
        let [finding] = found.as_slice() else {
            panic!("{value}: {found:?}");
        };
        assert!(finding.starts_with(&format!("t:2: {problem}")), "{finding}");
    }
    assert_eq!(findings("[storage]\nreserve = 0\n"), [""; 0]);
}

#[test]
fn hashes_do_not_appear_in_debug_output() {
    let config = parse(
        &private(&user("a", "/")),
        &mut Findings::new(Path::new("t")),
    )
    .unwrap();
    assert_eq!(config.users.len(), 1);
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

#[test]
fn the_log_of_transfers_is_out_of_reach_of_those_who_can_write() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().display();
    std::os::unix::fs::symlink(directory.path(), directory.path().join("label")).unwrap();
    let log = |path: &str| format!("[log]\ntransfers = \"{path}\"\n");
    let with = |path: &str, more: &str| {
        let text = format!("{}{}{more}", log(path), user("a", &here.to_string()));
        findings(&text)
    };
    assert!(with("/var/xferlog", "").is_empty());
    assert!(with(&format!("{here}/x"), "read-only = true\n").is_empty());
    for path in [format!("{here}/x"), format!("{here}/label/x")] {
        let found = with(&path, "");
        assert!(
            found.len() == 1 && found[0].starts_with("t:2: log.transfers: "),
            "{found:?}"
        );
    }
    assert_eq!(with("x", "").len(), 1, "it is relative");
}
