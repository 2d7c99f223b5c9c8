//! The sample package, plain readers for archives, and the way to the system's tools.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packaging::{Bundle, Error, Manifest, Package, Sources, Vib};

/// A package with one of everything.
pub(crate) const SAMPLE: &str = include_str!("sample.toml");

/// A package with all that the first one lacks: two payloads, one of them vgz, every kind of
/// relationship and every optional element.
pub(crate) const DRIVER: &str = include_str!("driver.toml");

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

/// A VIB and its bytes.
pub(crate) struct Written {
    vib: Vib,
    bytes: Vec<u8>,
}

impl Deref for Written {
    type Target = Vib;

    fn deref(&self) -> &Vib {
        &self.vib
    }
}

impl Written {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A bundle and its bytes.
#[derive(Debug)]
pub(crate) struct WrittenBundle {
    bundle: Bundle,
    bytes: Vec<u8>,
}

impl Deref for WrittenBundle {
    type Target = Bundle;

    fn deref(&self) -> &Bundle {
        &self.bundle
    }
}

impl WrittenBundle {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Writes a package to memory.
pub(crate) fn write(package: &Package, sources: &dyn Sources) -> Written {
    let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
    let vib = Vib::write(package, sources, &mut spool, &mut bytes).expect("it can be written");
    assert_eq!(vib.size(), bytes.len() as u64);
    Written { vib, bytes }
}

/// Writes a bundle to memory.
pub(crate) fn bundle(vibs: &[Written]) -> Result<WrittenBundle, Error> {
    let described: Vec<_> = vibs.iter().map(|written| written.vib.clone()).collect();
    let mut bytes = Cursor::new(Vec::new());
    let mut turn = vibs.iter();
    let open = |vib: &Vib| {
        let next = turn.next().expect("each VIB has its turn");
        assert_eq!(next.id(), vib.id());
        Ok(next.bytes())
    };
    let bundle = Bundle::write(&described, open, &mut bytes)?;
    let bytes = bytes.into_inner();
    assert_eq!(bundle.size(), bytes.len() as u64);
    Ok(WrittenBundle { bundle, bytes })
}

pub(crate) fn sample_vib() -> Written {
    vib(SAMPLE, "1.2.0")
}

pub(crate) fn sample_bundle() -> WrittenBundle {
    bundle(&[sample_vib()]).expect("the sample can be bundled")
}

pub(crate) fn package(toml: &str, version: &str) -> Package {
    let manifest = Manifest::parse(toml)
        .expect("the sample parses")
        .with_version(version);
    let epoch = manifest.release_date;
    Package::new(manifest, &sources(), epoch).expect("the sample keeps the rules")
}

pub(crate) fn vib(toml: &str, version: &str) -> Written {
    write(&package(toml, version), &sources())
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

/// Entries of a vmtar archive: header and data, cut by hand. Checks that a block of zeros ends the
/// headers, that data begins on pages, and that nothing but zeros is between.
pub(crate) fn vmtar_entries(archive: &[u8]) -> Vec<(&[u8], &[u8])> {
    let headers: Vec<_> = archive
        .chunks(512)
        .take_while(|block| block[0] != 0)
        .collect();
    let mut end = (headers.len() + 1) * 512;
    assert_eq!(archive[end - 512..end], [0; 512], "a block of zeros");
    let mut entries = Vec::new();
    for header in headers {
        let size =
            usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
        let offset = u32::from_le_bytes(header[496..500].try_into().unwrap()) as usize;
        if size == 0 {
            assert_eq!(offset, 0, "what has no bytes has no place");
            entries.push((header, &b""[..]));
            continue;
        }
        assert_eq!(offset % 4096, 0, "data begins on a page");
        assert!(archive[end..offset].iter().all(|byte| *byte == 0), "zeros");
        end = offset + size;
        entries.push((header, &archive[offset..end]));
    }
    assert_eq!(archive.len(), end.next_multiple_of(4096), "whole pages");
    assert!(archive[end..].iter().all(|byte| *byte == 0), "zeros");
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
                "bsdtar" => "libarchive-tools",
                "find" => "findutils",
                "isoinfo" => "genisoimage",
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
