//! `esxftpd parts`: what interrupted uploads have left.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Daemon, PROGRAM, eventually, user};

fn run(config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command
        .arg("parts")
        .args(arguments)
        .arg("--config")
        .arg(config);
    command.output().unwrap()
}

/// The paths below the root, and whether they were removed.
fn rows(daemon: &Daemon, arguments: &[&str], code: i32) -> Vec<(String, bool)> {
    let output = run(daemon.config(), &[&["--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let root = daemon.root().display().to_string();
    let row = |row: &Value| {
        assert!(
            row["bytes"] == 7 && row["seconds"].as_u64().unwrap() < 600,
            "{row}"
        );
        let path = row["path"].as_str().unwrap();
        let path = path.strip_prefix(&root).unwrap();
        (path.to_owned(), row["removed"].as_bool().unwrap())
    };
    rows.iter().map(row).collect()
}

fn with(paths: &[&str], removed: bool) -> Vec<(String, bool)> {
    paths
        .iter()
        .map(|path| ((*path).to_owned(), removed))
        .collect()
}

const LEFT: [&str; 2] = ["/.top.esxftpd-part", "/a/b/.deep one.esxftpd-part"];

#[test]
fn part_files_that_nobody_writes_are_listed_and_removed() {
    let daemon = Daemon::start_with("", |root| {
        // One root in another.
        let inner = root.join("a");
        format!(
            "{}{}",
            user("alice", root, false),
            user("bob", &inner, false)
        )
    });
    let root = daemon.root();
    let outside = daemon.directory.path().join("outside");
    for directory in [
        root.join("a/b"),
        outside.clone(),
        root.join("a/.dir.esxftpd-part"),
    ] {
        fs::create_dir_all(directory).unwrap();
    }
    for part in LEFT {
        fs::write(root.join(&part[1..]), "content").unwrap();
    }
    let others = [root.join("a/file"), outside.join(".o.esxftpd-part")];
    for other in &others {
        fs::write(other, "content").unwrap();
    }
    symlink(&outside, root.join("a/out")).unwrap();
    symlink(
        outside.join(".o.esxftpd-part"),
        root.join(".link.esxftpd-part"),
    )
    .unwrap();
    symlink(".", root.join("a/here")).unwrap();
    // An upload under way.
    let mut ftp = daemon.log_in();
    let mut data = ftp.passive();
    ftp.expect("STOR a/busy", "150");
    data.write_all(b"content").unwrap();
    let busy = root.join("a/.busy.esxftpd-part");
    assert!(eventually(
        || fs::read(&busy).is_ok_and(|found| found == b"content")
    ));

    assert_eq!(rows(&daemon, &[], 0), with(&LEFT, false));
    assert_eq!(rows(&daemon, &["--older-than", "1"], 0), []);
    assert_eq!(rows(&daemon, &["--remove", "--older-than", "1"], 0), []);
    let table = run(daemon.config(), &[]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        table.contains("UNCHANGED") && table.contains("0m"),
        "{table}"
    );
    assert_eq!(rows(&daemon, &["--remove"], 0), with(&LEFT, true));
    assert_eq!(rows(&daemon, &["--remove"], 0), []);
    for part in LEFT {
        assert!(!root.join(&part[1..]).exists(), "{part}");
    }
    for other in others {
        assert_eq!(fs::read(&other).unwrap(), b"content", "{other:?}");
    }
    assert!(root.join("a/.dir.esxftpd-part").is_dir());
    assert!(root.join(".link.esxftpd-part").is_symlink());
    daemon.wait_for_log("a part file is removed");
    // The upload has not noticed.
    drop(data);
    assert!(ftp.reply().starts_with("226"));
    assert_eq!(fs::read(root.join("a/busy")).unwrap(), b"content");
}

#[test]
fn without_a_daemon_young_part_files_stay() {
    let mut daemon = Daemon::start();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    let part = daemon.root().join(".f.esxftpd-part");
    fs::write(&part, "content").unwrap();
    assert_eq!(rows(&daemon, &[], 0), with(&["/.f.esxftpd-part"], false));
    let refused = run(daemon.config(), &["--remove"]);
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains("within the last hour"), "{message}");
    assert!(part.exists());
}

#[test]
fn what_cannot_be_read_is_named() {
    let daemon = Daemon::start_with("", |root| user("alice", &root.join("absent"), false));
    let output = run(daemon.config(), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("absent") && message.contains("cannot be read"),
        "{message}"
    );
    daemon.edit_config(|text| text + "[nonsense]\n");
    assert_eq!(run(daemon.config(), &[]).status.code(), Some(78));
}
