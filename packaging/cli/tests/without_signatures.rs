//! The program as it is built where there is no C compiler: it does not sign, and it does not claim
//! to have checked a signature.
#![cfg(not(feature = "signatures"))]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a command is tested by running it, and what fails ends the test"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/bootnote/package.toml"
);
const SIGNATURE: &[u8] = b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n";

fn vib(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vib"));
    command.args(args).current_dir(folder).output().unwrap()
}

#[test]
fn a_signature_is_reported_as_not_checked() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert!(
        vib(here, &["build", EXAMPLE, "--out", "out"])
            .status
            .success()
    );
    let bytes = fs::read(here.join("out/bootnote-1.0.0-1.vib")).unwrap();
    // The size is the last field of the header but one.
    let header = bytes
        .windows(9)
        .position(|nine| nine == b"sig.pkcs7")
        .unwrap();
    let mut signed = bytes[..header + 60].to_vec();
    let size = format!("{:<10}", SIGNATURE.len());
    signed[header + 48..header + 58].copy_from_slice(size.as_bytes());
    signed.extend(SIGNATURE);
    if SIGNATURE.len() % 2 == 1 {
        signed.push(b'\n');
    }
    signed.extend(&bytes[header + 60..]);
    fs::write(here.join("signed.vib"), signed).unwrap();

    let output = vib(here, &["verify", "signed.vib"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stdout}");
    assert!(
        stdout.contains("is not checked: this program was built without signatures"),
        "{stdout}"
    );
    let stdout = String::from_utf8(vib(here, &["inspect", "signed.vib"]).stdout).unwrap();
    assert!(stdout.contains("present, not checked"), "{stdout}");
}

#[test]
fn nothing_that_signs_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["sign", "a.vib"][..],
        &["verify", "a.vib", "--ca", "ca.pem"],
    ] {
        assert_eq!(vib(folder.path(), args).status.code(), Some(2), "{args:?}");
    }
}
