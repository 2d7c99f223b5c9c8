//! What tests of several parts share: connections over loopback, and both ends of TLS.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::Arc,
    thread,
    time::Duration,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
    pki_types::{PrivatePkcs8KeyDer, ServerName},
};

use crate::{sys::set_nonblocking, transfer::connection::Protection};

/// No step of a test takes this long, unless it never ends.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A client's end of a connection under TLS.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// A connection: our end in non-blocking mode, and the client's.
pub(crate) fn pair() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (ours, _) = listener.accept().unwrap();
    set_nonblocking(&ours).unwrap();
    (ours.into(), client)
}

/// Waits until `happened` is true.
#[track_caller]
pub(crate) fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Both ends' configurations.
pub(crate) struct Tls {
    pub(crate) server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    pub(crate) fn new(version: &'static SupportedProtocolVersion) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let server = ServerConfig::builder_with_protocol_versions(&[version])
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let client = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            server: Arc::new(server),
            client: Arc::new(client),
        }
    }

    pub(crate) fn protection(&self) -> Protection {
        Protection::Tls(self.server.clone())
    }

    pub(crate) fn client(&self) -> ClientConnection {
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(self.client.clone(), name).unwrap()
    }

    pub(crate) fn connect(&self, stream: TcpStream) -> TlsStream {
        StreamOwned::new(self.client(), stream)
    }

    /// Gives the client a session, as data connections do not.
    pub(crate) fn control_connection(&self) {
        let (ours, client) = pair();
        let ours = TcpStream::from(ours);
        ours.set_nonblocking(false).unwrap();
        let mut client = self.connect(client);
        let reader = thread::spawn(move || client.read_to_end(&mut Vec::new()));
        let server = ServerConnection::new(self.server.clone()).unwrap();
        let mut control = StreamOwned::new(server, ours);
        control.write_all(b"220 \r\n").unwrap();
        control.conn.send_close_notify();
        control.flush().unwrap();
        drop(control);
        reader.join().unwrap().unwrap();
    }
}
