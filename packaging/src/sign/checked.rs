//! What was found of a signature.

use serde::Serialize;

use super::Fault;

/// What a signature says, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SignatureCheck {
    /// Who signed.
    pub signers: Vec<SignedBy>,
    /// Whether the signers were looked for among trusted CAs.
    pub trust_checked: bool,
    /// What is wrong; nothing or minor faults only if the signature holds.
    pub faults: Vec<Fault>,
}

impl SignatureCheck {
    /// A signature that was not looked at.
    pub(crate) fn refused(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }

    /// Whether it was checked, and nothing but minor faults was found.
    pub fn holds(&self) -> bool {
        self.faults.iter().all(Fault::is_minor)
    }
}

/// A signer, by its certificate. That certificate says what it likes, unless trust was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SignedBy {
    /// Subject of the certificate.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// When its validity begins.
    pub not_before: String,
    /// When its validity ends.
    pub not_after: String,
}
