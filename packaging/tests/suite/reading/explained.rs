//! Mistakes that are known, and so are called by their name.

use std::io::Cursor;

use packaging::inspect::{Limits, inspect};
use packaging::verify::Severity::Error;
use packaging::verify::unreadable;

use super::bundles;
use super::fixture::{
    FILES, diagnoses, edited, gzip, hash, python, refusal, sound, tar, verdict, vib_of,
};
use super::verifying::assert_found;

/// What `verify` says of a file that cannot be read.
fn unread(bytes: &[u8]) -> String {
    let error = inspect(Cursor::new(bytes), &Limits::default()).expect_err("it is refused");
    unreadable(&error).to_string()
}

const UNPACKED: &str = r#"<checksum checksum-type="sha-256" verify-process="gunzip">"#;
const STORED: &str = r#"<checksum checksum-type="sha-256">"#;

#[test]
fn checksums_that_are_swapped_are_called_swapped() {
    let plain = tar("gnu", &FILES);
    let bytes = edited(&plain, |text| {
        text.replace(UNPACKED, "FIRST")
            .replace(STORED, UNPACKED)
            .replace("FIRST", STORED)
    });
    let found: Vec<_> = diagnoses(&bytes)
        .into_iter()
        .filter(|one| one.finding.rule.number() == "C1")
        .collect();
    let [one] = found.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(one.severity, Error);
    let text = one.to_string();
    assert!(
        text.contains(
            "checksums sha-256 and sha-256 gunzip: these two are swapped: each is that of the \
             other's bytes; swap their values (FORMAT.md C1)\n    a host says: [InstallationError]"
        ),
        "{text}"
    );
}

#[test]
fn a_checksum_of_the_other_bytes_says_whose_it_is() {
    let plain = tar("gnu", &FILES);
    let stored = gzip(&plain);
    let (unpacked, packed) = (hash("sha256sum", &plain), hash("sha256sum", &stored));
    for (from, to, wanted) in [
        (
            &packed,
            &unpacked,
            format!(
                "checksum sha-256: is {unpacked}, which is the sum of the unpacked bytes; write that of the stored ones, {packed}"
            ),
        ),
        (
            &unpacked,
            &packed,
            format!(
                "checksum sha-256 gunzip: is {packed}, which is the sum of the stored bytes; write that of the unpacked ones, {unpacked}"
            ),
        ),
    ] {
        let bytes = edited(&plain, |text| text.replace(from.as_str(), to));
        assert_found(&bytes, Error, &wanted);
    }
    // Nothing known.
    let bytes = edited(&plain, |text| text.replace(&packed, &"0".repeat(64)));
    assert_found(&bytes, Error, "but the bytes hash to");
}

#[test]
fn a_bundle_that_was_zipped_with_its_folder_is_called_that() {
    let script = "import zipfile
old = zipfile.ZipFile('in')
with zipfile.ZipFile('out', 'w') as new:
    for i in old.infolist(): new.writestr('a folder/' + i.filename, old.read(i))";
    let text = unread(&python(script, &bundles::sound()));
    assert_eq!(
        text,
        "error: file: it is a zip of the folder \"a folder\", in which the bundle lies; zip its \
         contents: hosts look for index.xml at the top (FORMAT.md B1)\n    \
         a host says: [MetadataDownloadError] Could not download from depot at zip:.."
    );
    // Two folders are no such mistake.
    let two = script.replace(
        "'a folder/'",
        "('a/' if i.filename == 'index.xml' else 'b/')",
    );
    assert!(refusal(&python(&two, &bundles::sound())).contains("a zip without index.xml"));
}

#[test]
fn backslashes_in_a_zip_say_who_made_it() {
    for (system, maker) in [
        (0, "a program for MS-DOS or Windows"),
        (10, "a program for Windows"),
        (3, "a program for Unix"),
        (99, "system 99"),
    ] {
        let script = format!(
            "import zipfile
old = zipfile.ZipFile('in')
with zipfile.ZipFile('out', 'w') as new:
    for i in old.infolist():
        if i.filename.endswith('/'): continue
        n = zipfile.ZipInfo('hi'); n.create_system = {system}
        n.filename = ('vib20\\\\' if i.filename == 'hi.vib' else '') + i.filename
        new.writestr(n, old.read(i))"
        );
        let text = unread(&python(&script, &bundles::sound()));
        assert!(
            text.starts_with("error: file: entry \"vib20\\\\hi.vib\" at byte ")
                && text.contains(&format!(
                    ": its path has backslashes for slashes; the zip was made by {maker}; zip it again \
                     with a program that writes slashes, such as 7-Zip (FORMAT.md R7)"
                )),
            "{text}"
        );
    }
}

#[test]
fn a_web_page_in_place_of_a_package_is_called_one() {
    for page in [
        "<!DOCTYPE html><html>",
        "\u{feff}\r\n  <!doctype HTML>",
        "<HTML lang=en>",
        "<!-- saved --><html>",
    ] {
        let text = unread(page.as_bytes());
        assert_eq!(
            text,
            "error: file: it is a web page; download the file itself: the address leads to a page \
             about it, to a login or to an error (FORMAT.md R1)"
        );
    }
    for (bytes, wanted) in [
        (
            &b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"[..],
            "it is XML, such as a server's word of an error",
        ),
        (
            b"{\"message\": \"Not Found\"}",
            "it is JSON, such as a server's word of an error",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:",
            "it is a pointer of Git LFS",
        ),
        (b"\xfd7zXZ\0", "it is compressed by xz"),
        (b"7z\xbc\xaf\x27\x1c", "it is an archive of 7-Zip"),
        (b"Rar!\x1a\x07", "it is an archive of RAR"),
        (b"(\xb5/\xfd", "it is compressed by zstd"),
        (b"BZh9", "it is compressed by bzip2"),
        (b"-----BEGIN PKCS7-----", "it is PEM text"),
    ] {
        let text = unread(bytes);
        assert!(
            text.starts_with(&format!("error: file: {wanted}; ")),
            "{text}"
        );
    }
    // In a bundle, too.
    let page = bundles::script().replace(
        "z.writestr('hi.vib', vib)",
        "z.writestr('hi.vib', b'<html>')",
    );
    let text = unread(&bundles::zip(&page));
    assert!(
        text.contains("hi.vib: it is a web page; download the file itself"),
        "{text}"
    );
    assert!(unread(b"").contains("it is empty"));
}

#[test]
fn leftovers_of_macos_are_called_that_in_one_line() {
    let files = [
        ("etc/config/hi/hi.toml", 0o1644, &b""[..]),
        ("etc/init.d/._hi", 0o755, b"\0\x05\x16\x07"),
        ("opt/hi/.DS_Store", 0o644, b""),
        ("opt/hi/._readme", 0o644, b"\0\x05\x16\x07"),
    ];
    let text = verdict(&vib_of(&tar("gnu", &files)));
    let lines: Vec<_> = text.lines().filter(|line| line.contains("macOS")).collect();
    assert_eq!(
        lines,
        [
            "warning: payload \"hi\": entries: 3 are left behind by macOS, the first is \
             \"etc/init.d/._hi\"; remove them, and pack with COPYFILE_DISABLE=1 tar --no-xattrs \
             --no-mac-metadata (FORMAT.md T9)"
        ],
        "{text}"
    );
    // A file of macOS is no init script of anybody.
    assert!(!text.contains("H5"), "{text}");
    let zipped = bundles::script().replace(
        "z.writestr('hi.vib', vib)",
        "z.writestr('hi.vib', vib); z.writestr('__MACOSX/._hi.vib', b''); z.writestr('.DS_Store', b'')",
    );
    let text = verdict(&bundles::zip(&zipped));
    assert_eq!(
        text,
        "warning: zip: 2 entries are left behind by macOS, the first is \"__MACOSX/._hi.vib\"; \
         remove them: zip -d BUNDLE.zip '__MACOSX/*' '*.DS_Store' (FORMAT.md B1)"
    );
}

#[test]
fn pax_headers_of_macos_are_called_that() {
    let script = "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.PAX_FORMAT)
for name in ['opt/', 'opt/a', 'opt/b']:
    i = tarfile.TarInfo(name); i.mode = 0o755; i.type = tarfile.DIRTYPE if name.endswith('/') else tarfile.REGTYPE
    i.pax_headers = {'LIBARCHIVE.xattr.com.apple.provenance': 'AQ', 'SCHILY.xattr.com.apple.provenance': 'x'}
    t.addfile(i, io.BytesIO(b''))
t.close()";
    let bytes = vib_of(&python(script, b""));
    let text = verdict(&bytes);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("macOS")).collect();
    assert_eq!(
        lines,
        [
            "error: payload \"hi\": entries: 3 have pax records with attributes of macOS in front, \
             which hosts are not known to read; pack with COPYFILE_DISABLE=1 tar --no-xattrs \
             --no-mac-metadata --format=gnu (FORMAT.md T2)"
        ],
        "{text}"
    );
    assert!(!text.contains("has a pax or long-name record"), "{text}");
}

#[test]
fn foreign_owners_get_one_line_for_each_payload() {
    let owned = |owners: &[(u32, u32)]| {
        let script = format!(
            "import tarfile
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
for n, (uid, gid) in enumerate({owners:?}):
    i = tarfile.TarInfo('opt' + '/a' * n); i.mode = 0o755; i.uid, i.gid = uid, gid; i.type = tarfile.DIRTYPE
    t.addfile(i)
t.close()"
        );
        vib_of(&python(&script, b""))
    };
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = verdict(bytes);
        let of_owners = text.lines().filter(|line| line.contains("FORMAT.md T4"));
        of_owners.map(str::to_owned).collect()
    };
    assert_eq!(
        lines(&owned(&[(201, 201); 5])),
        [
            "warning: payload \"hi\": entries: 5 of 5 belong to 201:201, not to 0:0; set the owner to \
             0:0, as with tar --owner=0 --group=0 (FORMAT.md T4)"
        ]
    );
    assert_eq!(
        lines(&owned(&[(0, 0), (201, 201), (0, 20), (201, 201)])),
        [
            "warning: payload \"hi\": entries: 3 of 4 belong to 0:20 (1), 201:201 (2), not to 0:0; set \
             the owner to 0:0, as with tar --owner=0 --group=0 (FORMAT.md T4)"
        ]
    );
    let many: Vec<_> = (1..40).map(|n| (n, n)).collect();
    assert!(lines(&owned(&many))[0].contains("4:4 (1), and 35 others, not to 0:0"));
    assert!(lines(&sound()).is_empty());
    // And in what is shown.
    let shown = super::fixture::read(&owned(&[(201, 201); 5]))
        .unwrap()
        .to_string();
    assert_eq!(shown.matches("201:201").count(), 1, "{shown}");
    assert!(
        shown.contains("  all 5 entries belong to 201:201\n"),
        "{shown}"
    );
}
