//! `check`, `hash-password`, `probe` and `--version`.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::harness::{Daemon, PROGRAM};

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn hash_password(input: &str) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn check(config: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = run(&[&["check", "--config", config.to_str().unwrap()], more].concat());
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = run(&["--version"]);
    assert!(output.status.success());
    assert_eq!(
        output.stdout,
        format!("esxftpd {}\n", env!("CARGO_PKG_VERSION")).as_bytes()
    );
}

#[test]
fn the_shipped_configuration_is_clean() {
    // With a certificate in the place of the host's.
    let directory = tempfile::tempdir().unwrap();
    let text = include_str!("../../esxftpd.toml");
    let (_table, _certificate) = crate::tls::table(directory.path(), "");
    let here = |name: &str| format!("{}/{name}", directory.path().display());
    let text = text
        .replace("/etc/vmware/ssl/rui.crt", &here("certificate.pem"))
        .replace("/etc/vmware/ssl/rui.key", &here("key.pem"));
    let shipped = directory.path().join("esxftpd.toml");
    fs::write(&shipped, text).unwrap();
    fs::set_permissions(&shipped, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(check(&shipped, &[]), (Some(0), String::new()));
    assert_eq!(check(&shipped, &["--json"]), (Some(0), "[]\n".to_owned()));
}

#[test]
fn check_prints_a_line_for_each_finding_and_exits_with_78() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    fs::write(&config, "colour = 1\n[limits]\nsessions = 0\nsizes = 1\n").unwrap();
    let (code, text) = check(&config, &[]);
    assert_eq!(code, Some(78));
    let starts: Vec<_> = text
        .lines()
        .map(|line| line.split("; ").next().unwrap())
        .collect();
    let file = config.display();
    assert_eq!(
        starts,
        [
            format!("{file}:1: colour: unknown key"),
            format!("{file}:3: limits.sessions: 0 is not within 1 to 1000"),
            format!("{file}:4: limits.sizes: unknown key"),
        ]
    );
    let (code, json) = check(&config, &["--json"]);
    assert_eq!(code, Some(78));
    assert!(
        json.contains("\"key\": \"limits.sizes\"") && json.contains("\"line\": 4"),
        "{json}"
    );
}

#[test]
fn serve_refuses_a_configuration_with_an_unknown_key() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    fs::write(&config, "colour = 1\n").unwrap();
    let output = run(&[
        "serve",
        "--log-to-stderr",
        "--config",
        config.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains(":1: colour: unknown key") && log.contains("esxftpd check --config"),
        "{log}"
    );
}

#[test]
fn a_port_in_use_is_named() {
    let daemon = Daemon::start();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    fs::write(
        &config,
        format!("[listen]\naddresses = [\"{}\"]\n", daemon.addresses[0]),
    )
    .unwrap();
    let output = run(&[
        "serve",
        "--log-to-stderr",
        "--config",
        config.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains(&format!("cannot listen on {}", daemon.addresses[0])),
        "{message}"
    );
}

#[test]
fn hash_password_prints_a_fresh_argon2id_hash() {
    let hashes: Vec<String> = ["secret", "secret\n", "secret\r\n"]
        .iter()
        .map(|input| {
            let output = hash_password(input);
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && hash.ends_with('\n')));
    assert_ne!(hashes[0], hashes[1], "each hash has a salt of its own");
}

#[test]
fn hash_password_refuses_what_no_client_can_send() {
    for input in ["", "\n", "two\nlines", &"x".repeat(2000)] {
        let output = hash_password(input);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .starts_with("esxftpd: the password ")
        );
    }
}

#[test]
fn probe_needs_nothing_and_tells_every_call() {
    let text = run(&["probe", "/"]);
    assert!(text.status.success());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("\nopenat ") && text.contains("\n/ ok "),
        "{text}"
    );
    let json = run(&["probe", "--json", "/"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(report["calls"].as_array().unwrap().len() > 100);
    assert_eq!(report["file_systems"][0]["result"], "ok");
}
