//! The commands of `vib`, called through `cargo xtask`: the same code, the same answers.
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

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn xtask(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_door_opens() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let example = format!("{WORKSPACE}/packaging/examples/bootnote/package.toml");
    let vib = "out/bootnote-1.0.0-1.vib";
    for (args, wanted) in [
        (&["package", &example, "--out", "out"][..], vib),
        (&["inspect", vib], "bootnote"),
        (&["inspect", vib, vib, "--json"], "\"format\": 1"),
        (&["extract", vib, "unpacked"], "files in "),
        (&["verify", vib], "0 errors, 0 warnings"),
        (&["diff", vib, vib], "are the same"),
        (&["init", "sample"], "package.toml"),
    ] {
        let output = xtask(here, args);
        let stdout = text(&output.stdout);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert!(stdout.contains(wanted), "{args:?}: {stdout}");
    }
    let output = xtask(here, &["sign", vib]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("add --key KEY.pem"));
}

#[test]
fn verify_wants_files_unless_it_builds_twice() {
    let folder = tempfile::tempdir().unwrap();
    let output = xtask(folder.path(), &["verify"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("<FILE>"), "{output:?}");
    let output = xtask(folder.path(), &["verify", "--twice", "a", "b"]);
    assert!(
        text(&output.stderr).contains("--twice takes one description"),
        "{output:?}"
    );
}

#[test]
fn what_dist_builds_is_said_to_come_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir(here.join("packaging")).unwrap();
    let ours = "packaging/package.toml";
    fs::copy(format!("{WORKSPACE}/{ours}"), here.join(ours)).unwrap();
    let output = xtask(here, &["package", ours, "--out", "out"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains(
            "packaging/package.toml: `cargo xtask dist` builds these sources, and has not done so yet: \
             ../target/x86_64-unknown-linux-musl/release/esxftpd, \
             ../target/supply/third-party-licenses.txt, ../target/supply/esxftpd.cdx.json\nrun it"
        ),
        "{stderr}"
    );
}
