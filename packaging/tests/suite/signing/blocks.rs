//! Several PEM blocks in one signature, as two public bundles have them: the first counts.

use packaging::verify::verify;

use super::pki::{package, pki, read_vib, verdict, with_signature};
use crate::reading::fixture::read;
use crate::support::ar_members;

/// A signature of a package's descriptor by this signer.
fn by(vib: &[u8], name: &str) -> Vec<u8> {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let args = [
        "smime",
        "-sign",
        "-signer",
        &certificate,
        "-inkey",
        &key,
        "-md",
        "sha256",
    ];
    pki().openssl(ar_members(vib)[0].1, &args)
}

#[test]
fn a_second_block_by_another_signer_does_not_make_a_signature_invalid() {
    let vib = package("partner");
    let both = with_signature(&vib, &[by(&vib, "rsa"), by(&vib, "self")].concat());
    assert_eq!(
        verdict(&both, Some(pki().trust("ca"))),
        "N sig.pkcs7: is followed by another PEM block (by CN=self,O=Acme), which hosts ignore; \
         leave it, or keep the first block only (FORMAT.md S3)"
    );
    let check = read_vib(&both).signature_check.unwrap();
    assert!(check.holds(), "{check:?}");
    let subjects: Vec<_> = check
        .signers
        .iter()
        .map(|one| one.subject.as_str())
        .collect();
    assert_eq!(subjects, ["CN=rsa,O=Acme"]);
    let text = read(&both).unwrap().to_string();
    assert!(text.contains("signed; whether by whom it says"), "{text}");
}

#[test]
fn the_first_block_counts_and_no_other() {
    let vib = package("partner");
    let (sound, other) = (by(&vib, "rsa"), by(&vib, "self"));
    let both = with_signature(&vib, &[other, sound.clone()].concat());
    let found = verdict(&both, Some(pki().trust("ca")));
    assert!(
        found.starts_with("E sig.pkcs7: is by CN=self,O=Acme, whom no given CA vouches for"),
        "{found}"
    );
    let broken = b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n".to_vec();
    let both = with_signature(&vib, &[broken, sound].concat());
    assert!(!read_vib(&both).signature_check.unwrap().holds());
}

#[test]
fn what_follows_is_told_apart() {
    let vib = package("partner");
    let sound = by(&vib, "rsa");
    let with = |rest: &[u8]| {
        let vib = with_signature(&vib, &[&sound, rest].concat());
        let found = verify(&read(&vib).unwrap());
        let lines: Vec<_> = found
            .iter()
            .map(|one| one.finding.problem.clone())
            .collect();
        lines.join("\n")
    };
    assert!(!with(b"\n \r\n").contains("is followed by"));
    assert!(with(b"more").contains("is followed by 4 bytes that are not PEM, which hosts"));
    let certificate = pki().read("ca.pem");
    assert!(with(&certificate).contains("is followed by another PEM block, which hosts"));
    let two = [&sound[..], &sound].concat();
    assert!(
        with(&two).contains("is followed by 2 more PEM blocks (by CN=rsa,O=Acme; CN=rsa,O=Acme), "),
        "{}",
        with(&two)
    );
}
