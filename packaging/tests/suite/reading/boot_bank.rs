//! What a descriptor says about its payloads on the host: file names and sizes there.

use packaging::verify::Severity;

use super::fixture::{FILES, diagnoses, edited, read_vib, tar};
use crate::support::{DRIVER, vib};

/// The sound package, whose payload has these attributes in front of its name.
fn with(attributes: &str) -> Vec<u8> {
    edited(&tar("gnu", &FILES), |text| {
        text.replace("<payload ", &format!("<payload {attributes} "))
    })
}

/// The severity and text of the only finding.
fn found(bytes: &[u8]) -> (Severity, String) {
    match diagnoses(bytes).as_slice() {
        [one] => (one.severity, one.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_was_chosen_is_read_and_shown() {
    let driver = read_vib(vib(DRIVER, "2.0").bytes());
    let names: Vec<_> = driver
        .payloads
        .iter()
        .map(|payload| payload.vfat_name.as_deref())
        .collect();
    assert_eq!(names, [Some("acmedrv.v07"), None]);
    let shown = super::fixture::read(&with("vfat-name=\"hi.t00\""))
        .unwrap()
        .to_string();
    assert!(shown.contains(", in the boot bank as hi.t00\n"), "{shown}");
}

#[test]
fn names_that_the_boot_bank_cannot_have() {
    assert!(diagnoses(&with("vfat-name=\"hi.t00\"")).is_empty());
    for (name, severity, problem) in [
        ("Hi-there.t00", Severity::Warning, "is not of the form 8.3"),
        (
            "muchtoolong.t00",
            Severity::Warning,
            "is not of the form 8.3",
        ),
        ("", Severity::Error, "is not of the form 8.3"),
        ("../boot.cfg", Severity::Error, "is not of the form 8.3"),
        ("imgdb.tgz", Severity::Error, "is a file of the host itself"),
    ] {
        let (found, text) = found(&with(&format!("vfat-name={name:?}")));
        assert_eq!(found, severity, "{text}");
        assert!(
            text.contains(problem) && text.contains("(FORMAT.md H2)"),
            "{text}"
        );
    }
}

#[test]
fn a_name_that_two_payloads_chose() {
    let bytes = edited(&tar("gnu", &FILES), |text| {
        let second = "<payload name=\"hj\" type=\"text\" vfat-name=\"hi.t00\"/></payloads>";
        text.replace(
            "<payload name=\"hi\"",
            "<payload vfat-name=\"hi.t00\" name=\"hi\"",
        )
        .replace("</payloads>", second)
    });
    let wanted = "payload \"hj\": has the vfat-name of another payload; give each its own name";
    let is_told = |one: &packaging::verify::Diagnosis| {
        one.severity == Severity::Error && one.to_string().contains(wanted)
    };
    assert!(diagnoses(&bytes).iter().any(is_told));
}

#[test]
fn a_size_after_unpacking_that_is_not_so() {
    let size = tar("gnu", &FILES).len();
    assert!(diagnoses(&with(&format!("uncompressed-size=\"{size}\""))).is_empty());
    for declared in ["1", "much"] {
        let (severity, text) = found(&with(&format!("uncompressed-size={declared:?}")));
        assert_eq!(severity, Severity::Warning);
        let wanted = format!("uncompressed-size: is {declared:?}, but there are {size} bytes");
        assert!(
            text.contains(&wanted) && text.contains("(FORMAT.md D7)"),
            "{text}"
        );
    }
}
