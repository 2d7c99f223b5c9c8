//! Makes signatures (FORMAT.md S3, S5).

use std::fmt;

use cms::cert::x509::der::asn1::{Any, Null, OctetString, SetOfVec};
use cms::cert::x509::der::oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use cms::cert::x509::der::pem::{LineEnding, encode_string};
use cms::cert::x509::der::{self, Encode as _};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber, x509::Certificate};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};

use super::trust::certificates;
use super::{LABEL, SignError, algorithm, check};

/// A private key with its certificate.
pub struct Signer {
    key: RsaKeyPair,
    certificate: Certificate,
    chain: Vec<Certificate>,
}

impl Signer {
    /// From PEM: an RSA key of 2048 to 4096 bits (PKCS#8 or PKCS#1, not encrypted), its
    /// certificate, and the certificates between it and the CA, if there are any.
    ///
    /// # Errors
    /// If one of them cannot be read, or if the certificate is not that of the key.
    pub fn from_pem(key: &[u8], certificate: &[u8], chain: &[u8]) -> Result<Self, SignError> {
        let key = read_key(key)?;
        let (_, certificate) = certificates(certificate)?
            .into_iter()
            .next()
            .ok_or(SignError::NoCertificate)?;
        let public = &certificate.tbs_certificate.subject_public_key_info;
        if public.subject_public_key.as_bytes() != Some(key.public_key().as_ref()) {
            let subject = certificate.tbs_certificate.subject.to_string();
            return Err(SignError::OtherKey { subject });
        }
        let chain = if chain.is_empty() {
            Vec::new()
        } else {
            certificates(chain)?
        };
        Ok(Self {
            key,
            chain: chain.into_iter().map(|(_, parsed)| parsed).collect(),
            certificate,
        })
    }

    /// Subject of the certificate.
    pub fn subject(&self) -> String {
        self.certificate.tbs_certificate.subject.to_string()
    }

    /// The text of `sig.pkcs7` for a descriptor.
    ///
    /// The same key, certificates and descriptor give the same bytes: the padding of PKCS#1 is
    /// fixed, and there is no time in it (FORMAT.md S5).
    ///
    /// # Errors
    /// [`SignError::Useless`] if the signature does not hold, which is checked before it is given
    /// away; [`SignError::Key`] if the key cannot sign.
    pub fn sign(&self, descriptor: &[u8]) -> Result<String, SignError> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        // PKCS#1 padding asks for no random numbers.
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                descriptor,
                &mut signature,
            )
            .map_err(|_| unusable("it cannot sign; check it with: openssl pkey -check -in KEY"))?;
        let text = self
            .encode(&signature)
            .map_err(|error| SignError::Certificate {
                number: 1,
                problem: format!("it does not fit into a signature: {error}"),
            })?;
        match check(descriptor, text.as_bytes(), None)
            .faults
            .into_iter()
            .next()
        {
            Some(fault) => Err(SignError::Useless(fault)),
            None => Ok(text),
        }
    }

    fn encode(&self, signature: &[u8]) -> der::Result<String> {
        // With the NULL that older readers look for.
        let algorithm = |oid| AlgorithmIdentifierOwned {
            oid,
            parameters: Some(Any::from(Null)),
        };
        let sha256 = algorithm(algorithm::SHA_256);
        let own = &self.certificate.tbs_certificate;
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: own.issuer.clone(),
                serial_number: own.serial_number.clone(),
            }),
            digest_alg: sha256.clone(),
            signed_attrs: None,
            signature_algorithm: algorithm(algorithm::RSA),
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let mut certificates = SetOfVec::new();
        let mut all: Vec<&Certificate> = vec![&self.certificate];
        for certificate in &self.chain {
            // The chain may repeat the signer's own; a set holds nothing twice.
            if !all.contains(&certificate) {
                all.push(certificate);
            }
        }
        for certificate in all {
            certificates.insert(CertificateChoices::Certificate(certificate.clone()))?;
        }
        let data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![sha256])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: ID_DATA,
                econtent: None,
            },
            certificates: Some(CertificateSet(certificates)),
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
        };
        let info = ContentInfo {
            content_type: ID_SIGNED_DATA,
            content: Any::encode_from(&data)?,
        };
        Ok(encode_string(LABEL, LineEnding::LF, &info.to_der()?)?)
    }
}

/// Without the key.
impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Signer")
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}

fn unusable(problem: &str) -> SignError {
    SignError::Key {
        problem: problem.to_owned(),
    }
}

fn read_key(pem: &[u8]) -> Result<RsaKeyPair, SignError> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    let of_another_kind = "it is no RSA key, and hosts take RSA only; make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072";
    if pem
        .windows(ENCRYPTED.len())
        .any(|window| window == ENCRYPTED)
    {
        let problem =
            "it is encrypted; give a plain one, made with: openssl pkey -in KEY -out PLAIN";
        return Err(unusable(problem));
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        unusable("there is none; give PEM, with a line -----BEGIN PRIVATE KEY-----")
    })?;
    let parsed = match &key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err(unusable(of_another_kind)),
    };
    parsed.map_err(|rejected| match rejected.to_string().as_str() {
        "WrongAlgorithm" => unusable(of_another_kind),
        "TooSmall" => unusable("it has less than 2048 bits; make a new one"),
        "TooLarge" => unusable("it has more than 4096 bits; make a new one"),
        reason => unusable(&format!(
            "it is no usable RSA key ({reason}); make a new one"
        )),
    })
}
