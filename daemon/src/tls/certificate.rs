//! What a certificate says of itself, as far as administrators have to know.

use rustls::pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    der::{Decode as _, Encode as _, Reader as _, SliceReader, asn1::UintRef},
    spki::ObjectIdentifier,
};

/// `rsaEncryption` (RFC 8017, appendix A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whom it is for, as DER.
    pub(super) subject: Vec<u8>,
    /// Who has signed it, as DER.
    pub(super) issuer: Vec<u8>,
    /// The first second of its validity, since 1970.
    pub(super) from: u64,
    /// The last one.
    pub(super) until: u64,
    /// The bits of its RSA key; absent with another kind of key.
    pub(super) rsa_bits: Option<usize>,
}

impl Facts {
    /// What the certificate says; nothing if it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let signed = &certificate.tbs_certificate;
        let key = &signed.subject_public_key_info;
        let rsa = key.algorithm.oid == RSA;
        let bits = key.subject_public_key.as_bytes().and_then(modulus_bits);
        Some(Self {
            subject: signed.subject.to_der().ok()?,
            issuer: signed.issuer.to_der().ok()?,
            from: signed.validity.not_before.to_unix_duration().as_secs(),
            until: signed.validity.not_after.to_unix_duration().as_secs(),
            rsa_bits: bits.filter(|_| rsa),
        })
    }
}

/// The bits of the modulus, which is the first number of an RSA key (RFC 8017, appendix A.1.1).
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(key).ok()?;
    let modulus = reader.sequence(|numbers| {
        let modulus = UintRef::decode(numbers)?;
        let _exponent = UintRef::decode(numbers)?;
        Ok(modulus)
    });
    let bytes = modulus.ok()?.as_bytes();
    let unused = bytes.first()?.leading_zeros() as usize;
    Some(bytes.len() * 8 - unused)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_is_read() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["host".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 12, 31);
        let made = params.self_signed(&key).unwrap();
        let facts = Facts::of(made.der()).unwrap();
        // `date -u -d 2020-01-01 +%s` and the same for the last day.
        assert_eq!((facts.from, facts.until), (1_577_836_800, 1_924_905_600));
        assert_eq!(facts.subject, facts.issuer);
        assert_eq!(facts.rsa_bits, None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at: usize, byte: u8) {
            let _facts = Facts::of(&CertificateDer::from(bytes));
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["host".to_owned()]).unwrap();
            let mut damaged = params.self_signed(&key).unwrap().der().to_vec();
            let at = at % damaged.len();
            damaged[at] = byte;
            let _facts = Facts::of(&CertificateDer::from(damaged));
        }
    }
}
