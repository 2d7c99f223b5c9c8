//! The package that this repository ships.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use packaging::{Manifest, Package};

use crate::support::{Written, bundle, tool, write};

const PACKAGE: &str = include_str!("../../package.toml");
const SUPPORT: &str = include_str!("../../host/esxftpd.mfx");

/// The package with its own files, and a stand-in for everything that is built or written
/// elsewhere.
fn vib() -> Written {
    let manifest = Manifest::parse(PACKAGE).unwrap().with_version("0.1.0");
    let sources: BTreeMap<_, _> = manifest
        .sources()
        .map(|source| (source.to_owned(), source.as_bytes().to_vec()))
        .collect();
    let epoch = manifest.release_date;
    let package = Package::new(manifest, &sources, epoch).unwrap();
    assert_eq!(package.warnings(), []);
    write(&package, &sources)
}

#[test]
fn the_package_keeps_every_rule() {
    let vib = vib();
    assert_eq!(vib.id(), "esxftpd_bootbank_esxftpd_0.1.0-1");
    assert_eq!(vib.file_name(), "esxftpd-0.1.0-1.vib");
    let bundle = bundle(&[vib]).unwrap();
    assert_eq!(bundle.file_name(), "esxftpd-0.1.0-1-offline-bundle.zip");
}

/// With the files of this repository; what is built has a stand-in.
#[test]
fn nothing_is_said_about_the_package_and_its_files() {
    let manifest = Manifest::parse(PACKAGE).unwrap().with_version("0.1.0");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: BTreeMap<_, _> = manifest
        .sources()
        .map(|source| {
            (
                source.to_owned(),
                fs::read(here.join(source)).unwrap_or_default(),
            )
        })
        .collect();
    let read = sources.values().filter(|bytes| !bytes.is_empty()).count();
    assert!(read >= 6, "only {read} sources are there");
    let epoch = manifest.release_date;
    let package = Package::new(manifest, &sources, epoch).unwrap();
    let written = bundle(&[write(&package, &sources)]).unwrap();
    let file = std::io::Cursor::new(written.bytes());
    let inspection = packaging::inspect::inspect(file, &packaging::inspect::Limits::default());
    let found = packaging::verify::verify(&inspection.unwrap());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_payload_lands_where_it_should() {
    let vib = vib();
    let files: Vec<_> = vib
        .files()
        .items()
        .iter()
        .filter(|item| !item.path.ends_with('/'))
        .map(|item| (item.path.as_str(), item.mode.unwrap()))
        .collect();
    assert_eq!(
        files,
        [
            ("etc/config/esxftpd/esxftpd.toml", 0o1640),
            ("etc/init.d/esxftpd", 0o755),
            ("etc/vmware/firewall/esxftpd-implicit.xml", 0o444),
            ("etc/vmware/firewall/esxftpd.xml", 0o444),
            ("etc/vmware/service/esxftpd.xml", 0o444),
            ("etc/vmware/shutdown/shutdown.d/esxftpd", 0o755),
            ("etc/vmware/vm-support/esxftpd.mfx", 0o444),
            ("opt/esxftpd/bin/esxftpd", 0o755),
            ("opt/esxftpd/share/LICENSE", 0o444),
            ("opt/esxftpd/share/esxftpd.8", 0o444),
            ("opt/esxftpd/share/esxftpd.cdx.json", 0o444),
            ("opt/esxftpd/share/esxftpd.toml.5", 0o444),
            ("opt/esxftpd/share/third-party-licenses.txt", 0o444),
        ]
    );
}

#[test]
fn it_installs_and_leaves_without_a_reboot_and_needs_a_host_that_has_the_rules_for_it() {
    let vib = vib();
    for element in [
        "<live-install-allowed>true</live-install-allowed><live-remove-allowed>true</live-remove-allowed>",
        "<maintenance-mode>false</maintenance-mode>",
        "<acceptance-level>community</acceptance-level>",
        "<stateless-ready>true</stateless-ready><overlay>false</overlay>",
        r#"<depends><constraint name="esx-version" relation="&gt;=" version="5.5.0"/></depends>"#,
    ] {
        assert!(
            vib.descriptor().contains(element),
            "{element}\n{}",
            vib.descriptor()
        );
    }
}

#[test]
fn the_service_entry_names_the_init_script_and_the_ruleset_that_are_shipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("host");
    let value = |path: &str| {
        let text = tool(
            "xmllint",
            &[
                "--xpath",
                &format!("string(/ConfigRoot/service/{path})"),
                "service.xml",
            ],
            &folder,
        );
        String::from_utf8(text).unwrap().trim_end().to_owned()
    };
    let files = vib();
    let ships = |path: String| files.files().items().iter().any(|item| item.path == path);
    assert!(ships(format!("etc/init.d/{}", value("initfilename"))));
    assert!(ships(format!(
        "etc/vmware/firewall/{}.xml",
        value("ruleset")
    )));
    assert_eq!(value("@id"), "0000");
    assert_eq!(value("required"), "false");
    let manifest = Manifest::parse(PACKAGE).unwrap();
    assert_eq!(value("packagename"), manifest.name);
    assert_eq!(value("packagedescription"), manifest.summary);
}

#[test]
fn the_support_manifest_runs_what_is_shipped_and_copies_nothing() {
    let files = vib();
    let actions: Vec<_> = SUPPORT
        .lines()
        .filter(|line| !line.starts_with("% Manifest "))
        .collect();
    assert_eq!(actions.len(), 2);
    for action in actions {
        let words: Vec<_> = action.split(' ').collect();
        assert_eq!(words[..2], ["run", "TIMEOUT=10,IGNORE_ERROR"], "{action}");
        for path in words.iter().filter_map(|word| word.strip_prefix('/')) {
            assert!(
                files.files().items().iter().any(|item| item.path == path),
                "{action}"
            );
        }
    }
}

#[test]
fn the_sources_that_belong_to_this_folder_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = Manifest::parse(PACKAGE).unwrap();
    let own: Vec<_> = manifest
        .sources()
        .filter(|source| !source.starts_with("../"))
        .collect();
    assert_eq!(own.len(), 3);
    for source in own {
        assert!(
            !fs::read(folder.join(source)).unwrap().is_empty(),
            "{source}"
        );
    }
}
