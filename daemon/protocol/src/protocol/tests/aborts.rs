//! What a client may say while something is under way, above all ABOR.

use super::rig::{CANCELLED, PORT, Rig, TIMES, WAYS, codes, ready};
use crate::{
    protocol::interface::{
        Action::{Abandon, Cancel, Listen},
        DataFailure, Event,
    },
    request::{Failure, Outcome},
};

#[test]
fn an_abort_ends_a_transfer_and_is_answered_behind_it() {
    for abort in [
        &b"ABOR\r\n"[..],
        b"\xff\xf4\xff\xf2ABOR\r\n",
        b"\xff\xf4\xf2ABOR\r\n",
        b"\xff\xf5\xff\xf2abor\n",
    ] {
        let mut rig = Rig::transferring("RETR a.txt");
        assert_eq!(rig.send_bytes(abort), "");
        rig.expect_after(CANCELLED, &[426, 226]);
        rig.expect("PWD", "257");
        assert_eq!(rig.done(), [Cancel]);
    }
}

#[test]
fn an_abort_behind_other_commands_ends_the_transfer_in_order() {
    let mut rig = Rig::transferring("RETR a.txt");
    assert_eq!(rig.send("PWD\r\nABOR"), "");
    assert_eq!(rig.done(), [Cancel]);
    rig.expect_after(CANCELLED, &[426, 257, 226]);
}

#[test]
fn an_abort_that_comes_too_late_is_no_failure() {
    let mut rig = Rig::transferring("RETR a.txt");
    assert_eq!(rig.send("ABOR"), "");
    rig.expect_after(Event::Ended(Ok(7)), &[226, 226]);
}

#[test]
fn an_abort_before_the_data_connection_does_not_wait_for_it() {
    let mut rig = Rig::announced("RETR a.txt");
    rig.expect_codes("ABOR", &[426, 226]);
    assert_eq!(rig.done(), [Cancel, Abandon]);
    rig.expect("ABOR", "226");
    assert_eq!(rig.done(), []);
}

#[test]
fn an_abort_does_not_wait_for_a_connection_to_the_client() {
    let mut rig = Rig::logged_in();
    rig.data = false;
    rig.expect("PORT 10,0,0,9,4,1", "200");
    assert_eq!(rig.send("RETR a.txt"), "");
    rig.done();
    rig.expect_codes("ABOR", &[426, 226]);
    assert_eq!(rig.done(), [Cancel, Abandon]);
    assert_eq!(rig.event(Event::Connected), "");
    assert_eq!(rig.done(), []);
}

#[test]
fn an_abort_of_the_first_look_leaves_no_transfer() {
    for (way, outcome) in WAYS.into_iter().flat_map(|way| {
        let outcomes = [Ok(ready("a.txt")), Err(Failure::Cancelled.into())];
        outcomes.map(|outcome| (way, outcome))
    }) {
        let mut rig = Rig::logged_in();
        rig.expect(way, "2");
        rig.storage = false;
        rig.done();
        assert_eq!(rig.send("RETR a.txt\r\nABOR"), "");
        assert_eq!(rig.done(), [Cancel], "{way}");
        rig.expect_after(Event::Performed(outcome), &[426, 226]);
        assert_eq!(rig.done(), [Abandon], "{way}");
        rig.expect("RETR a.txt", "425");
    }
}

#[test]
fn an_abort_of_a_first_look_that_does_not_end_leaves_no_data_connection() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    rig.storage = false;
    rig.done();
    assert_eq!(rig.send("RETR a.txt\r\nRETR b.txt\r\nABOR"), "");
    assert_eq!(codes(&rig.pass(TIMES.answer)), [426, 425, 226]);
    assert_eq!(rig.done(), [Cancel, Abandon]);
}

#[test]
fn an_abort_closes_what_is_set_up() {
    let mut rig = Rig::logged_in();
    rig.expect_codes("EPSV\r\nABOR\r\nRETR a.txt", &[229, 226, 425]);
    assert_eq!(rig.done(), [Listen, Abandon]);
    // It waits for the answer.
    rig.data = false;
    for (event, codes, done) in [
        (Event::Listening(PORT), [229, 226], &[Listen, Abandon][..]),
        (
            Event::DataUnavailable(DataFailure::NoPort),
            [425, 226],
            &[Listen, Abandon],
        ),
    ] {
        assert_eq!(rig.send("EPSV\r\nABOR"), "");
        rig.expect_after(event, &codes);
        assert_eq!(rig.done(), done);
    }
}

#[test]
fn an_operation_can_be_aborted() {
    let mut rig = Rig::logged_in();
    rig.storage = false;
    for (lines, outcome, codes) in [
        (
            "HASH a\r\nABOR",
            Err(Failure::Cancelled.into()),
            &[426, 226][..],
        ),
        ("HASH a\r\nABOR", Ok(Outcome::Done), &[451, 226]),
        ("MKD a\r\nABOR", Ok(Outcome::Done), &[257, 226]),
        (
            "HASH a\r\nPWD\r\nABOR",
            Err(Failure::Cancelled.into()),
            &[426, 257, 226],
        ),
    ] {
        assert_eq!(rig.send(lines), "");
        assert_eq!(rig.done(), [Cancel], "{lines}");
        rig.expect_after(Event::Performed(outcome), codes);
    }
}

#[test]
fn status_and_noop_are_answered_in_a_transfer_and_others_wait() {
    let mut rig = Rig::announced("RETR a.txt");
    let reply = rig.expect_codes("STAT", &[211]);
    assert!(reply.contains("waiting for the data connection"), "{reply}");
    rig.event(Event::Began);
    rig.event(Event::Moved(17));
    let reply = rig.expect_codes("stat ", &[211]);
    assert!(reply.contains("17 of 1234 bytes"), "{reply}");
    rig.expect("NOOP", "200");
    assert_eq!(rig.send("STAT /\r\nNOOP\r\nQUIT"), "");
    rig.expect_after(Event::Ended(Ok(1234)), &[226, 212, 200, 221]);
}

#[test]
fn noop_does_not_overtake_the_first_reply() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    rig.storage = false;
    assert_eq!(rig.send("RETR a.txt\r\nNOOP"), "");
    rig.expect_after(Event::Performed(Err(Failure::NotFound.into())), &[550, 200]);
}
