//! Every deadline, with time made by hand.

use std::time::Duration;

use super::rig::{Rig, TIMES, codes, settings, shake_hands, tls_settings};
use crate::{
    session::gate::{Activity, StorageEvent, TlsPolicy},
    storage::{Failure, Outcome},
};

const SECOND: Duration = Duration::from_secs(1);

fn before(time: Duration) -> Duration {
    time.saturating_sub(SECOND)
}

/// Passes the time but for a second, and then the second.
#[track_caller]
fn just(rig: &mut Rig, time: Duration) -> String {
    assert_eq!(rig.pass(before(time)), "");
    assert!(!rig.closed);
    rig.pass(SECOND)
}

#[test]
fn nobody_stays_without_a_log_in() {
    let mut rig = Rig::new(settings());
    rig.pass(before(before(TIMES.log_in)));
    // Commands do not win time.
    rig.expect("NOOP", "200");
    assert!(just(&mut rig, SECOND * 2).starts_with("421"));
    assert!(rig.closed);
}

#[test]
fn a_log_in_that_is_not_decided_ends() {
    let mut rig = Rig::new(settings());
    rig.log_in = None;
    rig.expect("USER alice", "331");
    assert_eq!(rig.send("PASS secret"), "");
    assert!(just(&mut rig, TIMES.log_in).starts_with("421"));
    assert_eq!(rig.done()[1..], ["LogOut", "Close"]);
}

#[test]
fn the_time_for_a_log_in_begins_anew_with_rein() {
    let mut rig = Rig::with_engine();
    rig.pass(TIMES.log_in * 2);
    rig.expect("REIN", "220");
    assert!(just(&mut rig, TIMES.log_in).starts_with("421"));
}

#[test]
fn an_idle_session_ends() {
    let mut rig = Rig::with_engine();
    rig.pass(before(TIMES.idle));
    rig.expect("NOOP", "200");
    // Bytes that are no command do not count.
    rig.send_bytes(b"NOO");
    assert!(just(&mut rig, TIMES.idle).starts_with("421"));
    assert!(rig.closed);
}

#[test]
fn a_handshake_has_its_time_and_ends_without_a_word() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("AUTH TLS", "234");
    assert_eq!(just(&mut rig, TIMES.handshake), "");
    assert!(rig.closed);
}

#[test]
fn a_log_in_that_does_not_come_after_the_handshake_ends_the_session() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.pass(SECOND * 50);
    rig.expect("AUTH TLS", "234");
    shake_hands(&mut rig);
    assert!(just(&mut rig, SECOND * 10).starts_with("421"));
}

#[test]
fn an_engine_that_does_not_start_ends_the_session() {
    let mut rig = Rig::logged_in();
    rig.engine = false;
    assert_eq!(rig.send("EPSV"), "");
    assert!(just(&mut rig, TIMES.engine).starts_with("421"));
}

#[test]
fn an_engine_that_does_not_listen_ends_the_session() {
    let mut rig = Rig::with_engine();
    rig.engine = false;
    assert_eq!(rig.send("EPSV"), "");
    assert!(just(&mut rig, TIMES.engine).starts_with("421"));
}

#[test]
fn a_storage_that_does_not_answer_ends_the_session() {
    let mut rig = Rig::with_engine();
    rig.storage = false;
    assert_eq!(rig.send("SIZE a.txt"), "");
    assert!(just(&mut rig, TIMES.engine).starts_with("421"));
}

#[test]
fn a_digest_has_time_as_long_as_it_proceeds() {
    let mut rig = Rig::with_engine();
    rig.storage = false;
    assert_eq!(rig.send("HASH a.txt"), "");
    for bytes in 1..10 {
        assert_eq!(rig.pass(before(TIMES.stall)), "");
        assert_eq!(rig.event(StorageEvent::Moved(bytes)), "");
    }
    assert_eq!(just(&mut rig, TIMES.stall), "");
    assert_eq!(rig.done(), ["Cancel"]);
    let reply = rig.event(StorageEvent::Performed(Err(Failure::Cancelled)));
    assert!(reply.starts_with("426"), "{reply}");
    rig.expect("NOOP", "200");
}

#[test]
fn an_operation_that_cannot_be_cancelled_is_left_behind() {
    let mut rig = Rig::with_engine();
    rig.storage = false;
    rig.send("HASH a.txt");
    assert_eq!(rig.send("ABOR"), "");
    let reply = just(&mut rig, TIMES.engine);
    assert_eq!(codes(reply.as_bytes()), [426, 226]);
    assert_eq!(rig.done(), ["Cancel"]);
    // Late news of it.
    assert_eq!(
        rig.event(StorageEvent::Performed(Err(Failure::Cancelled))),
        ""
    );
    rig.storage = true;
    rig.expect("SIZE a.txt", "213");
}

#[test]
fn a_data_connection_that_does_not_come_is_told_and_the_session_goes_on() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("CWD dir", "250");
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    let reply = just(&mut rig, TIMES.data_connection);
    assert_eq!(codes(reply.as_bytes()), [425]);
    assert_eq!(rig.done(), ["EndEngine"]);
    rig.transfer = Some(Ok(1));
    let reply = rig.expect("PWD", "257");
    assert!(reply.contains("\"/dir\""));
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
}

#[test]
fn a_connection_to_the_client_has_its_time() {
    let mut rig = Rig::with_engine();
    rig.expect("PORT 10,0,0,9,4,1", "200");
    rig.outcomes.push_back(Ok(Outcome::Ready {
        size: None,
        path: super::rig::path("a.txt"),
    }));
    rig.engine = false;
    assert_eq!(rig.send("RETR a.txt"), "");
    assert_eq!(rig.engine_lines.last().unwrap(), "PORT 10,0,0,9,4,1");
    rig.engine = true;
    assert_eq!(
        codes(just(&mut rig, TIMES.data_connection).as_bytes()),
        [425]
    );
}

#[test]
fn a_transfer_that_stalls_is_cancelled() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("STOR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    for bytes in 1..10 {
        assert_eq!(rig.pass(before(TIMES.stall)), "");
        rig.event(StorageEvent::Moved(bytes));
    }
    // The same number again is no progress.
    rig.pass(before(TIMES.stall));
    rig.event(StorageEvent::Moved(9));
    assert_eq!(rig.pass(SECOND), "");
    assert_eq!(rig.done(), ["Cancel"]);
    assert_eq!(rig.event(StorageEvent::Ended(Err(Failure::Cancelled))), "");
    let reply = rig.engine_says("551 x");
    assert!(
        reply.starts_with("426") && reply.contains("100 seconds"),
        "{reply}"
    );
    rig.expect("NOOP", "200");
}

#[test]
fn a_transfer_whose_client_has_left_moves_or_ends() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("STOR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    rig.pass(SECOND * 30);
    rig.gate.client_closed(rig.now);
    rig.run();
    for bytes in 1..10 {
        assert_eq!(rig.pass(SECOND * 9), "");
        rig.event(StorageEvent::Moved(bytes));
    }
    assert!(rig.done().is_empty());
    rig.pass(SECOND * 10);
    assert_eq!(rig.done(), ["Cancel"]);
    rig.event(StorageEvent::Ended(Err(Failure::Cancelled)));
    assert!(rig.engine_says("551 x").starts_with("426"));
    assert!(rig.closed);
}

#[test]
fn a_transfer_that_cannot_be_cancelled_is_left_behind() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    assert_eq!(rig.send("ABOR"), "");
    let reply = just(&mut rig, TIMES.engine);
    assert_eq!(codes(reply.as_bytes()), [426, 226]);
    assert_eq!(rig.done(), ["Cancel", "EndEngine"]);
}

#[test]
fn an_engine_without_a_last_word_is_replaced() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    assert_eq!(rig.event(StorageEvent::Ended(Ok(7))), "");
    assert_eq!(codes(just(&mut rig, TIMES.engine).as_bytes()), [226]);
    rig.expect("NOOP", "200");
    assert_eq!(rig.done(), ["EndEngine"]);
}

#[test]
fn a_transfer_takes_as_long_as_it_takes() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    for bytes in 1..100 {
        rig.event(StorageEvent::Moved(bytes));
        assert_eq!(rig.pass(before(TIMES.stall)), "");
    }
    rig.event(StorageEvent::Ended(Ok(99)));
    assert!(rig.engine_says("226 x").starts_with("226"));
    // The time for a command begins with the reply.
    assert!(just(&mut rig, TIMES.idle).starts_with("421"));
}

#[test]
fn a_daemon_that_stops_ends_idle_sessions_at_once() {
    let mut rig = Rig::with_engine();
    rig.gate.stop(SECOND * 10, rig.now);
    rig.run();
    assert!(rig.received().starts_with("421"));
    assert!(rig.closed);
}

#[test]
fn a_daemon_that_stops_lets_a_transfer_end() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt\r\nPWD", &[150]);
    rig.event(StorageEvent::Began);
    rig.gate.stop(SECOND * 10, rig.now);
    rig.run();
    assert_eq!(rig.pass(SECOND * 9), "");
    rig.event(StorageEvent::Ended(Ok(7)));
    assert_eq!(codes(rig.engine_says("226 x").as_bytes()), [226, 421]);
    assert!(rig.closed);
}

#[test]
fn a_daemon_that_stops_does_not_wait_for_ever() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    rig.gate.stop(SECOND * 10, rig.now);
    assert!(just(&mut rig, SECOND * 10).starts_with("421"));
    assert_eq!(rig.done(), ["Cancel", "Close"]);
}

#[test]
fn a_timeout_that_comes_early_does_nothing() {
    let mut rig = Rig::with_engine();
    rig.gate.timeout(rig.now);
    rig.run();
    assert_eq!(rig.received(), "");
    assert_eq!(rig.gate.next_deadline(), Some(rig.now + TIMES.idle));
}

#[test]
fn an_administrator_ends_a_session_whatever_it_does() {
    const KILLED: &str = "421 An administrator has ended this session.\r\n";
    let idle = Rig::with_engine();
    let mut checking = Rig::new(settings());
    checking.log_in = None;
    checking.expect("USER alice", "331");
    checking.send("PASS secret");
    checking.done();
    let mut performing = Rig::with_engine();
    performing.storage = false;
    performing.send("SIZE f");
    let mut transferring = Rig::with_engine();
    transferring.transfer = None;
    transferring.expect("EPSV", "229");
    transferring.expect("RETR f", "150");
    transferring.done();
    for (mut rig, activity, done) in [
        (idle, Activity::Idle, &["Close"][..]),
        (checking, Activity::LogIn, &["LogOut", "Close"]),
        (performing, Activity::Busy, &["Cancel", "Close"]),
        (transferring, Activity::Transfer, &["Cancel", "Close"]),
    ] {
        assert_eq!(rig.gate.activity(), activity);
        rig.gate.kill(rig.now);
        rig.run();
        assert_eq!(rig.received(), KILLED, "{activity:?}");
        assert_eq!(rig.done(), done, "{activity:?}");
        rig.gate.kill(rig.now);
        rig.run();
        assert_eq!(rig.received(), "", "once is enough");
    }
}

#[test]
fn an_administrator_ends_a_handshake_without_a_word() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("AUTH TLS", "234");
    assert_eq!(rig.gate.activity(), Activity::Handshake);
    rig.gate.kill(rig.now);
    rig.run();
    assert_eq!(rig.received(), "");
    assert_eq!(rig.done(), ["StartTls", "Close"]);
}
