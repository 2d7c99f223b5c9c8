//! Certificate and key in their files: read, compared and judged.

use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use rustls::{
    ServerConfig,
    crypto::ring::{default_provider, sign::any_supported_type},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::ServerSessionMemoryCache,
    sign::CertifiedKey,
};

use super::{certificate::Facts, ticketer};
use crate::{
    config::{Findings, Tls},
    sys::{open_regular, read_whole},
};

/// TLS 1.2 sessions that clients may resume without a ticket. Each takes some hundred bytes.
const CACHED_SESSIONS: usize = 512;

/// The permission bit by which users other than the owner and the group may read a file.
const READABLE_BY_OTHERS: u32 = 0o004;

/// The fewest bits of an RSA key that clients accept, and that the cryptography here can use.
const LEAST_RSA_BITS: usize = 2048;

/// How long before its end a certificate is reported.
const ENDS_SOON: Duration = Duration::from_hours(30 * 24);

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";

/// A pair that sessions can use.
#[derive(Debug)]
pub(crate) struct Pair {
    /// For control and data connections alike: only then can a client resume the session of the one
    /// on the other.
    pub(crate) config: Arc<ServerConfig>,
    /// The last second of the certificate's validity, as a date; absent if it cannot be read.
    pub(crate) until: Option<String>,
    /// What is wrong, although the pair can be used.
    pub(crate) doubts: Vec<Problem>,
}

/// Something that is wrong with the pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key of the configuration that names the file.
    pub(crate) key: &'static str,
    /// What is wrong, with the name of the file.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

impl Problem {
    fn new(key: &'static str, path: &Path, problem: &str, remedy: &str) -> Self {
        Self {
            key,
            text: format!("{}: {problem}", path.display()),
            remedy: remedy.to_owned(),
        }
    }
}

/// What `check` tells of the pair: an error if TLS cannot be offered with it, else warnings.
pub(crate) fn check(tls: &Tls, findings: &mut Findings) {
    match load(tls, super::clock()) {
        Ok(pair) => {
            for doubt in pair.doubts {
                findings.warning(doubt.key, &doubt.text, &doubt.remedy);
            }
        }
        Err(problem) => findings.error(problem.key, &problem.text, &problem.remedy),
    }
}

/// Reads certificate and key.
///
/// # Errors
/// Why they cannot be used.
pub(crate) fn load(tls: &Tls, now: SystemTime) -> Result<Pair, Problem> {
    let (chain, key) = (certificates(&tls.certificate)?, key(&tls.key)?);
    let of_certificate =
        |problem: &str, remedy: &str| Problem::new(CERTIFICATE, &tls.certificate, problem, remedy);
    let of_key = |problem: &str, remedy: &str| Problem::new(KEY, &tls.key, problem, remedy);

    let facts: Vec<_> = chain.iter().map(Facts::of).collect();
    let own = facts.first().and_then(Option::as_ref);
    if let Some(bits) = own.and_then(|own| own.rsa_bits)
        && bits < LEAST_RSA_BITS
    {
        let problem = format!("its RSA key has {bits} bits");
        let remedy = format!("make a pair with an RSA key of at least {LEAST_RSA_BITS} bits");
        return Err(of_certificate(&problem, &remedy));
    }
    let signing = any_supported_type(&key.der).map_err(|error| {
        let problem = format!("the private key cannot be used: {error}");
        of_key(
            &problem,
            "use an RSA key of 2048 to 8192 bits, ECDSA (P-256, P-384) or Ed25519",
        )
    })?;
    let belongs = |at: usize| {
        let rest = chain.get(at..).unwrap_or_default().to_vec();
        let one = CertifiedKey::new(rest, signing.clone());
        one.keys_match()
    };
    if let Err(error) = belongs(0) {
        use rustls::{Error, InconsistentKeys};
        return Err(match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch)
                if (1..chain.len()).any(|at| belongs(at).is_ok()) =>
            {
                of_certificate(
                    "the certificate of the private key is not the first",
                    "put the certificate of this host first, then that of its issuer, and so on",
                )
            }
            Error::InconsistentKeys(_) => of_key(
                &format!(
                    "the private key does not belong to {}",
                    tls.certificate.display()
                ),
                "name the key that the certificate was made for",
            ),
            other => of_certificate(
                &format!("the certificate cannot be used: {other}"),
                "use an X.509 certificate of version 3",
            ),
        });
    }
    let unusable = |error: &dyn std::fmt::Display| {
        let problem = format!("TLS cannot be set up: {error}");
        of_certificate(&problem, "report it with the output of: esxftpd probe")
    };
    let mut config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key.der)
        .map_err(|error| unusable(&error))?;
    config.session_storage = ServerSessionMemoryCache::new(CACHED_SESSIONS);
    config.ticketer = ticketer().map_err(|error| unusable(&error))?;

    let mut doubts = Vec::new();
    if !is_in_order(&facts) {
        doubts.push(of_certificate(
            "the chain is out of order: a certificate is not followed by that of its issuer",
            "put the certificate of this host first, then that of its issuer, and so on",
        ));
    }
    if let Some(own) = own {
        doubts.extend(validity(own, now).map(|problem| {
            of_certificate(
                &problem,
                "renew the certificate, and look at the clock of this host",
            )
        }));
    }
    if key.exposed {
        let remedy = format!("run: chmod o-r {}", tls.key.display());
        doubts.push(of_key(
            "every user of this host can read the private key",
            &remedy,
        ));
    }
    Ok(Pair {
        config: Arc::new(config),
        until: own.map(|own| date(own.until)),
        doubts,
    })
}

/// Whether each certificate is followed by that of its issuer, as far as they can be read.
fn is_in_order(chain: &[Option<Facts>]) -> bool {
    chain.windows(2).all(|pair| match pair {
        [Some(one), Some(next)] => one.issuer == next.subject,
        _ => true,
    })
}

/// What is wrong with the time of a certificate.
fn validity(own: &Facts, now: SystemTime) -> Option<String> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    if now < own.from {
        Some(format!(
            "the certificate is not valid before {}",
            date(own.from)
        ))
    } else if now > own.until {
        Some(format!(
            "the certificate has expired on {}",
            date(own.until)
        ))
    } else if own.until - now < ENDS_SOON.as_secs() {
        Some(format!("the certificate expires on {}", date(own.until)))
    } else {
        None
    }
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|time| DateTime::<Utc>::from_timestamp(time, 0));
    time.map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let problem = |problem: &str, remedy: &str| Problem::new(CERTIFICATE, path, problem, remedy);
    let pem =
        "it must be a PEM file with the certificate first, then that of its issuer, and so on";
    let (text, _exposed) = read(path).map_err(|error| {
        problem(
            &format!("cannot be read: {error}"),
            "correct the path, or put the file there",
        )
    })?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) if text.trim_ascii().is_empty() => Err(problem("the file is empty", pem)),
        Ok(_) => Err(problem("there is no certificate in it", pem)),
        Err(error) => Err(problem(&format!("it is damaged or cut off: {error}"), pem)),
    }
}

struct Key {
    der: PrivateKeyDer<'static>,
    /// Whether every user of the host can read it.
    exposed: bool,
}

fn key(path: &Path) -> Result<Key, Problem> {
    let problem = |problem: &str, remedy: &str| Problem::new(KEY, path, problem, remedy);
    let pem = "it must be a PEM file with an unencrypted private key";
    let (text, exposed) = read(path).map_err(|error| {
        problem(
            &format!("cannot be read: {error}"),
            "correct the path, or put the file there",
        )
    })?;
    // PKCS #8, and what OpenSSL wrote before it.
    let is_encrypted = [
        &b"BEGIN ENCRYPTED PRIVATE KEY"[..],
        b"Proc-Type: 4,ENCRYPTED",
    ]
    .iter()
    .any(|mark| text.windows(mark.len()).any(|found| found == *mark));
    if is_encrypted {
        let remedy =
            "nobody is there to type its password: decrypt it (openssl pkey -in .. -out ..)";
        return Err(problem("the private key is encrypted", remedy));
    }
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(der) => Ok(Key { der, exposed }),
        Err(_) if text.trim_ascii().is_empty() => Err(problem("the file is empty", pem)),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => {
            Err(problem("there is no private key in it", pem))
        }
        // What the parser quotes may be a piece of the key.
        Err(_) => Err(problem("it is damaged or cut off", pem)),
    }
}

/// What a file holds, and whether every user of the host can read it.
fn read(path: &Path) -> io::Result<(Vec<u8>, bool)> {
    let file = open_regular(path)?;
    let exposed = file.metadata()?.permissions().mode() & READABLE_BY_OTHERS != 0;
    Ok((read_whole(&file)?, exposed))
}
