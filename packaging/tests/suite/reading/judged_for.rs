//! Judgement is narrowed by what a package and its bundle say of releases.

use std::io::Cursor;

use packaging::inspect::{Limits, inspect};
use packaging::rules::Releases;
use packaging::verify::{Diagnosis, Severity, verify_on};

use super::bundles;
use super::fixture::{FILES, descriptor, diagnoses, edited, gzip, hash, python, tar, verdict};

const DEMAND: &str = r#"<constraint name="esx-version" relation="&gt;=" version="5.5.0"/>"#;

/// The sound package with other demands.
fn demanding(demands: &str) -> Vec<u8> {
    edited(&tar("gnu", &FILES), |text| text.replace(DEMAND, demands))
}

/// As packages of the 5.x era are: no checksum of the unpacked archive.
fn without_gunzip(text: &str) -> String {
    let mut text = text.to_owned();
    for kind in ["sha-256", "sha-1"] {
        let tag = format!("<checksum checksum-type=\"{kind}\" verify-process=\"gunzip\">");
        let start = text.find(&tag).unwrap();
        let end = start + text[start..].find("</checksum>").unwrap() + "</checksum>".len();
        text.replace_range(start..end, "");
    }
    text
}

/// A package of that era with these demands.
fn of_5_x(demands: &str) -> Vec<u8> {
    edited(&tar("gnu", &FILES), |text| {
        without_gunzip(&text).replace(DEMAND, demands)
    })
}

fn errors(found: &[Diagnosis]) -> Vec<String> {
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    errors.map(ToString::to_string).collect()
}

fn interface(name: &str) -> String {
    format!("<constraint name={name:?}/>")
}

#[test]
fn a_package_that_says_nothing_of_releases_is_not_refused_because_of_5_0() {
    for demands in ["", "<constraint name=\"esx-version\"/>"] {
        let found = diagnoses(&demanding(demands));
        let [one] = found.as_slice() else {
            panic!("{found:#?}")
        };
        assert_eq!(one.severity, Severity::Note, "{one}");
        let text = one.to_string();
        assert!(
            text.starts_with("note: file-list \"etc/init.d/hi\": lies in etc/init.d, which 5.0")
                && text.ends_with("\n    on: 5.0"),
            "{text}"
        );
    }
    // What 6.5 to 9.0 refuse is an error.
    assert!(verdict(&of_5_x("")).contains("error: payload \"hi\": checksum sha-256 gunzip"));
    // Whoever says 5.0 means it.
    let said = demanding(&DEMAND.replace("5.5.0", "5.0.0"));
    assert_eq!(errors(&diagnoses(&said)).len(), 1);
}

#[test]
fn a_package_that_needs_an_interface_of_old_hosts_is_not_judged_by_8_0() {
    for (name, judged) in [
        ("vmkapi_2_1_0_0", false),
        ("vmkapi_2_2_0_0", false),
        ("vmkapi_2_5_0_0", false),
        ("com.vmware.driverAPI-9.2.2.0", false),
        ("vmkapi_2_6_0_0", true),
        ("vmkapi_2_13_0_0", true),
        ("vmkapi_incompat_0", true),
        ("libfoo", true),
    ] {
        let text = verdict(&of_5_x(&interface(name)));
        assert_eq!(
            text.contains("which 8.0 and later demand"),
            judged,
            "{name}: {text}"
        );
    }
}

#[test]
fn a_release_without_the_interface_that_a_package_needs_is_found() {
    let on = |release: &str, name: &str| {
        let bytes = demanding(&interface(name));
        let inspection = inspect(Cursor::new(bytes), &Limits::default()).unwrap();
        errors(&verify_on(
            &inspection,
            release.parse::<Releases>().unwrap(),
        ))
        .join("\n")
    };
    for (name, release, found) in [
        ("vmkapi_2_1_0_0", "6.7", true),
        ("vmkapi_2_3_0_0", "6.7", false),
        ("vmkapi_2_3_0_0", "7.0", true),
        ("com.vmware.driverAPI-9.2.1.0", "6.5", false),
        ("com.vmware.driverAPI-9.2.1.0", "8.0", true),
        ("vmkapi_2_6_0_0", "6.7", true),
        ("vmkapi_2_6_0_0", "7.0", false),
        ("vmkapi_2_8_0_0", "7.0", false),
        ("vmkapi_2_9_0_0", "7.0", false),
        ("vmkapi_2_10_0_0", "7.0", true),
        ("vmkapi_2_11_0_0", "8.0", false),
        ("vmkapi_3_0_0_0", "8.0", true),
        ("vmkapi_3_0_0_0", "9.0", false),
        ("zstd-compression", "8.0", true),
        ("zstd-compression", "9.0", false),
        ("vmkapi_4_0_0_0", "9.0", true),
    ] {
        assert_eq!(!on(release, name).is_empty(), found, "{name} on {release}");
    }
    let text = on("8.0", "vmkapi_2_3_0_0");
    assert!(
        text.starts_with(
            "error: relationships.depends \"vmkapi_2_3_0_0\": is an interface of 5.0 to 6.7, which \
             8.0 lacks; take a package for this release, with a driver made for it (FORMAT.md H7)\n    \
             a host says: [DependencyError] VIB .. requires .."
        ),
        "{text}"
    );
}

#[test]
fn a_software_platform_is_a_statement_about_releases() {
    let with = |version: &str| {
        let bytes = edited(&tar("gnu", &FILES), |text| {
            without_gunzip(&text).replace(DEMAND, "").replace(
                "<hwplatform",
                &format!(
                    "<softwarePlatform locale=\"\" version={version:?} productLineID=\"embeddedEsx\"/><hwplatform"
                ),
            )
        });
        verdict(&bytes).contains("which 8.0 and later demand")
    };
    assert!(!with("6.*"));
    assert!(with("8.*"));
    assert!(with(""));
}

/// The sound bundle for these releases, its VIB without a demand of its own and as old as that of
/// the 5.x era.
fn bundle_of_5_x(releases: &str) -> Vec<u8> {
    let plain = tar("gnu", &FILES);
    let text = |of: &str| without_gunzip(of).replace(DEMAND, "");
    let vib = edited(&plain, |own| text(&own));
    let record = text(&descriptor(
        &plain,
        &gzip(&plain),
        &FILES.map(|(path, ..)| path),
    ));
    let script = bundles::script_around(&record, &vib).replace("8.*", releases);
    python(&script, &vib)
}

/// `5.*` names a line, and an interface says when it went, not when it came.
#[test]
fn lines_and_interfaces_do_not_make_5_0_a_reason_to_refuse() {
    for (releases, demands) in [
        (&["5.*", "6.*", "7.*", "8.*", "9.*"][..], ""),
        (&["5.*", "6.*"], "<constraint name=\"vmkapi_2_2_0_0\"/>"),
    ] {
        let found = diagnoses(&bundle_demanding(releases, demands));
        let [one] = found.as_slice() else {
            panic!("{found:#?}")
        };
        assert_eq!(one.severity, Severity::Note, "{one}");
    }
    // For no other.
    let old = bundle_demanding(&["5.*"], "");
    assert_eq!(errors(&diagnoses(&old)).len(), 1);
}

#[test]
fn a_bundle_for_one_release_is_not_judged_by_others() {
    for (releases, by_8_0) in [
        ("5.5.*", false),
        ("5.5.0", false),
        ("6.*", false),
        ("8.*", true),
        ("9.0", true),
        ("", true),
        ("*", true),
    ] {
        let text = verdict(&bundle_of_5_x(releases));
        assert_eq!(
            text.contains("which 8.0 and later demand"),
            by_8_0,
            "{releases}: {text}"
        );
    }
    // Nothing that holds from 7.0 on is said about a bundle for 5.5.
    let old = bundles::script()
        .replace("8.*", "5.5.*")
        .replace("<componentNameSpec", "<other");
    assert_eq!(verdict(&bundles::zip(&old)), "");
    let new = bundles::script().replace("<componentNameSpec", "<other");
    assert!(verdict(&bundles::zip(&new)).contains("hold no component"));
}

/// A payload that 9.0 brought, in a package that does not say so, but whose bundle does.
#[test]
fn a_bundle_for_9_0_only_is_not_judged_by_8_0() {
    let inner = b"\x28\xb5\x2f\xfd whatever".as_slice();
    let stored = gzip(inner);
    let sum = |kind: &str, bytes: &[u8]| {
        let sum = hash("sha256sum", bytes);
        format!("<checksum checksum-type=\"sha-256\"{kind}>{sum}</checksum>")
    };
    let payload = format!(
        r#"<payload name="hi" type="vzstd" size="{}">{}{}</payload>"#,
        stored.len(),
        sum(" verify-process=\"gunzip\"", inner),
        sum("", &stored),
    );
    let text = super::fixture::DESCRIPTOR
        .replace("FILES", "")
        .replace("PAYLOAD", &payload)
        .replace(DEMAND, "");
    let vib = super::fixture::ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
    ]);
    assert!(verdict(&vib).contains("is one that 9.0 brought"));
    for (releases, found) in [("8.*", true), ("9.*", false)] {
        let script = bundles::script_around(&text, &vib).replace("8.*", releases);
        let text = verdict(&python(&script, &vib));
        assert_eq!(text.contains("is one that 9.0 brought"), found, "{text}");
    }
    // Or the package says so itself.
    let text = text.replace(
        "<depends>",
        "<depends><constraint name=\"zstd-compression\" relation=\"=\" version=\"1.0\"/>",
    );
    let vib = super::fixture::ar(&[
        ("descriptor.xml", text.as_bytes()),
        ("sig.pkcs7", b""),
        ("hi", &stored),
    ]);
    assert!(!verdict(&vib).contains("is one that 9.0 brought"));
}

/// The sound bundle for these releases, with a VIB that demands this.
fn bundle_demanding(releases: &[&str], demands: &str) -> Vec<u8> {
    let plain = tar("gnu", &FILES);
    let vib = demanding(demands);
    let record =
        descriptor(&plain, &gzip(&plain), &FILES.map(|(path, ..)| path)).replace(DEMAND, demands);
    let offered = |of: &str| {
        let start = of.find("<metadata>").unwrap();
        let end = of.find("</metadata>").unwrap() + "</metadata>".len();
        let one = of[start..end].to_owned();
        let all: Vec<_> = releases.iter().map(|to| one.replace("8.*", to)).collect();
        of.replace(&one, &all.concat())
    };
    let platform = |to: &&str| {
        format!("<softwarePlatform version={to:?} locale=\"\" productLineID=\"embeddedEsx\"/>")
    };
    let platforms: Vec<_> = releases.iter().map(platform).collect();
    let script =
        bundles::script_around(&record, &vib).replace(&platform(&"8.*"), &platforms.concat());
    python(&offered(&script), &vib)
}

#[test]
fn a_bundle_whose_vib_no_host_of_its_releases_can_install_is_found() {
    let demand = |version: &str| DEMAND.replace("5.5.0", version);
    assert_eq!(verdict(&bundle_demanding(&["8.*"], &demand("8.0.0"))), "");
    assert_eq!(
        verdict(&bundle_demanding(&["7.*", "8.*"], &demand("8.0.0"))),
        ""
    );
    let text = verdict(&bundle_demanding(&["6.7.0", "7.*"], &demand("8.0.0")));
    assert!(
        text.starts_with(
            "error: hi.vib: relationships.depends: exclude the host itself: 6.7 to 7.0;"
        ),
        "{text}"
    );
}

#[test]
fn a_driver_that_is_offered_for_a_release_without_its_interface_is_found() {
    let driver = interface("com.vmware.driverAPI-9.2.2.0");
    assert_eq!(verdict(&bundle_demanding(&["5.5.*", "6.*"], &driver)), "");
    let text = verdict(&bundle_demanding(&["6.*", "7.*"], &driver));
    assert!(
        text.starts_with(
            "warning: hi.vib: relationships.depends \"com.vmware.driverAPI-9.2.2.0\": is an \
             interface of 5.0 to 6.7, and the bundle is offered for 7.0, too; offer it for the \
             releases that have the interface, or add a package for the others (FORMAT.md H7)"
        ) && !text.contains("error: "),
        "{text}"
    );
    let text = verdict(&bundle_demanding(&["7.*"], &driver));
    assert!(
        text.contains("error: hi.vib: relationships.depends \"com.vmware.driverAPI"),
        "{text}"
    );
}
