//! TLS: from the files of the configuration to what sessions need.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use rustls::{
    ServerConfig,
    crypto::ring::{Ticketer, default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::ServerSessionMemoryCache,
};

use crate::config::Tls;

/// TLS 1.2 sessions that clients may resume without a ticket. Each takes some hundred bytes.
const CACHED_SESSIONS: usize = 512;

/// Reads certificate and key. The same value serves control and data connections, because only
/// then can a client resume the session of the one on the other.
///
/// # Errors
/// If a file cannot be read, holds nothing of use, or the two do not belong together.
pub(crate) fn load(tls: &Tls) -> Result<Arc<ServerConfig>> {
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).with_context(|| {
        let key = tls.key.display();
        format!("tls.key: no private key in {key}; it must be an unencrypted PEM file")
    })?;
    let mut config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .context("TLS has no protocol versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("tls.certificate and tls.key cannot be used together")?;
    config.session_storage = ServerSessionMemoryCache::new(CACHED_SESSIONS);
    config.ticketer = Ticketer::new().context("no random bytes for TLS tickets")?;
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let chain = chain
        .with_context(|| format!("tls.certificate: {} cannot be read as PEM", path.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "tls.certificate: no certificate in {}; it must be a PEM file",
        path.display()
    );
    Ok(chain)
}
