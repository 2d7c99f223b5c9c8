//! TLS on control and data connections.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use rcgen::{CertifiedKey, KeyPair};
use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
    client::{Resumption, Tls12Resumption},
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};

use crate::{
    PATIENCE,
    administration::{kill, rows},
    ftp::{Ftp, Wire},
    harness::{Daemon, PASSWORD, eventually, user},
};

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Wire for TlsStream {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

/// A client that trusts one certificate.
#[derive(Clone)]
pub(crate) struct Client(Arc<ClientConfig>, CertificateDer<'static>);

impl Client {
    pub(crate) fn trusting(certificate: &CertificateDer<'static>) -> Self {
        Self::speaking(ALL_VERSIONS, certificate)
    }

    fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        certificate: &CertificateDer<'static>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config), certificate.clone())
    }

    /// The same with other ways to resume sessions, and a store of its own for them.
    fn resuming(&self, resumption: Resumption) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.resumption = resumption;
        Self(Arc::new(config), self.1.clone())
    }

    fn handshake(&self, tcp: TcpStream) -> TlsStream {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(self.0.clone(), name).unwrap();
        let mut stream = StreamOwned::new(connection, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    }

    /// A session that is protected.
    pub(crate) fn protect(&self, daemon: &Daemon) -> Ftp {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.expect("AUTH TLS", "234");
        Ftp::over(Box::new(self.handshake(ftp.tcp())))
    }

    /// A session of `alice`, protected from the beginning of its log-in.
    pub(crate) fn log_in(&self, daemon: &Daemon) -> Ftp {
        let mut ftp = self.protect(daemon);
        ftp.expect("USER alice", "331");
        ftp.expect(&format!("PASS {PASSWORD}"), "230");
        ftp.expect("PBSZ 0", "200");
        ftp.expect("PROT P", "200");
        ftp
    }
}

/// Writes a new certificate and key, and gives the table that names them.
pub(crate) fn table(directory: &Path, more: &str) -> (String, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = make();
    fs::write(directory.join("certificate.pem"), cert.pem()).unwrap();
    let key = directory.join("key.pem");
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let directory = directory.display();
    let table = format!(
        "[tls]\ncertificate = \"{directory}/certificate.pem\"\nkey = \"{directory}/key.pem\"\n{more}\n"
    );
    (table, cert.der().clone())
}

fn make() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

fn start(more: &str) -> (Daemon, Client) {
    let mut client = None;
    let daemon = Daemon::start_with("", |root| {
        let (tls, certificate) = table(root.parent().unwrap(), more);
        client = Some(Client::trusting(&certificate));
        format!(
            "implicit-tls = [\"127.0.0.1:0\"]\n{tls}{}",
            user("alice", root, false)
        )
    });
    (daemon, client.unwrap())
}

/// Reads to the end; the end must be TLS's own, not only that of the connection.
fn read_to_close(stream: &mut TlsStream) -> Vec<u8> {
    let mut content = Vec::new();
    stream.read_to_end(&mut content).unwrap();
    content
}

#[test]
fn files_and_listings_travel_under_tls_and_end_cleanly() {
    let (daemon, client) = start("");
    let mut ftp = client.log_in(&daemon);
    let content: Vec<u8> = (0..700_000u32).flat_map(u32::to_le_bytes).collect();

    let data = ftp.passive();
    ftp.expect("STOR file", "150");
    let mut data = client.handshake(data);
    data.write_all(&content).unwrap();
    data.conn.send_close_notify();
    data.flush().unwrap();
    assert_eq!(read_to_close(&mut data), b"", "the server ends TLS, too");
    assert!(ftp.reply().starts_with("226"));
    assert!(fs::read(daemon.root().join("file")).unwrap() == content);

    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    assert!(read_to_close(&mut client.handshake(data)) == content);
    assert!(ftp.reply().starts_with("226"));

    let data = ftp.passive();
    ftp.expect("MLSD", "150");
    let listing = String::from_utf8(read_to_close(&mut client.handshake(data))).unwrap();
    assert!(listing.contains("size=2800000;"), "{listing}");
    assert!(ftp.reply().starts_with("226"));
}

#[test]
fn a_data_connection_resumes_the_session_of_its_control_connection() {
    let (daemon, client) = start("require-session-reuse = true");
    fs::write(daemon.root().join("file"), "content").unwrap();
    let mut ftp = client.log_in(&daemon);
    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    let mut data = client.handshake(data);
    assert_eq!(data.conn.handshake_kind(), Some(HandshakeKind::Resumed));
    assert_eq!(read_to_close(&mut data), b"content");
    assert!(ftp.reply().starts_with("226"));

    let stranger = client.resuming(Resumption::disabled());
    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    let mut data = stranger.handshake(data);
    let mut nothing = Vec::new();
    let _refused = data.read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    assert!(ftp.reply().starts_with("522"));
}

/// The kind of handshake of a data connection of this session, and the code of its last reply.
fn fetch(ftp: &mut Ftp, client: &Client) -> (Option<HandshakeKind>, String) {
    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    let mut data = client.handshake(data);
    let kind = data.conn.handshake_kind();
    let mut content = Vec::new();
    let _end_of_tls_or_not = data.read_to_end(&mut content);
    let reply = ftp.reply();
    assert_eq!(content.is_empty(), !reply.starts_with("226"), "{reply}");
    (kind, reply.get(..3).unwrap_or_default().to_owned())
}

#[test]
fn only_the_session_of_its_own_control_connection_is_taken_where_reuse_is_required() {
    let full = |code: &str| (Some(HandshakeKind::Full), code.to_owned());
    let resumed = |code: &str| (Some(HandshakeKind::Resumed), code.to_owned());
    for (version, tls12) in [
        (&TLS13, Tls12Resumption::Disabled),
        (&TLS12, Tls12Resumption::SessionIdOrTickets),
        (&TLS12, Tls12Resumption::SessionIdOnly),
    ] {
        for required in [true, false] {
            let (daemon, client) = start(&format!("require-session-reuse = {required}"));
            fs::write(daemon.root().join("file"), "content").unwrap();
            let client = Client::speaking(&[version], &client.1);
            let another =
                || client.resuming(Resumption::in_memory_sessions(16).tls12_resumption(tls12));
            let [one, two] = [another(), another()];
            let [mut first, mut second] = [&one, &two].map(|client| client.log_in(&daemon));
            // As often as the client likes, also with TLS 1.2, where sessions are not used up.
            assert_eq!(fetch(&mut first, &one), resumed("226"));
            assert_eq!(fetch(&mut second, &two), resumed("226"));
            let crossed = fetch(&mut first, &two);
            if required {
                assert_eq!(crossed, full("522"), "{version:?} {tls12:?}");
                // What a refused connection might have given is worth nothing.
                let stranger = another();
                assert_eq!(fetch(&mut first, &stranger), full("522"));
                assert_eq!(fetch(&mut first, &stranger), full("522"));
            } else {
                assert_eq!(crossed, resumed("226"), "{version:?} {tls12:?}");
            }
            assert_eq!(fetch(&mut first, &one), resumed("226"));
        }
    }
}

#[test]
fn an_upload_that_is_cut_off_is_not_reported_as_success() {
    let (daemon, client) = start("");
    let mut ftp = client.log_in(&daemon);
    let data = ftp.passive();
    ftp.expect("STOR file", "150");
    let mut data = client.handshake(data);
    data.write_all(b"half").unwrap();
    data.flush().unwrap();
    drop(data.sock);
    assert!(ftp.reply().starts_with("426"));
    assert!(!daemon.root().join("file").exists());
}

#[test]
fn garbage_instead_of_a_handshake_costs_one_transfer() {
    let (daemon, client) = start("");
    fs::write(daemon.root().join("file"), "content").unwrap();
    let mut ftp = client.log_in(&daemon);
    let mut data = ftp.passive();
    ftp.expect("RETR file", "150");
    data.write_all(&[b'x'; 100]).unwrap();
    let reply = ftp.reply();
    assert!(reply.starts_with("52"), "{reply}");
    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    assert_eq!(read_to_close(&mut client.handshake(data)), b"content");
    assert!(ftp.reply().starts_with("226"));
}

#[test]
fn an_upload_that_outlasts_the_limit_on_data_connections_goes_on() {
    let (daemon, client) = start("");
    daemon.edit_config(|text| format!("{text}\n[limits]\ndata-connection-seconds = 5\n"));
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.wait_for_log("configuration reloaded");
    let mut ftp = client.log_in(&daemon);
    let data = ftp.passive();
    ftp.expect("STOR file", "150");
    let mut data = client.handshake(data);
    for _ in 0..15 {
        data.write_all(&[7; 1000]).unwrap();
        data.flush().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    data.conn.send_close_notify();
    data.flush().unwrap();
    assert!(ftp.reply().starts_with("226"));
    let stored = fs::read(daemon.root().join("file")).unwrap();
    assert_eq!(stored, [7; 15_000]);
}

#[test]
fn a_client_that_opens_tls_by_half_costs_its_session_at_most() {
    let (daemon, client) = start("");
    daemon.edit_config(|text| format!("{text}\n[limits]\nhandshake-seconds = 3\n"));
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.wait_for_log("configuration reloaded");
    fs::write(daemon.root().join("file"), "content").unwrap();

    // On a data connection, it costs the transfer.
    let mut ftp = client.log_in(&daemon);
    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    let reply = ftp.reply();
    assert!(reply.starts_with('4') || reply.starts_with('5'), "{reply}");
    drop(data);
    assert_eq!(fetch(&mut ftp, &client).1, "226");

    let mut hello = Vec::new();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(client.0.clone(), name).unwrap();
    connection.write_tls(&mut hello).unwrap();
    for half in [&[][..], &hello[..hello.len() / 2], &hello] {
        let mut explicit = daemon.connect();
        explicit.reply();
        explicit.expect("AUTH TLS", "234");
        let implicit = TcpStream::connect(daemon.addresses[2]).unwrap();
        let both = [explicit.tcp(), implicit];
        for mut tcp in &both {
            tcp.write_all(half).unwrap();
        }
        for mut tcp in both {
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            // It ends without anybody doing anything.
            let mut heard = Vec::new();
            tcp.read_to_end(&mut heard).unwrap();
            let heard = String::from_utf8_lossy(&heard);
            assert!(!heard.contains("220"), "{heard}");
        }
    }
    assert_eq!(fetch(&mut ftp, &client).1, "226");
}

#[test]
fn kill_ends_a_session_whose_data_connection_shakes_hands() {
    let (daemon, client) = start("");
    fs::write(daemon.root().join("file"), "content").unwrap();
    let mut ftp = client.log_in(&daemon);
    let data = ftp.passive();
    ftp.expect("RETR file", "150");
    kill(&daemon, &ftp.tcp());
    assert!(ftp.reply().starts_with("421"));
    assert!(eventually(|| daemon.threads() == 1));
    drop(data);
}

#[test]
fn a_daemon_that_stops_does_not_wait_for_handshakes() {
    let (mut daemon, _client) = start("");
    let mut explicit = daemon.connect();
    explicit.reply();
    explicit.expect("AUTH TLS", "234");
    let implicit = TcpStream::connect(daemon.addresses[2]).unwrap();
    // Threads do not tell: the files of the certificate are looked at on one, too.
    assert!(eventually(|| rows(&daemon).len() == 2));
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0));
    let log = daemon.log();
    assert!(!log.contains("did not end in time"), "{log}");
    assert_eq!(log.matches("disconnected").count(), 2, "{log}");
    drop((explicit, implicit));
}

/// Neither are its commands: what it has not read waits in the daemon, up to a bound.
#[test]
fn the_replies_that_a_client_does_not_read_are_not_kept_without_end() {
    let (daemon, client) = start("");
    let mut ftp = daemon.connect();
    ftp.reply();
    ftp.expect("AUTH TLS", "234");
    let mut stream = client.handshake(ftp.tcp());
    let patience = std::time::Duration::from_secs(2);
    stream.sock.set_write_timeout(Some(patience)).unwrap();
    let commands = b"NOOP\r\n".repeat(1000);
    let mut sent = 0;
    while sent < 64 << 20 && stream.write_all(&commands).is_ok() {
        sent += commands.len();
    }
    let resident = daemon.resident_kib();
    assert!(resident < 32 * 1024, "{resident} KiB after {sent} bytes");
}

#[test]
fn clear_text_behind_auth_is_not_executed() {
    let (daemon, client) = start("");
    let mut ftp = daemon.connect();
    ftp.reply();
    ftp.send("AUTH TLS\r\nUSER mallory");
    assert!(ftp.reply().starts_with("234"));
    // Either the handshake meets the clear text and fails, or the text is gone.
    let tcp = ftp.tcp();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(client.0.clone(), name).unwrap();
    let mut tcp_for_io = tcp;
    while connection.is_handshaking() {
        match connection.complete_io(&mut tcp_for_io) {
            Ok(_) => {}
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "nothing happens");
                return;
            }
        }
    }
    let stream = StreamOwned::new(connection, tcp_for_io);
    let mut ftp = Ftp::over(Box::new(stream));
    // Not the 331 of the injected command.
    ftp.expect("PWD", "530");
}

#[test]
fn implicit_tls_begins_with_the_handshake() {
    let (daemon, client) = start("");
    let tcp = TcpStream::connect(daemon.addresses[2]).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ftp = Ftp::over(Box::new(client.handshake(tcp)));
    ftp.log_in("alice", PASSWORD);
    ftp.expect("PWD", "257");
}

#[test]
fn what_must_be_protected_is_refused_in_the_clear() {
    let (daemon, client) = start("required = \"everything\"");
    let mut ftp = daemon.connect();
    ftp.reply();
    let refused = ftp.command("USER alice");
    assert!(refused.starts_with('5'), "{refused}");

    let mut ftp = client.log_in(&daemon);
    ftp.expect("PROT C", "534");
    let mut unprotected = daemon.connect();
    unprotected.reply();
    unprotected.expect("AUTH TLS", "234");
    let mut ftp = Ftp::over(Box::new(client.handshake(unprotected.tcp())));
    ftp.expect("USER alice", "331");
    ftp.expect(&format!("PASS {PASSWORD}"), "230");
    for line in ["PASV", "EPSV", "LIST"] {
        let refused = ftp.command(line);
        assert!(refused.starts_with("52"), "{line}: {refused}");
    }
}

#[test]
fn a_renewed_certificate_is_used_after_sighup() {
    let (daemon, before) = start("");
    before.log_in(&daemon);
    let (_table, renewed) = table(daemon.directory.path(), "");
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    daemon.wait_for_log("configuration reloaded");
    Client::trusting(&renewed).log_in(&daemon);
}
