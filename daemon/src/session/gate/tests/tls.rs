//! TLS on the control connection, and what it is for.

use super::rig::{Rig, settings, shake_hands, tls_settings};
use crate::session::gate::{Access, Settings, TlsEvent, TlsPolicy};

/// After a handshake and a log-in.
fn protected(policy: TlsPolicy) -> Rig {
    let mut rig = Rig::new(tls_settings(policy));
    rig.expect("AUTH TLS", "234");
    shake_hands(&mut rig);
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "230");
    rig.done();
    rig
}

#[test]
fn auth_has_three_names_for_one_thing() {
    for name in ["TLS", "tls-c", "SSL"] {
        let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
        rig.expect(&format!("AUTH {name}"), "234");
        shake_hands(&mut rig);
        rig.expect("AUTH TLS", "503");
    }
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("AUTH GSSAPI", "504");
    rig.expect("AUTH", "501");
    rig.expect("NOOP", "200");
}

#[test]
fn what_is_sent_in_the_clear_behind_auth_is_discarded() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect_codes("AUTH TLS\r\nUSER mallory\r\nPASS x\r\nUS", &[234]);
    assert!(!rig.gate.wants_input());
    assert_eq!(rig.send("NOOP"), "");
    shake_hands(&mut rig);
    assert_eq!(rig.received(), "");
    rig.expect("PASS x", "503");
    rig.expect("USER alice", "331");
}

#[test]
fn auth_ends_the_log_in_and_what_was_set_up() {
    let mut rig = Rig::logged_in_with(tls_settings(TlsPolicy::default()));
    rig.expect("CWD dir", "250");
    rig.expect("AUTH TLS", "234");
    assert_eq!(rig.done(), ["LogOut", "EndEngine", "StartTls"]);
    rig.gate.tls(TlsEvent::Established, rig.now);
    rig.run();
    rig.expect("PWD", "530");
    rig.expect("PROT P", "503");
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "230");
    rig.expect("PWD", "257 \"/\"");
}

#[test]
fn a_handshake_that_fails_ends_the_session() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("AUTH TLS", "234");
    rig.gate.tls(TlsEvent::Failed, rig.now);
    rig.run();
    assert!(rig.closed && rig.received().is_empty());
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("AUTH TLS", "234");
    rig.gate.client_closed(rig.now);
    rig.run();
    assert!(rig.closed);
}

#[test]
fn protection_is_chosen_in_order() {
    let mut rig = Rig::logged_in_with(tls_settings(TlsPolicy::default()));
    rig.expect("PBSZ 0", "503");
    rig.expect("PROT P", "503");
    rig.expect("CCC", "533");
    let mut rig = protected(TlsPolicy::default());
    rig.expect("PROT P", "503");
    rig.expect("PBSZ x", "501");
    rig.expect("PBSZ 1024", "200 PBSZ=0");
    rig.expect("PBSZ 0", "200 PBSZ=0\r\n");
    rig.expect("PROT S", "536");
    rig.expect("PROT E", "536");
    rig.expect("PROT X", "504");
    rig.expect("PROT", "501");
    assert_eq!(rig.done(), [""; 0]);
    rig.expect("PROT P", "200");
    rig.expect("PROT p", "200");
    assert_eq!(rig.done(), ["Protect(true)"]);
    rig.expect("PROT C", "200");
    assert_eq!(rig.done(), ["Protect(false)"]);
}

#[test]
fn a_change_of_protection_drops_the_data_set_up() {
    let mut rig = protected(TlsPolicy::default());
    rig.expect("PBSZ 0", "200");
    rig.expect("EPSV", "229");
    rig.expect("PROT P", "200");
    rig.expect("RETR a.txt", "425");
    rig.expect("PORT 10,0,0,9,4,1", "200");
    rig.expect("PROT C", "200");
    rig.expect("RETR a.txt", "425");
}

#[test]
fn data_may_need_tls_on_every_way() {
    let ways = [
        "PASV",
        "EPSV",
        "PORT 10,0,0,9,4,1",
        "EPRT |1|10.0.0.9|1025|",
    ];
    for account in [false, true] {
        let mut rig = Rig::new(tls_settings(TlsPolicy {
            data_required: !account,
            ..TlsPolicy::default()
        }));
        rig.log_in = Some(Ok(Access {
            data_tls_required: account,
        }));
        rig.expect("AUTH TLS", "234");
        shake_hands(&mut rig);
        rig.expect("USER alice", "331");
        rig.expect("PASS secret", "230");
        for way in ways {
            rig.expect(way, "521");
        }
        rig.expect("LIST", "521");
        rig.expect("PBSZ 0", "200");
        rig.expect("PROT C", "534");
        rig.expect("PROT P", "200");
        for way in ways {
            rig.expect(way, "2");
            rig.expect_codes("RETR a.txt", &[150, 226]);
        }
    }
}

#[test]
fn a_log_in_in_the_clear_may_be_refused_and_then_succeeds_over_tls() {
    let mut rig = Rig::new(tls_settings(TlsPolicy {
        control_required: true,
        ..TlsPolicy::default()
    }));
    let reply = rig.expect("USER alice", "530");
    assert!(reply.contains("AUTH TLS"), "{reply}");
    rig.expect("AUTH TLS", "234");
    shake_hands(&mut rig);
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "230");
}

#[test]
fn implicit_tls_protects_data_without_being_told() {
    let mut rig = Rig::new(Settings {
        implicit_tls: true,
        ..tls_settings(TlsPolicy {
            control_required: true,
            data_required: true,
        })
    });
    assert_eq!(rig.done(), ["Protect(true)"]);
    rig.expect("AUTH TLS", "503");
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "230");
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    rig.expect("PROT P", "200");
    rig.expect("PROT C", "534");
    rig.expect("REIN", "220");
    assert!(!rig.done().contains(&"Protect(false)".into()));
}

#[test]
fn clear_text_does_not_come_back() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.expect("CCC", "533");
    let mut rig = protected(TlsPolicy::default());
    rig.expect("CCC", "534");
    let features = rig.send("FEAT");
    assert!(features.contains("\r\n PROT\r\n"), "{features}");
    assert!(!features.contains("CCC") && !features.contains("AUTH"));
}

#[test]
fn without_a_certificate_there_is_no_tls() {
    let mut rig = Rig::new(settings());
    rig.expect("AUTH TLS", "502");
    rig.expect("CCC", "533");
}

#[test]
fn rein_ends_the_protection_of_data_but_not_tls() {
    let mut rig = protected(TlsPolicy::default());
    rig.expect("PBSZ 0", "200");
    rig.expect("PROT P", "200");
    rig.done();
    rig.expect("REIN", "220");
    assert_eq!(rig.done(), ["LogOut", "EndEngine", "Protect(false)"]);
    rig.expect("PROT P", "503");
    rig.expect("AUTH TLS", "503");
}
