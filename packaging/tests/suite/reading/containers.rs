//! VIBs of all eras: what is tolerated, and what is refused with which words.

use std::fs;

use packaging::inspect::{ChecksumState, Contents, LegacyVib, Signature};

use super::fixture::{
    DESCRIPTOR, FILES, ar, descriptor, edited, gzip, hash, read, read_vib, refusal, sound, tar,
};
use crate::support::{on_disk, tool};

#[test]
fn a_package_is_read_and_its_checksums_are_those_of_the_systems_tools() {
    let vib = read_vib(&sound());
    assert_eq!(vib.descriptor.id, "acme_bootbank_hi_1.0-1");
    let relations = &vib.descriptor.relationships;
    assert_eq!(relations.depends[0].to_string(), "esx-version >= 5.5.0");
    assert_eq!(relations.provides[0].to_string(), "greeting 1");
    assert_eq!(
        vib.descriptor.maintenance_mode_install.as_deref(),
        Some("false")
    );
    assert_eq!(
        vib.descriptor.maintenance_mode_remove.as_deref(),
        Some("true")
    );
    assert_eq!(vib.descriptor.hardware_platforms, ["Acme One"]);
    assert_eq!(vib.descriptor.urls[0].key, "kb");
    assert_eq!(vib.signature, Signature::Empty);
    let payload = &vib.payloads[0];
    assert_eq!(payload.checksums.len(), 3);
    assert!(
        payload
            .checksums
            .iter()
            .all(|sum| sum.state == ChecksumState::Verified),
        "{payload:?}"
    );
}

#[test]
fn the_descriptor_may_be_pretty_quoted_either_way_and_commented() {
    let plain = tar("gnu", &FILES);
    let vib = edited(&plain, |text| {
        let text = text
            .replace("><", ">\n  <")
            .replace("key=\"kb\"", "key='kb'");
        format!("\u{feff}<?xml version='1.0'?>\n<!-- by hand -->\n{text}\n").replace(
            "<overlay>",
            "<packed-size>7</packed-size><unheard-of><of/></unheard-of><overlay>",
        )
    });
    let vib = read_vib(&vib);
    assert_eq!(vib.descriptor.summary.as_deref(), Some("Says hi"));
    assert_eq!(vib.descriptor.urls[0].url, "https://acme.example/kb");
    assert!(!vib.descriptor.names_encoding);
    assert_eq!(vib.descriptor.files.len(), 3);
}

#[test]
fn an_archive_by_the_systems_ar_is_read() {
    let plain = tar("gnu", &FILES);
    let stored = gzip(&plain);
    let text = descriptor(&plain, &stored, &FILES.map(|(path, ..)| path));
    // Slashes behind names, dates, owners, modes; and a name in the table of long names.
    let text = text.replace(
        r#"payload name="hi""#,
        r#"payload name="a-name-of-18-chars""#,
    );
    let (folder, _) = on_disk("descriptor.xml", text.as_bytes());
    fs::write(folder.path().join("sig.pkcs7"), b"").unwrap();
    fs::write(folder.path().join("a-name-of-18-chars"), &stored).unwrap();
    tool(
        "ar",
        &[
            "rcUS",
            "out",
            "descriptor.xml",
            "sig.pkcs7",
            "a-name-of-18-chars",
        ],
        folder.path(),
    );
    let bytes = fs::read(folder.path().join("out")).unwrap();
    let vib = read_vib(&bytes);
    assert_eq!(vib.members[2].name, "a-name-of-18-chars");
    assert_eq!(vib.payloads[0].checksums[1].state, ChecksumState::Verified);
}

#[test]
fn a_wrong_checksum_is_told_with_what_it_should_be() {
    let plain = tar("gnu", &FILES);
    let actual = hash("sha1sum", &plain);
    let vib = read_vib(&edited(&plain, |text| {
        text.replace(&actual, &"0".repeat(40))
    }));
    assert_eq!(
        vib.payloads[0].checksums[2].state,
        ChecksumState::Differs { actual }
    );
    assert_eq!(vib.payloads[0].checksums[0].state, ChecksumState::Verified);
}

#[test]
fn a_payload_of_vzstd_is_named_and_not_unpacked() {
    let inner = b"\x28\xb5\x2f\xfd whatever".as_slice();
    let stored = gzip(inner);
    let payload = format!(
        r#"<payload name="hi" type="vzstd" size="{}"><checksum checksum-type="sha-256-gunzip1">{}</checksum><checksum checksum-type="sha-256" verify-process="gunzip">00</checksum></payload>"#,
        stored.len(),
        hash("sha256sum", inner)
    );
    let text = DESCRIPTOR.replace("FILES", "").replace("PAYLOAD", &payload);
    let bytes = ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
    ]);
    let vib = read_vib(&bytes);
    assert!(vib.payloads[0].archive.is_none());
    assert_eq!(vib.payloads[0].checksums[0].state, ChecksumState::Verified);
    assert!(matches!(
        vib.payloads[0].checksums[1].state,
        ChecksumState::Unverified { .. }
    ));
    assert!(
        read(&bytes)
            .unwrap()
            .to_string()
            .contains("what zstd holds is not unpacked")
    );
}

#[test]
fn members_in_another_order_are_refused_as_hosts_do() {
    let text = DESCRIPTOR.as_bytes();
    for (members, wanted) in [
        (
            &[("sig.pkcs7", &b""[..]), ("descriptor.xml", text)][..],
            "ar member at byte 8: it is \"sig.pkcs7\", but descriptor.xml was expected here",
        ),
        (
            &[("descriptor.xml", text), ("hi", b"x")],
            "but sig.pkcs7, empty if the package is not signed, was expected here",
        ),
        (&[("descriptor.xml", text)], "it is \"\", but sig.pkcs7"),
        (
            &[],
            "ar member at byte 8: it is \"\", but descriptor.xml was expected here",
        ),
    ] {
        let refused = refusal(&ar(members));
        assert!(refused.contains(wanted), "{refused}");
    }
}

#[test]
fn duplicate_members_are_refused_with_their_place() {
    let mut bytes = sound();
    let second = bytes.len();
    bytes.extend(&ar(&[("hi", b"")])[8..]);
    let text = refusal(&bytes);
    assert_eq!(
        text,
        format!("ar member at byte {second}: there is an earlier one called \"hi\"")
    );
}

#[test]
fn a_package_cut_off_anywhere_is_refused() {
    let whole = sound();
    for length in (8..whole.len()).step_by(13) {
        assert!(
            read(&whole[..length]).is_err(),
            "{length} bytes of {}",
            whole.len()
        );
    }
}

#[test]
fn damaged_headers_are_refused_by_field() {
    let whole = sound();
    for (place, byte, wanted) in [
        (
            8 + 58,
            b'x',
            "ar header of \"descriptor.xml\" at byte 8: it ends in \"x\\n\"",
        ),
        (8 + 48, b'-', "its size is \"-"),
        (8 + 16, 0, "its date is \"\\x00\""),
        (8 + 28, b'r', "its owner is \"r\""),
        (8 + 34, b'-', "its group is \"-\""),
        (8 + 40, b'x', "its mode is \"x\""),
        (
            0,
            b'?',
            "unknown kind of file: it begins with \"?<arch>\\n\"",
        ),
    ] {
        let mut bytes = whole.clone();
        bytes[place] = byte;
        let text = refusal(&bytes);
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn what_is_no_package_is_refused_with_what_it_looks_like() {
    for bytes in [&b""[..], b"M", b"MZ\x90\0", b"{\"json\": true}"] {
        assert!(
            refusal(bytes).starts_with("unknown kind of file: it "),
            "{bytes:?}"
        );
    }
    assert!(refusal(&gzip(b"just text")).starts_with("tar header at byte 0: the file ends"));
    assert!(refusal(&gzip(&[b'x'; 2048])).starts_with("tar header at byte 0: it is no header"));
}

const LEGACY: &str = r#"<descriptor version="3.0"><vibVersion>1.4.5</vibVersion><vibID>KIND_hi_1.0</vibID><name>hi</name><vendor>acme</vendor><version>1.0</version><buildDate>2009-05-01</buildDate><vibType>KIND</vibType><systemReqs><swPlatform productLineID="embeddedEsx" version="4.*" locale=""/><maintenanceMode install="true">true</maintenanceMode></systemReqs><postInstall><rebootRequired>true</rebootRequired></postInstall><visorDestination>oem</visorDestination></descriptor>"#;

fn legacy(kind: &str, members: &[&str]) -> Result<LegacyVib, String> {
    let text = LEGACY.replace("KIND", kind);
    let tarball = gzip(&tar("gnu", &FILES));
    let members: Vec<_> = members
        .iter()
        .map(|name| {
            let data: &[u8] = match *name {
                "descriptor.xml" => text.as_bytes(),
                "control.tar.gz" | "data.tar.gz" => &tarball,
                _ => b"2.0\n",
            };
            (*name, data)
        })
        .collect();
    match read(&ar(&members))
        .map_err(|error| error.to_string())?
        .contents
    {
        Contents::LegacyVib(vib) => Ok(*vib),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_three_kinds_of_4_x_are_read() {
    let debian = ["debian-binary", "control.tar.gz", "data.tar.gz"];
    let deb = [&debian[..], &["descriptor.xml"]].concat();
    let cross = [&debian[..], &["short.rpm", "descriptor.xml", "sig.pkcs7"]].concat();
    for (kind, members) in [
        ("deb", &deb[..]),
        ("rpm", &["complete.rpm", "descriptor.xml"]),
        ("cross", &cross),
    ] {
        let vib = legacy(kind, members).unwrap();
        assert_eq!(vib.vib_type, kind);
        assert_eq!(vib.id, format!("{kind}_hi_1.0"));
        assert_eq!(vib.platforms, ["embeddedEsx 4.*"]);
        assert_eq!(vib.members.len(), members.len());
        assert_eq!(
            vib.data.map(|data| data.entries.len()),
            (kind != "rpm").then_some(9)
        );
        assert_eq!(vib.signed, kind == "cross");
    }
}

#[test]
fn members_of_4_x_have_their_order_too() {
    let text = legacy(
        "deb",
        &[
            "debian-binary",
            "data.tar.gz",
            "control.tar.gz",
            "descriptor.xml",
        ],
    )
    .unwrap_err();
    assert!(
        text.contains("it is \"data.tar.gz\", but control.tar.gz was expected here"),
        "{text}"
    );
    let text = legacy(
        "rpm",
        &["complete.rpm", "descriptor.xml", "sig.pkcs7", "more"],
    )
    .unwrap_err();
    assert!(
        text.contains("it is \"more\", but nothing but a signature was expected here"),
        "{text}"
    );
    let text = legacy("deb", &["debian-binary", "control.tar.gz", "data.tar.gz"]).unwrap_err();
    assert!(text.contains("there is no descriptor.xml"), "{text}");
}
