//! What is no command, and what comes around commands.

use super::rig::{Rig, settings};
use crate::protocol::{Protocol, interface::Action};

#[test]
fn unknown_commands_do_not_end_the_session() {
    let mut rig = Rig::logged_in();
    for line in ["XYZZY", "", " PWD", "PWD\tx", "1234", "é"] {
        rig.expect(line, "500");
    }
    rig.expect("PWD", "257");
}

#[test]
fn a_line_that_is_too_long_is_refused_once_and_then_the_client() {
    let mut rig = Rig::logged_in();
    let line = format!("CWD {}", "a".repeat(5000));
    rig.expect(&line, "500");
    rig.expect("PWD", "257");
    rig.expect(&line, "421");
    assert!(rig.closed);
}

#[test]
fn an_endless_line_ends_the_session_and_takes_no_memory() {
    let mut rig = Rig::new(settings());
    let mut output = String::new();
    for _ in 0..32 {
        output += &rig.send_bytes(&[b'a'; 4096]);
        assert!(rig.protocol.wants_input() || rig.closed);
    }
    assert!(
        output.starts_with("500") && output.contains("421"),
        "{output}"
    );
    assert!(rig.closed);
}

#[test]
fn forbidden_characters_are_refused() {
    let mut rig = Rig::logged_in();
    for bytes in [&b"NOOP\0\r\n"[..], b"RETR a\rb\r\n", b"CWD a\0b\r\n"] {
        let reply = rig.send_bytes(bytes);
        assert!(reply.starts_with("501"), "{reply}");
    }
    assert!(rig.operations.is_empty());
}

#[test]
fn telnet_is_answered_and_removed() {
    let mut rig = Rig::logged_in();
    rig.protocol.from_client(b"\xff\xfd\x06NOOP\r\n", rig.now);
    let refusal = rig.protocol.poll();
    assert_eq!(refusal, Some(Action::Send(vec![255, 252, 6])));
    rig.run();
    assert_eq!(rig.received(), "200 OK.\r\n");
}

#[test]
fn ten_thousand_commands_are_answered_in_order_with_little_memory() {
    let mut rig = Rig::logged_in();
    let mut wanted = (0..10_000).map(|number| format!("XYZZY\r\nCWD /d{number}\r\nPWD\r\n"));
    let mut expected = 0;
    let mut output = String::new();
    loop {
        while rig.protocol.wants_input()
            && let Some(lines) = wanted.next()
        {
            rig.protocol.from_client(lines.as_bytes(), rig.now);
        }
        rig.run();
        output += &rig.received();
        if wanted.len() == 0 {
            break;
        }
    }
    for line in output.lines().filter(|line| line.starts_with("257")) {
        assert!(line.contains(&format!("\"/d{expected}\"")), "{line}");
        expected += 1;
    }
    assert_eq!(expected, 10_000);
}

#[test]
fn input_that_waits_is_bounded() {
    let mut rig = Rig::logged_in();
    rig.storage = false;
    rig.send("SIZE a.txt");
    let mut fed = 0;
    while rig.protocol.wants_input() {
        rig.protocol.from_client(b"NOOP\r\n", rig.now);
        rig.run();
        fed += 6;
        assert!(fed < 32 * 1024);
    }
}

#[test]
fn a_client_that_has_sent_everything_is_served_to_the_end() {
    let mut rig = Rig::new(settings());
    let lines = b"USER alice\r\nPASS secret\r\nMKD dir\r\n";
    rig.protocol.from_client(lines, rig.now);
    let replies = rig.call(Protocol::client_closed);
    assert!(replies.ends_with("257 \"/dir\" was made.\r\n"));
    assert!(rig.closed);
}

#[test]
fn a_line_without_an_end_is_no_command() {
    let mut rig = Rig::logged_in();
    rig.protocol.from_client(b"DELE a.txt", rig.now);
    assert_eq!(rig.call(Protocol::client_closed), "");
    assert!(rig.closed && rig.operations.is_empty());
}
