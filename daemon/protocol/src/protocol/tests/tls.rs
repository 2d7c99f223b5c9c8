//! TLS on the control connection, and what it is for.

use super::rig::{Rig, WAYS, settings, tls_settings};
use crate::{
    protocol::{
        Protocol,
        interface::{
            Action::{Abandon, Close, LogOut, Protect, StartTls},
            Event, Settings, TlsPolicy,
        },
    },
    request::Access,
};

/// Before the log-in, with a certificate.
fn clear() -> Rig {
    Rig::new(tls_settings(TlsPolicy::default()))
}

/// After a handshake and a log-in.
fn protected() -> Rig {
    let mut rig = clear();
    rig.start_tls();
    rig.log_in();
    rig
}

#[test]
fn auth_has_three_names_for_one_thing() {
    for line in ["AUTH TLS", "AUTH tls-c", "AUTH SSL"] {
        let mut rig = clear();
        rig.expect(line, "234");
        assert_eq!(rig.done(), [StartTls]);
        assert_eq!(rig.event(Event::TlsEstablished), "");
        rig.expect("AUTH TLS", "503");
    }
    clear().talk("AUTH GSSAPI | AUTH | NOOP", &[504, 501, 200]);
}

#[test]
fn what_is_sent_in_the_clear_behind_auth_is_discarded() {
    let mut rig = clear();
    rig.expect_codes("AUTH TLS\r\nUSER mallory\r\nPASS x\r\nUS", &[234]);
    assert!(!rig.protocol.wants_input());
    assert_eq!(rig.send("NOOP"), "");
    assert_eq!(rig.event(Event::TlsEstablished), "");
    rig.talk("PASS x | USER alice", &[503, 331]);
}

#[test]
fn auth_ends_the_log_in_and_what_was_set_up() {
    let mut rig = clear();
    rig.log_in();
    rig.expect_codes("CWD dir\r\nAUTH TLS", &[250, 234]);
    assert_eq!(rig.done(), [LogOut, StartTls]);
    assert_eq!(rig.event(Event::TlsEstablished), "");
    rig.expect("PWD", "530");
    rig.log_in();
    rig.expect("PWD", "257 \"/\"");
}

#[test]
fn a_handshake_that_fails_ends_the_session() {
    let failed = |protocol: &mut Protocol, now| protocol.event(Event::TlsFailed, now);
    for end in [failed, Protocol::client_closed] {
        let mut rig = clear();
        rig.expect("AUTH TLS", "234");
        assert_eq!(rig.call(end), "");
        assert_eq!(rig.done(), [StartTls, Close]);
    }
}

#[test]
fn protection_is_chosen_in_order() {
    let mut rig = clear();
    rig.log_in();
    rig.talk("PBSZ 0 | PROT P | CCC", &[503, 503, 533]);
    let mut rig = protected();
    rig.expect("PBSZ x", "501");
    rig.expect("PBSZ 1024", "200 PBSZ=0");
    rig.expect("PBSZ 0", "200 PBSZ=0\r\n");
    rig.talk("PROT S | PROT E | PROT X | PROT", &[536, 536, 504, 501]);
    assert_eq!(rig.done(), []);
    rig.each("200", "PROT P | PROT p");
    assert_eq!(rig.done(), [Protect(true)]);
    rig.expect("PROT C", "200");
    assert_eq!(rig.done(), [Protect(false)]);
}

#[test]
fn prot_without_pbsz_is_accepted() {
    let mut rig = protected();
    rig.expect("PROT P", "200");
    assert_eq!(rig.done(), [Protect(true)]);
    rig.expect("EPSV", "229");
}

#[test]
fn a_change_of_protection_drops_the_data_set_up() {
    for way in WAYS {
        let mut rig = protected();
        rig.expect("PBSZ 0", "200");
        for (prot, data) in [("PROT P", true), ("PROT C", false)] {
            rig.expect(way, "2");
            rig.done();
            rig.expect_codes(&format!("{prot}\r\nRETR a.txt"), &[200, 425]);
            assert_eq!(rig.done(), [Protect(data), Abandon], "{way}");
        }
        // Without a change, it stays.
        rig.expect(way, "2");
        rig.expect_codes("PROT C\r\nRETR a.txt", &[200, 150, 226]);
    }
}

#[test]
fn data_may_need_tls_on_every_way() {
    for account in [false, true] {
        let mut rig = Rig::new(tls_settings(TlsPolicy {
            data_required: !account,
            ..TlsPolicy::default()
        }));
        rig.log_in = Some(Ok(Access {
            data_tls_required: account,
        }));
        rig.start_tls();
        rig.log_in();
        rig.each("521", &WAYS.join(" | "));
        assert_eq!(rig.refused.len(), WAYS.len(), "each is noted");
        rig.talk("LIST | PBSZ 0 | PROT C | PROT P", &[521, 200, 534, 200]);
        for way in WAYS {
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
    rig.expect("PASS secret", "503");
    assert_eq!(rig.done(), []);
    rig.start_tls();
    rig.log_in();
}

#[test]
fn implicit_tls_protects_data_without_being_told() {
    let mut rig = Rig::new(Settings {
        implicit_tls: true,
        ..tls_settings(TlsPolicy {
            control_required: true,
            data_required: true,
            no_certificate: false,
        })
    });
    assert_eq!(rig.done(), [Protect(true)]);
    rig.expect("AUTH TLS", "503");
    rig.log_in();
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    rig.done();
    rig.talk("PROT P | PROT C | REIN", &[200, 534, 220]);
    assert_eq!(rig.done(), [LogOut]);
}

#[test]
fn clear_text_does_not_come_back() {
    clear().expect("CCC", "533");
    let mut rig = protected();
    rig.expect("CCC", "534");
    let features = rig.send("FEAT");
    assert!(features.contains("\r\n PROT\r\n"), "{features}");
    assert!(!features.contains("CCC") && !features.contains("AUTH"));
}

#[test]
fn without_a_certificate_there_is_no_tls() {
    Rig::new(settings()).talk("AUTH TLS | CCC", &[502, 533]);
}

#[test]
fn rein_ends_the_protection_of_data_but_not_tls() {
    let mut rig = protected();
    rig.talk("PBSZ 0 | PROT P | EPSV", &[200, 200, 229]);
    rig.done();
    rig.expect("REIN", "220");
    assert_eq!(rig.done(), [Abandon, LogOut, Protect(false)]);
    rig.expect("AUTH TLS", "503");
}

/// RFC 2228, section 3: 431 where the mechanism is known and a resource for it is missing.
#[test]
fn without_a_certificate_for_now_auth_can_be_tried_again() {
    let mut rig = Rig::new(tls_settings(TlsPolicy {
        no_certificate: true,
        ..TlsPolicy::default()
    }));
    rig.each("431", "AUTH TLS | AUTH SSL | AUTH GSSAPI");
    rig.talk("USER alice | PASS secret", &[331, 230]);
    let mut rig = Rig::new(tls_settings(TlsPolicy {
        control_required: true,
        no_certificate: true,
        ..TlsPolicy::default()
    }));
    rig.each("530", "USER alice");
}
