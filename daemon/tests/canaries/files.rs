//! unftp-sbe-fs.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use crate::bare::Bare;

/// Work-around: our own facts, which follow links.
#[test]
fn s6_the_size_of_a_link_is_that_of_its_text() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), [0; 100]).unwrap();
    symlink("f", bare.root().join("link")).unwrap();
    assert_eq!(bare.session().expect("SIZE link", "213"), "213 1");
}

/// Work-around: our own root, which resolves absolute links inside it.
#[test]
fn s7_an_absolute_link_inside_the_root_is_refused() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "x").unwrap();
    symlink(bare.root().join("f"), bare.root().join("link")).unwrap();
    let mut ftp = bare.session();
    let _data = ftp.passive();
    ftp.send("RETR link");
    let replies = [ftp.reply(), ftp.reply()];
    assert!(
        replies
            .iter()
            .any(|reply| reply.starts_with('5') || reply.starts_with('4'))
    );
}

/// Work-around: our own uploads, which go to another file first.
#[test]
fn s5_an_upload_destroys_the_old_file_at_once() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "old").unwrap();
    let mut ftp = bare.session();
    let data = ftp.passive();
    ftp.expect("STOR f", "150");
    let destroyed = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        fs::read(bare.root().join("f")).unwrap().is_empty()
    });
    assert!(destroyed);
    drop(data);
}

/// Work-around: our own renaming.
#[test]
fn s9_a_rename_replaces_a_file_without_a_word() {
    let bare = Bare::start();
    fs::write(bare.root().join("a"), "a").unwrap();
    fs::write(bare.root().join("b"), "b").unwrap();
    let mut ftp = bare.session();
    ftp.expect("RNFR a", "350");
    ftp.expect("RNTO b", "250");
    assert_eq!(fs::read(bare.root().join("b")).unwrap(), b"a");
}

/// Work-around: our own uploads and downloads.
#[test]
fn s2_a_fifo_keeps_a_thread_for_ever() {
    let bare = Bare::start();
    let made = Command::new("mkfifo")
        .arg(bare.root().join("fifo"))
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let mut ftp = bare.session();
    let _data = ftp.passive();
    ftp.expect("RETR fifo", "150");
    crate::set_patience(&ftp, crate::LITTLE_WHILE);
    assert_eq!(ftp.reply(), "");
}
