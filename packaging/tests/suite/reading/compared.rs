//! What hosts compare between a VIB and the metadata of its bundle, and what they do not.

use packaging::verify::Severity::{self, Error, Note, Warning};
use proptest::prelude::*;

use super::bundles::script_around;
use super::fixture::{
    DESCRIPTOR, FILES, descriptor, diagnoses, edited, gzip, python, tar, verdict,
};

const MODE: &str = "<maintenance-mode on-install=\"false\" on-remove=\"true\"/>";
const PLATFORM: &str = "<hwplatform vendor=\"Acme\" model=\"One\"/>";

/// A bundle whose record and VIB have these in place of a part of the descriptor.
fn bundle(part: &str, record: &str, own: &str) -> Vec<u8> {
    assert!(DESCRIPTOR.contains(part), "{part}");
    let plain = tar("gnu", &FILES);
    let text = descriptor(&plain, &gzip(&plain), &FILES.map(|(path, ..)| path));
    let vib = edited(&plain, |text| text.replace(part, own));
    let script = script_around(&text.replace(part, record), &vib);
    python(&script, &vib)
}

/// The only thing that is said about it; nothing if `wanted` is empty.
fn assert_said(bytes: &[u8], severity: Severity, wanted: &str) {
    let found = diagnoses(bytes);
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    if wanted.is_empty() {
        assert!(found.is_empty(), "{lines:#?}");
        return;
    }
    let one = found.iter().find(|one| one.to_string().contains(wanted));
    assert_eq!(
        one.map(|one| one.severity),
        Some(severity),
        "{wanted}\n{lines:#?}"
    );
    let most = found.iter().map(|one| one.severity).max();
    assert_eq!(most, Some(severity), "{lines:#?}");
}

const DIFFERS: &str = "vibs/hi-1.xml, system-requires: differs from the VIB's own descriptor";

#[test]
fn metadata_without_maintenance_mode_means_true() {
    let said = |word: &str| format!("<maintenance-mode>{word}</maintenance-mode>");
    for (record, own, wanted) in [
        ("", said("true"), ""),
        ("", said("1"), ""),
        ("<maintenance-mode/>", said("true"), ""),
        ("", said("false"), DIFFERS),
        ("", MODE.to_owned(), DIFFERS),
        (MODE, MODE.to_owned(), ""),
        (
            "<maintenance-mode on-remove='true' on-install='true'/>",
            said("true"),
            "",
        ),
        (
            "<maintenance-mode on-remove='false' on-install='true'/>",
            said("true"),
            DIFFERS,
        ),
    ] {
        assert_said(&bundle(MODE, record, &own), Error, wanted);
    }
    // Other requirements are compared as ever.
    assert_said(&bundle(PLATFORM, "", PLATFORM), Error, DIFFERS);
}

#[test]
fn a_foreign_spelling_of_maintenance_mode_is_a_note() {
    let foreign = "<maintenanceMode>false</maintenanceMode>";
    let said = "<maintenance-mode>true</maintenance-mode>";
    let text = "vibs/hi-1.xml: system-requires, \"maintenanceMode\": is not known to hosts, which \
                ignore it and assume that maintenance mode is needed; write it as \"maintenance-mode\" \
                (FORMAT.md D8)";
    assert_said(&bundle(MODE, foreign, said), Note, text);
    let own = edited(&tar("gnu", &FILES), |text| text.replace(MODE, foreign));
    assert_said(
        &own,
        Note,
        "system-requires, \"maintenanceMode\": is not known to hosts",
    );
    let none = edited(&tar("gnu", &FILES), |text| text.replace(MODE, ""));
    assert_said(
        &none,
        Note,
        "maintenance-mode: is missing, which hosts take for true; write it out (FORMAT.md D8)",
    );
}

#[test]
fn other_foreign_spellings_are_notes_too() {
    for (from, to, wanted) in [
        (
            "<cimom-restart>false</cimom-restart>",
            "<cimomRestart>false</cimomRestart>",
            "\"cimomRestart\": is not known to hosts, which ignore it; write it as \"cimom-restart\"",
        ),
        (
            "<software-tags><tag>service</tag></software-tags>",
            "<softwareTags><tag>service</tag></softwareTags>",
            "write it as \"software-tags\" (FORMAT.md D3)",
        ),
        (
            PLATFORM,
            "<hwPlatform vendor=\"Acme\"/>",
            "system-requires, \"hwPlatform\": is not known to hosts, which ignore it; write it as \"hwplatform\"",
        ),
    ] {
        let bytes = edited(&tar("gnu", &FILES), |text| text.replace(from, to));
        assert_said(&bytes, Note, wanted);
    }
    // What nobody ever called so is for others.
    let bytes = edited(&tar("gnu", &FILES), |text| {
        text.replace(PLATFORM, "<flavour>mild</flavour>")
    });
    assert_eq!(verdict(&bytes), "");
}

#[test]
fn one_instant_may_be_written_in_several_ways() {
    let date = "2026-01-15T00:00:00.000000+00:00";
    for (record, same) in [
        ("2026-01-15T00:00:00.000000", true),
        ("2026-01-15T00:00:00", true),
        ("2026-01-15T00:00:00Z", true),
        ("2026-01-15T00:00:00.0+00:00", true),
        ("2026-01-15T02:30:00+02:30", true),
        ("2026-01-14T16:00:00-08:00", true),
        ("2026-01-15T00:00:00-08:00", false),
        ("2026-01-15T00:00:00.000001", false),
        ("2026-01-15", false),
    ] {
        let wanted = if same {
            ""
        } else {
            "vibs/hi-1.xml, release-date: differs from the VIB's own descriptor"
        };
        assert_said(&bundle(date, record, date), Warning, wanted);
    }
}

#[test]
fn what_6_7_does_not_compare_is_a_warning() {
    let stateless = "<stateless-ready>true</stateless-ready>";
    let other = "<stateless-ready>false</stateless-ready>";
    // For 8.0, by its index.
    assert_said(
        &bundle(stateless, other, stateless),
        Warning,
        "vibs/hi-1.xml, stateless-ready: differs from the VIB's own descriptor, which 5.x compared and \
         6.7 does not; write the metadata again (FORMAT.md B5)",
    );
    let platform = "<softwarePlatform productLineID=\"embeddedEsx\" version=\"8.*\" locale=\"\"/>";
    assert_said(
        &bundle(PLATFORM, PLATFORM, &format!("{PLATFORM}{platform}")),
        Warning,
        "vibs/hi-1.xml, softwarePlatform: differs from the VIB's own descriptor, which Image Builder \
         compares and 6.7 does not",
    );
}

#[test]
fn what_5_x_compared_is_an_error_there() {
    let stateless = "<stateless-ready>true</stateless-ready>";
    let other = "<stateless-ready>false</stateless-ready>";
    let plain = tar("gnu", &FILES);
    let text = descriptor(&plain, &gzip(&plain), &FILES.map(|(path, ..)| path));
    let vib = edited(&plain, |text| text);
    let script = script_around(&text.replace(stateless, other), &vib).replace("8.*", "5.5.*");
    assert_said(
        &python(&script, &vib),
        Error,
        "vibs/hi-1.xml, stateless-ready: differs from the VIB's own descriptor",
    );
}

proptest! {
    /// An instant is the same however its zone is written, and no text makes the comparison panic.
    #[test]
    fn instants_do_not_depend_on_their_zone(
        hours in 0..24_u32,
        minutes in 0..60_u32,
        offset in -12..=12_i64,
        stray in "[0-9TZ:.+-]{0,40}",
    ) {
        use packaging::rules::value::instant;

        let plain = format!("2026-06-15T{hours:02}:{minutes:02}:00");
        let base = i64::from(hours) + offset;
        let day = 15 + base.div_euclid(24);
        let moved = format!(
            "2026-06-{day:02}T{:02}:{minutes:02}:00.000{}{:02}:00",
            base.rem_euclid(24),
            if offset < 0 { '-' } else { '+' },
            offset.abs(),
        );
        prop_assert!(instant(&plain).is_some());
        prop_assert_eq!(instant(&plain), instant(&moved));
        let _any = instant(&stray);
    }
}
