//! Keys and certificates, made by `openssl`, once for all tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use packaging::Epoch;
use packaging::inspect::{Contents, Limits, Vib, inspect, inspect_trusting};
use packaging::sign::{Signer, Trust, sign};
use packaging::verify::{Severity, verify};

use crate::reading::fixture::{FILES, ar, descriptor, gzip, tar};
use crate::support::{ar_members, tool};

/// A folder with `NAME.key` and `NAME.pem` for each of:
/// `ca`; `other-ca`, which is unrelated; `between`, a CA under `ca`; and, for signing, `rsa`, `ec`,
/// `ec384`, `ed` and `web` (for TLS servers only) by `ca`, `below` by `between`, and `self` by
/// itself.
pub(crate) struct Pki(tempfile::TempDir);

static PKI: LazyLock<Pki> = LazyLock::new(|| {
    let pki = Pki(tempfile::tempdir().unwrap());
    let rsa = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let ec = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ec384 = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
    let is_ca = "basicConstraints=critical,CA:TRUE";
    let is_none = "basicConstraints=CA:FALSE";
    for root in ["ca", "other-ca"] {
        pki.issue(root, rsa, None, &[is_ca]);
    }
    pki.issue("self", rsa, None, &[is_ca]);
    pki.issue("between", rsa, Some("ca"), &[is_ca]);
    pki.issue("below", rsa, Some("between"), &[is_none]);
    pki.issue(
        "rsa",
        rsa,
        Some("ca"),
        &[is_none, "extendedKeyUsage=codeSigning"],
    );
    pki.issue("ec", ec, Some("ca"), &[is_none]);
    pki.issue("ec384", ec384, Some("ca"), &[is_none]);
    pki.issue("ed", &["-algorithm", "ED25519"], Some("ca"), &[is_none]);
    pki.issue(
        "web",
        rsa,
        Some("ca"),
        &[is_none, "extendedKeyUsage=serverAuth"],
    );
    pki
});

pub(crate) fn pki() -> &'static Pki {
    &PKI
}

impl Pki {
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn issue(&self, name: &str, key: &[&str], by: Option<&str>, extensions: &[&str]) {
        let file = |name: &str, end: &str| format!("{name}.{end}");
        let (own_key, own) = (file(name, "key"), file(name, "pem"));
        tool(
            "openssl",
            &[&["genpkey", "-out", &own_key][..], key].concat(),
            self.folder(),
        );
        let subject = format!("/O=Acme/CN={name}");
        let mut args = vec![
            "req", "-x509", "-new", "-key", &own_key, "-out", &own, "-days", "3650", "-subj",
            &subject,
        ];
        let (ca, ca_key) = (
            file(by.unwrap_or(name), "pem"),
            file(by.unwrap_or(name), "key"),
        );
        if by.is_some() {
            args.extend(["-CA", &ca, "-CAkey", &ca_key]);
        }
        args.extend(["-config", "/dev/null"]);
        for extension in extensions {
            args.extend(["-addext", extension]);
        }
        args.extend(["-addext", "subjectKeyIdentifier=hash"]);
        tool("openssl", &args, self.folder());
    }

    pub(crate) fn signer(&self, name: &str, chain: &str) -> Signer {
        let chain = if chain.is_empty() {
            Vec::new()
        } else {
            self.read(&format!("{chain}.pem"))
        };
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        Signer::from_pem(&self.read(&key), &self.read(&certificate), &chain).unwrap()
    }

    /// What signing with `openssl ARGS..` makes of a descriptor.
    pub(crate) fn openssl(&self, descriptor: &[u8], args: &[&str]) -> Vec<u8> {
        let folder = tempfile::tempdir_in(self.folder()).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("in"), descriptor).unwrap();
        let (input, out) = (path("in"), path("out"));
        let common = ["-in", &input, "-out", &out, "-binary", "-outform", "PEM"];
        tool("openssl", &[args, &common].concat(), self.folder());
        fs::read(out).unwrap()
    }

    pub(crate) fn trust(&self, ca: &str) -> Trust {
        self.trust_at(ca, now())
    }

    pub(crate) fn trust_at(&self, ca: &str, at: Epoch) -> Trust {
        Trust::from_pem(&self.read(&format!("{ca}.pem")), at).unwrap()
    }
}

fn now() -> Epoch {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Epoch::from_unix(passed.unwrap().as_secs().try_into().unwrap()).unwrap()
}

/// A sound package of a level, without a signature.
pub(crate) fn package(level: &str) -> Vec<u8> {
    let plain = tar("gnu", &FILES);
    let stored = gzip(&plain);
    let text = descriptor(&plain, &stored, &FILES.map(|(path, ..)| path))
        .replace("level>community<", &format!("level>{level}<"));
    ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
    ])
}

/// The same package with this signature, put in by hand.
pub(crate) fn with_signature(vib: &[u8], signature: &[u8]) -> Vec<u8> {
    let members = ar_members(vib);
    ar(&[
        ("descriptor.xml", members[0].1),
        ("sig.pkcs7", signature),
        ("hi", members[2].1),
    ])
}

pub(crate) fn signed(vib: &[u8], signer: &Signer) -> Vec<u8> {
    let mut out = Vec::new();
    sign(std::io::Cursor::new(vib), &mut out, signer).unwrap();
    out
}

/// Errors and warnings of a package; without `trust` nobody asks who signed.
pub(crate) fn verdict(vib: &[u8], trust: Option<Trust>) -> String {
    let input = std::io::Cursor::new(vib);
    let inspection = match trust {
        Some(trust) => inspect_trusting(input, &Limits::default(), trust),
        None => inspect(input, &Limits::default()),
    };
    let diagnoses = verify(&inspection.unwrap());
    let lines: Vec<_> = diagnoses
        .iter()
        .map(|one| match one.severity {
            Severity::Error => format!("E {}", one.finding),
            Severity::Warning => format!("W {}", one.finding),
            Severity::Note => format!("N {}", one.finding),
        })
        .collect();
    lines.join("\n")
}

pub(crate) fn read_vib(bytes: &[u8]) -> Vib {
    let inspection = inspect(std::io::Cursor::new(bytes), &Limits::default()).unwrap();
    match inspection.contents {
        Contents::Vib(vib) => *vib,
        other => panic!("{other:?}"),
    }
}
