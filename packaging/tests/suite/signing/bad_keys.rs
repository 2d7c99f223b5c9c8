//! Keys and certificates that cannot sign.

use packaging::Epoch;
use packaging::sign::{Signer, Trust};

use super::pki::pki;
use crate::support::tool;

fn refused(key: &[u8], certificate: &[u8], chain: &[u8]) -> String {
    Signer::from_pem(key, certificate, chain)
        .unwrap_err()
        .to_string()
}

#[test]
fn keys_in_both_forms_are_taken() {
    tool(
        "openssl",
        &["rsa", "-in", "rsa.key", "-out", "rsa.pkcs1", "-traditional"],
        pki().folder(),
    );
    let key = pki().read("rsa.pkcs1");
    assert!(key.starts_with(b"-----BEGIN RSA PRIVATE KEY-----"));
    Signer::from_pem(&key, &pki().read("rsa.pem"), b"").unwrap();
}

#[test]
fn keys_that_cannot_sign_are_named_with_the_next_step() {
    let certificate = pki().read("rsa.pem");
    tool(
        "openssl",
        &[
            "pkey",
            "-in",
            "rsa.key",
            "-aes256",
            "-passout",
            "pass:x",
            "-out",
            "locked.key",
        ],
        pki().folder(),
    );
    tool(
        "openssl",
        &[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:1024",
            "-out",
            "small.key",
        ],
        pki().folder(),
    );
    tool(
        "openssl",
        &["ec", "-in", "ec.key", "-out", "ec.sec1"],
        pki().folder(),
    );
    for (key, wanted) in [
        (
            pki().read("locked.key"),
            "private key: it is encrypted; give a plain one",
        ),
        (pki().read("small.key"), "less than 2048 bits"),
        (
            pki().read("ec.key"),
            "it is no RSA key, and hosts take RSA only",
        ),
        (
            pki().read("ec.sec1"),
            "it is no RSA key, and hosts take RSA only",
        ),
        (
            pki().read("ed.key"),
            "it is no RSA key, and hosts take RSA only",
        ),
        (certificate.clone(), "private key: there is none; give PEM"),
        (b"secret".to_vec(), "private key: there is none; give PEM"),
    ] {
        let error = refused(&key, &certificate, b"");
        assert!(error.contains(wanted), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert_eq!(
        refused(&pki().read("below.key"), &certificate, b""),
        "the certificate of CN=rsa,O=Acme is not of this private key; give the certificate that was issued for it"
    );
}

#[test]
fn certificates_that_cannot_be_read() {
    let key = pki().read("rsa.key");
    let certificate = pki().read("rsa.pem");
    let none = "there is no certificate in it";
    let broken = String::from_utf8(certificate.clone()).unwrap();
    let broken = broken.replace("MII", "!!!");
    let other = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for (given, wanted) in [
        (&b""[..], none),
        (&key, none),
        (broken.as_bytes(), "certificate 1: its PEM is damaged"),
        (other, "certificate 1: it is no X.509 certificate"),
    ] {
        assert!(refused(&key, given, b"").contains(wanted), "{wanted}");
        let at = Epoch::from_unix(0).unwrap();
        assert!(
            Trust::from_pem(given, at)
                .unwrap_err()
                .to_string()
                .contains(wanted)
        );
    }
    assert!(refused(&key, &certificate, b"x").contains(none));
}

#[test]
fn a_key_is_never_shown() {
    let shown = format!("{:?}", pki().signer("rsa", ""));
    assert_eq!(shown, "Signer { subject: \"CN=rsa,O=Acme\", .. }");
}
