//! USER, PASS, REIN and what comes before.

use super::rig::{Rig, settings};
use crate::session::gate::{Access, Denied, TlsPolicy};

#[test]
fn a_client_is_greeted() {
    let mut gate = crate::session::gate::Gate::new(settings(), std::time::Instant::now());
    let greeting = gate.poll().map(|action| format!("{action:?}"));
    let expected = crate::session::gate::Action::ToClient(b"220 Test ready.\r\n".to_vec());
    assert_eq!(greeting, Some(format!("{expected:?}")));
    assert!(gate.poll().is_none());
}

#[test]
fn the_first_data_connection_starts_an_engine_that_hears_no_name() {
    let mut rig = Rig::new(settings());
    rig.expect("USER alice", "331");
    assert_eq!(rig.done(), [""; 0]);
    rig.expect("PASS secret", "230");
    let log_in = r#"LogIn { user: "alice", password: Password(..) }"#;
    assert_eq!(rig.done(), [log_in]);
    assert!(rig.engine_lines.is_empty());
    rig.expect("EPSV", "229");
    assert_eq!(rig.done(), ["StartEngine"]);
    assert_eq!(rig.engine_lines, ["USER u", "PASS x", "EPSV"]);
}

#[test]
fn nothing_is_reachable_before_the_log_in() {
    let mut rig = Rig::new(settings());
    for line in [
        "CWD /",
        "PWD",
        "RETR a",
        "STOR a",
        "LIST",
        "MLSD",
        "MLST",
        "PASV",
        "EPSV",
        "PORT 1",
        "EPRT x",
        "SIZE a",
        "DELE a",
        "SITE HELP",
        "STAT",
        "TYPE I",
        "REST 0",
        "HASH a",
        "STOU",
        "APPE a",
        "ALLO 1",
        "MKD a",
        "RMD a",
        "RNFR a",
        "RNTO a",
        "MFMT x",
        "MFF x",
        "AVBL",
        "XCRC a",
        "MD5 a",
        "SMNT a",
        "CDUP",
        "RANG 0 1",
    ] {
        rig.expect(line, "530");
    }
    assert!(rig.operations.is_empty() && rig.engine_lines.is_empty());
    for (line, code) in [
        ("NOOP", "200"),
        ("FEAT", "211"),
        ("HELP", "214"),
        ("SYST", "215"),
        ("OPTS UTF8 ON", "200"),
        ("CLNT test", "200"),
        ("CSID Name=test;", "200"),
        ("LANG", "200"),
        ("ABOR", "226"),
        ("ACCT x", "503"),
        ("HOST ftp.example.com", "220"),
        ("PBSZ 0", "503"),
        ("PROT P", "503"),
        ("AUTH TLS", "502"),
    ] {
        rig.expect(line, code);
    }
}

#[test]
fn pass_belongs_behind_user() {
    let mut rig = Rig::new(settings());
    rig.expect("PASS secret", "503");
    rig.expect("USER", "501");
    rig.expect("USER alice", "331");
    rig.expect("HOST ftp.example.com", "503");
    rig.expect("PASS secret", "230");
    rig.expect("PASS secret", "503");
    rig.expect("ACCT x", "202");
}

#[test]
fn refusals_are_counted_and_end_the_session() {
    let mut rig = Rig::new(settings());
    rig.log_in = Some(Err(Denied::Refused));
    for _ in 0..2 {
        rig.expect("USER alice", "331");
        rig.expect("PASS wrong", "530");
        rig.expect("PASS wrong", "503");
    }
    rig.expect("USER alice", "331");
    rig.expect("PASS wrong", "421");
    assert!(rig.closed);
    assert!(rig.engine_lines.is_empty());
}

#[test]
fn guesses_that_are_pipelined_are_checked_one_by_one() {
    let mut rig = Rig::new(settings());
    rig.log_in = None;
    let guesses = "USER a\r\nPASS 1\r\nUSER a\r\nPASS 2\r\n".repeat(5);
    assert_eq!(rig.send(&guesses), "331 Send the password with PASS.\r\n");
    assert_eq!(rig.done().len(), 1);
    rig.gate.logged_in(Err(Denied::Refused), rig.now);
    rig.run();
    assert_eq!(rig.done().len(), 1);
}

#[test]
fn reasons_that_help_are_told() {
    let mut rig = Rig::new(settings());
    rig.log_in = Some(Err(Denied::TlsRequired));
    rig.expect("USER alice", "331");
    let reply = rig.expect("PASS secret", "530");
    assert!(reply.contains("AUTH TLS"), "{reply}");
    rig.log_in = Some(Err(Denied::Unavailable));
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "421");
}

#[test]
fn another_user_begins_anew() {
    let mut rig = Rig::with_engine();
    rig.expect("CWD /dir", "250");
    rig.expect("TYPE A", "200");
    rig.expect("EPSV", "229");
    rig.expect("USER bob", "331");
    assert_eq!(rig.done(), ["LogOut", "EndEngine"]);
    rig.expect("PWD", "530");
    rig.expect("PASS secret", "230");
    let reply = rig.expect("PWD", "257");
    assert!(reply.contains("\"/\""), "{reply}");
    rig.expect("RETR a.txt", "425");
}

#[test]
fn rein_logs_out() {
    let mut rig = Rig::logged_in();
    rig.expect("REIN", "220");
    assert_eq!(rig.done(), ["LogOut", "EndEngine"]);
    rig.expect("PWD", "530");
    rig.expect("REIN", "220");
    assert_eq!(rig.done(), [""; 0]);
}

#[test]
fn options_that_are_set_before_the_log_in_hold() {
    let mut rig = Rig::new(settings());
    rig.expect("OPTS MLST size;", "200");
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "230");
    let reply = rig.expect("MLST a.txt", "250");
    assert!(reply.contains("\r\n size=1234; /a.txt\r\n"), "{reply}");
}

#[test]
fn quit_says_goodbye() {
    let mut rig = Rig::new(settings());
    rig.expect("QUIT", "221");
    assert!(rig.closed);
    assert_eq!(rig.send("NOOP"), "");
}

#[test]
fn a_user_name_that_is_no_text_is_refused() {
    let mut rig = Rig::new(settings());
    let reply = rig.send_bytes(b"USER caf\xe9\r\n");
    assert!(reply.starts_with("501"), "{reply}");
}

#[test]
fn log_ins_may_need_tls() {
    let mut rig = Rig::new(super::rig::tls_settings(TlsPolicy {
        control_required: true,
        ..TlsPolicy::default()
    }));
    rig.expect("USER alice", "530");
    rig.expect("PASS secret", "503");
    rig.log_in = Some(Ok(Access::default()));
    assert_eq!(rig.done(), [""; 0]);
}
