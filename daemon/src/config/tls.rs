//! TLS: which certificate, and who has to use it.

use std::path::PathBuf;

use serde::Deserialize;

use super::Findings;

/// TLS on control and data connections. Without this section, there is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub struct Tls {
    /// A PEM file with the certificate, followed by those of its issuers; absolute.
    pub certificate: PathBuf,
    /// A PEM file with the private key; absolute.
    pub key: PathBuf,
    /// What must be protected.
    #[serde(default)]
    pub required: Required,
    /// Whether a data connection must resume the TLS session of its control connection. It shows
    /// that both come from the same client; some clients cannot do it.
    #[serde(default)]
    pub require_session_reuse: bool,
}

/// What must be protected by TLS, the least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub enum Required {
    /// Nothing: clients choose.
    #[default]
    Nothing,
    /// The control connection, and with it passwords and names.
    Control,
    /// The control connection and every data connection.
    Everything,
}

impl Tls {
    pub(super) fn check(&self, findings: &mut Findings) {
        for (key, path) in [
            ("tls.certificate", &self.certificate),
            ("tls.key", &self.key),
        ] {
            if !path.is_absolute() {
                findings.error(key, "not an absolute path", "begin it with a slash");
            }
        }
    }
}
