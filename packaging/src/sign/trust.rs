//! Whom to trust, and whether a certificate leads there (FORMAT.md S4).

use cms::cert::x509::der::oid::db::rfc5280::ID_CE_BASIC_CONSTRAINTS;
use cms::cert::x509::ext::pkix::BasicConstraints;
use cms::cert::x509::{Certificate, der::Decode as _, time::Validity};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject as _};
use webpki::{
    EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert,
};

use super::{Fault, SignError};
use crate::Epoch;

/// Purposes that a certificate for packages may be limited to: signing of code, of e-mail (which
/// general-purpose CAs issue), and any.
const PURPOSES: [&[usize]; 3] = [
    &[1, 3, 6, 1, 5, 5, 7, 3, 3],
    &[1, 3, 6, 1, 5, 5, 7, 3, 4],
    &[2, 5, 29, 37, 0],
];

/// CAs that vouch for signers, and the time at which all certificates must be valid.
#[derive(Debug, Clone)]
pub struct Trust {
    authorities: Vec<Authority>,
    at: Epoch,
}

#[derive(Debug, Clone)]
struct Authority {
    der: CertificateDer<'static>,
    validity: Validity,
    may_issue: bool,
}

impl Trust {
    /// From PEM with one or more certificates. A signer's own certificate may be among them; it is
    /// then trusted as it is.
    ///
    /// # Errors
    /// If there is none, or one cannot be read.
    pub fn from_pem(authorities: &[u8], at: Epoch) -> Result<Self, SignError> {
        let authorities = certificates(authorities)?
            .into_iter()
            .map(|(der, parsed)| Authority {
                der,
                validity: parsed.tbs_certificate.validity,
                may_issue: may_issue(&parsed),
            })
            .collect();
        Ok(Self { authorities, at })
    }

    /// Whether `certificate` is one of the given ones, or leads to one over `others`.
    pub(super) fn check(
        &self,
        subject: &str,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<(), Fault> {
        if let Some(own) = self.authorities.iter().find(|one| one.der == *certificate) {
            return self.dates(subject, &own.validity);
        }
        let untrusted = |problem: String| Fault::Untrusted {
            subject: subject.to_owned(),
            problem,
        };
        let end =
            EndEntityCert::try_from(certificate).map_err(|error| untrusted(reason(&error)))?;
        let mut last = untrusted("no CA certificate is among those that were given".to_owned());
        // One by one, so that the dates of the one that vouches are looked at, too.
        for authority in self.authorities.iter().filter(|one| one.may_issue) {
            let Ok(anchor) = anchor_from_trusted_cert(&authority.der) else {
                continue;
            };
            let path = end.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                std::slice::from_ref(&anchor),
                others,
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.at.unix())),
                Purpose,
                None,
                None,
            );
            match path {
                Ok(_) => return self.dates(subject, &authority.validity),
                Err(Error::CertExpired { .. }) => last = self.out_of_date(subject, "expired"),
                Err(Error::CertNotValidYet { .. }) => {
                    last = self.out_of_date(subject, "not yet valid");
                }
                Err(error) if matches!(last, Fault::Untrusted { .. }) => {
                    last = untrusted(reason(&error));
                }
                Err(_) => {}
            }
        }
        Err(last)
    }

    fn dates(&self, subject: &str, validity: &Validity) -> Result<(), Fault> {
        let seconds = self.at.unix();
        if seconds < validity.not_before.to_unix_duration().as_secs() {
            return Err(self.out_of_date(subject, "not yet valid"));
        }
        if seconds > validity.not_after.to_unix_duration().as_secs() {
            return Err(self.out_of_date(subject, "expired"));
        }
        Ok(())
    }

    fn out_of_date(&self, subject: &str, problem: &'static str) -> Fault {
        Fault::Dates {
            subject: subject.to_owned(),
            problem,
            time: self.at.in_bulletin(),
        }
    }
}

/// Takes certificates for no purpose in particular, and those for one of [`PURPOSES`].
struct Purpose;

impl ExtendedKeyUsageValidator for Purpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let mut limited = false;
        for purpose in purposes {
            limited = true;
            if PURPOSES.contains(&purpose?.to_decoded_oid().as_slice()) {
                return Ok(());
            }
        }
        if limited {
            return Err(Error::RequiredEkuNotFoundContext(
                webpki::RequiredEkuNotFoundContext {
                    required: webpki::KeyUsage::required_if_present(CODE_SIGNING),
                    present: Vec::new(),
                },
            ));
        }
        Ok(())
    }
}

/// id-kp-codeSigning, 1.3.6.1.5.5.7.3.3 (RFC 5280, 4.2.1.12), for error values.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];

/// The parser's and the verifier's errors, in words where they are likely.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::UnknownIssuer => "there is no way from its certificate to the CA".to_owned(),
        Error::RequiredEkuNotFoundContext(_) => {
            "its certificate is not for signing code".to_owned()
        }
        Error::EndEntityUsedAsCa => {
            "a certificate on the way is not that of a CA".to_owned()
        }
        Error::CaUsedAsEndEntity => {
            "its certificate is that of a CA, which signs certificates only; give it as the CA, if you trust it".to_owned()
        }
        Error::UnsupportedCertVersion => {
            "a certificate is not of version 3; make one with extensions, such as basicConstraints"
                .to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// Version 1 has no word for it.
fn may_issue(certificate: &Certificate) -> bool {
    let Some(extensions) = &certificate.tbs_certificate.extensions else {
        return true;
    };
    extensions
        .iter()
        .filter(|one| one.extn_id == ID_CE_BASIC_CONSTRAINTS)
        .any(|one| {
            BasicConstraints::from_der(one.extn_value.as_bytes()).is_ok_and(|basic| basic.ca)
        })
}

/// The certificates of a PEM text, at least one, as they are and parsed. Other blocks are passed
/// over.
pub(super) fn certificates(
    pem: &[u8],
) -> Result<Vec<(CertificateDer<'static>, Certificate)>, SignError> {
    let mut found = Vec::new();
    for (number, der) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        let der = der.map_err(|error| SignError::Certificate {
            number,
            problem: format!("its PEM is damaged: {error}"),
        })?;
        let parsed = Certificate::from_der(&der).map_err(|error| SignError::Certificate {
            number,
            problem: format!("it is no X.509 certificate: {error}"),
        })?;
        found.push((der, parsed));
    }
    if found.is_empty() {
        return Err(SignError::NoCertificate);
    }
    Ok(found)
}
