//! The client's side of TLS.

use std::fs::File;
use std::io::BufReader;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// One configuration for all connections of a run, so that data connections resume the session of
/// their control connection, as some servers want.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
}

/// An encrypted connection.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Tls {
    /// Trusts the certificates of a PEM file and no others.
    pub(crate) fn trusting(file: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let reader = BufReader::new(File::open(file).with_context(|| file.display().to_string())?);
        for certificate in CertificateDer::pem_reader_iter(reader) {
            roots.add(certificate.with_context(|| file.display().to_string())?)?;
        }
        ensure!(!roots.is_empty(), "{} holds no certificate", file.display());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Runs the handshake on a connection whose time limits are set.
    pub(crate) fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned())?;
        let connection = ClientConnection::new(self.config.clone(), name)?;
        let mut stream = StreamOwned::new(connection, stream);
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
