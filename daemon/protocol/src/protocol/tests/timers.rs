//! Every deadline, with time made by hand.

use std::time::Duration;

use super::rig::{CANCELLED, Rig, TIMES, codes, settings, tls_settings};
use crate::{
    protocol::{
        Protocol,
        interface::{
            Action::{Abandon, Cancel, Close, LogOut},
            Activity, Ending, Event, TlsPolicy,
        },
    },
    request::Failure,
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
    assert_eq!(rig.done(), []);
    rig.pass(SECOND)
}

/// The session ends with 421 after just this time, and this is done.
#[track_caller]
fn ends(rig: &mut Rig, time: Duration, done: &[crate::Action]) {
    assert_eq!(codes(&just(rig, time)), [421]);
    assert_eq!(rig.done(), done);
}

fn stop(rig: &mut Rig) -> String {
    rig.call(|protocol, now| protocol.stop(SECOND * 10, now))
}

#[test]
fn nobody_stays_without_a_log_in() {
    let mut rig = Rig::new(settings());
    rig.pass(before(before(TIMES.log_in)));
    // Commands do not win time.
    rig.expect("NOOP", "200");
    ends(&mut rig, SECOND * 2, &[Close]);
}

#[test]
fn a_log_in_that_is_not_decided_ends() {
    let mut rig = Rig::new(settings());
    rig.log_in = None;
    rig.expect("USER alice", "331");
    assert_eq!(rig.send("PASS secret"), "");
    rig.done();
    ends(&mut rig, TIMES.log_in, &[LogOut, Close]);
}

#[test]
fn the_time_for_a_log_in_begins_anew_with_rein() {
    let mut rig = Rig::logged_in();
    rig.pass(TIMES.log_in * 2);
    rig.expect("REIN", "220");
    rig.done();
    ends(&mut rig, TIMES.log_in, &[Close]);
}

#[test]
fn an_idle_session_ends() {
    let mut rig = Rig::logged_in();
    rig.pass(before(TIMES.idle));
    rig.expect("NOOP", "200");
    // Bytes that are no command do not count.
    rig.send_bytes(b"NOO");
    ends(&mut rig, TIMES.idle, &[Close]);
}

#[test]
fn a_handshake_has_its_time_and_ends_without_a_word() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("AUTH TLS", "234");
    rig.done();
    assert_eq!(just(&mut rig, TIMES.handshake), "");
    assert_eq!(rig.done(), [Close]);
}

#[test]
fn a_log_in_that_does_not_come_after_the_handshake_ends_the_session() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.pass(SECOND * 50);
    rig.start_tls();
    ends(&mut rig, SECOND * 10, &[Close]);
}

#[test]
fn what_is_not_answered_ends_the_session() {
    for (way, line) in [
        ("NOOP", "EPSV"),
        ("NOOP", "PASV"),
        ("NOOP", "SIZE a.txt"),
        ("EPSV", "RETR a.txt"),
        ("PORT 10,0,0,9,4,1", "RETR a.txt"),
    ] {
        let mut rig = Rig::logged_in();
        rig.expect(way, "2");
        (rig.data, rig.storage) = (false, false);
        assert_eq!(rig.send(line), "");
        rig.done();
        ends(&mut rig, TIMES.answer, &[Close]);
    }
}

#[test]
fn a_digest_has_time_as_long_as_it_proceeds() {
    let mut rig = Rig::logged_in();
    rig.storage = false;
    assert_eq!(rig.send("HASH a.txt"), "");
    for bytes in 1..10 {
        assert_eq!(rig.pass(before(TIMES.stall)), "");
        assert_eq!(rig.event(Event::Moved(bytes)), "");
    }
    assert_eq!(just(&mut rig, TIMES.stall), "");
    assert_eq!(rig.done(), [Cancel]);
    rig.expect_after(Event::Performed(Err(Failure::Cancelled.into())), &[426]);
    rig.expect("NOOP", "200");
}

#[test]
fn an_operation_that_cannot_be_cancelled_is_given_up() {
    let mut rig = Rig::logged_in();
    rig.storage = false;
    assert_eq!(rig.send("HASH a.txt\r\nABOR"), "");
    assert_eq!(rig.done(), [Cancel]);
    assert_eq!(codes(&just(&mut rig, TIMES.answer)), [426, 226]);
    assert_eq!(rig.done(), [Abandon]);
    // Late news of it.
    let late = Event::Performed(Err(Failure::Cancelled.into()));
    assert_eq!(rig.event(late), "");
    rig.storage = true;
    rig.expect("SIZE a.txt", "213");
}

#[test]
fn a_data_connection_that_does_not_come_is_told_and_the_session_goes_on() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    for line in ["RETR a.txt", "STOR a.txt", "MLSD"] {
        rig.announce(line);
        assert_eq!(codes(&just(&mut rig, TIMES.data_connection)), [425]);
        assert_eq!(rig.done(), [Abandon]);
        assert_eq!(rig.event(Event::Began), "");
        rig.expect("PWD", "257 \"/dir\"");
    }
    // The server connects, before the 150.
    rig.data = false;
    rig.expect("PORT 10,0,0,9,4,1", "200");
    assert_eq!(rig.send("RETR a.txt"), "");
    rig.done();
    assert_eq!(codes(&just(&mut rig, TIMES.data_connection)), [425]);
    assert_eq!(rig.done(), [Abandon]);
    rig.data = true;
    rig.transfer = Some(Ok(1));
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
}

#[test]
fn a_data_connection_of_a_client_that_has_left_comes_at_once() {
    let waiting = Rig::announced("STOR a.txt");
    let mut connecting = Rig::logged_in();
    connecting.data = false;
    connecting.expect("PORT 10,0,0,9,4,1", "200");
    connecting.send("STOR a.txt");
    connecting.done();
    for mut rig in [waiting, connecting] {
        assert_eq!(rig.call(Protocol::client_closed), "");
        assert_eq!(codes(&just(&mut rig, SECOND)), [425]);
        assert_eq!(rig.done(), [Abandon, Close]);
    }
}

#[test]
fn a_transfer_that_stalls_is_cancelled() {
    let mut rig = Rig::transferring("STOR a.txt");
    for bytes in 1..10 {
        assert_eq!(rig.pass(before(TIMES.stall)), "");
        rig.event(Event::Moved(bytes));
    }
    // The same number again is no progress.
    rig.pass(before(TIMES.stall));
    rig.event(Event::Moved(9));
    assert_eq!(rig.pass(SECOND), "");
    assert_eq!(rig.done(), [Cancel]);
    let reply = rig.expect_after(CANCELLED, &[426]);
    assert!(reply.contains("100 seconds"), "{reply}");
    rig.expect("NOOP", "200");
}

#[test]
fn a_transfer_whose_client_has_left_moves_or_ends() {
    let mut rig = Rig::transferring("STOR a.txt");
    rig.pass(SECOND * 30);
    rig.call(Protocol::client_closed);
    for bytes in 1..10 {
        assert_eq!(rig.pass(SECOND * 9), "");
        rig.event(Event::Moved(bytes));
    }
    assert_eq!(just(&mut rig, SECOND * 10), "");
    assert_eq!(rig.done(), [Cancel]);
    rig.expect_after(CANCELLED, &[426]);
    assert_eq!(rig.done(), [Close]);
}

#[test]
fn a_transfer_that_cannot_be_cancelled_is_given_up() {
    let mut rig = Rig::transferring("RETR a.txt");
    assert_eq!(rig.send("ABOR"), "");
    assert_eq!(rig.done(), [Cancel]);
    assert_eq!(codes(&just(&mut rig, TIMES.answer)), [426, 226]);
    assert_eq!(rig.done(), [Abandon]);
    assert_eq!(rig.event(CANCELLED), "");
    rig.expect("RETR a.txt", "425");
}

#[test]
fn a_transfer_takes_as_long_as_it_takes() {
    let mut rig = Rig::transferring("RETR a.txt");
    for bytes in 1..100 {
        rig.event(Event::Moved(bytes));
        assert_eq!(rig.pass(before(TIMES.stall)), "");
    }
    rig.expect_after(Event::Ended(Ok(99)), &[226]);
    // The time for a command begins with the reply.
    ends(&mut rig, TIMES.idle, &[Close]);
}

#[test]
fn a_daemon_that_stops_ends_idle_sessions_at_once() {
    let mut rig = Rig::logged_in();
    assert_eq!(codes(&stop(&mut rig)), [421]);
    assert!(rig.closed);
}

#[test]
fn a_daemon_that_stops_lets_a_transfer_end() {
    let mut rig = Rig::transferring("RETR a.txt\r\nPWD");
    assert_eq!(stop(&mut rig), "");
    assert_eq!(rig.pass(SECOND * 9), "");
    rig.expect_after(Event::Ended(Ok(7)), &[226, 421]);
    assert!(rig.closed);
}

#[test]
fn a_daemon_that_stops_does_not_wait_for_ever() {
    let mut rig = Rig::transferring("RETR a.txt");
    assert_eq!(stop(&mut rig), "");
    ends(&mut rig, SECOND * 10, &[Cancel, Close]);
}

#[test]
fn a_timeout_that_comes_early_does_nothing() {
    let mut rig = Rig::logged_in();
    assert_eq!(rig.call(Protocol::timeout), "");
    assert_eq!(rig.protocol.next_deadline(), Some(rig.now + TIMES.idle));
}

#[test]
fn an_administrator_ends_a_session_whatever_it_does() {
    const KILLED: &str = "421 An administrator has ended this session.\r\n";
    let idle = Rig::logged_in();
    let mut checking = Rig::new(settings());
    checking.log_in = None;
    checking.expect("USER alice", "331");
    checking.send("PASS secret");
    let mut performing = Rig::logged_in();
    performing.storage = false;
    performing.send("SIZE f");
    let mut listening = Rig::logged_in();
    listening.data = false;
    listening.send("EPSV");
    let transferring = Rig::announced("RETR f");
    let mut shaking_hands = Rig::new(tls_settings(TlsPolicy::default()));
    shaking_hands.expect("AUTH TLS", "234");
    for (mut rig, activity, reply, done) in [
        (idle, Activity::Idle, KILLED, &[Close][..]),
        (checking, Activity::LogIn, KILLED, &[LogOut, Close]),
        (performing, Activity::Busy, KILLED, &[Cancel, Close]),
        (listening, Activity::Busy, KILLED, &[Close]),
        (transferring, Activity::Transfer, KILLED, &[Cancel, Close]),
        // Nobody would understand a word.
        (shaking_hands, Activity::Handshake, "", &[Close]),
    ] {
        rig.done();
        assert_eq!(rig.protocol.activity(), activity);
        assert_eq!(rig.call(Protocol::kill), reply, "{activity:?}");
        assert_eq!(rig.done(), done, "{activity:?}");
        assert_eq!(rig.call(Protocol::kill), "", "once is enough");
    }
}

#[test]
fn the_end_of_a_session_has_a_cause() {
    let ended = |end: &dyn Fn(&mut Rig)| {
        let mut rig = Rig::logged_in();
        assert_eq!(rig.protocol.ending(), None);
        end(&mut rig);
        assert!(rig.closed);
        rig.protocol.ending().unwrap()
    };
    let quit = |rig: &mut Rig| drop(rig.expect("QUIT", "221"));
    let idle = |rig: &mut Rig| drop(rig.pass(TIMES.idle));
    let left = |rig: &mut Rig| drop(rig.call(Protocol::client_closed));
    let killed = |rig: &mut Rig| drop(rig.call(Protocol::kill));
    let stopped = |rig: &mut Rig| {
        rig.call(|protocol, now| protocol.stop(TIMES.answer, now));
    };
    let storage = |rig: &mut Rig| {
        rig.storage = false;
        rig.send("DELE /file");
        rig.pass(TIMES.answer);
    };
    assert_eq!(ended(&quit), Ending::Quit);
    assert_eq!(ended(&idle), Ending::Idle);
    assert_eq!(ended(&left), Ending::Lost);
    assert_eq!(ended(&killed), Ending::Administrator);
    assert_eq!(ended(&stopped), Ending::Stop);
    assert_eq!(ended(&storage), Ending::Stalled);
}
