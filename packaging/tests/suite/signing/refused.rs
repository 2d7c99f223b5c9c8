//! Signatures that do not hold.

use packaging::Epoch;

use super::pki::{package, pki, read_vib, signed, verdict, with_signature};
use crate::support::ar_members;

fn refused(vib: &[u8], ca: &str, wanted: &str) {
    let found = verdict(vib, Some(pki().trust(ca)));
    assert!(
        found.starts_with("E ") && found.contains(wanted),
        "wanted: {wanted}\nfound: {found}"
    );
}

#[test]
fn a_package_without_a_signature_when_one_is_wanted() {
    for (level, wanted) in [
        (
            "community",
            "sig.pkcs7: is empty, but a signature is asked for",
        ),
        (
            "partner",
            "is above community, but the package is not signed",
        ),
    ] {
        refused(&package(level), "ca", wanted);
    }
}

#[test]
fn a_descriptor_that_was_changed() {
    let text_of = |vib: &[u8]| String::from_utf8(ar_members(vib)[0].1.to_vec()).unwrap();
    let vib = package("partner");
    let without = ar_members(&signed(&vib, &pki().signer("rsa", "")))[1]
        .1
        .to_vec();
    let with = pki().openssl(
        text_of(&vib).as_bytes(),
        &[
            "smime", "-sign", "-signer", "rsa.pem", "-inkey", "rsa.key", "-md", "sha256",
        ],
    );
    for (signature, wanted) in [
        (without, "does not hold: it is not over this descriptor"),
        (with, "its SHA-256 digest is not that of descriptor.xml"),
    ] {
        let mut changed = with_signature(&vib, &signature);
        let place = changed
            .windows(7)
            .position(|one| one == b"Says hi")
            .unwrap();
        changed[place] = b'B';
        refused(&changed, "ca", wanted);
        // Without a CA, too.
        assert!(verdict(&changed, None).contains(wanted));
    }
}

#[test]
fn a_signer_that_no_given_ca_vouches_for() {
    let vib = package("partner");
    refused(
        &signed(&vib, &pki().signer("rsa", "")),
        "other-ca",
        "is by CN=rsa,O=Acme, whom no given CA vouches for: there is no way from its certificate to the CA",
    );
    // The one between is missing in the signature.
    refused(
        &signed(&vib, &pki().signer("below", "")),
        "ca",
        "no given CA vouches for",
    );
    refused(
        &signed(&vib, &pki().signer("web", "")),
        "ca",
        "its certificate is not for signing code",
    );
    // A signer's certificate is no CA, also if it is given as one.
    refused(
        &signed(&vib, &pki().signer("below", "between")),
        "rsa",
        "no CA certificate is among those that were given",
    );
    // The certificate of a CA signs certificates.
    refused(
        &signed(&vib, &pki().signer("between", "")),
        "ca",
        "that of a CA",
    );
}

#[test]
fn certificates_outside_their_time() {
    let vib = package("partner");
    for (name, chain, ca) in [
        ("rsa", "", "ca"),
        ("below", "between", "ca"),
        ("self", "", "self"),
    ] {
        let vib = signed(&vib, &pki().signer(name, chain));
        for (at, wanted) in [
            ("2100-01-01T00:00:00Z", "expired"),
            ("2020-01-01T00:00:00Z", "not yet valid"),
        ] {
            let trust = pki().trust_at(ca, Epoch::from_rfc3339(at).unwrap());
            let found = verdict(&vib, Some(trust));
            let wanted = format!("is {wanted} at {}+00:00", at.trim_end_matches('Z'));
            assert!(found.contains(&wanted), "{found}");
        }
    }
}

#[test]
fn forms_that_hosts_do_not_read() {
    let vib = package("partner");
    let descriptor = ar_members(&vib)[0].1;
    let by_rsa = ["-sign", "-signer", "rsa.pem", "-inkey", "rsa.key"];
    let with =
        |args: &[&str]| pki().openssl(descriptor, &[&args[..1], &by_rsa, &args[1..]].concat());
    let sound = String::from_utf8(with(&["smime", "-md", "sha256"])).unwrap();
    let cut = &sound.as_bytes()[..sound.len() / 2];
    let base64 = sound.replace("MII", "!!!");
    let other = |sound: &str| sound.replacen("MII", "MIA", 1);
    let huge = format!(
        "-----BEGIN PKCS7-----\n{}-----END PKCS7-----\n",
        "A".repeat(64).repeat(2000)
    );
    let empty = "-----BEGIN PKCS7-----\n-----END PKCS7-----\n";
    for (signature, wanted) in [
        (&b"garbage"[..], "is not PEM with the label PKCS7"),
        (&with(&["cms"]), "its label is \"CMS\""),
        (cut, "is not PEM with the label PKCS7"),
        (base64.as_bytes(), "is not PEM with the label PKCS7"),
        (other(&sound).as_bytes(), "is not PKCS#7 SignedData in DER"),
        (huge.as_bytes(), "and at most 65536 are looked at"),
        (empty.as_bytes(), "is not PEM with the label PKCS7"),
        (&with(&["smime", "-nodetach"]), "is not detached"),
        (
            &with(&["smime", "-nocerts"]),
            "does not hold the certificate of its signer",
        ),
        (
            &with(&["smime", "-md", "sha1"]),
            "uses SHA-1, which is not accepted",
        ),
    ] {
        let vib = with_signature(&vib, signature);
        refused(&vib, "ca", wanted);
        assert!(!read_vib(&vib).signature_check.unwrap().holds());
    }
    let bag = ["crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-out", "bag"];
    crate::support::tool("openssl", &bag, pki().folder());
    refused(
        &with_signature(&vib, &pki().read("bag")),
        "ca",
        "names no signer",
    );
}

#[test]
fn one_signer_of_two_is_a_stranger() {
    let vib = package("partner");
    let args = [
        "smime", "-sign", "-signer", "rsa.pem", "-inkey", "rsa.key", "-signer", "self.pem",
        "-inkey", "self.key",
    ];
    let signature = pki().openssl(ar_members(&vib)[0].1, &args);
    refused(
        &with_signature(&vib, &signature),
        "ca",
        "CN=self,O=Acme, whom no given CA vouches for",
    );
}

/// What a signature is worth depends on the level: hosts look at it above community only.
#[test]
fn a_broken_signature_of_a_community_package_is_a_warning() {
    let vib = with_signature(&package("community"), b"garbage");
    assert!(verdict(&vib, None).starts_with("W sig.pkcs7: is not PEM"));
    let vib = signed(&package("community"), &pki().signer("rsa", ""));
    assert_eq!(verdict(&vib, None), "");
    let vib = signed(&package("partner"), &pki().signer("rsa", ""));
    assert_eq!(
        verdict(&vib, None),
        "W acceptance-level \"partner\": needs a trusted signer, and whether this one is trusted was not checked; give the vendor's CA with --ca (FORMAT.md S4)"
    );
}
