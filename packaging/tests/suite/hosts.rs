//! Releases of the host: the writer takes no package that the verifier then refuses.

use std::collections::BTreeMap;

use packaging::{Error, Manifest, Package};
use proptest::prelude::*;

use crate::corpora::targets::must_be_sound;
use crate::support::{SAMPLE, bundle, sources, write};

const DEMAND: &str = "name = \"esx-version\"\nrelation = \">=\"\nversion = \"5.5.0\"\n";

/// The sample with other demands of the host.
fn demanding(demands: &str) -> String {
    assert!(SAMPLE.contains(DEMAND));
    SAMPLE.replacen(DEMAND, demands, 1)
}

fn packed(toml: &str) -> Result<Package, Error> {
    let manifest = Manifest::parse(toml)?.with_version("1.2.0");
    let epoch = manifest.release_date;
    Package::new(manifest, &sources(), epoch)
}

fn refusal(toml: &str) -> String {
    packed(toml).expect_err("it is refused").to_string()
}

#[test]
fn an_init_script_for_hosts_that_do_not_grant_its_place() {
    for demands in [
        "name = \"esx-base\"\nrelation = \">=\"\nversion = \"5.0\"\n",
        "name = \"esx-version\"\nrelation = \"<<\"\nversion = \"7.0\"\n",
    ] {
        assert_eq!(
            refusal(&demanding(demands)),
            "contents row 2 \"etc/init.d/hello\": lies in etc/init.d, which 5.0 did not yet \
             grant to community packages; demand esx-version >= 5.1.0 (FORMAT.md L3)"
        );
    }
    packed(&demanding(
        "name = \"esx-version\"\nrelation = \">=\"\nversion = \"5.1.0\"\n",
    ))
    .expect("5.1 grants it");
    // Whoever says nothing does not mean 5.0.
    let written = packed(&demanding("name = \"esx-version\"\n")).expect("no word of 5.0");
    must_be_sound(write(&written, &sources()).bytes());
}

#[test]
fn demands_that_no_host_of_the_platforms_meets() {
    let toml = demanding("name = \"esx-version\"\nrelation = \"=\"\nversion = \"6.7.0\"\n");
    packed(&toml).expect("6.7 is one of them");
    let platforms = "platforms = [\"6.*\"";
    assert!(toml.contains(platforms), "{toml}");
    let start = toml.find(platforms).unwrap();
    let end = start + toml[start..].find(']').unwrap() + 1;
    let toml = format!("{}platforms = [\"8.*\"]{}", &toml[..start], &toml[end..]);
    assert_eq!(
        refusal(&toml),
        "relationships.depends: exclude the host itself: 8.0; widen what is demanded of \
         esx-version, or take a package for this release (FORMAT.md I10)"
    );
}

#[test]
fn demands_that_no_host_meets() {
    assert_eq!(
        refusal(&demanding(
            "name = \"esx-version\"\nrelation = \">=\"\nversion = \"12\"\n"
        )),
        "relationships.depends: exclude the host itself: all releases; widen what is demanded of \
         esx-version, or take a package for this release (FORMAT.md I10)"
    );
    // Each is met by some, and both by none.
    let two = "name = \"esx-version\"\nrelation = \"<=\"\nversion = \"6.0\"\n\n\
               [[relationships.depends]]\n\
               name = \"esx-base\"\nrelation = \">>\"\nversion = \"6.7\"\n";
    assert!(refusal(&demanding(two)).starts_with("relationships.depends: exclude"));
}

#[test]
fn an_interface_that_no_host_of_the_platforms_has() {
    let toml = demanding("name = \"vmkapi_2_5_0_0\"\n");
    packed(&toml).expect("6.7 has it");
    let start = toml.find("platforms = [").unwrap();
    let end = start + toml[start..].find(']').unwrap() + 1;
    let toml = format!("{}platforms = [\"8.*\"]{}", &toml[..start], &toml[end..]);
    assert_eq!(
        refusal(&toml),
        "relationships.depends \"vmkapi_2_5_0_0\": is an interface of 5.0 to 6.7, and platforms names \
         no such release; name a release that has it, or depend on another one (FORMAT.md H7)"
    );
}

/// A demand of the host or of another package.
fn demand() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec![
            "esx-version",
            "esx-base",
            "other",
            "vmkapi_2_5_0_0",
            "vmkapi_2_6_0_0",
            "com.vmware.driverAPI-9.2.2.0",
        ]),
        prop::sample::select(vec!["<<", "<=", "=", ">=", ">>"]),
        "([5-9]|1[0-2])(\\.[0-9]{1,2}){0,2}(-[1-9])?",
    )
        .prop_map(|(name, relation, version)| {
            format!(
                "[[relationships.depends]]\n\
                 name = {name:?}\nrelation = {relation:?}\nversion = {version:?}\n"
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_the_writer_takes_is_sound(
        demands in prop::collection::vec(demand(), 0..3),
        path in prop::sample::select(
            vec!["etc/init.d/x", "etc/vmware/service/x", "opt/x", "var/x"]
        ),
        level in prop::sample::select(vec!["community", "partner"]),
    ) {
        let toml = format!(
            r#"
            name = "x"
            version = "1"
            vendor = "acme"
            vendor-code = "acm"
            release = "1"
            release-date = 2026-01-15T00:00:00Z
            summary = "x"
            description = "x"
            acceptance-level = "{level}"
            platforms = ["8.*"]
            payloads = [{{ name = "x" }}]
            component = {{ name = "c", ui-string = "C" }}
            bulletin = {{ kb-url = "k", contact = "c" }}
            contents = [{{ source = "x", destination = "{path}", mode = "0755" }}]
            {}"#,
            demands.concat()
        );
        let manifest = Manifest::parse(&toml).unwrap();
        let sources = BTreeMap::from([("x".to_owned(), b"#!/bin/sh\n".to_vec())]);
        let epoch = manifest.release_date;
        if let Ok(package) = Package::new(manifest, &sources, epoch) {
            let vib = write(&package, &sources);
            must_be_sound(vib.bytes());
            must_be_sound(bundle(&[vib]).unwrap().bytes());
        } else {
            prop_assert!(path == "var/x" || path == "etc/init.d/x" || !demands.is_empty());
        }
    }
}
