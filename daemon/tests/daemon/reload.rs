//! A configuration that is not complete when it is to be read.

use std::{
    fs,
    io::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::harness::{Daemon, user};

/// How long a file has to be at rest before it is taken, less some time for a busy machine.
const REST: Duration = Duration::from_millis(800);

const RELOADED: &str = "configuration reloaded";

/// Writes the configuration in pieces, each soon after the one before, and reloads in the middle.
/// Nothing if the machine was too busy for that.
fn reload_in_the_middle() -> Option<(Daemon, String)> {
    let daemon = Daemon::start_with("", |root| user("alice", root, true));
    let text = fs::read_to_string(daemon.config()).unwrap();
    // Without its last line, the account may write.
    let front = text.strip_suffix("read-only = true\n").unwrap();
    let mut file = fs::File::create(daemon.config()).unwrap();
    file.write_all(front.as_bytes()).unwrap();
    let mut written = Instant::now();
    daemon.signal(Signal::SIGHUP);
    let mut write = |text: &str| {
        file.write_all(text.as_bytes()).unwrap();
        let soon = written.elapsed() < REST;
        written = Instant::now();
        soon
    };
    for _ in 0..25 {
        sleep(Duration::from_millis(100));
        if !write("# still writing\n") {
            return None;
        }
    }
    let log = daemon.log();
    write("read-only = true\n").then_some((daemon, log))
}

#[test]
fn a_configuration_that_is_still_written_is_not_taken() {
    let (daemon, log) = (0..20)
        .find_map(|_| reload_in_the_middle())
        .expect("the machine is too busy");
    assert!(!log.contains(RELOADED), "it was cut off: {log}");
    daemon.wait_for_log(RELOADED);
    let mut ftp = daemon.log_in();
    ftp.expect("MKD directory", "550");
}

#[test]
fn an_empty_configuration_does_not_replace_one_with_users() {
    let daemon = Daemon::start();
    for text in ["", "# nothing\n"] {
        let before = daemon.log().len();
        daemon.edit_config(|_| text.to_owned());
        daemon.signal(Signal::SIGHUP);
        let said = crate::harness::eventually(|| {
            daemon.log()[before..].contains("the old one stays: the file is empty")
        });
        assert!(said, "{}", daemon.log());
        daemon.log_in().expect("NOOP", "200");
    }
}
