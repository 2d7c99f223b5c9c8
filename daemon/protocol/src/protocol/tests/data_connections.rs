//! Listeners and connections for data: how they come and go.

use super::rig::{Rig, TIMES, WAYS, events_but, tls_settings};
use crate::{
    protocol::interface::{
        Action::{self, Abandon, BeginTransfer, Cancel, Connect, Listen, LogOut, StartTls},
        DataFailure,
        Event::{self, Connected, DataUnavailable, Ended, Listening, Performed},
        TlsPolicy,
    },
    request::{Failure, Outcome},
};

fn connect() -> Action {
    Connect("10.0.0.9:1025".parse().unwrap())
}

const FAILURES: [(DataFailure, &str); 3] = [
    (DataFailure::NoPort, "425 The server has no free port"),
    (DataFailure::Resources, "425 The server is out of resources"),
    (DataFailure::Unreachable, "425 Your address and port cannot"),
];

#[test]
fn events_of_nothing_do_nothing() {
    let mut rig = Rig::logged_in();
    rig.ignores(events_but(&[]));
    rig.talk("RETR a.txt | NOOP", &[425, 200]);
}

/// Lines, the kinds of events that one waits for behind them, and the answer to the first.
#[test]
fn only_what_was_asked_for_is_taken_for_the_answer() {
    let unavailable = || DataUnavailable(DataFailure::NoPort);
    let listening = [Listening(258), unavailable()];
    let connected = [Connected, unavailable()];
    let looked = [Performed(Err(Failure::NotFound.into()))];
    let extended = "229 Entering Extended Passive Mode (|||258|)\r\n";
    let plain = "227 Entering Passive Mode (10,0,0,1,1,2)\r\n";
    for (before, line, expected, answer) in [
        ("NOOP", "EPSV", &listening[..], extended),
        ("NOOP", "PASV", &listening, plain),
        ("NOOP", "SIZE a", &looked, "550"),
        ("EPSV", "RETR a.txt", &looked, "550"),
        ("PORT 10,0,0,9,4,1", "RETR a.txt", &connected, "150"),
    ] {
        let mut rig = Rig::logged_in();
        rig.expect(before, "2");
        rig.storage = before.starts_with("PORT");
        (rig.data, rig.transfer) = (false, None);
        assert_eq!(rig.send(line), "");
        rig.ignores(events_but(expected));
        let reply = rig.event(expected[0].clone());
        assert!(reply.starts_with(answer), "{before}, {line}: {reply}");
        // Once is enough.
        rig.ignores(events_but(&[Ended(Ok(5))]));
    }
    let mut rig = Rig::transferring("RETR a.txt");
    rig.ignores(events_but(&[Ended(Ok(5))]));
}

#[test]
fn a_listener_that_cannot_be_had_is_told() {
    let mut rig = Rig::logged_in();
    rig.data = false;
    for (failure, reply) in FAILURES {
        for line in ["EPSV", "PASV"] {
            assert_eq!(rig.send(line), "");
            let told = rig.event(DataUnavailable(failure));
            assert!(told.starts_with(reply), "{told}");
            assert_eq!(rig.done(), [Listen, Abandon]);
            rig.expect("RETR a.txt", "425");
        }
    }
    rig.data = true;
    rig.expect("PASV", "227");
}

#[test]
fn a_listener_takes_the_place_of_the_one_before() {
    let mut rig = Rig::logged_in();
    rig.expect_codes("EPSV\r\nPASV", &[229, 227]);
    assert_eq!(rig.done(), [Listen, Listen]);
    // One that cannot be had, too.
    rig.data = false;
    rig.send("EPSV");
    rig.event(DataUnavailable(DataFailure::NoPort));
    rig.expect("RETR a.txt", "425");
    assert_eq!(rig.done(), [Listen, Abandon]);
}

#[test]
fn a_transfer_uses_the_listener_up() {
    let mut rig = Rig::logged_in();
    for line in ["RETR a.txt", "STOR a.txt", "LIST"] {
        rig.talk(&format!("EPSV | {line} | {line}"), &[229, 150, 226, 425]);
        assert_eq!(rig.done(), [Listen, BeginTransfer]);
    }
}

#[test]
fn a_transfer_that_is_refused_closes_what_was_set_up() {
    for way in WAYS {
        for (outcome, code) in [(Err(Failure::NotFound), 550), (Ok(Outcome::Done), 451)] {
            let mut rig = Rig::logged_in();
            rig.expect(way, "2");
            rig.done();
            rig.outcomes.push_back(outcome);
            rig.expect_codes("RETR b.txt\r\nRETR a.txt", &[code, 425]);
            assert_eq!(rig.done(), [Abandon], "{way}");
        }
    }
}

#[test]
fn the_two_modes_take_the_place_of_each_other() {
    let mut rig = Rig::logged_in();
    rig.expect_codes("EPSV\r\nPORT 10,0,0,9,4,1\r\nLIST", &[229, 200, 150, 226]);
    assert_eq!(rig.done(), [Listen, Abandon, connect(), BeginTransfer]);
    rig.expect_codes("PORT 10,0,0,9,4,1\r\nEPSV\r\nLIST", &[200, 229, 150, 226]);
    assert_eq!(rig.done(), [Listen, BeginTransfer]);
    // An address that is refused changes nothing.
    rig.expect_codes("EPSV\r\nPORT 10,0,0,8,4,1\r\nLIST", &[229, 504, 150, 226]);
    assert_eq!(rig.done(), [Listen, BeginTransfer]);
}

#[test]
fn active_mode_connects_before_the_first_reply() {
    let mut rig = Rig::logged_in();
    rig.data = false;
    rig.expect("PORT 10,0,0,9,4,1", "200");
    assert_eq!(rig.send("RETR a.txt\r\nNOOP"), "");
    assert_eq!(rig.done(), [connect()]);
    rig.expect_after(Connected, &[150, 226, 200]);
    assert_eq!(rig.done(), [BeginTransfer]);
}

#[test]
fn a_client_that_cannot_be_reached_is_told() {
    let mut rig = Rig::logged_in();
    rig.data = false;
    for (failure, reply) in FAILURES {
        rig.expect("PORT 10,0,0,9,4,1", "200");
        assert_eq!(rig.send("RETR a.txt"), "");
        let told = rig.event(DataUnavailable(failure));
        assert!(told.starts_with(reply), "{told}");
        assert_eq!(rig.done(), [connect(), Abandon]);
        rig.ignores(events_but(&[]));
        rig.expect("RETR a.txt", "425");
    }
}

/// What is behind the way, the code, and what is done.
#[test]
fn what_ends_a_log_in_or_a_protection_drops_what_was_set_up() {
    for (line, code, done) in [
        ("REIN", "220", &[Abandon, LogOut][..]),
        ("USER bob", "331", &[Abandon, LogOut]),
        ("AUTH TLS", "234", &[Abandon, LogOut, StartTls]),
        ("ABOR", "226", &[Abandon]),
    ] {
        for way in WAYS {
            let mut rig = Rig::logged_in_with(tls_settings(TlsPolicy::default()));
            rig.expect(way, "2");
            rig.done();
            rig.expect(line, code);
            assert_eq!(rig.done(), done, "{way}, {line}");
            if line == "AUTH TLS" {
                rig.event(Event::TlsEstablished);
            }
            if line != "ABOR" {
                rig.log_in();
            }
            rig.expect("RETR a.txt", "425");
        }
    }
}

#[test]
fn late_events_of_a_transfer_that_was_given_up_do_nothing() {
    let mut rig = Rig::announced("RETR a.txt");
    rig.expect_codes("ABOR", &[426, 226]);
    assert_eq!(rig.done(), [Cancel, Abandon]);
    rig.ignores(events_but(&[]));
    rig.announce("RETR b.txt");
    rig.expect_after(Ended(Ok(5)), &[226]);
    rig.ignores(events_but(&[]));
}

#[test]
fn an_operation_that_is_given_up_takes_the_listener_with_it() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    rig.storage = false;
    assert_eq!(rig.send("HASH a.txt"), "");
    rig.done();
    let reply = rig.pass(TIMES.stall + TIMES.answer);
    assert!(reply.starts_with("426"), "{reply}");
    assert_eq!(rig.done(), [Cancel, Abandon]);
    rig.expect("RETR a.txt", "425");
}
