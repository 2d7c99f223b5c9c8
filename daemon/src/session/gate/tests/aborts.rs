//! What a client may say while a transfer is under way.

use super::rig::{Rig, codes, path};
use crate::{
    session::gate::StorageEvent,
    storage::{Failure, Outcome},
};

#[test]
fn an_abort_ends_a_transfer_and_is_answered_behind_it() {
    for abort in [
        &b"ABOR\r\n"[..],
        b"\xff\xf4\xff\xf2ABOR\r\n",
        b"\xff\xf4\xf2ABOR\r\n",
        b"\xff\xf5\xff\xf2abor\n",
    ] {
        let mut rig = Rig::with_engine();
        rig.transfer = None;
        rig.expect("EPSV", "229");
        rig.expect_codes("RETR a.txt", &[150]);
        rig.event(StorageEvent::Began);
        assert_eq!(rig.send_bytes(abort), "");
        assert_eq!(rig.done(), ["Cancel"]);
        assert_eq!(rig.event(StorageEvent::Ended(Err(Failure::Cancelled))), "");
        assert_eq!(codes(rig.engine_says("551 x").as_bytes()), [426, 226]);
        rig.expect("PWD", "257");
    }
}

#[test]
fn an_abort_behind_other_commands_ends_the_transfer_in_order() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    assert_eq!(rig.send("PWD\r\nABOR"), "");
    assert_eq!(rig.done(), ["Cancel"]);
    rig.event(StorageEvent::Ended(Err(Failure::Cancelled)));
    assert_eq!(codes(rig.engine_says("551 x").as_bytes()), [426, 257, 226]);
}

#[test]
fn an_abort_that_comes_too_late_is_no_failure() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    assert_eq!(rig.send("ABOR"), "");
    rig.event(StorageEvent::Ended(Ok(7)));
    assert_eq!(codes(rig.engine_says("226 x").as_bytes()), [226, 226]);
}

#[test]
fn an_abort_before_the_data_connection_does_not_wait_for_it() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.expect_codes("ABOR", &[426, 226]);
    assert_eq!(rig.done(), ["Cancel", "EndEngine"]);
    rig.expect("ABOR", "226");
}

#[test]
fn an_abort_of_the_first_look_leaves_no_transfer() {
    let mut rig = Rig::with_engine();
    rig.storage = false;
    rig.expect("EPSV", "229");
    assert_eq!(rig.send("RETR a.txt\r\nABOR"), "");
    assert_eq!(rig.done(), ["Cancel"]);
    let ready = Ok(Outcome::Ready {
        size: None,
        path: path("a.txt"),
    });
    let reply = rig.event(StorageEvent::Performed(ready));
    assert_eq!(codes(reply.as_bytes()), [426, 226]);
    assert!(!rig.engine_lines.contains(&"RETR /t".into()));
}

#[test]
fn status_and_noop_are_answered_in_a_transfer_and_others_wait() {
    let mut rig = Rig::with_engine();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    let reply = rig.expect_codes("STAT", &[211]);
    assert!(reply.contains("waiting for the data connection"), "{reply}");
    rig.event(StorageEvent::Began);
    rig.event(StorageEvent::Moved(17));
    let reply = rig.expect_codes("stat ", &[211]);
    assert!(reply.contains("17 of 1234 bytes"), "{reply}");
    rig.expect("NOOP", "200");
    assert_eq!(rig.send("STAT /\r\nNOOP\r\nQUIT"), "");
    rig.event(StorageEvent::Ended(Ok(1234)));
    let reply = rig.engine_says("226 x");
    assert_eq!(codes(reply.as_bytes()), [226, 212, 200, 221]);
}

#[test]
fn noop_does_not_overtake_the_first_reply() {
    let mut rig = Rig::with_engine();
    rig.storage = false;
    rig.expect("EPSV", "229");
    assert_eq!(rig.send("RETR a.txt\r\nNOOP"), "");
    let reply = rig.event(StorageEvent::Performed(Err(Failure::NotFound)));
    assert_eq!(codes(reply.as_bytes()), [550, 200]);
}
