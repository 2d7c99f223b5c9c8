//! PASV, EPSV, PORT and EPRT: what they take and refuse.

use super::rig::{PORT, Rig, WAYS, path, settings, tls_settings};
use crate::{
    protocol::interface::{Action, Settings, TlsPolicy},
    request::{Access, Operation},
};

fn ipv6() -> Settings {
    Settings {
        client: "2001:db8::9".parse().unwrap(),
        local: "2001:db8::1".parse().unwrap(),
        ..settings()
    }
}

#[test]
fn active_mode_connects_late_and_to_the_client_only() {
    let mut rig = Rig::logged_in();
    let connect = Action::Connect("10.0.0.9:1025".parse().unwrap());
    for line in ["PORT 10,0,0,9,4,1", "EPRT |1|10.0.0.9|1025|"] {
        rig.expect(line, "200");
        assert_eq!(rig.done(), []);
        rig.expect_codes("LIST", &[150, 226]);
        assert_eq!(rig.done(), [connect.clone(), Action::BeginTransfer]);
    }
    rig.each(
        "504",
        "PORT 10,0,0,8,4,1 | PORT 10,0,0,9,0,21 | PORT 10,0,0,9,3,255",
    );
    rig.each("504", "EPRT |1|10.0.0.8|1025| | EPRT |1|10.0.0.9|1023|");
    rig.each("504", "EPRT |2|::1|1025| | EPRT |2|::ffff:10.0.0.9|1025|");
    let protocols = "522 Use protocol 1 (IPv4) or 2 (IPv6): (1,2)\r\n";
    rig.each(protocols, "EPRT |3|x|1025| | EPRT |0|10.0.0.9|1025|");
    rig.talk("PORT 10,0,0,9,4 | EPRT 1 | RETR a.txt", &[501, 501, 425]);
    assert_eq!(rig.done(), []);
}

#[test]
fn active_mode_may_be_off() {
    let mut rig = Rig::logged_in_with(Settings {
        active: false,
        ..settings()
    });
    rig.each("502", "PORT 10,0,0,9,4,1 | EPRT |1|10.0.0.9|1025|");
    rig.each("502", "EPRT |2|::1|1025| | EPRT |3|x|1025|");
    let features = rig.send("FEAT");
    assert!(!features.contains("EPRT"), "{features}");
}

#[test]
fn ipv6_has_epsv_and_eprt() {
    let mut rig = Rig::logged_in_with(ipv6());
    rig.talk("PASV | EPSV | EPSV 2", &[425, 229, 229]);
    rig.each(
        "504",
        "EPRT |2|2001:db8::8|1025| | EPRT |2|2001:db8::9|1023|",
    );
    rig.each("504", "EPRT |1|10.0.0.9|1025| | PORT 10,0,0,9,4,1");
    let reply = rig.expect("EPSV 1", "522");
    assert!(reply.contains("(2)"), "{reply}");
    rig.expect("ABOR", "226");
    rig.done();
    rig.expect("EPRT |2|2001:db8::9|1024|", "200");
    rig.expect_codes("LIST", &[150, 226]);
    let connect = Action::Connect("[2001:db8::9]:1024".parse().unwrap());
    assert_eq!(rig.done(), [connect, Action::BeginTransfer]);
    for settings in [settings(), ipv6()] {
        let features = Rig::new(settings).send("FEAT");
        assert!(features.contains("\r\n EPRT\r\n EPSV\r\n"), "{features}");
    }
}

#[test]
fn epsv_has_protocols_and_may_be_the_only_way() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV 1", "229");
    let reply = rig.expect("EPSV 2", "522");
    assert!(reply.contains("(1)"), "{reply}");
    rig.talk("EPSV 3 | EPSV x | EPSV ALL | EPSV", &[522, 501, 200, 229]);
    rig.each("501", "PASV | PORT 10,0,0,9,4,1");
    rig.each("501", "EPRT |1|10.0.0.9|1025| | EPRT |3|x|1025|");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    let expected = [Action::Listen, Action::Listen, Action::BeginTransfer];
    assert_eq!(rig.done(), expected);
}

#[test]
fn pasv_may_name_another_address() {
    let mut rig = Rig::logged_in_with(Settings {
        passive_host: Some([192, 0, 2, 7].into()),
        ..settings()
    });
    assert_eq!(PORT.to_be_bytes(), [195, 80]);
    rig.expect("PASV", "227 Entering Passive Mode (192,0,2,7,195,80)\r\n");
}

const TRANSFERS: &str = "RETR a.txt | STOR a.txt | APPE a.txt | STOU | LIST | NLST | MLSD";

#[test]
fn transfers_wait_for_a_data_set_up() {
    let mut rig = Rig::logged_in();
    rig.each("425", TRANSFERS);
    assert_eq!(rig.operations, []);
    // A glob is looked up first.
    rig.expect("LIST *", "425");
    assert_eq!(rig.operations, [Operation::Entry(path("*"))]);
}

#[test]
fn users_may_need_tls_for_data() {
    let mut rig = Rig::new(tls_settings(TlsPolicy::default()));
    rig.log_in = Some(Ok(Access {
        data_tls_required: true,
    }));
    rig.log_in();
    rig.each("521", &WAYS.join(" | "));
    rig.each("521", TRANSFERS);
    assert_eq!(rig.operations, []);
    assert_eq!(rig.done(), []);
}
