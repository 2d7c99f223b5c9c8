//! PASV, EPSV, PORT and EPRT.

use super::rig::{Rig, address, codes, path, settings, tls_settings};
use crate::{
    session::gate::{Access, Settings, TlsPolicy},
    storage::Outcome,
};

#[test]
fn active_mode_connects_late_and_to_the_client_only() {
    let mut rig = Rig::logged_in();
    rig.expect("PORT 10,0,0,9,4,1", "200");
    assert!(rig.engine_lines.is_empty());
    rig.expect_codes("RETR a.txt", &[150, 226]);
    let expected = ["USER u", "PASS x", "PORT 10,0,0,9,4,1", "RETR /t"];
    assert_eq!(rig.engine_lines, expected);
    rig.expect("EPRT |1|10.0.0.9|1025|", "200");
    rig.expect_codes("LIST", &[150, 226]);
    for (line, code) in [
        ("PORT 10,0,0,8,4,1", "504"),
        ("PORT 10,0,0,9,0,21", "504"),
        ("PORT 10,0,0,9,3,255", "504"),
        ("PORT 10,0,0,9,4", "501"),
        ("EPRT |1|10.0.0.8|1025|", "504"),
        ("EPRT |1|10.0.0.9|80|", "504"),
        ("EPRT |2|::1|1025|", "522"),
        ("EPRT |3|x|1025|", "522"),
        ("EPRT 1", "501"),
    ] {
        rig.expect(line, code);
    }
    rig.expect("RETR a.txt", "425");
}

#[test]
fn active_mode_may_be_off() {
    let mut rig = Rig::logged_in_with(Settings {
        active: false,
        ..settings()
    });
    for line in [
        "PORT 10,0,0,9,4,1",
        "EPRT |1|10.0.0.9|1025|",
        "EPRT |2|::1|1025|",
    ] {
        rig.expect(line, "502");
    }
    let features = rig.send("FEAT");
    assert!(!features.contains("EPRT"), "{features}");
}

#[test]
fn a_client_that_cannot_be_reached_is_told_425() {
    for closes in [false, true] {
        let mut rig = Rig::with_engine();
        rig.expect("PORT 10,0,0,9,4,1", "200");
        rig.outcomes.push_back(Ok(Outcome::Ready {
            size: None,
            path: path("a.txt"),
        }));
        rig.engine = false;
        assert_eq!(rig.send("RETR a.txt"), "");
        rig.engine = true;
        let reply = if closes {
            rig.gate.engine_closed(rig.now);
            rig.run();
            rig.received()
        } else {
            rig.engine_says("425 x")
        };
        assert_eq!(codes(reply.as_bytes()), [425]);
        rig.expect("PWD", "257");
    }
}

#[test]
fn ipv6_has_epsv_only() {
    let mut rig = Rig::logged_in_with(Settings {
        client: address("2001:db8::9"),
        local: address("2001:db8::1"),
        ..settings()
    });
    rig.expect("PASV", "425");
    rig.expect("EPSV", "229");
    rig.expect("EPSV 2", "229");
    let reply = rig.expect("EPSV 1", "522");
    assert!(reply.contains("(2)"), "{reply}");
    rig.expect("EPRT |2|2001:db8::9|1025|", "522");
    rig.expect("PORT 10,0,0,9,4,1", "504");
}

#[test]
fn epsv_has_protocols_and_may_be_the_only_way() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV 1", "229");
    let reply = rig.expect("EPSV 2", "522");
    assert!(reply.contains("(1)"), "{reply}");
    rig.expect("EPSV 3", "522");
    rig.expect("EPSV x", "501");
    rig.expect("EPSV ALL", "200");
    rig.expect("EPSV", "229");
    for line in ["PASV", "PORT 10,0,0,9,4,1", "EPRT |1|10.0.0.9|1025|"] {
        rig.expect(line, "501");
    }
    rig.expect_codes("RETR a.txt", &[150, 226]);
}

#[test]
fn pasv_may_name_another_address() {
    let mut rig = Rig::logged_in_with(Settings {
        passive_host: Some([192, 0, 2, 7].into()),
        ..settings()
    });
    rig.expect("PASV", "227 Passive mode (192,0,2,7,195,80)\r\n");
}

#[test]
fn transfers_wait_for_a_data_set_up() {
    let mut rig = Rig::logged_in();
    for line in [
        "RETR a.txt",
        "STOR a.txt",
        "APPE a.txt",
        "STOU",
        "LIST",
        "NLST",
        "MLSD",
    ] {
        rig.expect(line, "425");
    }
    assert!(rig.operations.is_empty());
}

#[test]
fn users_may_need_tls_for_data() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.log_in = Some(Ok(Access {
        data_tls_required: true,
    }));
    rig.expect("USER alice", "331");
    rig.expect("PASS secret", "230");
    for line in [
        "PASV",
        "EPSV",
        "PORT 10,0,0,9,4,1",
        "EPRT |1|10.0.0.9|1025|",
        "RETR a.txt",
        "STOR a.txt",
        "LIST",
        "MLSD",
    ] {
        rig.expect(line, "521");
    }
    assert!(rig.operations.is_empty());
}
