//! Every XML file and every kind of header, as reviewed.

use std::fmt::Write as _;

use crate::support::{
    DRIVER, ar_members, assert_golden, bundle, gunzip, on_disk, payload, sample_bundle, sample_vib,
    tar_entries, tool_text, vib, vmtar_entries,
};

#[test]
fn descriptor() {
    assert_golden("descriptor.xml", sample_vib().descriptor());
}

#[test]
fn files_of_a_bundle() {
    let bundle = sample_bundle();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    for name in ["index.xml", "vendor-index.xml"] {
        assert_golden(
            name,
            &tool_text("unzip", &["-p", "bundle.zip", name], folder.path()),
        );
    }
}

#[test]
fn files_of_the_metadata() {
    let bundle = sample_bundle();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    tool_text("unzip", &["-q", "bundle.zip"], folder.path());
    for (entry, golden) in [
        ("vmware.xml", "vmware.xml"),
        ("vibs/*.xml", "vib-record.xml"),
        ("bulletins/*.xml", "bulletin.xml"),
    ] {
        let text = tool_text(
            "unzip",
            &["-p", "hello-1.2.0-3-metadata.zip", entry],
            folder.path(),
        );
        assert_golden(golden, &text);
    }
}

#[test]
fn descriptor_with_every_element() {
    let vib = vib(DRIVER, "2.0");
    assert_golden("driver-descriptor.xml", vib.descriptor());
}

#[test]
fn files_of_a_bundle_with_two_vibs() {
    let bundle = bundle(&[vib(DRIVER, "2.0"), sample_vib()]).unwrap();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    let unzip = |zip: &str, entry: &str| tool_text("unzip", &["-p", zip, entry], folder.path());
    assert_golden("pair-index.xml", &unzip("bundle.zip", "index.xml"));
    assert_golden(
        "pair-vendor-index.xml",
        &unzip("bundle.zip", "vendor-index.xml"),
    );
    tool_text("unzip", &["-q", "bundle.zip"], folder.path());
    let metadata = "acme-driver-2.0-1-metadata.zip";
    assert_golden("pair-vmware.xml", &unzip(metadata, "vmware.xml"));
    // The other VIB's are the same as in a bundle of its own.
    for (entry, golden) in [
        ("vibs/acme-driver-*.xml", "driver-vib-record.xml"),
        ("bulletins/Acme-Driver_*.xml", "driver-bulletin.xml"),
        ("vibs/hello-*.xml", "vib-record.xml"),
        ("bulletins/hello_*.xml", "bulletin.xml"),
    ] {
        assert_golden(golden, &unzip(metadata, entry));
    }
    let text = format!(
        "bundle\n{}\nmetadata\n{}",
        bundle.entries(),
        bundle.metadata()
    );
    assert_golden("pair-listings.txt", &text);
}

#[test]
fn ar_headers() {
    let vib = sample_vib();
    let mut text = format!("{}\n", vib.bytes()[..8].escape_ascii());
    for (header, _) in ar_members(vib.bytes()) {
        writeln!(text, "{}", header.escape_ascii()).unwrap();
    }
    assert_golden("ar-headers.txt", &text);
}

#[test]
fn tar_headers() {
    let vib = sample_vib();
    let tar = gunzip(payload(vib.bytes()));
    let text = fields(tar_entries(&tar));
    assert_golden("tar-headers.txt", &text);
}

#[test]
fn vmtar_headers() {
    let vib = vib(DRIVER, "2.0");
    let vmtar = gunzip(payload(vib.bytes()));
    assert_golden("vmtar-headers.txt", &fields(vmtar_entries(&vmtar)));
}

/// A line for each header. Runs of zeros are left out; every other byte is shown behind its offset.
fn fields(entries: Vec<(&[u8], &[u8])>) -> String {
    let mut text = String::new();
    for (header, _) in entries {
        let fields = header.chunk_by(|left, right| (*left == 0) == (*right == 0));
        let mut offset = 0;
        for field in fields {
            if field[0] != 0 {
                write!(text, "{offset}:{} ", field.escape_ascii()).unwrap();
            }
            offset += field.len();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[test]
fn gzip_header() {
    let vib = sample_vib();
    let header = &payload(vib.bytes())[..10];
    let text = header
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x} "));
    assert_golden("gzip-header.txt", &format!("{}\n", text.trim_end()));
}

#[test]
fn listings() {
    let vib = sample_vib();
    let bundle = sample_bundle();
    let text = format!(
        "VIB\n{}\npayload\n{}\nbundle\n{}\nmetadata\n{}",
        vib.members(),
        vib.files(),
        bundle.entries(),
        bundle.metadata()
    );
    assert_golden("listings.txt", &text);
}
