//! Every finding of the verifier about a VIB, from a package with just that fault.

use packaging::inspect::ReadError;
use packaging::verify::{Severity, unreadable};

use super::fixture::{
    FILES, File, ar, descriptor, diagnoses, edited, gzip, python, read, refusal, sound, tar,
    verdict, vib_of,
};

#[test]
fn nothing_is_said_about_a_sound_package() {
    assert_eq!(verdict(&sound()), "");
}

/// The one diagnosis that holds `wanted`; a fault may have others in its wake.
pub(super) fn assert_found(bytes: &[u8], severity: Severity, wanted: &str) {
    let all = diagnoses(bytes);
    let one = all.iter().find(|one| one.to_string().contains(wanted));
    let one = one.unwrap_or_else(|| panic!("{wanted}\n{}", verdict(bytes)));
    assert_eq!(one.severity, severity, "{one}");
}

#[test]
fn faults_of_the_descriptor() {
    use Severity::{Error, Warning};
    let plain = tar("gnu", &FILES);
    for (from, to, severity, wanted) in [
        (
            "<vib ",
            "<?xml version='1.0' encoding='UTF-8'?><vib ",
            Error,
            "(FORMAT.md D1)\n    a host says: Could not parse VIB XML data: Unicode strings with encoding declaration",
        ),
        (
            "1.0-1<",
            "1.0-1-1<",
            Error,
            "(FORMAT.md I2)\n    a host says: Could not parse VIB XML data: .. invalid version",
        ),
        ("1.0-1<", "1.0<", Warning, "hosts accept exactly one"),
        (
            "<name>hi<",
            "<name><",
            Error,
            "name: is empty or missing; fill it in (FORMAT.md I1)",
        ),
        (
            "level>community<",
            "level>friendly<",
            Error,
            "a host says: has invalid acceptance level",
        ),
        (
            "level>community<",
            "level>partner<",
            Error,
            "(FORMAT.md S2)\n    a host says: does not contain a signature",
        ),
        (
            "<overlay>false",
            "<overlay>true",
            Error,
            "(FORMAT.md D5)\n    a host says: [VibValidationError] .. violates",
        ),
        (
            "<file>opt/hi/readme</file>",
            "<file>bin/readme</file>",
            Error,
            "(FORMAT.md L3)\n    a host says: [VibValidationError]",
        ),
        (
            "<file>opt/hi/readme</file>",
            "",
            Error,
            "entry \"opt/hi/readme\": is not in the file list",
        ),
        (
            "</file-list>",
            "<file>opt/ghost</file></file-list>",
            Error,
            "file-list \"opt/ghost\": is in no payload; list exactly the files of the payloads (FORMAT.md D4)",
        ),
        (
            "version=\"5.0\"",
            "version=\"6.0\"",
            Warning,
            "is not of version 5.0",
        ),
        (
            "type=\"tgz\"",
            "type=\"rar\"",
            Warning,
            "payload \"hi\": type \"rar\": is none that hosts are known to take; use tgz (FORMAT.md T1)",
        ),
        (
            "size=\"",
            "size=\"1",
            Warning,
            "payload \"hi\": size: is declared as 1",
        ),
        (
            "</payloads>",
            "<payload name=\"features2\" type=\"tgz\"/></payloads>",
            Error,
            "payload \"features2\": has no member in the VIB",
        ),
        (
            "</payloads>",
            "<payload name=\"a-name-of-18-chars\" type=\"tgz\"/></payloads>",
            Error,
            "(FORMAT.md I9)\n    a host says: invalid payload: Invalid value",
        ),
    ] {
        let bytes = edited(&plain, |text| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        assert_found(&bytes, severity, wanted);
    }
}

#[test]
fn faults_of_checksums() {
    let plain = tar("gnu", &FILES);
    let first = r#"<checksum checksum-type="sha-256" verify-process="gunzip">"#;
    let cut = |text: &str, from: &str| {
        let start = text.find(from).unwrap();
        let end = start + text[start..].find("</checksum>").unwrap() + "</checksum>".len();
        (
            text[..start].to_owned() + &text[end..],
            text[start..end].to_owned(),
        )
    };
    // As packages of the 5.x era are.
    let bytes = edited(&plain, |text| cut(&text, first).0);
    assert_found(
        &bytes,
        Severity::Error,
        "payload \"hi\": checksum sha-256 gunzip: is missing, which 8.0 and later demand; add the SHA-256 of the unpacked archive, as the first checksum (FORMAT.md C1)\n    a host says: [ProfileValidationError]",
    );
    // The other way round.
    let bytes = edited(&plain, |text| {
        let (rest, sum) = cut(&text, first);
        rest.replace("</payload>", &format!("{sum}</payload>"))
    });
    assert_found(
        &bytes,
        Severity::Error,
        "(FORMAT.md C2)\n    a host says: [InstallationError] Calculated digest at EOF",
    );
    let bytes = edited(&plain, |text| {
        cut(&text, r#"<checksum checksum-type="sha-1""#).0
    });
    assert_found(&bytes, Severity::Warning, "by which 6.x checks payloads");
    let bytes = edited(&plain, |text| {
        cut(&text, r#"<checksum checksum-type="sha-256">"#).0
    });
    assert_found(
        &bytes,
        Severity::Error,
        "checksum sha-256: is missing, by which all releases check the download",
    );
    let bytes = edited(&plain, |text| text.replace("sha-256\">", "sha-256\">0"));
    assert_found(
        &bytes,
        Severity::Error,
        "(FORMAT.md C1)\n    a host says: [InstallationError] Calculated digest at EOF",
    );
}

#[test]
fn faults_of_members() {
    let plain = tar("gnu", &FILES);
    let stored = gzip(&plain);
    let text = descriptor(&plain, &stored, &FILES.map(|(path, ..)| path));
    let bytes = ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
        ("extra", b""),
    ]);
    assert_found(
        &bytes,
        Severity::Error,
        "stands behind \"hi\", and hosts read forward in the order of names",
    );
    assert_found(
        &bytes,
        Severity::Warning,
        ": is no payload of the descriptor",
    );
    let partner = text.replace("level>community<", "level>partner<");
    for (signature, severity, wanted) in [
        (&b"0\x82"[..], Severity::Error, "a host says: no start line"),
        (
            b"-----BEGIN PKCS7-----\n",
            Severity::Error,
            "sig.pkcs7: is not PEM with the label PKCS7: ",
        ),
    ] {
        let bytes = ar(&[
            ("descriptor.xml", partner.as_bytes()),
            ("sig.pkcs7", signature),
            ("hi", &stored),
        ]);
        assert_found(&bytes, severity, wanted);
    }
}

#[test]
fn faults_of_the_archives_form() {
    for (format, wanted) in [
        (
            "ustar",
            "payload \"hi\": header at byte 0: has POSIX magic, which the vendor's tools refuse; write it with GNU magic, for instance with tar --format=gnu (FORMAT.md T2)",
        ),
        ("v7", "payload \"hi\": header at byte 0: has no magic"),
    ] {
        assert_found(&vib_of(&tar(format, &FILES)), Severity::Warning, wanted);
    }
    let long = format!("opt/{}file", "directory/".repeat(12));
    let bytes = vib_of(&tar("gnu", &[(&long, 0o644, b"x")]));
    assert_found(
        &bytes,
        Severity::Error,
        "has a pax or long-name record in front",
    );
    assert_found(&bytes, Severity::Error, "has 128 bytes, 99 are allowed");
    let plain = tar("gnu", &FILES);
    assert_found(
        &vib_of(&plain[..plain.len() - 1024]),
        Severity::Warning,
        "does not end in blocks of zeros",
    );
    let vgz = edited(&plain, |text| text.replace("\"tgz\"", "\"vgz\""));
    assert_found(
        &vgz,
        Severity::Warning,
        "is of tar, but the payload's type is vgz",
    );
}

/// An archive of Python's making: name, mode, owner.
fn odd(entries: &str) -> Vec<u8> {
    let script = format!(
        "import tarfile, io
t = tarfile.open('out', 'w', format=tarfile.GNU_FORMAT)
for name, mode, owner in {entries}:
    i = tarfile.TarInfo(name); i.mode = mode; i.uid = owner; i.size = 1
    if name.endswith('/'): i.type = tarfile.DIRTYPE; i.size = 0
    t.addfile(i, io.BytesIO(b'x'))
t.close()"
    );
    vib_of(&python(&script, b""))
}

#[test]
fn faults_of_entries() {
    use Severity::{Error, Warning};
    for (entries, severity, wanted) in [
        (
            "[('opt/a', 0o644, 0)]",
            Warning,
            "payload \"hi\": entry \"opt/a\" at byte 0: has no entry for its directory \"opt\" before it; add one with mode 0755 (FORMAT.md T3)",
        ),
        (
            "[('opt/', 0o755, 0), ('opt/a', 0o666, 0)]",
            Warning,
            "has mode 0666, by which others than root may write",
        ),
        (
            "[('opt/', 0o755, 0), ('opt/a', 0o4755, 0)]",
            Warning,
            "has mode 4755, by which it runs with other rights",
        ),
        (
            "[('opt/', 0o755, 0), ('opt/a', 0o644, 7)]",
            Warning,
            "1 of 2 belong to 7:0, not to 0:0",
        ),
        (
            "[('opt/', 0o755, 0), ('opt/a', 0o1644, 0)]",
            Warning,
            "is sticky outside etc/",
        ),
        (
            "[('etc/', 0o755, 0), ('etc/init.d/', 0o755, 0), ('etc/init.d/a', 0o644, 0)]",
            Error,
            "has mode 0644 and cannot be started",
        ),
        (
            "[('opt/', 0o755, 0), ('opt/a', 0o644, 0), ('opt/a', 0o644, 0)]",
            Error,
            "is in the archive twice",
        ),
        (
            "[('opt', 0o644, 0), ('opt/a', 0o644, 0)]",
            Error,
            "lies below \"opt\", which is no directory",
        ),
        (
            "[('./a', 0o644, 0)]",
            Error,
            "is stored with a leading \"./\"",
        ),
    ] {
        assert_found(&odd(entries), severity, wanted);
    }
}

#[test]
fn faults_of_programs() {
    let program = |class: u8, kind: u8, machine: u8| {
        let mut bytes = vec![0; 64];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[4] = class;
        bytes[16..21].copy_from_slice(&[kind, 0, machine, 0, 1]);
        // The sizes of headers, where each class has them.
        let sizes = if class == 2 {
            [(52, 64), (54, 56)]
        } else {
            [(40, 52), (42, 32)]
        };
        for (place, size) in sizes {
            bytes[place] = size;
        }
        bytes
    };
    let packed = |path: &str, mode: u32, bytes: &[u8]| {
        let files: [File<'_>; 1] = [(path, mode, bytes)];
        vib_of(&tar("gnu", &files))
    };
    let found = |bytes: &[u8]| verdict(bytes).contains("FORMAT.md H4");
    assert!(!found(&packed("opt/a", 0o755, &program(2, 2, 62))));
    assert!(!found(&packed("opt/a.so.1", 0o755, &program(2, 3, 62))));
    assert!(!found(&packed("opt/module.o", 0o644, &program(2, 1, 62))));
    assert_found(
        &packed("opt/a", 0o755, &program(2, 3, 62)),
        Severity::Warning,
        "is position-independent (ET_DYN)",
    );
    assert_found(
        &packed("opt/a", 0o755, &program(2, 2, 183)),
        Severity::Error,
        "is a program of 64 bits for aarch64",
    );
    assert_found(
        &packed("opt/a", 0o755, &program(1, 2, 3)),
        Severity::Error,
        "is a program of 32 bits for i386",
    );
    assert_found(
        &packed("opt/a", 0o644, &program(2, 2, 62)),
        Severity::Error,
        "has mode 0644 and cannot be started",
    );
    let this_test = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    if this_test.len() < 16 << 20 {
        assert_found(
            &packed("opt/a", 0o755, &this_test),
            Severity::Warning,
            "is not static: it needs ",
        );
    }
}

#[test]
fn packages_of_4_x_and_bare_archives_get_their_verdict_too() {
    let text = verdict(&gzip(&tar("ustar", &FILES)));
    assert!(
        text.starts_with("warning: header at byte 0: has POSIX magic"),
        "{text}"
    );
    let legacy = r"<descriptor><vibID>rpm_hi_1.0</vibID><vibType>rpm</vibType></descriptor>";
    let text = verdict(&ar(&[
        ("complete.rpm", b"x"),
        ("descriptor.xml", legacy.as_bytes()),
    ]));
    assert!(text.contains("which only ESX 4.x reads; look for a package for 5.0 or later (FORMAT.md R3)\n    a host says: This VIB is a ESX 4.x VIB"), "{text}");
}

#[test]
fn a_file_that_cannot_be_read_gets_the_words_of_a_host() {
    let error: ReadError = read(&ar(&[("sig.pkcs7", b"")])).unwrap_err();
    let text = unreadable(&error).to_string();
    assert!(
        text.contains("descriptor.xml was expected here")
            && text.contains("(FORMAT.md A4)\n    a host says: unsupported format."),
        "{text}"
    );
}

#[test]
fn a_finding_brings_no_control_characters_to_a_terminal() {
    let bytes = edited(&tar("gnu", &FILES), |text| {
        text.replace("level>community<", "level>\u{9b}2J<")
    });
    let text = verdict(&bytes);
    assert!(!text.contains('\u{9b}') && text.contains("2J"), "{text}");
}

#[test]
fn an_archive_full_of_faults_gets_a_thousand_findings_at_most() {
    let files: Vec<_> = (0..400).map(|number| format!("usr/bin/{number}")).collect();
    let files: Vec<File<'_>> = files
        .iter()
        .map(|path| (path.as_str(), 0o777, &b""[..]))
        .collect();
    let plain = tar("posix", &files);
    assert_eq!(diagnoses(&vib_of(&plain)).len(), 1000);
}

#[test]
fn a_second_declaration_is_refused_and_does_not_take_the_first_one_back() {
    let bytes = edited(&tar("gnu", &FILES), |text| {
        format!("<?xml version='1.0' encoding='UTF-8'?><?xml version='1.0'?>{text}")
    });
    let text = refusal(&bytes);
    assert!(
        text.contains("it has a declaration, which belongs to the beginning"),
        "{text}"
    );
}

#[test]
fn an_overlay_is_whatever_is_not_false() {
    let bytes = edited(&tar("gnu", &FILES), |text| {
        text.replace("<overlay>false", "<overlay>1")
    });
    assert_found(
        &bytes,
        Severity::Error,
        "overlay: is not false in a community package",
    );
}
