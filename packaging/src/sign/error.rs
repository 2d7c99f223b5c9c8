//! Why something cannot be signed, or checked against a CA.

use crate::inspect::ReadError;
use crate::sign::Fault;

/// An error of [`Signer`](super::Signer), [`Trust`](super::Trust) or [`sign`](super::sign).
///
/// Keys and certificates are named by their part; the caller knows the files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A private key that cannot be used.
    #[error("private key: {problem}")]
    Key {
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A certificate that cannot be read.
    #[error("certificate {number}: {problem}")]
    Certificate {
        /// Its place in the PEM text, counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// PEM text without any certificate.
    #[error(
        "there is no certificate in it; give PEM, with a line -----BEGIN CERTIFICATE----- (from DER: openssl x509 -inform DER)"
    )]
    NoCertificate,
    /// The certificate is of another key.
    #[error(
        "the certificate of {subject} is not of this private key; give the certificate that was issued for it"
    )]
    OtherKey {
        /// Subject of the certificate.
        subject: String,
    },
    /// A file that carries no signature of its own.
    #[error("{found} cannot be signed; {remedy}")]
    NotSignable {
        /// What the file is.
        found: &'static str,
        /// The next step.
        remedy: &'static str,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy cannot be written.
    #[error(transparent)]
    Write(#[from] crate::Error),
    /// The signature that was made does not hold.
    #[error("the new signature does not hold: {0}; check key and certificate")]
    Useless(Fault),
}

const _: () = {
    const fn can_cross_threads<T: Send + Sync + 'static>() {}
    can_cross_threads::<SignError>();
};
