//! Rules hold on some releases of the host, and a package is for some.

use std::io::Cursor;

use packaging::inspect::{Limits, inspect};
use packaging::rules::Releases;
use packaging::verify::verify_on;

use super::bundles;
use super::fixture::{FILES, edited, tar, verdict};

fn on(releases: &str, bytes: &[u8]) -> String {
    let inspection = inspect(Cursor::new(bytes), &Limits::default()).unwrap();
    let found = verify_on(&inspection, releases.parse::<Releases>().unwrap());
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// As packages of the 5.x era are: no checksum of the unpacked archive.
fn of_5_x(demand: &str) -> Vec<u8> {
    edited(&tar("gnu", &FILES), |text| {
        let mut text = text.replace("&gt;=\" version=\"5.5.0\"", demand);
        for kind in ["sha-256", "sha-1"] {
            let tag = format!("<checksum checksum-type=\"{kind}\" verify-process=\"gunzip\">");
            let start = text.find(&tag).unwrap();
            let end = start + text[start..].find("</checksum>").unwrap() + 11;
            text.replace_range(start..end, "");
        }
        text
    })
}

#[test]
fn a_package_is_judged_by_the_releases_that_it_is_for() {
    let text = verdict(&of_5_x("&gt;=\" version=\"5.0.0\""));
    assert!(
        text.contains("[ProfileValidationError]") && text.contains("\n    on: 8.0 and later"),
        "{text}"
    );
    assert!(text.contains("\n    on: 6.7 to 7.0"), "{text}");
    // Nobody can install this one there.
    let text = verdict(&of_5_x("&lt;&lt;\" version=\"6.0.0\""));
    assert!(!text.contains("C1"), "{text}");
}

#[test]
fn releases_that_are_asked_for_narrow_the_rules() {
    let old = of_5_x("&gt;=\" version=\"5.5.0\"");
    assert_eq!(on("5.5", &old), "");
    assert!(on("6.0", &old).contains("by which 6.x checks payloads"));
    assert!(!on("6.0", &old).contains("8.0"));
    assert!(on("8", &old).contains("which 8.0 and later demand"));
}

#[test]
fn a_release_that_a_package_excludes_is_found() {
    let sound = super::fixture::sound();
    let text = on("5.*", &sound);
    assert!(text.starts_with("error: relationships.depends: exclude the host itself: 5.0 to 5.1; widen what is demanded of esx-version, or take a package for this release (FORMAT.md I10)\n    a host says: [DependencyError] VIB .. requires .., but the requirement cannot be satisfied\n    on: 5.0 to 5.1"), "{text}");
    assert_eq!(on("5.5", &sound), "");
    // For no release at all: that is said, and the rest is told nevertheless.
    let none = edited(&tar("gnu", &FILES), |text| {
        text.replace("version=\"5.5.0\"", "version=\"95.0.0\"")
            .replace("<overlay>false", "<overlay>true")
    });
    let text = verdict(&none);
    assert!(
        text.contains("exclude the host itself: all releases"),
        "{text}"
    );
    assert!(text.contains("FORMAT.md D5"), "{text}");
}

#[test]
fn an_init_script_was_not_granted_by_5_0() {
    let bytes = edited(&tar("gnu", &FILES), |text| {
        text.replace("version=\"5.5.0\"", "version=\"5.0.0\"")
    });
    let text = verdict(&bytes);
    assert!(
        text.contains(
            "file-list \"etc/init.d/hi\": lies in etc/init.d, which 5.0 did not yet grant"
        ) && text.ends_with("\n    on: 5.0"),
        "{text}"
    );
}

#[test]
fn a_bundle_that_is_not_offered_for_a_release_is_found() {
    let bundle = bundles::sound();
    assert_eq!(on("8.0", &bundle), "");
    let text = on("7.0.3", &bundle);
    assert!(
        text.contains("vendor index: does not offer the bundle for 7.0; add a metadata element")
            && text.contains("(FORMAT.md B8)\n    a host says: invalid package (Update Manager)"),
        "{text}"
    );
}

#[test]
fn findings_have_a_json_form() {
    let inspection = inspect(
        Cursor::new(of_5_x("&gt;=\" version=\"7.0.0\"")),
        &Limits::default(),
    )
    .unwrap();
    let found = packaging::verify::verify(&inspection);
    let json = serde_json::to_value(&found).unwrap();
    let first = &json[0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["rule"], "C1");
    assert_eq!(first["place"], "payload \"hi\": checksum sha-256 gunzip");
    assert_eq!(first["releases"], serde_json::json!(["8.0", "9.0"]));
    assert_eq!(first["levels"], "all");
    assert!(first["host-message"].as_str().unwrap().contains("gunzip"));
    assert!(first["remedy"].is_string() && first["problem"].is_string());
}
