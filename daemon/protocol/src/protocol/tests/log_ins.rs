//! USER, PASS, REIN and what comes before.

use super::rig::{Rig, settings};
use crate::{
    fuzzing::first_instant,
    protocol::{
        Protocol,
        interface::{Action, Event},
    },
    request::{Denied, Password},
};

fn log_in(password: &str) -> Action {
    Action::LogIn {
        user: "alice".into(),
        password: Password(password.into()),
    }
}

#[test]
fn a_client_is_greeted() {
    let mut protocol = Protocol::new(settings(), first_instant());
    let greeting = Action::Send(b"220 Test ready.\r\n".to_vec());
    assert_eq!(protocol.poll(), Some(greeting));
    assert_eq!(protocol.poll(), None);
}

#[test]
fn the_accounts_are_asked_when_the_password_has_come() {
    let mut rig = Rig::new(settings());
    rig.expect("USER alice", "331");
    assert_eq!(rig.done(), []);
    rig.expect("PASS secret", "230");
    assert_eq!(rig.done(), [log_in("secret")]);
    assert!(!format!("{:?}", log_in("secret")).contains("secret"));
}

#[test]
fn nothing_is_reachable_before_the_log_in() {
    let mut rig = Rig::new(settings());
    let lines = "CWD / | PWD | RETR a | STOR a | LIST | MLSD | MLST | PASV | EPSV | PORT 1 | \
        EPRT x | SIZE a | DELE a | SITE HELP | STAT | TYPE I | REST 0 | HASH a | STOU | APPE a | \
        ALLO 1 | MKD a | RMD a | RNFR a | RNTO a | MFMT x | MFF x | AVBL | XCRC a | MD5 a | SMNT a | \
        CDUP | RANG 0 1";
    rig.each("530", lines);
    rig.each(
        "200",
        "NOOP | OPTS UTF8 ON | CLNT test | CSID Name=test; | LANG",
    );
    rig.talk("FEAT | HELP | SYST | ABOR", &[211, 214, 215, 226]);
    rig.each("503", "ACCT x | PBSZ 0 | PROT P");
    rig.talk("HOST ftp.example.com | AUTH TLS", &[220, 502]);
    assert_eq!(rig.operations, []);
    assert_eq!(rig.done(), []);
}

#[test]
fn pass_belongs_behind_user() {
    let mut rig = Rig::new(settings());
    rig.talk("PASS secret | USER | USER alice", &[503, 501, 331]);
    rig.talk("HOST ftp.example.com | PASS secret", &[503, 230]);
    rig.talk("PASS secret | ACCT x", &[503, 202]);
}

#[test]
fn refusals_are_counted_and_end_the_session() {
    let mut rig = Rig::new(settings());
    rig.log_in = Some(Err(Denied::Refused));
    for code in [530, 530, 421] {
        rig.talk("USER alice | PASS wrong", &[331, code]);
        if code == 530 {
            rig.expect("PASS wrong", "503");
        }
    }
    let asked = || log_in("wrong");
    assert_eq!(rig.done(), [asked(), asked(), asked(), Action::Close]);
}

#[test]
fn guesses_that_are_pipelined_are_checked_one_by_one() {
    let mut rig = Rig::new(settings());
    rig.log_in = None;
    let guesses = "USER alice\r\nPASS 1\r\nUSER alice\r\nPASS 2\r\n".repeat(5);
    rig.expect_codes(&guesses, &[331]);
    assert_eq!(rig.done(), [log_in("1")]);
    rig.expect_after(Event::LoggedIn(Err(Denied::Refused)), &[530, 331]);
    assert_eq!(rig.done(), [log_in("2")]);
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
    let mut rig = Rig::logged_in();
    rig.expect_codes("CWD /dir\r\nTYPE A\r\nEPSV", &[250, 200, 229]);
    rig.done();
    rig.expect("USER bob", "331");
    assert_eq!(rig.done(), [Action::Abandon, Action::LogOut]);
    rig.talk("PWD | PASS secret | RETR a.txt", &[530, 230, 425]);
    rig.expect("PWD", "257 \"/\"");
}

#[test]
fn rein_logs_out() {
    let mut rig = Rig::logged_in();
    rig.expect_codes("CWD /dir\r\nREIN\r\nPWD\r\nREIN", &[250, 220, 530, 220]);
    assert_eq!(rig.done(), [Action::LogOut]);
    rig.log_in();
    rig.expect("PWD", "257 \"/\"");
}

#[test]
fn options_that_are_set_before_the_log_in_hold() {
    let mut rig = Rig::new(settings());
    rig.expect("OPTS MLST size;", "200");
    rig.log_in();
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
