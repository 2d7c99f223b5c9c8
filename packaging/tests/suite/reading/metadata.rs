//! What a bundle says about its VIBs, in all the ways to say it wrongly or differently.

use packaging::verify::Severity::{self, Error, Warning};

use super::bundles::{script, zip};
use super::fixture::{diagnoses, python, refusal, sound, verdict};

fn assert_found(script: &str, severity: Severity, wanted: &str) {
    let found = diagnoses(&zip(script));
    let one = found.iter().find(|one| one.to_string().contains(wanted));
    let one = one.unwrap_or_else(|| panic!("{wanted}: {found:#?}"));
    assert_eq!(one.severity, severity, "{one}");
}

/// The script with one replacement.
fn with(from: &str, to: &str) -> String {
    let script = script();
    assert!(script.contains(from), "{from}");
    script.replacen(from, to, 1)
}

/// The script without an element of the record.
fn without(element: &str) -> String {
    let script = script();
    let start = script.find(&format!("<{element}")).unwrap();
    let close = format!("</{element}>");
    let end = start + script[start..].find(&close).unwrap() + close.len();
    script[..start].to_owned() + &script[end..]
}

#[test]
fn a_record_without_size_or_checksum_is_found() {
    assert_found(
        &without("packed-size"),
        Error,
        "vibs/hi-1.xml, packed-size: is missing",
    );
    assert_found(
        &with(
            "</packed-size><checksum checksum-type=\"sha-256\">",
            "</packed-size><checksum checksum-type=\"md5\">",
        ),
        Error,
        "vibs/hi-1.xml, checksum sha-256: is missing",
    );
    assert_found(
        &with("<packed-size>", "<packed-size>big"),
        Error,
        ", which is no number of bytes",
    );
    assert_found(
        &with(
            "</packed-size><checksum checksum-type=\"sha-256\">",
            "</packed-size><checksum checksum-type=\"sha-256\">zz",
        ),
        Error,
        "which is no digest of its type",
    );
}

#[test]
fn empty_is_as_good_as_absent_and_relations_have_no_order() {
    for (from, to) in [
        ("<conflicts/>", ""),
        ("<replaces/>", "<replaces></replaces>"),
        ("<conflicts/><replaces/>", "<replaces/>\n<conflicts/>"),
        (
            "<overlay>false</overlay>",
            "<overlay> false </overlay><vfat/>",
        ),
        (
            "<file>etc/config/hi/hi.toml</file><file>etc/init.d/hi</file>",
            "<file>etc/init.d/hi</file><file>etc/config/hi/hi.toml</file>",
        ),
    ] {
        assert_eq!(verdict(&zip(&with(from, to))), "", "{to}");
    }
    assert_found(
        &with("name=\"esx-version\"", "name=\"esx-base\""),
        Error,
        "vibs/hi-1.xml, relationships: differs from the VIB's own descriptor",
    );
}

#[test]
fn paths_are_followed_in_any_spelling_and_the_odd_ones_are_named() {
    for (from, to, wanted) in [
        (
            "<relative-path>hi.vib",
            "<relative-path>./hi.vib",
            "vibs/hi-1.xml, relative-path \"./hi.vib\": is not in its shortest form",
        ),
        (
            "<url>acme-metadata.zip",
            "<url>.//acme-metadata.zip",
            "vendor index, metadata, url \".//acme-metadata.zip\": is not in its shortest form",
        ),
        (
            "z.writestr('hi.vib'",
            "z.writestr('./hi.vib'",
            "entry \"hi.vib\" at byte ",
        ),
    ] {
        assert_found(&with(from, to), Warning, wanted);
    }
}

#[test]
fn names_that_collide_once_they_are_normalised_are_refused() {
    for name in ["./hi.vib", "x/../hi.vib", ".//hi.vib", "hi.vib/"] {
        let script = with(
            "z.writestr('hi.vib', vib)",
            &format!("z.writestr('hi.vib', vib); z.writestr('{name}', b'')"),
        );
        let text = refusal(&zip(&script));
        assert!(
            text.contains("there is an earlier one called \"hi.vib") || text.contains("climbs"),
            "{name}: {text}"
        );
    }
}

#[test]
fn bulletins_have_ids_of_their_own() {
    assert_found(
        &with(
            "    z.writestr('bulletins/hi.xml', bulletin)",
            "    z.writestr('bulletins/hi.xml', bulletin); z.writestr('bulletins/ho.xml', bulletin)",
        ),
        Error,
        "bulletin \"hi_1.0-1\": is in the bundle twice; give each bulletin its own id (FORMAT.md B9)",
    );
}

#[test]
fn update_manager_may_be_told_a_checksum_in_upper_case() {
    let response = "<metadataResponse><version>3.0</version>' + bulletin.replace('<vibID>acme_bootbank_hi_1.0-1</vibID>', '<vib><vibID>acme_bootbank_hi_1.0-1</vibID><vibFile><relativePath>hi.vib</relativePath><packedSize>%d</packedSize><checksum><checksumType>sha-256</checksumType><checksum>%s</checksum></checksum></vibFile></vib>' % (len(vib), __import__('hashlib').sha256(vib).hexdigest().upper())) + '</metadataResponse>";
    let script = with(
        "    z.writestr('vibs/hi-1.xml', record)",
        &format!("    z.writestr('vibs/hi-1.xml', record); z.writestr('vmware.xml', '{response}')"),
    );
    assert_eq!(verdict(&zip(&script)), "");
    assert_found(
        &script.replace(".upper()", "[1:] + '0'"),
        Warning,
        "vmware.xml, VIB \"acme_bootbank_hi_1.0-1\": has another path, size or checksum",
    );
}

/// They were held in memory, 24 MiB at most.
#[test]
fn a_big_zip_that_is_stored_in_another_is_followed() {
    let script = script().replace(
        "z.writestr('hi.vib', vib)",
        "z.writestr('hi.vib', vib); z.writestr('fill', bytes(30 << 20), zipfile.ZIP_STORED)",
    );
    let bundle = zip(&script);
    assert!(bundle.len() > 30 << 20);
    let wrap = "import zipfile
with zipfile.ZipFile('out', 'w') as z: z.writestr('bundle.zip', open('in', 'rb').read())";
    let text = verdict(&python(wrap, &bundle));
    assert!(
        text.starts_with("error: zip entry \"bundle.zip\": is the offline bundle")
            && text.lines().count() == 2,
        "{text}"
    );
}

#[test]
fn zips_of_other_makers_are_read() {
    // With the extension for big archives, with sizes behind the data, in other orders.
    for maker in [
        "
with zipfile.ZipFile('out', 'w', zipfile.ZIP_DEFLATED) as new:
    for i in reversed(old.infolist()):
        with new.open(i.filename, 'w', force_zip64=True) as f: f.write(old.read(i))",
        "
class Pipe:
    def __init__(self): self.f = open('out', 'wb')
    def write(self, b): return self.f.write(b)
    def flush(self): pass
with zipfile.ZipFile(Pipe(), 'w', zipfile.ZIP_DEFLATED) as new:
    for i in old.infolist(): new.writestr(i.filename, old.read(i))",
    ] {
        let script = format!("import zipfile\nold = zipfile.ZipFile('in'){maker}");
        assert_eq!(verdict(&python(&script, &super::bundles::sound())), "");
    }
    assert!(!sound().is_empty());
}
