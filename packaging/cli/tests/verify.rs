//! `vib verify` and `sign`, as their user calls them, and what `build` says of a description
//! before it writes.
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
const VIB: &str = "out/bootnote-1.0.0-1.vib";

fn vib(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vib"))
        .args(args)
        .current_dir(folder)
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with the example, packed, and a damaged copy of it, `damaged.vib`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = vib(folder.path(), &["build", EXAMPLE, "--out", "out"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let mut bytes = fs::read(folder.path().join(VIB)).unwrap();
    let place = bytes.windows(6).position(|six| six == b"false<").unwrap();
    bytes[place..place + 5].copy_from_slice(b"maybe");
    fs::write(folder.path().join("damaged.vib"), bytes).unwrap();
    folder
}

#[test]
fn several_files_are_judged_one_after_the_other() {
    let folder = folder();
    let output = vib(folder.path(), &["verify", VIB, "damaged.vib", VIB]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let lines: Vec<_> = stdout
        .lines()
        .filter(|line| line.contains(" errors, "))
        .collect();
    assert_eq!(
        lines,
        [
            format!("{VIB}: 0 errors, 0 warnings"),
            "damaged.vib: 1 errors, 0 warnings".to_owned(),
            format!("{VIB}: 0 errors, 0 warnings"),
        ]
    );
    let output = vib(folder.path(), &["verify", VIB, VIB]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_file_that_is_not_there_keeps_no_other_from_being_judged() {
    let folder = folder();
    let output = vib(folder.path(), &["verify", "ghost.vib", VIB, "phantom.vib"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains(": 0 errors, 0 warnings"));
    let stderr = text(&output.stderr);
    for name in ["ghost.vib", "phantom.vib"] {
        assert!(
            stderr.contains(&format!("{name}: No such file")),
            "{stderr}"
        );
    }
}

#[test]
fn json_is_an_object_for_one_file_and_a_list_for_several() {
    let folder = folder();
    let json = |args: &[&str]| -> serde_json::Value {
        let output = vib(folder.path(), &[&["verify", "--json"], args].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let one = json(&["damaged.vib"]);
    assert_eq!((&one["errors"], &one["notes"]), (&1.into(), &0.into()));
    assert_eq!(json(&[VIB, "damaged.vib"])[1], one);
}

#[test]
fn sign_without_keys_says_which_options_it_takes() {
    let folder = folder();
    let output = vib(folder.path(), &["sign", VIB]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("add --key KEY.pem and --cert CERT.pem"),
        "{stderr}"
    );
    // Half of them, too.
    let stderr = text(&vib(folder.path(), &["sign", VIB, "--key", "key"]).stderr);
    assert!(stderr.contains("--cert <FILE>"), "{stderr}");
}

#[test]
fn at_says_how_a_time_is_written() {
    let folder = folder();
    fs::write(folder.path().join("ca.pem"), "").unwrap();
    for at in [
        "yesterday",
        "2026-01-15",
        "1768435200",
        "1950-01-01T00:00:00Z",
    ] {
        let output = vib(
            folder.path(),
            &["verify", VIB, "--ca", "ca.pem", "--at", at],
        );
        let stderr = text(&output.stderr);
        assert_eq!(
            stderr,
            format!(
                "error: --at {at:?}: write a date, a time and an offset, like \
                 2026-01-15T00:00:00Z, from 1970 to 2107\n"
            )
        );
    }
}

/// The example with one text of its description replaced, in a folder of its own.
fn described(from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(EXAMPLE).parent().unwrap();
    for entry in fs::read_dir(example).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let description = folder.path().join("package.toml");
    let before = fs::read_to_string(&description).unwrap();
    assert!(before.contains(from), "{from}");
    fs::write(&description, before.replacen(from, to, 1)).unwrap();
    folder
}

#[test]
fn build_warns_of_texts_beyond_ascii_and_of_unsaved_configuration() {
    let folder = described("Writes a note", "Schreibt f\u{fc}r Leser");
    let output = vib(folder.path(), &["build", "package.toml", "--out", "out"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.starts_with(
            "warning: package.toml: summary: contains '\u{fc}', and a host may fail to save what \
             is beyond ASCII; write it in ASCII, for instance with ae for \u{e4} (FORMAT.md D11)\n"
        ),
        "{stderr}"
    );
    let folder = described("type = \"config\"", "type = \"file\"");
    let output = vib(folder.path(), &["build", "package.toml", "--out", "out"]);
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with(
            "warning: package.toml: contents \"etc/config/bootnote/bootnote.conf\": lies below \
             etc/config/ without the sticky bit"
        ),
        "{stderr}"
    );
}

#[test]
fn build_does_not_write_an_init_script_that_cannot_be_started() {
    let script = fs::read_to_string(Path::new(EXAMPLE).with_file_name("bootnote")).unwrap();
    for (script, wanted) in [
        (
            script.replace('\n', "\r\n"),
            "ends its first line with a carriage return",
        ),
        (
            script.replace("#!/bin/sh", "#!/bin/bash"),
            "is a script for /bin/bash",
        ),
        (
            script.replace("#!/bin/sh", ""),
            "does not begin with \"#!\"",
        ),
    ] {
        let folder = described("bootnote", "bootnote");
        fs::write(folder.path().join("bootnote"), script).unwrap();
        let output = vib(folder.path(), &["build", "package.toml", "--out", "out"]);
        let stderr = text(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(wanted),
            "{stderr}"
        );
        assert!(!folder.path().join("out").exists());
    }
}

#[test]
fn build_tells_all_faults_of_a_description_at_once() {
    let folder = described("stateless-ready = true", "stateless-ready = \"yes\"");
    let description = folder.path().join("package.toml");
    let before = fs::read_to_string(&description).unwrap();
    let after = before
        .replace("vendor-code = \"exa\"", "vendor-code = \"example\"")
        .replace("mode = \"0700\"", "mode = 700");
    fs::write(&description, after).unwrap();
    let output = vib(folder.path(), &["build", "package.toml", "--out", "out"]);
    let stderr = text(&output.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{stderr}");
    assert_eq!(lines[0], "error: package.toml:");
    for (line, wanted) in [
        (1, "key stateless-ready: invalid type: string"),
        (2, "key mode: invalid type: integer `700`"),
        (3, "vendor-code \"example\": is not made of exactly three"),
    ] {
        assert!(lines[line].contains(wanted), "{stderr}");
    }
}
