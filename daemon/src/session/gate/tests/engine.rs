//! What the engine does wrong ends the session, not the daemon.

use super::rig::{Rig, codes};
use crate::{session::gate::StorageEvent, storage::Failure};

#[test]
fn the_storage_is_asked_without_the_engine() {
    let mut rig = Rig::logged_in();
    rig.storage = false;
    assert_eq!(rig.send("MKD dir"), "");
    let outcome = Err(Failure::NoSpace);
    assert_eq!(
        rig.event(StorageEvent::Performed(outcome)),
        "452 \"/dir\": no space left on the datastore.\r\n"
    );
    assert!(rig.engine_lines.is_empty());
}

#[test]
fn an_engine_that_closes_ends_the_session() {
    let mut rig = Rig::logged_in();
    rig.gate.engine_closed(rig.now);
    rig.run();
    assert_eq!(codes(rig.received().as_bytes()), [421]);
    assert!(rig.closed);
}

#[test]
fn an_engine_that_talks_nonsense_ends_the_session() {
    for nonsense in ["hello", "200 Unasked", "999"] {
        let mut rig = Rig::logged_in();
        let reply = rig.engine_says(nonsense);
        assert!(reply.starts_with("421"), "{nonsense}: {reply}");
        assert!(rig.closed);
    }
}

#[test]
fn an_engine_that_floods_ends_the_session() {
    let mut rig = Rig::logged_in();
    rig.gate.from_engine(&[b'2'; 5000], rig.now);
    rig.run();
    assert!(rig.closed);
}

#[test]
fn events_of_nothing_do_nothing() {
    let mut rig = Rig::logged_in();
    for event in [
        StorageEvent::Began,
        StorageEvent::Moved(5),
        StorageEvent::Ended(Ok(5)),
        StorageEvent::Performed(Err(Failure::Internal)),
    ] {
        assert_eq!(rig.event(event), "");
    }
    rig.expect("NOOP", "200");
}

#[test]
fn an_engine_that_cannot_listen_is_replaced() {
    let mut rig = Rig::with_engine();
    rig.engine = false;
    assert_eq!(rig.send("EPSV"), "");
    assert!(rig.engine_says("425 No").starts_with("425"));
    assert_eq!(rig.done(), ["EndEngine"]);
    for words in [&[][..], &["220 x", "331 x", "230 x"]] {
        assert_eq!(rig.send("PASV"), "");
        for word in words {
            assert_eq!(rig.engine_says(word), "");
        }
        rig.gate.engine_closed(rig.now);
        rig.run();
        assert!(rig.received().starts_with("425"));
        assert_eq!(rig.done(), ["StartEngine", "EndEngine"]);
    }
    rig.engine = true;
    rig.expect("PASV", "227");
}

#[test]
fn a_port_that_was_not_used_is_not_kept() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    assert_eq!(rig.done(), ["StartEngine"]);
    rig.expect("PASV", "227");
    assert_eq!(rig.done(), ["EndEngine", "StartEngine"]);
    rig.expect_codes("RETR a.txt", &[150, 226]);
    rig.expect("PASV", "227");
    assert_eq!(rig.done(), [""; 0]);
    // A transfer that is refused leaves the port open.
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("RETR b.txt", "550");
    rig.expect("PASV", "227");
    assert_eq!(rig.done(), ["EndEngine", "StartEngine"]);
}
