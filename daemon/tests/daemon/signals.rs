//! SIGTERM, SIGINT and SIGHUP, and what the daemon was started with.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use nix::sys::signal::Signal;

use crate::{
    PATIENCE,
    harness::{Daemon, PASSWORD, PROGRAM, eventually, free_ports, user},
};

#[test]
fn sigterm_and_sigint_end_an_idle_daemon_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Daemon::start();
        let mut idle = daemon.log_in();
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
        assert!(!daemon.log().contains("waiting for"), "{}", daemon.log());
        assert!(idle.reply().starts_with("421"));
        assert_eq!(idle.reply(), "", "the session is over");
        assert!(TcpStream::connect(daemon.addresses[0]).is_err());
    }
}

#[test]
fn sigterm_lets_a_running_upload_finish() {
    let mut daemon = Daemon::start();
    let mut ftp = daemon.log_in();
    let mut data = ftp.passive();
    ftp.expect("STOR file", "150");
    data.write_all(b"first half, ").unwrap();
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_log("waiting for the transfer");
    assert!(
        TcpStream::connect(daemon.addresses[0]).is_err(),
        "no new clients while stopping"
    );
    data.write_all(b"second half").unwrap();
    drop(data);
    let reply = ftp.reply();
    assert!(reply.starts_with("226"), "{reply}");
    assert_eq!(daemon.wait().code(), Some(0));
    assert_eq!(
        fs::read(daemon.root().join("file")).unwrap(),
        b"first half, second half"
    );
}

#[test]
fn a_transfer_that_does_not_end_is_cut_off_after_the_grace() {
    let mut daemon = Daemon::start_with("", |root| {
        format!(
            "[limits]\nshutdown-grace-seconds = 1\n{}",
            user("alice", root, false)
        )
    });
    let mut ftp = daemon.log_in();
    let data = ftp.passive();
    ftp.expect("STOR file", "150");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0));
    daemon.wait_for_log("cause=\"cancelled\"");
    drop(data);
}

#[test]
fn a_client_that_never_ceases_to_send_is_told_that_the_daemon_stops() {
    let mut daemon = Daemon::start();
    let ftp = daemon.log_in();
    let (mut sender, mut receiver) = (ftp.tcp(), ftp.tcp());
    let flood = thread::spawn(move || {
        let commands = b"NOOP\r\n".repeat(1000);
        while sender.write_all(&commands).is_ok() {}
    });
    // In large pieces: a daemon that waits until it can send does not show the fault.
    let mut replies = vec![0; 1 << 20];
    let mut end = Vec::new();
    receiver.read_exact(&mut replies).unwrap();
    daemon.signal(Signal::SIGTERM);
    while let Ok(read @ 1..) = receiver.read(&mut replies) {
        end.extend_from_slice(&replies[..read]);
        end.drain(..end.len().saturating_sub(100));
    }
    let end = String::from_utf8_lossy(&end);
    assert!(end.contains("421 The server is stopping."), "{end}");
    assert_eq!(daemon.wait().code(), Some(0));
    flood.join().unwrap();
}

#[test]
fn sighup_brings_the_new_configuration_to_new_sessions() {
    let daemon = Daemon::start();
    let mut old = daemon.log_in();
    let root = daemon.root();
    daemon.edit_config(|text| {
        format!(
            "greeting = \"new and shiny\"\n{text}{}",
            user("bob", &root, true)
        )
    });
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("configuration reloaded");
    let mut new = daemon.connect();
    assert_eq!(new.reply(), "220 new and shiny");
    new.expect("USER bob", "331");
    new.expect(&format!("PASS {PASSWORD}"), "230");
    old.expect("NOOP", "200");
}

#[test]
fn sighup_with_a_bad_configuration_changes_nothing() {
    let daemon = Daemon::start();
    daemon.edit_config(|text| format!("colour = 1\n{text}"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("the old one stays");
    assert!(daemon.log().contains("colour: unknown key"));
    daemon.log_in().expect("NOOP", "200");
}

#[test]
fn the_pid_file_is_there_while_the_daemon_runs() {
    let directory = tempfile::tempdir().unwrap();
    let (config, pid_file) = (
        directory.path().join("esxftpd.toml"),
        directory.path().join("pid"),
    );
    fs::write(&config, "[listen]\naddresses = [\"127.0.0.1:0\"]\n").unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--log-to-stderr", "--config"])
        .arg(&config)
        .arg("--pid-file")
        .arg(&pid_file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = [0; 16];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    assert_eq!(
        fs::read_to_string(&pid_file).unwrap(),
        format!("{}\n", child.id())
    );
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!pid_file.exists());
}

#[test]
fn an_upload_is_finished_when_the_client_leaves_after_the_last_byte() {
    let daemon = Daemon::start();
    let content = vec![5; 3_000_000];
    let mut ftp = daemon.log_in();
    let mut data = ftp.passive();
    ftp.expect("STOR file", "150");
    data.write_all(&content).unwrap();
    drop(data);
    drop(ftp);
    daemon.wait_for_log("disconnected");
    assert!(fs::read(daemon.root().join("file")).unwrap() == content);
}

#[test]
fn changed_addresses_take_a_restart_and_that_is_said() {
    let daemon = Daemon::start();
    daemon.edit_config(|text| text.replace("\"[::1]:0\"", "\"127.0.0.2:0\""));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("restart the daemon to listen there");
}

/// The VIB installer reads the output of the init script until nobody holds the pipe any more.
#[test]
fn the_daemon_keeps_no_descriptor_of_its_caller() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    let port = free_ports(1);
    fs::write(
        &config,
        format!("[listen]\naddresses = [\"127.0.0.1:{port}\"]\n"),
    )
    .unwrap();
    // The shell's stdout becomes descriptor 9 of the daemon, whose own stdout is nobody's.
    let mut child = Command::new("sh")
        .args([
            "-c",
            "exec \"$0\" serve --log-to-stderr --config \"$1\" 9>&1 >/dev/null 2>&1",
        ])
        .arg(PROGRAM)
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(output.read_to_end(&mut Vec::new()).map(drop)));
    let closed = receiver.recv_timeout(PATIENCE);
    let serves = eventually(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(closed.is_ok(), "the pipe is still held");
    assert!(serves, "the pipe ended because the daemon did");
}
