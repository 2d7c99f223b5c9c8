//! Values of a descriptor that no host can make sense of, and those that only look odd.

use packaging::verify::Severity::{Error, Warning};

use super::fixture::{FILES, edited, tar, verdict};
use super::verifying::assert_found;

/// A sound package after one replacement in its descriptor.
fn with(from: &str, to: &str) -> Vec<u8> {
    edited(&tar("gnu", &FILES), |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn values_of_a_descriptor_are_judged_by_their_kind() {
    for (from, to, severity, wanted) in [
        (
            "relation=\"&gt;=\"",
            "relation=\"=&gt;\"",
            Error,
            "relationships.depends \"esx-version\": has the relation \"=>\"; use one of",
        ),
        (
            "version=\"5.5.0\"/>",
            "version=\"5..5\"/>",
            Error,
            "has the version \"5..5\", which no package can have",
        ),
        (
            " relation=\"&gt;=\" version=\"5.5.0\"",
            " relation=\"&gt;=\"",
            Error,
            "has a relation without a version",
        ),
        (
            "2026-01-15T00:00:00.000000+00:00",
            "15 January 2026",
            Error,
            "release-date \"15 January 2026\": is no time",
        ),
        (
            "<cimom-restart>false",
            "<cimom-restart>no",
            Error,
            "cimom-restart \"no\": is neither true nor false",
        ),
        (
            "on-install=\"false\"",
            "on-install=\"maybe\"",
            Error,
            "maintenance-mode \"maybe\": is neither",
        ),
        (
            "<type>bootbank",
            "<type>bootbunk",
            Error,
            "type \"bootbunk\": is unknown",
        ),
        (
            "size=\"",
            "size=\"x",
            Warning,
            ", which is no number of bytes",
        ),
        (
            "</vib>",
            "<overlay>true</overlay></vib>",
            Error,
            "element \"overlay\": stands there more than once",
        ),
        (
            "</vib>",
            "<file-list/></vib>",
            Error,
            "element \"file-list\": stands there more than once",
        ),
        (
            "<description>A script that says hi</description>",
            "",
            Warning,
            "element \"description\": is missing",
        ),
        (
            "sha-256\">",
            "sha-256\">not-hex-",
            Error,
            "which is no digest of its type",
        ),
    ] {
        assert_found(&with(from, to), severity, wanted);
    }
}

#[test]
fn what_the_field_writes_otherwise_is_no_fault() {
    for (from, to) in [
        ("<overlay>false</overlay>", ""),
        ("<cimom-restart>false", "<cimom-restart>0"),
        (".000000+00:00", "Z"),
        ("<software-tags><tag>service</tag></software-tags>", ""),
    ] {
        assert_eq!(verdict(&with(from, to)), "", "{to}");
    }
}

/// 6.7 refuses the VIB for its declaration alone; that the bytes are none of UTF-8 comes on top.
#[test]
fn a_declared_encoding_is_named_even_where_the_text_cannot_be_read() {
    let text = b"<?xml version='1.0' encoding='ISO-8859-1'?><vib><summary>\xe9</summary></vib>";
    let bytes = super::fixture::ar(&[("descriptor.xml", text), ("sig.pkcs7", b"")]);
    let error = super::fixture::read(&bytes).unwrap_err();
    let found = packaging::verify::unreadable(&error).to_string();
    assert!(
        found.contains("it declares the encoding \"ISO-8859-1\" and is not UTF-8; write it in UTF-8, without a declaration (FORMAT.md D1)\n    a host says: Could not parse VIB XML data: Unicode strings with encoding declaration"),
        "{found}"
    );
    for text in [&b"\xff\xfe<\0v\0"[..], b"\xfe\xff\0<\0v"] {
        let bytes = super::fixture::ar(&[("descriptor.xml", text), ("sig.pkcs7", b"")]);
        let error = super::fixture::refusal(&bytes);
        assert!(error.contains("the encoding \"UTF-16\""), "{error}");
    }
}

#[test]
fn an_unsigned_package_above_community_is_told_what_it_lacks() {
    assert_found(
        &with("level>community<", "level>partner<"),
        Error,
        "acceptance-level \"partner\": is above community, but the package is not signed; sign it, or set the level to community (FORMAT.md S2)",
    );
}

#[test]
fn paths_of_a_partner_are_not_those_of_the_community() {
    let text = verdict(&edited(&tar("gnu", &FILES), |text| {
        let text = text.replace("level>community<", "level>partner<");
        text.replace("<overlay>false", "<overlay>true")
            .replace("</file-list>", "<file>bin/x</file></file-list>")
    }));
    assert!(!text.contains("L3") && !text.contains("D5"), "{text}");
}
