//! What Debian's tools make of our archives.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Written, on_disk, sample_bundle, sample_vib, sources, tool, tool_text};

/// Splits the VIB with `ar` in a folder of its own.
fn split(vib: &Written) -> tempfile::TempDir {
    let (folder, _) = on_disk("sample.vib", vib.bytes());
    tool("ar", &["x", "sample.vib"], folder.path());
    folder
}

fn checksum_of(tool_name: &str, file: &str, folder: &Path) -> String {
    tool_text(tool_name, &[file], folder)
        .split(' ')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
#[should_panic(expected = "on Debian: apt-get install no-such-tool")]
fn a_missing_tool_fails_the_test_and_says_what_to_install() {
    tool("no-such-tool", &[], Path::new("/"));
}

#[test]
fn ar_lists_and_extracts_the_members() {
    let vib = sample_vib();
    let folder = split(&vib);
    assert_eq!(
        tool_text("ar", &["t", "sample.vib"], folder.path()),
        "descriptor.xml\nsig.pkcs7\nhello\n"
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("descriptor.xml")).unwrap(),
        vib.descriptor()
    );
    assert_eq!(fs::read(folder.path().join("sig.pkcs7")).unwrap(), b"");
}

#[test]
fn another_ar_reader_agrees() {
    let vib = sample_vib();
    let mut archive = ar::Archive::new(vib.bytes());
    let mut members = Vec::new();
    while let Some(entry) = archive.next_entry() {
        let header = entry.unwrap().header().clone();
        members.push((
            String::from_utf8(header.identifier().to_vec()).unwrap(),
            header.size(),
        ));
    }
    let listed = vib
        .members()
        .items()
        .iter()
        .map(|item| (item.path.clone(), item.size));
    assert_eq!(members, listed.collect::<Vec<_>>());
}

#[test]
fn tar_unpacks_the_payload_with_modes_and_contents() {
    let vib = sample_vib();
    let folder = split(&vib);
    fs::create_dir(folder.path().join("root")).unwrap();
    tool("tar", &["-xpzf", "hello", "-C", "root"], folder.path());
    let sources = sources();
    for (path, mode, source) in [
        ("opt/hello/bin/hello", 0o755, "build/hello"),
        ("etc/init.d/hello", 0o755, "hello.init"),
        ("etc/config/hello/hello.toml", 0o1644, "hello.toml"),
        ("opt/hello/share/empty", 0o444, "empty"),
    ] {
        let file = folder.path().join("root").join(path);
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
            mode,
            "{path}"
        );
        assert_eq!(fs::read(&file).unwrap(), sources[source], "{path}");
    }
    let cache = folder.path().join("root/opt/hello/cache");
    assert_eq!(
        fs::metadata(cache).unwrap().permissions().mode() & 0o7777,
        0o700
    );
}

#[test]
fn tar_sees_owner_time_and_the_sticky_configuration() {
    let folder = split(&sample_vib());
    let listing = tool_text("tar", &["-tvzf", "hello", "--full-time"], folder.path());
    assert!(
        listing
            .lines()
            .all(|line| line.contains(" root/root ") && line.contains(" 2026-01-15 12:30:45 "))
    );
    let config = listing
        .lines()
        .find(|line| line.ends_with("hello.toml"))
        .unwrap();
    assert!(config.starts_with("-rw-r--r-T "), "{config}");
}

#[test]
fn the_three_checksums_are_those_of_the_tools_in_the_order_for_old_hosts() {
    let vib = sample_vib();
    let folder = split(&vib);
    fs::write(
        folder.path().join("hello.tar"),
        tool("gzip", &["-dc", "hello"], folder.path()),
    )
    .unwrap();
    let size = fs::metadata(folder.path().join("hello")).unwrap().len();
    let expected = format!(
        "<payload name=\"hello\" type=\"tgz\" size=\"{size}\">\
         <checksum checksum-type=\"sha-256\" verify-process=\"gunzip\">{}</checksum>\
         <checksum checksum-type=\"sha-256\">{}</checksum>\
         <checksum checksum-type=\"sha-1\" verify-process=\"gunzip\">{}</checksum></payload>",
        checksum_of("sha256sum", "hello.tar", folder.path()),
        checksum_of("sha256sum", "hello", folder.path()),
        checksum_of("sha1sum", "hello.tar", folder.path()),
    );
    assert!(
        vib.descriptor().contains(&expected),
        "{expected}\n{}",
        vib.descriptor()
    );
    assert_eq!(
        vib.sha256(),
        checksum_of("sha256sum", "sample.vib", folder.path())
    );
}

#[test]
fn the_file_list_is_what_tar_finds_in_the_payload() {
    let vib = sample_vib();
    let folder = split(&vib);
    let listed = tool_text("tar", &["-tzf", "hello"], folder.path());
    let files = listed.lines().filter(|path| !path.ends_with('/'));
    let expected = files.fold(String::new(), |text, path| {
        text + "<file>" + path + "</file>"
    });
    assert!(
        vib.descriptor()
            .contains(&format!("<file-list>{expected}</file-list>")),
        "{}",
        vib.descriptor()
    );
}

#[test]
fn unzip_tests_and_lists_the_bundle() {
    let bundle = sample_bundle();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    tool("unzip", &["-tq", "bundle.zip"], folder.path());
    assert_eq!(
        tool_text("unzip", &["-Z1", "bundle.zip"], folder.path()),
        "index.xml\nvendor-index.xml\nhello-1.2.0-3-metadata.zip\nvib20/hello/acme_bootbank_hello_1.2.0-3.vib\n"
    );
    let long = tool_text("unzip", &["-Zl", "bundle.zip"], folder.path());
    let entries = long.lines().filter(|line| line.starts_with('-'));
    assert!(entries.clone().count() == 4, "{long}");
    assert!(
        entries.clone().all(|line| line.starts_with("-rw-r--r--")),
        "{long}"
    );
    assert!(
        entries
            .clone()
            .all(|line| line.contains(" def") && line.contains("26-Jan-15 12:30")),
        "{long}"
    );
}

#[test]
fn the_vib_in_the_bundle_is_the_vib() {
    let (folder, _) = on_disk("bundle.zip", sample_bundle().bytes());
    assert_eq!(
        tool("unzip", &["-p", "bundle.zip", "vib20/*"], folder.path()),
        sample_vib().bytes()
    );
}

#[test]
fn the_metadata_has_the_directories_that_hosts_look_into() {
    let (folder, _) = on_disk("bundle.zip", sample_bundle().bytes());
    tool("unzip", &["-q", "bundle.zip"], folder.path());
    tool(
        "unzip",
        &["-tq", "hello-1.2.0-3-metadata.zip"],
        folder.path(),
    );
    let listing = tool_text(
        "unzip",
        &["-Z1", "hello-1.2.0-3-metadata.zip"],
        folder.path(),
    );
    let lines: Vec<_> = listing.lines().collect();
    let [index, response, record, bulletin] = lines[..] else {
        panic!("{listing}")
    };
    assert_eq!(
        (index, response, bulletin),
        (
            "vendor-index.xml",
            "vmware.xml",
            "bulletins/hello_1.2.0-3.xml"
        )
    );
    let number = record
        .strip_prefix("vibs/hello-")
        .and_then(|rest| rest.strip_suffix(".xml"));
    assert!(
        number.is_some_and(|number| number.parse::<u32>().is_ok()),
        "{record}"
    );
}

#[test]
fn both_copies_of_the_vendor_index_are_the_same() {
    let (folder, _) = on_disk("bundle.zip", sample_bundle().bytes());
    tool("unzip", &["-q", "bundle.zip"], folder.path());
    let outer = fs::read(folder.path().join("vendor-index.xml")).unwrap();
    assert_eq!(
        tool(
            "unzip",
            &["-p", "hello-1.2.0-3-metadata.zip", "vendor-index.xml"],
            folder.path()
        ),
        outer
    );
}

#[test]
fn xmllint_accepts_every_xml_file() {
    let vib = sample_vib();
    let folder = split(&vib);
    fs::write(folder.path().join("bundle.zip"), sample_bundle().bytes()).unwrap();
    tool("unzip", &["-q", "bundle.zip"], folder.path());
    tool(
        "unzip",
        &["-q", "-o", "hello-1.2.0-3-metadata.zip"],
        folder.path(),
    );
    let find = tool_text("find", &[".", "-name", "*.xml"], folder.path());
    let files: Vec<_> = find.lines().collect();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        tool("xmllint", &["--noout", file], folder.path());
    }
    let summary = tool_text(
        "xmllint",
        &["--xpath", "string(/vib/summary)", "descriptor.xml"],
        folder.path(),
    );
    assert_eq!(summary.trim_end(), "Greets <whoever> logs in & out");
    let url = tool_text(
        "xmllint",
        &[
            "--xpath",
            "string(/vib/urls/url[@key='kb'])",
            "descriptor.xml",
        ],
        folder.path(),
    );
    assert_eq!(url.trim_end(), "https://acme.example/kb?a=1&b=2");
}

#[test]
fn the_record_in_the_bundle_differs_from_the_descriptor_by_three_elements_only() {
    let vib = sample_vib();
    let folder = split(&vib);
    fs::write(folder.path().join("bundle.zip"), sample_bundle().bytes()).unwrap();
    tool("unzip", &["-q", "bundle.zip"], folder.path());
    let record = tool_text(
        "unzip",
        &["-p", "hello-1.2.0-3-metadata.zip", "vibs/*"],
        folder.path(),
    );
    let added = format!(
        "<relative-path>vib20/hello/acme_bootbank_hello_1.2.0-3.vib</relative-path>\
         <packed-size>{}</packed-size><checksum checksum-type=\"sha-256\">{}</checksum>",
        vib.bytes().len(),
        checksum_of("sha256sum", "sample.vib", folder.path()),
    );
    assert!(
        record.contains(&format!("<software-tags/>{added}<system-requires>")),
        "{record}"
    );
    assert_eq!(record.replace(&added, ""), vib.descriptor());
}
