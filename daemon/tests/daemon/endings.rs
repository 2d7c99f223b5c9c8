//! What the log says of a transfer that did not end by itself.

use std::{fs, io::Read as _};

use nix::sys::signal::Signal;
use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring::default_provider};

use crate::{
    administration::kill,
    harness::{Daemon, user},
    tls,
};

/// The lines that contain a text, once there is one.
#[track_caller]
fn lines(daemon: &Daemon, text: &str) -> Vec<String> {
    daemon.wait_for_log(text);
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains(text));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_download_that_the_client_ends_early_is_no_warning() {
    let daemon = Daemon::start();
    fs::write(daemon.root().join("big"), vec![7; 64 << 20]).unwrap();
    let mut ftp = daemon.log_in();
    let mut data = ftp.passive();
    ftp.expect("RETR big", "150");
    data.read_exact(&mut [0; 1000]).unwrap();
    drop(data);
    ftp.reply();
    let ended = lines(
        &daemon,
        "result=\"part\" data=\"clear\" cause=\"the data connection broke\"",
    );
    assert!(ended[0].contains(" info "), "{ended:?}");

    let mut data = ftp.passive();
    ftp.expect("RETR big", "150");
    data.read_exact(&mut [0; 1000]).unwrap();
    ftp.send("ABOR");
    let ended = lines(&daemon, "by=\"the client\"");
    assert!(ended[0].contains(" info "), "{ended:?}");
    let log = daemon.log();
    let mut of_session = log.lines().filter(|line| line.contains(" session="));
    assert!(of_session.all(|line| line.contains(" info ")), "{log}");
}

#[test]
fn the_log_says_who_cancelled_a_transfer() {
    let mut daemon = Daemon::start_with("", |root| {
        let limits = "[limits]\nstall-seconds = 3\nshutdown-grace-seconds = 0\n";
        format!("{limits}{}", user("alice", root, false))
    });
    let begin = || {
        let mut ftp = daemon.log_in();
        let data = ftp.passive();
        ftp.expect("STOR file", "150");
        (ftp, data)
    };
    let (mut ftp, data) = begin();
    ftp.send("ABOR");
    let ended = lines(&daemon, "cause=\"cancelled\" by=\"the client\"");
    assert!(ended[0].contains(" warning "), "{ended:?}");
    drop((ftp, data));

    let (ftp, data) = begin();
    kill(&daemon, &ftp.tcp());
    daemon.wait_for_log("cause=\"cancelled\" by=\"an administrator\"");
    drop((ftp, data));

    let (ftp, data) = begin();
    daemon.wait_for_log("cause=\"cancelled\" by=\"a limit on time\"");
    drop((ftp, data));

    let (_ftp, _data) = begin();
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_log("cause=\"cancelled\" by=\"the daemon, which stops\"");
    daemon.wait();
}

#[test]
fn a_client_that_rejects_the_certificate_is_named_as_such() {
    let daemon = Daemon::start_with("", |root| {
        let (table, _certificate) = tls::table(root.parent().unwrap(), "");
        format!("{table}{}", user("alice", root, false))
    });
    let mut ftp = daemon.connect();
    ftp.reply();
    ftp.expect("AUTH TLS", "234");
    // A client that trusts nobody.
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(config.into(), name).unwrap();
    let mut tcp = ftp.tcp();
    while client.is_handshaking() && client.complete_io(&mut tcp).is_ok() {}
    let rejected = lines(&daemon, "tls-failed ");
    assert!(
        rejected[0].contains("the client rejects the certificate of this host"),
        "{rejected:?}"
    );

    // And one that sends something else.
    let mut ftp = daemon.connect();
    ftp.reply();
    ftp.expect("AUTH TLS", "234");
    ftp.send("USER alice");
    daemon.wait_for_log("cause=\"the client does not send TLS\"");
    let log = daemon.log();
    for internal in ["UnknownCA", "InvalidContentType", "Error", "Custom"] {
        assert!(!log.contains(internal), "{internal}: {log}");
    }
}
