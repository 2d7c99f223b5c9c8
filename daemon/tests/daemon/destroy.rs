//! Clients that delete many files: what they were not asked to delete survives.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use crate::harness::{Daemon, PASSWORD};

#[expect(clippy::print_stderr, reason = "a test that was left out says so")]
/// Runs a client with these lines as its input. Nothing, if this machine does not have it.
fn talk(program: &str, arguments: &[&str], lines: &str) -> Option<String> {
    let child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("NOT TESTED: no {program}");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    Some(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Two files of one name in two directories.
fn two_of_one_name(root: &Path) {
    fs::create_dir(root.join("old")).unwrap();
    for (name, content) in [
        ("disk1.vmdk", "in use"),
        ("old/disk1.vmdk", "old"),
        ("old/disk2.vmdk", "old"),
        ("old/notes", "kept"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
}

#[test]
fn mdelete_in_a_directory_leaves_the_file_of_that_name_outside() {
    for program in ["tnftp", "inetutils-ftp"] {
        let daemon = Daemon::start();
        let root = daemon.root();
        two_of_one_name(&root);
        let port = daemon.addresses[0].port();
        let lines =
            format!("open 127.0.0.1 {port}\nuser alice \"{PASSWORD}\"\nmdelete old/*.vmdk\nquit\n");
        let Some(dialogue) = talk(program, &["-n", "-i", "-p", "-v"], &lines) else {
            continue;
        };
        let kept = fs::read_to_string(root.join("disk1.vmdk"));
        assert_eq!(
            kept.ok().as_deref(),
            Some("in use"),
            "{program}: {dialogue}"
        );
        let left: Vec<_> = fs::read_dir(root.join("old")).unwrap().collect();
        assert_eq!(left.len(), 1, "{program}: {dialogue}");
        assert!(root.join("old/notes").exists());
    }
}

#[test]
fn a_recursive_delete_does_not_go_through_links() {
    let daemon = Daemon::start();
    let root = daemon.root();
    for directory in ["a/inner", "precious"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("precious/file"), "content").unwrap();
    fs::write(root.join("a/inner/f"), "").unwrap();
    for (target, link) in [
        ("../precious", "a/link"),
        ("../../precious", "a/inner/link"),
        (".", "a/here"),
        ("nowhere", "a/dangling"),
        ("/etc", "a/out"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    symlink(root.join("precious"), root.join("a/absolute")).unwrap();
    let port = daemon.addresses[0].port();
    let lines = format!(
        "set net:max-retries 1\nset net:timeout 20\nopen -u alice,\"{PASSWORD}\" -p {port} 127.0.0.1\n\
         rm -r a\nquit\n"
    );
    let Some(dialogue) = talk("lftp", &["--norc"], &lines) else {
        return;
    };
    assert!(!root.join("a").exists(), "{dialogue}");
    let kept = fs::read(root.join("precious/file"));
    assert_eq!(kept.ok().as_deref(), Some(&b"content"[..]), "{dialogue}");
}
