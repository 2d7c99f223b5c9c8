//! A certificate for servers on the loopback interface, and the CA that signed it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::write_private;

/// PEM files.
pub(crate) struct Certificate {
    /// What clients trust.
    pub(crate) ca: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) key: PathBuf,
    /// Key and certificate in one file, as some servers want them.
    pub(crate) both: PathBuf,
}

impl Certificate {
    /// Makes new keys and certificates for `127.0.0.1`, `::1` and `localhost`.
    pub(super) fn write(dir: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "loopback test CA");
        let ca_key = KeyPair::generate()?;
        let ca = params.self_signed(&ca_key)?;
        let issuer = Issuer::new(params, ca_key);

        let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;

        let files = Self {
            ca: dir.join("ca.pem"),
            server: dir.join("server.pem"),
            key: dir.join("server.key"),
            both: dir.join("server-both.pem"),
        };
        fs::write(&files.ca, ca.pem())?;
        fs::write(&files.server, certificate.pem())?;
        write_private(&files.key, &key.serialize_pem())?;
        write_private(
            &files.both,
            &format!("{}{}", key.serialize_pem(), certificate.pem()),
        )?;
        Ok(files)
    }
}
