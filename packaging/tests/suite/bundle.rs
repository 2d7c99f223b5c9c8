//! Bundles of several VIBs, and bundles that must not be.

use packaging::Error;

use crate::support::{SAMPLE, Written, bundle, on_disk, sample_vib, tool_text, vib};

fn refusal(vibs: &[Written]) -> String {
    match bundle(vibs) {
        Err(error @ Error::Refused(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_versions_share_a_bundle_and_collide_nowhere() {
    let bundle = bundle(&[vib(SAMPLE, "1.2.0"), vib(SAMPLE, "1.3.0")]).unwrap();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    let listing = tool_text("unzip", &["-Z1", "bundle.zip"], folder.path());
    assert!(
        listing.contains("hello_1.2.0-3.vib\n") && listing.ends_with("hello_1.3.0-3.vib\n"),
        "{listing}"
    );
    let mut metadata: Vec<_> = bundle
        .metadata()
        .items()
        .iter()
        .map(|item| &item.path)
        .collect();
    assert_eq!(metadata.len(), 6);
    metadata.sort();
    metadata.dedup();
    assert_eq!(metadata.len(), 6);
}

#[test]
fn releases_of_all_vibs_are_named_once() {
    let other = SAMPLE.replace(r#"["6.*", "7.*", "8.0.3-24449057"]"#, r#"["7.*", "9.*"]"#);
    let bundle = bundle(&[sample_vib(), vib(&other, "1.3.0")]).unwrap();
    let (folder, _) = on_disk("bundle.zip", bundle.bytes());
    let index = tool_text(
        "unzip",
        &["-p", "bundle.zip", "vendor-index.xml"],
        folder.path(),
    );
    let versions: Vec<_> = index
        .lines()
        .filter_map(|line| line.trim().strip_prefix("<version>"))
        .collect();
    assert_eq!(
        versions,
        [
            "6.*</version>",
            "7.*</version>",
            "8.0.3-24449057</version>",
            "9.*</version>"
        ]
    );
}

#[test]
fn a_bundle_of_nothing_is_refused() {
    assert!(refusal(&[]).contains("holds no VIB; give it at least one (FORMAT.md B9)"));
}

#[test]
fn the_same_vib_twice_is_refused() {
    let text = refusal(&[sample_vib(), sample_vib()]);
    assert!(
        text.contains("VIB acme_bootbank_hello_1.2.0-3: is in the bundle twice; give it once"),
        "{text}"
    );
}

#[test]
fn vibs_of_two_vendors_are_refused() {
    let stranger = SAMPLE.replace("vendor = \"acme\"", "vendor = \"other\"");
    let text = refusal(&[sample_vib(), vib(&stranger, "1.2.0")]);
    assert!(
        text.contains("VIB other_bootbank_hello_1.2.0-3: is not of the vendor \"acme\""),
        "{text}"
    );
    assert!(text.contains("make a bundle for each vendor"), "{text}");
}

#[test]
fn two_vibs_of_one_component_are_refused() {
    let sibling = SAMPLE.replacen("name = \"hello\"", "name = \"sibling\"", 1);
    let text = refusal(&[sample_vib(), vib(&sibling, "1.2.0")]);
    assert!(
        text.contains(
            "VIB acme_bootbank_sibling_1.2.0-3: is the component hello_1.2.0-3, as another VIB is"
        ),
        "{text}"
    );
}
