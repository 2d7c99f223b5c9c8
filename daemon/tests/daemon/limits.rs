//! Caps on sessions and time.

use std::time::{Duration, Instant};

use crate::harness::{Daemon, eventually, free_ports, user};

#[test]
fn a_client_above_the_cap_is_refused_with_421_and_let_in_later() {
    let limits = "[limits]\nsessions = 2\nsessions-per-address = 2\n";
    let daemon = Daemon::start_with("", |root| format!("{limits}{}", user("alice", root, false)));
    let first = daemon.log_in();
    let _second = daemon.log_in();
    let mut third = daemon.connect();
    assert_eq!(third.reply(), "421 too many sessions, try again later");
    assert_eq!(third.reply(), "", "the connection is closed");
    drop(first);
    assert!(
        eventually(|| daemon.connect().reply().starts_with("220")),
        "the place is not given back"
    );
}

#[test]
fn one_address_cannot_take_all_places() {
    let limits = "[limits]\nsessions-per-address = 1\n";
    let daemon = Daemon::start_with("", |root| format!("{limits}{}", user("alice", root, false)));
    let _first = daemon.log_in();
    assert_eq!(
        daemon.connect().reply(),
        "421 too many sessions from your address, close one first"
    );
    let mut other = crate::ftp::Ftp::connect(daemon.addresses[1]);
    assert!(other.reply().starts_with("220"), "::1 is another address");
}

#[test]
fn an_idle_client_is_disconnected() {
    let limits = "[limits]\nidle-seconds = 10\n";
    let daemon = Daemon::start_with("", |root| format!("{limits}{}", user("alice", root, false)));
    let start = Instant::now();
    let mut ftp = daemon.log_in();
    let reply = ftp.reply();
    assert!(reply.starts_with("421"), "{reply}");
    assert!(start.elapsed() >= Duration::from_secs(9));
    daemon.wait_for_log("disconnected");
}

#[test]
fn two_sessions_share_a_passive_range_of_two_ports() {
    let first = free_ports(2);
    let range = [first.to_string(), (first + 1).to_string()];
    let daemon = Daemon::start_with("", |root| {
        format!(
            "[passive]\nports = \"{}\"\n{}",
            range.join("-"),
            user("alice", root, false)
        )
    });
    let (mut one, mut two) = (daemon.log_in(), daemon.log_in());
    // The first port waits for its client; the second session must find the other one, wherever it
    // begins to look.
    let mut ports = [&mut one, &mut two].map(|ftp| {
        ftp.expect("EPSV", "229")
            .split('|')
            .nth(3)
            .unwrap()
            .to_owned()
    });
    ports.sort();
    assert_eq!(ports, range);
}

#[test]
fn data_connections_that_are_not_used_are_not_kept() {
    let daemon = Daemon::start();
    let mut ftp = daemon.log_in();
    let before = daemon.descriptors();
    for _ in 0..20 {
        let data = ftp.passive();
        ftp.expect("RETR missing", "550");
        drop(data);
    }
    // The last one may still be there.
    let given_back = eventually(|| daemon.descriptors() <= before + 1);
    assert!(given_back, "{before}, {}", daemon.descriptors());
}
