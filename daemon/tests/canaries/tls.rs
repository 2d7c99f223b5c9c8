//! TLS.

use std::{
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use libunftp::options::FtpsRequired;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use crate::{
    LITTLE_WHILE,
    bare::Bare,
    data::is_silent,
    ftp::{Ftp, Wire},
};

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Wire for TlsStream {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

/// A bare server with a certificate, and what trusts it.
fn start(for_control: FtpsRequired, for_data: FtpsRequired) -> (Bare, Arc<ClientConfig>) {
    let (certificate, key) = crate::data::certificate();
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(&certificate).unwrap();
    roots.add(trusted).unwrap();
    let client = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let bare = Bare::start_with(move |options| {
        options
            .ftps(certificate, key)
            .ftps_required(for_control, for_data)
    });
    (bare, Arc::new(client))
}

fn handshake(client: &Arc<ClientConfig>, tcp: TcpStream) -> TlsStream {
    try_handshake(client, tcp).unwrap()
}

fn try_handshake(client: &Arc<ClientConfig>, tcp: TcpStream) -> io::Result<TlsStream> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(client.clone(), name).unwrap();
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// TLS on a control connection. Where the handshake comes too early, libunftp takes it for a
/// command and answers in the clear (A4), so it may take more than one connection.
fn auth(bare: &Bare, client: &Arc<ClientConfig>) -> TlsStream {
    let attempts = (0..20).find_map(|_| {
        let mut ftp = Ftp::connect(bare.address);
        ftp.reply();
        ftp.expect("AUTH TLS", "234");
        try_handshake(client, ftp.tcp()).ok()
    });
    attempts.unwrap()
}

/// A session whose data connections are protected; see A7 for why it is in the clear itself.
fn protected(bare: &Bare) -> Ftp {
    let mut ftp = bare.session();
    ftp.expect("PBSZ 0", "200");
    ftp.expect("PROT P", "200");
    ftp
}

/// A session over TLS.
fn secure(bare: &Bare, client: &Arc<ClientConfig>) -> Ftp {
    let mut ftp = Ftp::over(Box::new(auth(bare, client)));
    ftp.expect("USER alice", "331");
    ftp.expect("PASS x", "230");
    ftp
}

/// Work-around: the gate knows of each account what it must protect.
#[test]
fn a5_accounts_that_must_protect_data_need_not() {
    let (bare, client) = start(FtpsRequired::None, FtpsRequired::Accounts);
    fs::write(bare.root().join("f"), "secret").unwrap();
    let mut ftp = secure(&bare, &client);
    // The data connection is in the clear.
    let reply = ftp.expect("PASV", "227");
    let port = crate::data::pasv_port(&reply);
    let mut data = TcpStream::connect(("127.0.0.1", port)).unwrap();
    ftp.expect("RETR f", "150");
    let mut content = String::new();
    data.read_to_string(&mut content).unwrap();
    assert_eq!(content, "secret");
}

/// Work-around: TLS is the gate's and the session's.
#[test]
fn a6_tls_1_3_is_off() {
    let (bare, client) = start(FtpsRequired::None, FtpsRequired::None);
    let version = auth(&bare, &client).conn.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_2));
}

/// Work-around: the gate wants AUTH and PBSZ first.
#[test]
fn a7_prot_is_taken_before_auth() {
    let (bare, _client) = start(FtpsRequired::None, FtpsRequired::None);
    bare.session().expect("PROT P", "200");
}

/// Work-around: the gate asks for protection whatever the command is.
#[test]
fn d8_required_protection_is_not_required_of_epsv() {
    let (bare, _client) = start(FtpsRequired::None, FtpsRequired::All);
    fs::write(bare.root().join("f"), "secret").unwrap();
    let mut ftp = bare.session();
    assert!(!ftp.command("PASV").starts_with("227"));
    assert_eq!(ftp.download("RETR f"), b"secret");
}

/// Work-around: the session does the handshake of data connections, and says 425.
#[test]
fn d9_garbage_instead_of_a_data_handshake_is_not_answered() {
    let (bare, _client) = start(FtpsRequired::None, FtpsRequired::None);
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut ftp = protected(&bare);
    let mut data = ftp.passive();
    ftp.expect("RETR f", "150");
    data.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(is_silent(&mut ftp));
}

/// Work-around: as for D9, within a deadline.
#[test]
fn d10_a_data_handshake_that_does_not_begin_holds_the_session_up() {
    let (bare, _client) = start(FtpsRequired::None, FtpsRequired::None);
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut ftp = protected(&bare);
    let _data = ftp.passive();
    ftp.expect("RETR f", "150");
    // Commands may overtake the beginning of the handshake.
    let silent = |_| {
        std::thread::sleep(Duration::from_millis(20));
        ftp.send("PWD");
        is_silent(&mut ftp)
    };
    assert!((0..500).any(silent));
}

/// Work-around: the session reads the data connection and stores what has come.
#[test]
fn d13_an_upload_without_the_end_of_tls_loses_its_tail() {
    let (bare, client) = start(FtpsRequired::None, FtpsRequired::None);
    let mut ftp = protected(&bare);
    let data = ftp.passive();
    ftp.expect("STOR f", "150");
    let mut data = handshake(&client, data);
    data.write_all(&[b'x'; 400]).unwrap();
    data.flush().unwrap();
    drop(data);
    let reply = ftp.reply();
    assert!(!reply.starts_with("226"), "{reply}");
    assert_eq!(fs::read(bare.root().join("f")).unwrap().len(), 0);
}

/// Work-around: the session ends TLS on its side, too. Without that, Python's ftplib raises.
#[test]
fn an_upload_is_not_ended_with_the_end_of_tls() {
    let (bare, client) = start(FtpsRequired::None, FtpsRequired::None);
    let mut ftp = protected(&bare);
    let data = ftp.passive();
    ftp.expect("STOR f", "150");
    let mut data = handshake(&client, data);
    data.write_all(b"content").unwrap();
    data.conn.send_close_notify();
    data.flush().unwrap();
    assert!(ftp.reply().starts_with("226"));
    let end = data.read(&mut [0]).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
}

/// Work-around: the session looks at the handshake of each data connection.
#[test]
fn d15_a_data_connection_need_not_resume() {
    let (bare, client) = start(FtpsRequired::None, FtpsRequired::None);
    fs::write(bare.root().join("f"), "content").unwrap();
    let mut ftp = secure(&bare, &client);
    ftp.expect("PBSZ 0", "200");
    ftp.expect("PROT P", "200");
    let data = ftp.passive();
    ftp.expect("RETR f", "150");
    // Somebody who knows nothing of the control connection's session.
    let mut stranger = ClientConfig::clone(&client);
    stranger.resumption = rustls::client::Resumption::disabled();
    let mut data = handshake(&Arc::new(stranger), data);
    assert_eq!(data.conn.handshake_kind(), Some(HandshakeKind::Full));
    let mut content = Vec::new();
    let _end_of_tls_or_not = data.read_to_end(&mut content);
    assert_eq!(content, b"content");
}

/// Work-around: the session stores, sends and cancels by itself, and closes when it has to.
#[test]
fn d11_a_protected_download_that_is_not_read_holds_the_session_up() {
    let (bare, client) = start(FtpsRequired::None, FtpsRequired::None);
    let file = fs::File::create(bare.root().join("f")).unwrap();
    file.set_len(64 << 20).unwrap();
    let mut ftp = protected(&bare);
    let data = ftp.passive();
    ftp.expect("RETR f", "150");
    let _data = handshake(&client, data);
    std::thread::sleep(Duration::from_millis(500));
    ftp.send("ABOR");
    crate::set_patience(&ftp, LITTLE_WHILE);
    assert_eq!(ftp.reply(), "");
}
