//! Offline bundles, zipped by Python.

use packaging::inspect::{Bundle, Contents};
use packaging::verify::Severity;

use super::fixture::{
    self, FILES, descriptor, diagnoses, gzip, hash, python, read, refusal, tar, verdict,
};

/// A bundle, file by file; what a test wants to be different, it replaces in the script.
const SCRIPT: &str = r#"import zipfile, io
vib = open('in', 'rb').read()
index = '''<vendorList><vendor><name>acme</name><code>acm</code><indexfile>vendor-index.xml</indexfile>
<relativePath></relativePath></vendor></vendorList>'''
vendor = '''<?xml version="1.0"?>
<metaList><metadata><productId>embeddedEsx</productId><version>8.*</version><locale></locale>
<url>acme-metadata.zip</url></metadata></metaList>'''
bulletin = '''<bulletin><id>hi_1.0-1</id><vendor>acme</vendor><summary>s</summary><category>c</category>
<urgency>low</urgency><description>d</description><kbUrl>k</kbUrl><contact>c</contact>
<componentNameSpec name="hi" uiString="Hi"/><componentVersionSpec version="1.0-1" uiString="1.0-1"/>
<platforms><softwarePlatform version="8.*" locale="" productLineID="embeddedEsx"/></platforms>
<vibList><vibID>acme_bootbank_hi_1.0-1</vibID></vibList></bulletin>'''
record = '''RECORD'''
meta = io.BytesIO()
with zipfile.ZipFile(meta, 'w') as z:
    z.writestr('vendor-index.xml', vendor)
    z.writestr('vibs/hi-1.xml', record)
    z.writestr('bulletins/hi.xml', bulletin)
with zipfile.ZipFile('out', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('vib20/', b'')
    z.writestr('index.xml', index)
    z.writestr('vendor-index.xml', vendor)
    z.writestr('acme-metadata.zip', meta.getvalue(), zipfile.ZIP_STORED)
    z.writestr('hi.vib', vib)
"#;

/// The script around the sound package.
pub(super) fn script() -> String {
    let plain = tar("gnu", &FILES);
    let record = descriptor(&plain, &gzip(&plain), &FILES.map(|(path, ..)| path));
    script_around(&record, &fixture::sound())
}

/// The script around a package with this descriptor.
pub(super) fn script_around(descriptor: &str, vib: &[u8]) -> String {
    let record = descriptor.replace(
        "<system-requires>",
        &format!(
            r#"<relative-path>hi.vib</relative-path><packed-size>{}</packed-size><checksum checksum-type="sha-256">{}</checksum><system-requires>"#,
            vib.len(),
            hash("sha256sum", vib)
        ),
    );
    SCRIPT.replace("RECORD", &record)
}

pub(super) fn zip(script: &str) -> Vec<u8> {
    python(script, &fixture::sound())
}

fn bundle(bytes: &[u8]) -> Bundle {
    match read(bytes).expect("this can be read").contents {
        Contents::Bundle(bundle) | Contents::WrappedBundle { bundle, .. } => *bundle,
        other => panic!("{other:?}"),
    }
}

/// The bundle that nothing is wrong with.
pub(super) fn sound() -> Vec<u8> {
    zip(&script())
}

const WRAP: &str = "import zipfile
with zipfile.ZipFile('out', 'w') as z:
    z.writestr('readme.txt', 'hello')
    z.writestr('a/bundle.zip', open('in', 'rb').read())";

#[test]
fn a_bundle_is_followed_from_its_index_to_its_vib() {
    let bytes = zip(&script());
    let bundle = bundle(&bytes);
    assert_eq!(bundle.vendors[0].code.as_deref(), Some("acm"));
    assert_eq!(
        bundle.vendors[0].metadata[0].version.as_deref(),
        Some("8.*")
    );
    assert_eq!(bundle.metadata, ["acme-metadata.zip"]);
    assert!(bundle.index_copies_agree);
    assert_eq!(
        bundle.bulletins[0].component.as_ref().unwrap().version,
        "1.0-1"
    );
    assert_eq!(bundle.vibs[0].actual_sha256, bundle.vibs[0].sha256);
    assert_eq!(
        bundle.vibs[0].vib.as_ref().unwrap().descriptor.id,
        "acme_bootbank_hi_1.0-1"
    );
    assert_eq!(verdict(&bytes), "");
}

#[test]
fn a_zip_around_a_bundle_names_the_inner_one() {
    let wrapped = python(WRAP, &zip(&script()));
    assert!(
        matches!(read(&wrapped).unwrap().contents, Contents::WrappedBundle { inner, .. } if inner == "a/bundle.zip")
    );
    assert_eq!(bundle(&wrapped).vibs.len(), 1);
    let text = verdict(&wrapped);
    assert!(text.starts_with("error: zip entry \"a/bundle.zip\": is the offline bundle, and this file only wraps it; unpack this zip and give hosts the inner one (FORMAT.md R5)"), "{text}");
    // One level, not two.
    let text = refusal(&python(WRAP, &wrapped));
    assert!(
        text.contains("a zip without index.xml, and holds no zip that has one"),
        "{text}"
    );
}

#[test]
fn a_zip_of_something_else_is_refused() {
    let script = "import zipfile
with zipfile.ZipFile('out', 'w') as z:
    z.writestr('hi.vib', open('in', 'rb').read())";
    let text = refusal(&zip(script));
    assert!(
        text.contains("a zip without index.xml, but with \"hi.vib\"; unpack that VIB"),
        "{text}"
    );
}

#[test]
fn what_an_index_leads_to_must_be_there() {
    let missing = script().replace("z.writestr('acme-metadata.zip'", "z.writestr('other.zip'");
    assert!(refusal(&zip(&missing)).contains("there is no acme-metadata.zip"));
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let twice = script().replace(
        "z.writestr('hi.vib', vib)",
        "z.writestr('hi.vib', vib); z.writestr('hi.vib', b'')",
    );
    assert!(refusal(&zip(&twice)).contains("there is an earlier one called \"hi.vib\""));
}

#[test]
fn paths_and_links_that_lead_out_of_the_zip_are_refused() {
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "a\\\\..\\\\b",
    ] {
        let script = script().replace(
            "z.writestr('hi.vib', vib)",
            &format!("z.writestr('{name}', b'')"),
        );
        let text = refusal(&zip(&script));
        assert!(text.starts_with("entry \""), "{text}");
    }
    let link = script().replace(
        "z.writestr('hi.vib', vib)",
        "i = zipfile.ZipInfo('l'); i.create_system = 3; i.external_attr = 0o120777 << 16; z.writestr(i, '/etc')",
    );
    assert!(refusal(&zip(&link)).contains("it is a symbolic link, which no bundle needs"));
}

#[test]
fn damage_inside_an_entry_is_found() {
    let mut bytes = zip(&script());
    let place = bytes
        .windows(6)
        .position(|window| window == b"hi.vib")
        .unwrap()
        + 600;
    bytes[place] ^= 0x55;
    assert!(read(&bytes).is_err());
}

#[test]
fn two_headers_of_an_entry_that_contradict_each_other_are_refused() {
    let whole = zip(&script());
    let name = whole.windows(9).position(|window| window == b"index.xml");
    let header = name.unwrap() - 30;
    // Method, checksum, both sizes; the time is of no interest.
    for (place, wanted) in [(8, true), (14, true), (18, true), (22, true), (10, false)] {
        let mut bytes = whole.clone();
        bytes[header + place] ^= 1;
        let found = read(&bytes).err().map(|error| error.to_string());
        let wanted = wanted.then(|| {
            format!(
                "zip entry \"index.xml\" at byte {header}: its own header has another method, \
                 checksum or size than the directory"
            )
        });
        assert_eq!(found, wanted, "byte {place}");
    }
}

#[test]
fn metadata_that_contradicts_its_vib_is_found_with_the_hosts_words() {
    for (from, to, wanted, severity) in [
        (
            "<packed-size>",
            "<packed-size>1",
            "vibs/hi-1.xml, packed-size: is 1",
            Severity::Error,
        ),
        (
            "<overlay>false",
            "<overlay>true",
            "vibs/hi-1.xml, overlay: differs from the VIB's own descriptor",
            Severity::Error,
        ),
        (
            "2026-01-15T00:00",
            "2026-01-15T00:01",
            "vibs/hi-1.xml, release-date: differs",
            Severity::Warning,
        ),
        (
            "<relative-path>hi.vib",
            "<relative-path>ho.vib",
            "relative-path \"ho.vib\": leads to no file of the bundle",
            Severity::Error,
        ),
        (
            "<relativePath></relativePath>",
            "",
            "index.xml, vendor, relativePath: is missing",
            Severity::Error,
        ),
        (
            "<locale></locale>",
            "",
            "vendor index, metadata, locale: is missing",
            Severity::Error,
        ),
        (
            "'vibs/hi-1.xml'",
            "'hi-1.xml'",
            "metadata: describes no VIB",
            Severity::Error,
        ),
        (
            "<kbUrl>k</kbUrl>",
            "<kbUrl/>",
            "bulletin \"hi_1.0-1\", kbUrl: is empty or missing",
            Severity::Warning,
        ),
        (
            "<vibID>acme",
            "<vibID>other",
            "names the VIB \"other_bootbank_hi_1.0-1\", which the bundle does not describe",
            Severity::Error,
        ),
        (
            "Platform version=\"8.*\"",
            "Platform version=\"7.*\"",
            "is for release \"7.*\", which the vendor index does not offer",
            Severity::Warning,
        ),
        (
            "<code>acm</code>",
            "<code>acme</code>",
            "index.xml, code \"acme\": is not made of exactly three",
            Severity::Warning,
        ),
    ] {
        let text = script();
        assert!(text.contains(from), "{from}");
        let found = diagnoses(&zip(&text.replace(from, to)));
        let one = found.iter().find(|one| one.to_string().contains(wanted));
        let one = one.unwrap_or_else(|| panic!("{wanted}: {found:?}"));
        assert_eq!(one.severity, severity, "{one}");
    }
    let text = verdict(&zip(
        &script().replace("<summary>Says hi", "<summary>Says ho")
    ));
    assert!(text.contains("\n    a host says: [InstallationError] VIBs .. and .. have unequal values of the '..' attribute"), "{text}");
}
