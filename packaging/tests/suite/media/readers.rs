//! ISO images by genisoimage and xorriso, and what independent readers find in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use packaging::media::{Iso, Medium as _};

use super::fixture::Memory;
use crate::support::{on_disk, tool, tool_text};

/// How an image is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// As the vendor's: no extensions.
    Plain,
    /// As the vendor's documents tell to remake them.
    Extended,
    Xorriso,
}

pub(super) const MAKERS: [Maker; 3] = [Maker::Plain, Maker::Extended, Maker::Xorriso];

/// Makes an image with both boot entries.
pub(super) fn make(medium: &Memory, maker: Maker) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in &medium.0 {
        let path = folder.path().join("tree").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let extensions: &[&str] = match maker {
        Maker::Plain => &["-l", "-sysid", "", "-A", "ESXIMAGE"],
        Maker::Extended | Maker::Xorriso => &["-J", "-R"],
    };
    let boots = [
        "-b",
        "ISOLINUX.BIN",
        "-c",
        "BOOT.CAT",
        "-no-emul-boot",
        "-boot-load-size",
        "4",
        "-boot-info-table",
        "-eltorito-alt-boot",
        "-e",
        "EFIBOOT.IMG",
        "-no-emul-boot",
        "-o",
        "x.iso",
        "tree",
    ];
    let (program, first) = match maker {
        Maker::Xorriso => ("xorriso", &["-as", "mkisofs", "-quiet"][..]),
        Maker::Plain | Maker::Extended => ("genisoimage", &["-quiet", "-relaxed-filenames"][..]),
    };
    tool(
        program,
        &[first, extensions, &boots].concat(),
        folder.path(),
    );
    fs::read(folder.path().join("x.iso")).unwrap()
}

pub(super) fn iso(bytes: &[u8]) -> Iso<Cursor<&[u8]>> {
    Iso::read(Cursor::new(bytes)).expect("it is an image")
}

/// Files by upper-case path, as this crate reads them.
pub(super) fn own(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let iso = iso(bytes);
    let files = iso.files().unwrap().into_iter().map(|file| {
        let mut data = Vec::new();
        iso.open(&file.path)
            .unwrap()
            .read_to_end(&mut data)
            .unwrap();
        (file.path.to_ascii_uppercase(), data)
    });
    files.collect()
}

pub(super) fn walked(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walked(&path, root, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            files.insert(name.to_ascii_uppercase(), fs::read(&path).unwrap());
        }
    }
}

/// Files by upper-case path, as a program extracts them.
pub(super) fn extracted(bytes: &[u8], program: &str) -> BTreeMap<String, Vec<u8>> {
    let (folder, _) = on_disk("x.iso", bytes);
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    match program {
        "bsdtar" => {
            let output = std::process::Command::new("bsdtar")
                .args(["-xf", "x.iso", "-C", "out"])
                .current_dir(folder.path())
                .output()
                .expect("on Debian: apt-get install libarchive-tools");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{said}");
        }
        "bsdtar without extensions" => {
            let options = "iso9660:!joliet,iso9660:!rockridge";
            tool(
                "bsdtar",
                &["--options", options, "-xf", "x.iso", "-C", "out"],
                folder.path(),
            );
        }
        _ => {
            tool(
                "xorriso",
                &["-osirrox", "on", "-indev", "x.iso", "-extract", "/", "out"],
                folder.path(),
            );
            // It makes folders that nobody may write to.
            tool("chmod", &["-R", "u+rwX", "out"], folder.path());
        }
    }
    let mut files = BTreeMap::new();
    walked(&out, &out, &mut files);
    files
}

/// All independent readers see these files and their bytes.
pub(super) fn all_read(bytes: &[u8], expected: &BTreeMap<String, Vec<u8>>) {
    assert!(own(bytes) == *expected);
    for program in ["bsdtar", "bsdtar without extensions", "xorriso"] {
        let mut found = extracted(bytes, program);
        // The catalog is a file for some of them only.
        found.remove("BOOT.CAT");
        let mut expected = expected.clone();
        expected.remove("BOOT.CAT");
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{program}"
        );
        assert!(found == expected, "{program}");
    }
    let (folder, _) = on_disk("x.iso", bytes);
    for extension in [&[][..], &["-J"], &["-R"]] {
        if extension == ["-J"]
            && !tool_text("isoinfo", &["-d", "-i", "x.iso"], folder.path()).contains("Joliet with")
        {
            continue;
        }
        let args: Vec<_> = extension
            .iter()
            .copied()
            .chain(["-f", "-i", "x.iso"])
            .collect();
        let listed = tool_text("isoinfo", &args, folder.path()).to_ascii_uppercase();
        for path in expected.keys() {
            let is_there = listed.lines().any(|line| {
                line.trim_start_matches('/')
                    .split(';')
                    .next()
                    .unwrap()
                    .trim_end_matches('.')
                    == path
            });
            assert!(is_there, "{path} {extension:?}:\n{listed}");
        }
    }
}

pub(super) fn el_torito(bytes: &[u8]) -> String {
    let (folder, _) = on_disk("x.iso", bytes);
    let report = tool_text(
        "xorriso",
        &["-indev", "x.iso", "-report_el_torito", "plain"],
        folder.path(),
    );
    assert!(
        report.contains("BIOS") && report.contains("UEFI"),
        "{report}"
    );
    report
}
