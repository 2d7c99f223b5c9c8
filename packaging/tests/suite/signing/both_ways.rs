//! `openssl` takes what we sign, and we take what `openssl` signs.

use super::pki::{package, pki, read_vib, signed, verdict, with_signature};
use crate::support::{ar_members, on_disk, tool, tool_text};

#[test]
fn openssl_verifies_our_signature() {
    for (name, chain) in [("rsa", ""), ("below", "between"), ("self", "")] {
        let vib = signed(&package("partner"), &pki().signer(name, chain));
        let members = ar_members(&vib);
        let (folder, _) = on_disk("descriptor.xml", members[0].1);
        std::fs::write(folder.path().join("sig.pkcs7"), members[1].1).unwrap();
        let ca = if name == "self" { "self.pem" } else { "ca.pem" };
        let ca = pki().path(ca).display().to_string();
        for command in ["cms", "smime"] {
            let args = [
                command,
                "-verify",
                "-inform",
                "PEM",
                "-in",
                "sig.pkcs7",
                "-content",
                "descriptor.xml",
                "-binary",
                "-CAfile",
                &ca,
                "-purpose",
                "any",
                "-out",
                "out",
            ];
            tool("openssl", &args, folder.path());
            let out = std::fs::read(folder.path().join("out")).unwrap();
            assert_eq!(out, members[0].1, "{command} gives the content back");
        }
    }
}

#[test]
fn our_signature_has_the_form_that_hosts_expect() {
    let vib = signed(&package("partner"), &pki().signer("rsa", ""));
    let text = ar_members(&vib)[1].1;
    assert!(text.starts_with(b"-----BEGIN PKCS7-----\n"));
    assert!(text.ends_with(b"\n-----END PKCS7-----\n"));
    let (folder, _) = on_disk("sig", text);
    let parsed = tool_text(
        "openssl",
        &["asn1parse", "-inform", "PEM", "-in", "sig"],
        folder.path(),
    );
    let objects: Vec<_> = parsed
        .lines()
        .filter_map(|line| line.split_once("OBJECT            :"))
        .map(|(_, name)| name)
        .collect();
    // SignedData over data that is elsewhere ...
    assert_eq!(objects[..3], ["pkcs7-signedData", "sha256", "pkcs7-data"]);
    // ... and, behind the certificate and its issuer's name, digest and key; no attribute and no
    // time.
    assert_eq!(objects[objects.len() - 2..], ["sha256", "rsaEncryption"]);
    assert!(!parsed.contains("signingTime"));
}

#[test]
fn a_package_that_is_signed_twice_has_the_same_bytes() {
    let vib = package("partner");
    let signer = pki().signer("rsa", "");
    assert_eq!(signed(&vib, &signer), signed(&vib, &signer));
}

#[test]
fn we_verify_what_openssl_signs() {
    let vib = package("partner");
    let descriptor = ar_members(&vib)[0].1;
    let signed_by = |name: &str| format!("-sign -signer {name}.pem -inkey {name}.key");
    let (rsa, below) = (signed_by("rsa"), signed_by("below"));
    let (ec, ec384) = (signed_by("ec"), signed_by("ec384"));
    let pss = "-keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:32";
    let cases = [
        (format!("smime {rsa} -md sha256"), ""),
        (format!("smime {rsa} -md sha256 -noattr"), ""),
        (format!("cms {rsa} -md sha256"), ""),
        (format!("cms {rsa} -keyid"), ""),
        (format!("cms {rsa} -noattr"), ""),
        (format!("smime {below} -certfile between.pem"), ""),
        // Two signers, both known.
        (format!("smime {rsa} {below} -certfile between.pem"), ""),
        (format!("cms {rsa} -md sha384"), "RSA with SHA-384"),
        (format!("cms {rsa} {pss}"), "RSA-PSS with SHA-256"),
        (format!("cms {ec} -md sha256"), "ECDSA with SHA-256"),
        (format!("cms {ec} -md sha256 -noattr"), "ECDSA with SHA-256"),
        (format!("cms {ec384} -md sha384"), "ECDSA with SHA-384"),
    ];
    for (args, unusual) in cases {
        let args: Vec<_> = args.split(' ').collect();
        let signature = pki().openssl(descriptor, &args);
        let relabelled = String::from_utf8(signature)
            .unwrap()
            .replace(" CMS-", " PKCS7-");
        let vib = with_signature(&vib, relabelled.as_bytes());
        let found = verdict(&vib, Some(pki().trust("ca")));
        if unusual.is_empty() {
            assert_eq!(found, "", "{args:?}");
        } else {
            assert_eq!(
                found,
                format!(
                    "W sig.pkcs7: uses {unusual}; hosts are known to take RSA with SHA-256 only; sign it with an RSA key and SHA-256 (FORMAT.md S3)"
                ),
                "{args:?}"
            );
        }
        let names = read_vib(&vib).signature_check.unwrap().signers;
        assert!(
            names.iter().all(|one| one.subject.contains("O=Acme")),
            "{names:?}"
        );
    }
}

#[test]
fn a_certificate_that_vouches_for_itself_is_trusted_if_it_is_given() {
    let vib = signed(&package("partner"), &pki().signer("self", ""));
    assert_eq!(verdict(&vib, Some(pki().trust("self"))), "");
    assert!(verdict(&vib, Some(pki().trust("ca"))).contains("no given CA vouches for"));
    // So is a signer's own.
    let vib = signed(&package("partner"), &pki().signer("rsa", ""));
    assert_eq!(verdict(&vib, Some(pki().trust("rsa"))), "");
}
