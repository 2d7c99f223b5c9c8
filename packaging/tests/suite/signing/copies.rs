//! What signing does to the rest of a VIB: nothing.

use std::io::Cursor;

use packaging::{Sources, Vib, sign::sign};

use super::pki::{package, pki, signed};
use crate::reading::fixture::{ar, gzip, sound};
use crate::support::{SAMPLE, ar_members, on_disk, sample_bundle, sample_vib, sources, tool_text};

#[test]
fn all_other_bytes_stay() {
    let vib = package("partner");
    let copy = signed(&vib, &pki().signer("rsa", ""));
    let (before, after) = (ar_members(&vib), ar_members(&copy));
    for member in [0, 2] {
        assert_eq!(before[member], after[member]);
    }
    // By hand: name, then zeros, then the size, as for an unsigned one.
    let (header, text) = after[1];
    assert_eq!(&header[..48], &before[1].0[..48]);
    assert_eq!(
        String::from_utf8_lossy(&header[48..58]).trim(),
        text.len().to_string()
    );
    let (folder, _) = on_disk("a.vib", &copy);
    let listed = tool_text("ar", &["t", "a.vib"], folder.path());
    assert_eq!(listed, "descriptor.xml\nsig.pkcs7\nhi\n");
}

/// Signed while it is written, a package is the same as signed afterwards.
#[test]
fn a_package_can_be_signed_when_it_is_written() {
    let package = crate::support::package(SAMPLE, "1.2.0");
    let signer = pki().signer("rsa", "");
    let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
    let vib = Vib::write_signed(
        &package,
        &sources() as &dyn Sources,
        &mut spool,
        &mut bytes,
        &signer,
    )
    .unwrap();
    assert_eq!(bytes, signed(sample_vib().bytes(), &signer));
    assert_eq!(vib.size(), bytes.len() as u64);
}

#[test]
fn a_new_signature_takes_the_place_of_an_old_one() {
    let vib = package("partner");
    let signer = pki().signer("rsa", "");
    let once = signed(&vib, &pki().signer("below", "between"));
    let mut twice = Vec::new();
    assert!(
        sign(Cursor::new(&once), &mut twice, &signer)
            .unwrap()
            .replaced
    );
    assert_eq!(twice, signed(&vib, &signer));
}

#[test]
fn what_is_no_vib_is_not_signed() {
    let signer = pki().signer("rsa", "");
    let legacy = ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", b"")]);
    let no_signature = ar(&[("descriptor.xml", b"<vib/>"), ("hi", b"")]);
    let mut cut = sound();
    cut.truncate(100);
    for (bytes, wanted) in [
        (
            sample_bundle().bytes().to_vec(),
            "an offline bundle cannot be signed; hosts look at the signatures of the VIBs in it: pack it again with",
        ),
        (
            gzip(b"x"),
            "an archive without a descriptor cannot be signed",
        ),
        (legacy, "a VIB of 4.x cannot be signed"),
        (
            no_signature,
            "but sig.pkcs7, empty if the package is not signed, was expected here",
        ),
        (cut, "the file ends in the middle of it"),
        (Vec::new(), "ar magic"),
        (b"MZ".to_vec(), "ar magic"),
    ] {
        let mut out = Vec::new();
        let error = sign(Cursor::new(&bytes), &mut out, &signer).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(out.is_empty(), "{error}");
    }
}
