//! The sample package, plain readers for archives, and the way to the system's tools.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packaging::{Bundle, Manifest, Package, Vib};

/// A package with one of everything.
pub(crate) const SAMPLE: &str = include_str!("sample.toml");

pub(crate) fn sources() -> BTreeMap<String, Vec<u8>> {
    // A program that compresses badly and a length that is odd, so that padding is exercised.
    let program = (0..4999_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    BTreeMap::from([
        ("build/hello".to_owned(), program),
        ("empty".to_owned(), Vec::new()),
        (
            "hello.init".to_owned(),
            b"#!/bin/sh\n# chkconfig: on 80 20\n".to_vec(),
        ),
        ("hello.toml".to_owned(), b"greeting = 'hello'\n".to_vec()),
    ])
}

pub(crate) fn sample_vib() -> Vib {
    vib(SAMPLE, "1.2.0")
}

pub(crate) fn sample_bundle() -> Bundle {
    Bundle::build(&[sample_vib()]).expect("the sample can be bundled")
}

pub(crate) fn vib(toml: &str, version: &str) -> Vib {
    let manifest = Manifest::parse(toml)
        .expect("the sample parses")
        .with_version(version);
    let epoch = manifest.release_date;
    let package = Package::new(manifest, &sources(), epoch).expect("the sample keeps the rules");
    Vib::build(&package).expect("the sample can be written")
}

/// Members of an ar archive: header and data, cut by hand.
pub(crate) fn ar_members(archive: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = archive.strip_prefix(b"!<arch>\n").expect("ar magic");
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (header, after) = rest.split_at(60);
        let size: usize = std::str::from_utf8(&header[48..58])
            .unwrap()
            .trim_end()
            .parse()
            .unwrap();
        let (data, after) = after.split_at(size);
        rest = if size % 2 == 1 {
            after.strip_prefix(b"\n").expect("padding")
        } else {
            after
        };
        members.push((header, data));
    }
    members
}

pub(crate) fn payload(vib: &[u8]) -> &[u8] {
    ar_members(vib)[2].1
}

pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .expect("gzip");
    plain
}

/// Entries of a tar archive: header and data, cut by hand. Checks that two blocks of zeros end it.
pub(crate) fn tar_entries(mut rest: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut entries = Vec::new();
    while rest[0] != 0 {
        let (header, after) = rest.split_at(512);
        let size =
            usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
        let (data, after) = after.split_at(size);
        let (padding, after) = after.split_at(size.next_multiple_of(512) - size);
        assert!(padding.iter().all(|byte| *byte == 0), "padding is zeros");
        entries.push((header, data));
        rest = after;
    }
    assert_eq!(rest, [0; 1024], "two blocks of zeros end the archive");
    entries
}

/// A folder with the file in it, for tools that want one.
pub(crate) fn on_disk(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Runs a tool of the system in `folder` and returns what it printed. Fails the test if the tool is
/// missing or fails.
pub(crate) fn tool(name: &str, args: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(name)
        .args(args)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            let package = match name {
                "ar" => "binutils",
                "find" => "findutils",
                "xmllint" => "libxml2-utils",
                "sha1sum" | "sha256sum" => "coreutils",
                other => other,
            };
            panic!("cannot run {name} ({error}); on Debian: apt-get install {package}")
        });
    assert!(
        output.status.success(),
        "{name} {args:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// As [`tool`], for tools that print text.
pub(crate) fn tool_text(name: &str, args: &[&str], folder: &Path) -> String {
    String::from_utf8(tool(name, args, folder)).unwrap()
}

/// Compares with a golden file, or writes it when `UPDATE_GOLDEN=1`.
pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, actual).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == actual,
        "{name} differs from its golden file. If that is meant, run the tests with UPDATE_GOLDEN=1 and review the \
         diff.\n--- golden\n{golden}\n--- actual\n{actual}"
    );
}
