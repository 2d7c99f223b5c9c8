//! What can be wrong with a signature.

use serde::{Serialize, Serializer};

use crate::rules::{self, Rule};

/// Something that is wrong with a signature, as the end of a sentence that begins with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not the PEM text that hosts read.
    #[error("is not PEM with the label PKCS7: {0}")]
    NotPem(String),
    /// More bytes than a signature with its certificates ever takes.
    #[error("has {actual} bytes, and at most {limit} are looked at")]
    TooLarge {
        /// Its size in bytes.
        actual: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A build without the feature `signatures` has read it.
    #[error("is not checked: this program was built without signatures")]
    Unchecked,
    /// More signatures in the file than are checked.
    #[error("is not checked, as there are more than {0} before it")]
    TooMany(u64),
    /// PEM around something else.
    #[error("is not PKCS#7 SignedData in DER: {0}")]
    NotSignedData(String),
    /// It carries data of its own.
    #[error("is not detached: it carries content of its own")]
    NotDetached,
    /// It is a bag of certificates only.
    #[error("names no signer")]
    NoSigner,
    /// The certificate of a signer is not in it.
    #[error("does not hold the certificate of its signer {0}")]
    NoCertificate(String),
    /// Something behind the first PEM block.
    #[error("is followed by {0}, which hosts ignore")]
    Behind(String),
    /// Content that the signature is not made for.
    #[error("is for another descriptor: its {digest} digest is not that of descriptor.xml")]
    OtherContent {
        /// The digest's name.
        digest: &'static str,
    },
    /// Signed attributes that lack what they must have, or say it twice.
    #[error("has signed attributes without exactly one {0}")]
    Attribute(&'static str),
    /// An algorithm that is not known here, or not trusted any more.
    #[error("uses {0}, which is not accepted")]
    Algorithm(String),
    /// An algorithm that is sound, but that no host is known to take.
    #[error("uses {0}; hosts are known to take RSA with SHA-256 only")]
    Unusual(String),
    /// The signature was not made by the key of the certificate over these bytes.
    #[error("of {0} does not hold: it is not over this descriptor, or not by that key")]
    Wrong(String),
    /// A certificate that cannot be used.
    #[error("comes with a certificate of {subject} that cannot be used: {problem}")]
    Certificate {
        /// Whose certificate.
        subject: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No way from the signer to a CA that was given.
    #[error("is by {subject}, whom no given CA vouches for: {problem}")]
    Untrusted {
        /// Subject of the signer's certificate.
        subject: String,
        /// Why not.
        problem: String,
    },
    /// Certificates outside their time.
    #[error("is by {subject}, but a certificate on the way to the CA is {problem} at {time}")]
    Dates {
        /// Subject of the signer's certificate.
        subject: String,
        /// `expired` or `not yet valid`.
        problem: &'static str,
        /// The time that was asked about.
        time: String,
    },
}

impl Fault {
    /// The rule that is broken.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Untrusted { .. } | Self::Dates { .. } => rules::TRUST,
            Self::TooLarge { .. } | Self::TooMany(_) => rules::BOUNDS,
            _ => rules::SIGNATURE_FORM,
        }
    }

    /// The next step.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotPem(_) | Self::NotSignedData(_) | Self::TooLarge { .. } => {
                "sign the package again, as PEM with the label PKCS7"
            }
            Self::Unchecked => "verify it with a build that has the feature `signatures`",
            Self::TooMany(_) => "check the packages one by one",
            Self::NotDetached => "sign the package again, detached",
            Self::Behind(_) => "leave it, or keep the first block only",
            Self::NoSigner | Self::NoCertificate(_) | Self::Attribute(_) => {
                "sign the package again, with the certificate in the signature"
            }
            Self::OtherContent { .. } | Self::Wrong(_) => {
                "fetch the package again; if it was edited, sign it again"
            }
            Self::Algorithm(_) | Self::Unusual(_) => "sign it with an RSA key and SHA-256",
            Self::Certificate { .. } => "sign it with another certificate",
            Self::Untrusted { .. } => "give the CA of this signer, or do not install the package",
            Self::Dates { .. } => "sign the package again, or ask about the day when it was signed",
        }
    }

    /// What a host says to such a signature above the level community, where that is known.
    pub fn host_message(&self) -> Option<&'static str> {
        match self {
            Self::NotPem(_) => Some("no start line"),
            Self::OtherContent { .. } | Self::Wrong(_) => Some("Invalid PKCS7 digest"),
            Self::NoSigner | Self::NoCertificate(_) | Self::Untrusted { .. } => {
                Some("Could not find a trusted signer")
            }
            _ => None,
        }
    }

    /// Whether it is only unusual: the signature holds nevertheless.
    pub fn is_minor(&self) -> bool {
        matches!(self, Self::Unusual(_)) || self.is_harmless()
    }

    /// Whether nobody has to do anything about it.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Behind(_))
    }
}

/// As its text.
impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
