//! `cargo xtask verify --twice` with the program itself: the same bytes from two places, and an error
//! that names the place when they are not.
#![expect(
    clippy::disallowed_methods,
    reason = "a test of a program starts that program"
)]

use std::process::{Command, Output};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../packaging/examples/bootnote/package.toml"
);

fn verify(more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["verify", "--twice", EXAMPLE])
        .args(more)
        .output()
        .expect("it was built for this test")
}

#[test]
fn a_package_has_the_same_bytes_twice() {
    let output = verify(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for name in [
        "SHA256SUMS",
        "bootnote-1.0.0-1.vib",
        "bootnote-1.0.0-1-offline-bundle.zip",
    ] {
        assert!(
            text.contains(&format!("{name}: the same twice (")),
            "{text}"
        );
    }
}

#[test]
fn a_difference_is_named() {
    let output = verify(&["--sabotage"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(
        text.contains("the builds differ: bootnote-1.0.0-1.vib, first at byte ")
            && text.contains("in the member \"descriptor.xml\"; unpacked, ")
            && text.trim_end().ends_with(" differs"),
        "{text}"
    );
}
