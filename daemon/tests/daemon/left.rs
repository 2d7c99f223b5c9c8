//! Operations whose client has left.

use std::fs::{self, File};

use crate::harness::{Daemon, eventually, user};

/// More than can be read within the patience of a test.
const SIZE: u64 = 2 << 40;

/// Sends commands, of which the last one takes long, leaves, and waits for the end of the session.
#[track_caller]
fn leave_during(daemon: &Daemon, first: &[&str], last: &str) {
    let mut ftp = daemon.log_in();
    for command in first {
        ftp.expect(command, "350");
    }
    ftp.send(last);
    drop(ftp);
    let ended = eventually(|| daemon.log().contains("disconnected"));
    assert!(ended, "{last}: {}", daemon.log());
    assert!(eventually(|| daemon.threads() <= 1), "{last}");
}

#[test]
fn a_digest_ends_soon_after_its_client_has_left() {
    let daemon = Daemon::start();
    let huge = File::create(daemon.root().join("huge")).unwrap();
    huge.set_len(SIZE).unwrap();
    leave_during(&daemon, &[], "HASH huge");
}

#[test]
fn what_waits_for_its_rate_ends_soon_after_its_client_has_left() {
    for (first, last) in [
        (&["SITE CPFR large"][..], "SITE CPTO copy"),
        (&[], "HASH large"),
    ] {
        let daemon = Daemon::start_with("", |root| {
            let rate = "[transfers]\nsession-rate = \"1 KiB\"\n";
            format!("{rate}{}", user("alice", root, false))
        });
        fs::write(daemon.root().join("large"), vec![7; 4 << 20]).unwrap();
        leave_during(&daemon, first, last);
        assert!(!daemon.root().join("copy").exists());
    }
}
