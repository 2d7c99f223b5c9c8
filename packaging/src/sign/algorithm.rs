//! The algorithms of signatures: which are known, and by which names.

use cms::cert::x509::der::oid::ObjectIdentifier;
use cms::cert::x509::der::oid::db::{rfc5912, rfc8410};
use ring::digest;
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::ring as known;

use super::Fault;

/// SHA-256, the digest that hosts are known to take.
pub(super) const SHA_256: ObjectIdentifier = rfc5912::ID_SHA_256;
/// RSA with PKCS#1 padding; the digest is named elsewhere.
pub(super) const RSA: ObjectIdentifier = rfc5912::RSA_ENCRYPTION;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    pub(super) fn new(oid: ObjectIdentifier) -> Result<Self, Fault> {
        match oid {
            SHA_256 => Ok(Self::Sha256),
            rfc5912::ID_SHA_384 => Ok(Self::Sha384),
            rfc5912::ID_SHA_512 => Ok(Self::Sha512),
            rfc5912::ID_SHA_1 => Err(Fault::Algorithm("SHA-1".to_owned())),
            other => Err(Fault::Algorithm(format!("the digest {other}"))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }
}

type Candidates = &'static [&'static dyn SignatureVerificationAlgorithm];

const RSA_256: Candidates = &[known::RSA_PKCS1_2048_8192_SHA256];
const RSA_384: Candidates = &[known::RSA_PKCS1_2048_8192_SHA384];
const RSA_512: Candidates = &[known::RSA_PKCS1_2048_8192_SHA512];
const PSS_256: Candidates = &[known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY];
const PSS_384: Candidates = &[known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY];
const PSS_512: Candidates = &[known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY];
const ECDSA_256: Candidates = &[known::ECDSA_P256_SHA256, known::ECDSA_P384_SHA256];
const ECDSA_384: Candidates = &[known::ECDSA_P256_SHA384, known::ECDSA_P384_SHA384];
const EDDSA: Candidates = &[known::ED25519];

/// Family, and the ways to verify; the curve of a key tells which of them is right.
pub(super) fn verifiers(
    signature: ObjectIdentifier,
    digest: Digest,
) -> Result<(&'static str, Candidates), Fault> {
    use Digest::{Sha256, Sha384, Sha512};
    Ok(match (signature, digest) {
        (RSA | rfc5912::SHA_256_WITH_RSA_ENCRYPTION, Sha256) => ("RSA", RSA_256),
        (RSA | rfc5912::SHA_384_WITH_RSA_ENCRYPTION, Sha384) => ("RSA", RSA_384),
        (RSA | rfc5912::SHA_512_WITH_RSA_ENCRYPTION, Sha512) => ("RSA", RSA_512),
        (rfc5912::ID_RSASSA_PSS, Sha256) => ("RSA-PSS", PSS_256),
        (rfc5912::ID_RSASSA_PSS, Sha384) => ("RSA-PSS", PSS_384),
        (rfc5912::ID_RSASSA_PSS, Sha512) => ("RSA-PSS", PSS_512),
        (rfc5912::ECDSA_WITH_SHA_256, Sha256) => ("ECDSA", ECDSA_256),
        (rfc5912::ECDSA_WITH_SHA_384, Sha384) => ("ECDSA", ECDSA_384),
        (rfc8410::ID_ED_25519, Sha512) => ("Ed25519", EDDSA),
        (other, digest) => {
            let name = format!("the signature {other} with {}", digest.name());
            return Err(Fault::Algorithm(name));
        }
    })
}
