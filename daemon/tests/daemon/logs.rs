//! What is logged, and what must never be.

use crate::harness::{Daemon, PASSWORD, eventually};

#[test]
fn log_ins_and_transfers_are_logged() {
    let daemon = Daemon::start();
    let mut ftp = daemon.log_in();
    ftp.upload("STOR a file", b"12345");
    ftp.download("RETR a file");
    ftp.expect("QUIT", "221");
    daemon.wait_for_log("disconnected");
    let log = daemon.log();
    let client = ftp.tcp().local_addr().unwrap();
    let whose = format!("user=\"alice\" client={client} session=1");
    for text in [
        "logged-in WHOSE tls=\"none\" data=\"clear\"",
        "stored WHOSE path=\"/a file\" bytes=5 seconds=0.",
        "sent WHOSE path=\"/a file\" bytes=5 seconds=0.",
        "result=\"whole\" data=\"clear\"",
        "disconnected WHOSE cause=\"quit\" seconds=0 files_in=1 bytes_in=5 files_out=1 bytes_out=5",
    ] {
        let text = text.replace("WHOSE", &whose);
        assert!(log.contains(&text), "{text}: {log}");
    }
}

#[test]
fn no_password_reaches_the_log_at_any_level() {
    let daemon = Daemon::start_with("", |root| {
        format!(
            "[log]\nlevel = \"trace\"\n{}",
            crate::harness::user("alice", root, false)
        )
    });
    let mut ftp = daemon.log_in();
    ftp.expect("QUIT", "221");
    let mut ftp = daemon.connect();
    ftp.reply();
    // Typed at the wrong prompt, misspelt, in the wrong order, or not even a command.
    ftp.command("USER hunter2-as-name");
    ftp.command("PASS hunter2-wrong");
    ftp.command("PASS hunter2-again");
    ftp.command("USER alice");
    ftp.command("PASS hunter2-of-alice");
    ftp.command("PSAS hunter2-misspelt");
    ftp.command("hunter2-alone");
    ftp.send("PASS hunter2-\u{0}\r");
    drop(ftp);
    daemon.wait_for_log(" session=2");
    assert!(eventually(
        || daemon.log().matches("disconnected").count() == 2
    ));
    let log = daemon.log();
    assert!(!log.contains("hunter2") && !log.contains(PASSWORD), "{log}");
}

#[test]
fn names_that_clients_choose_cannot_forge_lines() {
    let daemon = Daemon::start();
    let mut ftp = daemon.log_in();
    ftp.upload("STOR x\u{1b}[2J\u{7f}y", b"1");
    daemon.wait_for_log("path=\"/x\\x1b[2J\\x7fy\"");
}

#[test]
fn a_transfer_that_is_cut_off_is_logged() {
    let daemon = Daemon::start_with("", |root| {
        format!(
            "[limits]\nshutdown-grace-seconds = 0\n{}",
            crate::harness::user("alice", root, false)
        )
    });
    let mut ftp = daemon.log_in();
    let data = ftp.passive();
    ftp.expect("STOR file", "150");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_for_log("upload-failed user=\"alice\"");
    drop(data);
}
