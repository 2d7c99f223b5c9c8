//! `vib diff` as its user calls it, on packages that differ in known ways.
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

use tempfile::TempDir;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bootnote");
const VIB: &str = "bootnote-1.0.0-1.vib";
const BUNDLE: &str = "bootnote-1.0.0-1-offline-bundle.zip";

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

/// The example, packed into `a`, and into `b` after an edit of one of its files.
fn pair(file: &str, from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for entry in fs::read_dir(EXAMPLE).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), here.join(entry.file_name())).unwrap();
    }
    for out in ["a", "b"] {
        if out == "b" {
            let before = fs::read_to_string(here.join(file)).unwrap();
            assert!(before.contains(from), "{from}");
            fs::write(here.join(file), before.replacen(from, to, 1)).unwrap();
        }
        let output = vib(here, &["build", "package.toml", "--out", out]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    folder
}

fn paths(name: &str) -> [String; 2] {
    ["a", "b"].map(|folder| format!("{folder}/{name}"))
}

#[test]
fn builds_of_the_same_files_are_the_same() {
    let folder = pair("bootnote.conf", "note", "note");
    for name in [VIB, BUNDLE] {
        let [a, b] = paths(name);
        let output = vib(folder.path(), &["diff", &a, &b]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stdout), format!("{a} and {b} are the same\n"));
    }
}

#[test]
fn a_file_that_differs_is_named() {
    let folder = pair("bootnote.conf", "was started", "has started");
    let [a, b] = paths(VIB);
    let output = vib(folder.path(), &["diff", &a, &b]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = text(&output.stdout);
    for part in [
        "--- a/bootnote-1.0.0-1.vib\n+++ b/bootnote-1.0.0-1.vib\nfirst at byte ",
        ", in the member \"descriptor.xml\"\n",
        "\nmember bootnote\n  - ",
        "\nfile bootnote/etc/config/bootnote/bootnote.conf\n  - mode 1644, 44 bytes, sha-256 ",
        "field payloads[bootnote].checksums[1].value\n  - ",
    ] {
        assert!(stdout.contains(part), "{part:?} is not in:\n{stdout}");
    }
    // Nothing else differs.
    assert_eq!(stdout.matches("\nfile ").count(), 1, "{stdout}");
    assert!(!stdout.contains("descriptor.name"), "{stdout}");
    assert!(!stdout.contains('\x1b'), "{stdout}");
}

#[test]
fn a_field_and_a_mode_that_differ_are_named_in_a_bundle_too() {
    let folder = pair("package.toml", "mode = \"0700\"", "mode = \"0755\"");
    let [a, b] = paths(BUNDLE);
    let output = vib(folder.path(), &["diff", &a, &b, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found["format"], &found["same"]),
        (&1.into(), &false.into())
    );
    let differences = found["differences"].as_array().unwrap();
    let of = |kind: &str| {
        let of = differences.iter().filter(move |one| one["kind"] == kind);
        of.map(|one| one["place"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("file"),
        ["example_bootbank_bootnote_1.0.0-1/bootnote/opt/bootnote/notes/"]
    );
    assert!(of("member").contains(&"vib20/bootnote/example_bootbank_bootnote_1.0.0-1.vib"));

    let folder = pair("package.toml", "Boot note", "Boot notes");
    let [a, b] = paths(BUNDLE);
    let stdout = text(&vib(folder.path(), &["diff", &a, &b]).stdout);
    assert!(
        stdout.contains("  - Boot note\n  + Boot notes\n"),
        "{stdout}"
    );
    assert!(!stdout.contains("\nfile "), "{stdout}");
}

#[test]
fn what_only_one_has_is_shown_on_its_side() {
    let row = "[[contents]]\nsource = \"bootnote.conf\"\n";
    let more = format!("{row}destination = \"opt/bootnote/more\"\nmode = \"0444\"\n\n{row}");
    let folder = pair("package.toml", row, &more);
    let [a, b] = paths(VIB);
    let stdout = text(&vib(folder.path(), &["diff", &a, &b]).stdout);
    let place = "file bootnote/opt/bootnote/more\n";
    let (_, behind) = stdout.split_once(place).unwrap();
    assert!(behind.starts_with("  + mode 0444"), "{stdout}");
}

#[test]
fn another_compression_of_the_same_files_is_told_apart() {
    let folder = pair("bootnote.conf", "note", "note");
    let [a, _] = paths(VIB);
    let bytes = fs::read(folder.path().join(&a)).unwrap();
    // Date of the last header: hosts ignore it.
    let place = bytes
        .windows(8)
        .rposition(|eight| eight == b"bootnote")
        .unwrap();
    let place = bytes[..=place]
        .windows(16)
        .rposition(|name| name == b"bootnote        ")
        .unwrap_or(place);
    let mut other = bytes.clone();
    other[place + 16] = b'1';
    fs::write(folder.path().join("other.vib"), other).unwrap();
    let output = vib(folder.path(), &["diff", &a, "other.vib"]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = text(&output.stdout);
    assert!(
        stdout.contains("note: what they hold is the same; the way that it is packed differs"),
        "{stdout}"
    );
}

#[test]
fn what_cannot_be_compared_ends_with_2() {
    let folder = pair("bootnote.conf", "note", "note");
    let [a, _] = paths(VIB);
    fs::write(folder.path().join("page.html"), "<html>").unwrap();
    for other in ["ghost.vib", "page.html"] {
        let output = vib(folder.path(), &["diff", &a, other]);
        assert_eq!(output.status.code(), Some(2), "{other}");
        assert!(text(&output.stderr).contains(other), "{output:?}");
    }
    // A damaged one can, as far as it goes.
    let mut bytes = fs::read(folder.path().join(&a)).unwrap();
    let place = bytes.windows(5).position(|five| five == b"false").unwrap();
    bytes[place..place + 5].copy_from_slice(b"maybe");
    fs::write(folder.path().join("damaged.vib"), bytes).unwrap();
    let output = vib(folder.path(), &["diff", &a, "damaged.vib"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("  - false\n  + maybe\n"));
}
