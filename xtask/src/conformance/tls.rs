//! The client's side of TLS.

use std::fs::File;
use std::io::BufReader;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustls::client::{ClientSessionStore, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

/// One configuration for all connections of a run, so that data connections resume the session of
/// their control connection, as some servers want.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// How long the client waits before it begins a handshake.
    pause: Duration,
}

/// An encrypted connection.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Tls {
    /// Trusts the certificates of a PEM file and no others.
    pub(crate) fn trusting(file: &Path) -> Result<Self> {
        Self::new(file, default_provider(), DEFAULT_VERSIONS)
    }

    /// The same, and offers nothing but TLS 1.3 with AES-256-GCM, which every server has: what one
    /// of them would choose may be slower than another one's choice. Sessions to resume are kept in
    /// `sessions`.
    pub(crate) fn aes_256_only(file: &Path, sessions: Arc<dyn ClientSessionStore>) -> Result<Self> {
        let mut provider = default_provider();
        let wanted = CipherSuite::TLS13_AES_256_GCM_SHA384;
        let suites = &mut provider.cipher_suites;
        suites.retain(|suite| suite.suite() == wanted);
        let mut tls = Self::new(file, provider, &[&TLS13])?;
        Arc::make_mut(&mut tls.config).resumption = Resumption::store(sessions);
        Ok(tls)
    }

    fn new(
        file: &Path,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let reader = BufReader::new(File::open(file).with_context(|| file.display().to_string())?);
        for certificate in CertificateDer::pem_reader_iter(reader) {
            roots.add(certificate.with_context(|| file.display().to_string())?)?;
        }
        ensure!(!roots.is_empty(), "{} holds no certificate", file.display());
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            pause: Duration::ZERO,
        })
    }

    /// The same client, farther away: its handshakes begin so much later than they could.
    pub(super) fn with_pause(&self, pause: Duration) -> Self {
        Self {
            config: self.config.clone(),
            pause,
        }
    }

    /// Runs the handshake on a connection whose time limits are set.
    pub(crate) fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned())?;
        let connection = ClientConnection::new(self.config.clone(), name)?;
        let mut stream = StreamOwned::new(connection, stream);
        thread::sleep(self.pause);
        while stream.conn.is_handshaking() {
            let (read, _) = stream
                .conn
                .complete_io(&mut stream.sock)
                .context("TLS handshake")?;
            ensure!(
                read > 0 || !stream.conn.is_handshaking(),
                "the server closed the connection in the TLS handshake"
            );
        }
        Ok(stream)
    }
}
