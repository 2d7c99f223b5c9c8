//! Checks signatures: form, digest, key, and whom they come from (FORMAT.md S3, S4).

use cms::cert::x509::attr::Attribute;
use cms::cert::x509::der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use cms::cert::x509::der::oid::db::rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER;
use cms::cert::x509::der::oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use cms::cert::x509::der::{Decode as _, DecodeOwned, Encode as _, pem};
use cms::cert::x509::ext::pkix::SubjectKeyIdentifier;
use cms::cert::{CertificateChoices, x509::Certificate};
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use rustls_pki_types::CertificateDer;
use webpki::{EndEntityCert, Error};

use super::algorithm::{Digest, verifiers};
use super::{Fault, LABEL, SignatureCheck, SignedBy, Trust, blocks, trust::reason};

/// Sets are sorted while they are read, in time that grows with the square of their length.
const MOST_BYTES: usize = 64 << 10;

/// Checks the bytes of `sig.pkcs7` against those of `descriptor.xml`; and, if there is a `trust`,
/// whether every signer leads to one of its CAs.
pub fn check(descriptor: &[u8], signature: &[u8], trust: Option<&Trust>) -> SignatureCheck {
    let mut result = SignatureCheck {
        trust_checked: trust.is_some(),
        ..SignatureCheck::default()
    };
    if signature.len() > MOST_BYTES {
        result.faults.push(Fault::TooLarge {
            actual: signature.len(),
            limit: MOST_BYTES,
        });
        return result;
    }
    let (first, rest) = blocks::first(signature);
    match read(first) {
        Ok(data) => check_signers(descriptor, &data, trust, &mut result),
        Err(fault) => result.faults.push(fault),
    }
    result.faults.extend(blocks::behind(rest, signers));
    result
}

/// Who signed, by the certificates that come along; nobody if it is no signature.
fn signers(signature: &[u8]) -> Vec<String> {
    let Ok(data) = read(signature) else {
        return Vec::new();
    };
    let certificates = certificates(&data);
    let signers = data.signer_infos.0.iter();
    signers
        .filter_map(|signer| certificates.iter().find(|one| is_of(one, &signer.sid)))
        .map(|certificate| certificate.tbs_certificate.subject.to_string())
        .collect()
}

fn read(signature: &[u8]) -> Result<SignedData, Fault> {
    // Blanks behind the last line are no reason to refuse it.
    let (label, der) = pem::decode_vec(signature.trim_ascii_end())
        .map_err(|error| Fault::NotPem(error.to_string()))?;
    if label != LABEL {
        return Err(Fault::NotPem(format!("its label is {label:?}")));
    }
    let not_signed_data = |error: String| Fault::NotSignedData(error);
    let info = ContentInfo::from_der(&der).map_err(|error| not_signed_data(error.to_string()))?;
    if info.content_type != ID_SIGNED_DATA {
        return Err(not_signed_data(format!(
            "it is of type {}",
            info.content_type
        )));
    }
    let data: SignedData = info
        .content
        .decode_as()
        .map_err(|error| not_signed_data(error.to_string()))?;
    if data.encap_content_info.econtent.is_some() {
        return Err(Fault::NotDetached);
    }
    if data.signer_infos.0.is_empty() {
        return Err(Fault::NoSigner);
    }
    Ok(data)
}

fn certificates(data: &SignedData) -> Vec<&Certificate> {
    let sets = data.certificates.iter().flat_map(|set| set.0.iter());
    sets.filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate),
        CertificateChoices::Other(_) => None,
    })
    .collect()
}

/// Every signer must be right, as one that is not says that something was changed.
fn check_signers(
    descriptor: &[u8],
    data: &SignedData,
    trust: Option<&Trust>,
    result: &mut SignatureCheck,
) {
    let certificates = certificates(data);
    // Those that cannot be written again cannot have been read.
    let all: Vec<CertificateDer<'_>> = certificates
        .iter()
        .filter_map(|certificate| certificate.to_der().ok())
        .map(CertificateDer::from)
        .collect();
    for signer in data.signer_infos.0.iter() {
        let Some(certificate) = certificates
            .iter()
            .find(|certificate| is_of(certificate, &signer.sid))
        else {
            result.faults.push(Fault::NoCertificate(name(&signer.sid)));
            continue;
        };
        let subject = certificate.tbs_certificate.subject.to_string();
        result.signers.push(described(certificate));
        let Ok(der) = certificate.to_der().map(CertificateDer::from) else {
            continue;
        };
        let content_type = data.encap_content_info.econtent_type;
        if let Err(fault) = signed_bytes(descriptor, signer, content_type)
            .and_then(|bytes| holds(&bytes, signer, &subject, &der, result))
        {
            result.faults.push(fault);
        } else if let Some(fault) = trust.and_then(|trust| trust.check(&subject, &der, &all).err())
        {
            result.faults.push(fault);
        }
    }
}

/// What the key has signed: the descriptor, or attributes that name its digest (RFC 5652, 5.4).
fn signed_bytes(
    descriptor: &[u8],
    signer: &SignerInfo,
    content_type: ObjectIdentifier,
) -> Result<Vec<u8>, Fault> {
    let digest = Digest::new(signer.digest_alg.oid)?;
    let Some(attributes) = &signer.signed_attrs else {
        return Ok(descriptor.to_vec());
    };
    let stated: ObjectIdentifier = the_one(attributes, ID_CONTENT_TYPE, "content type")?;
    if stated != content_type {
        return Err(Fault::Attribute("content type that is that of the content"));
    }
    let stated: OctetString = the_one(attributes, ID_MESSAGE_DIGEST, "message digest")?;
    if stated.as_bytes() != digest.of(descriptor).as_ref() {
        return Err(Fault::OtherContent {
            digest: digest.name(),
        });
    }
    attributes
        .to_der()
        .map_err(|error| Fault::NotSignedData(error.to_string()))
}

/// The only value of the only attribute of this type.
fn the_one<T: DecodeOwned + cms::cert::x509::der::FixedTag>(
    attributes: &SetOfVec<Attribute>,
    oid: ObjectIdentifier,
    name: &'static str,
) -> Result<T, Fault> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(Fault::Attribute(name));
    };
    let mut values = attribute.values.iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Fault::Attribute(name));
    };
    value
        .to_der()
        .and_then(|der| T::from_der(&der))
        .map_err(|_| Fault::Attribute(name))
}

fn holds(
    bytes: &[u8],
    signer: &SignerInfo,
    subject: &str,
    certificate: &CertificateDer<'_>,
    result: &mut SignatureCheck,
) -> Result<(), Fault> {
    let digest = Digest::new(signer.digest_alg.oid)?;
    let (family, verifiers) = verifiers(signer.signature_algorithm.oid, digest)?;
    let unusable = |error: &Error| Fault::Certificate {
        subject: subject.to_owned(),
        problem: reason(error),
    };
    let end = EndEntityCert::try_from(certificate).map_err(|error| unusable(&error))?;
    let mut other_key = true;
    for verifier in verifiers {
        match end.verify_signature(*verifier, bytes, signer.signature.as_bytes()) {
            Ok(()) => {
                if (family, digest) != ("RSA", Digest::Sha256) {
                    let name = format!("{family} with {}", digest.name());
                    result.faults.push(Fault::Unusual(name));
                }
                return Ok(());
            }
            Err(Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(Error::InvalidSignatureForPublicKey) => other_key = false,
            Err(error) => return Err(unusable(&error)),
        }
    }
    if other_key {
        let problem = format!("its key is not one for {family} that is known here");
        return Err(Fault::Certificate {
            subject: subject.to_owned(),
            problem,
        });
    }
    Err(Fault::Wrong(subject.to_owned()))
}

fn is_of(certificate: &Certificate, sid: &SignerIdentifier) -> bool {
    let tbs = &certificate.tbs_certificate;
    match sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            tbs.issuer == id.issuer && tbs.serial_number == id.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => tbs
            .extensions
            .iter()
            .flatten()
            .filter(|one| one.extn_id == ID_CE_SUBJECT_KEY_IDENTIFIER)
            .any(|one| {
                SubjectKeyIdentifier::from_der(one.extn_value.as_bytes())
                    .is_ok_and(|own| own.0 == id.0)
            }),
    }
}

fn name(sid: &SignerIdentifier) -> String {
    match sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            format!("(issuer {}, serial {})", id.issuer, id.serial_number)
        }
        SignerIdentifier::SubjectKeyIdentifier(_) => "(named by its key)".to_owned(),
    }
}

fn described(certificate: &Certificate) -> SignedBy {
    let tbs = &certificate.tbs_certificate;
    SignedBy {
        subject: tbs.subject.to_string(),
        issuer: tbs.issuer.to_string(),
        serial: tbs.serial_number.to_string(),
        not_before: tbs.validity.not_before.to_string(),
        not_after: tbs.validity.not_after.to_string(),
    }
}
