//! Names, versions and texts.

use std::collections::BTreeMap;

use packaging::{Manifest, Package};

use super::{BIN, assert_contains, changed, refusal_of, refuses};
use crate::support::{SAMPLE, sources, vib};

#[test]
fn a_version_with_two_dashes() {
    let text = refusal_of(SAMPLE, "1.2-3-4", &sources());
    assert_contains(
        &text,
        &[
            "version \"1.2-3-4\": has a dash that does not begin a pre-release",
            "FORMAT.md I4",
        ],
    );
    refuses(
        "release = \"3\"",
        "release = \"3-4\"",
        &[
            "version \"1.2.0-3-4\": has 2 dashes, hosts accept exactly one; write UPSTREAM-RELEASE",
            "FORMAT.md I2",
        ],
    );
}

#[test]
fn a_version_over_the_limit() {
    let text = refusal_of(SAMPLE, &"1".repeat(34), &sources());
    assert_contains(
        &text,
        &[
            "has 36 characters, 35 are allowed; shorten the version or the release",
            "FORMAT.md I2",
        ],
    );
}

#[test]
fn no_version_at_all() {
    let manifest = Manifest::parse(SAMPLE).unwrap();
    let epoch = manifest.release_date;
    let text = Package::new(manifest, &sources(), epoch)
        .unwrap_err()
        .to_string();
    assert_contains(&text, &["version: is missing; set it in package.toml"]);
}

#[test]
fn names_over_the_limit() {
    let name = "n".repeat(36);
    for key in ["name", "vendor"] {
        let from = changed("name = \"hello\"", "name = \"acme\"");
        assert!(from.contains("vendor = \"acme\""));
        let toml = from.replacen(
            &format!("{key} = \"acme\""),
            &format!("{key} = \"{name}\""),
            1,
        );
        let text = refusal_of(&toml, "1.2.0", &sources());
        assert_contains(
            &text,
            &[
                key,
                &name,
                "has 36 characters, 35 are allowed; choose a shorter name",
                "FORMAT.md I5",
            ],
        );
    }
}

#[test]
fn a_name_with_a_character_that_ids_cannot_hold() {
    refuses(
        "name = \"hello\"",
        "name = \"hello world\"",
        &["name \"hello world\": contains ' '; use ASCII letters"],
    );
    refuses(
        "name = \"hello\"",
        "name = \"\"",
        &["name \"\": is empty; give it 1 to 35 characters"],
    );
}

#[test]
fn vendor_codes_other_than_three_alphanumerics() {
    for code in ["", "ac", "acme", "a-c", "äc"] {
        refuses(
            "vendor-code = \"acm\"",
            &format!("vendor-code = {code:?}"),
            &[
                &format!(
                    "vendor-code {code:?}: is not made of exactly three ASCII letters or digits"
                ),
                "FORMAT.md I6",
            ],
        );
    }
}

#[test]
fn a_summary_over_80_characters() {
    let summary = "ä".repeat(81);
    refuses(
        "Greets <whoever> logs in & out",
        &summary,
        &[
            "summary: has 81 characters, 80 are allowed; shorten it and tell the rest in description",
            "FORMAT.md I7",
        ],
    );
    let manifest =
        Manifest::parse(&changed("Greets <whoever> logs in & out", &"ä".repeat(80))).unwrap();
    let epoch = manifest.release_date;
    Package::new(manifest.with_version("1.2.0"), &sources(), epoch)
        .expect("80 characters are allowed");
}

#[test]
fn texts_that_xml_cannot_hold() {
    refuses(
        "description = \"A",
        "description = \"\\u0001A",
        &[
            "description: contains the character '\\u{1}'",
            "FORMAT.md D6",
        ],
    );
    refuses(
        "description = \"A",
        "description = \"A\\n",
        &["description: contains the character '\\n'"],
    );
    refuses(
        "ui-string = \"Acme Hello\"",
        "ui-string = \" \"",
        &["component.ui-string: is empty; fill it in"],
    );
}

#[test]
fn the_key_of_an_address_over_the_limit() {
    refuses(
        "kb = \"https",
        "a-key-of-twenty-one-c = \"https",
        &[
            "urls.a-key-of-twenty-one-c",
            "has 21 characters, 20",
            "FORMAT.md I8",
        ],
    );
}

#[test]
fn payload_names_that_hosts_refuse() {
    refuses(
        "payloads = [{ name = \"hello\" }]",
        "payloads = [{ name = \"sixteen-letters-\" }]",
        &[
            "payloads \"sixteen-letters-\": has 16 characters, 15 are allowed; choose a shorter name",
            "FORMAT.md I9",
        ],
    );
    refuses(
        "payloads = [{ name = \"hello\" }]",
        "payloads = [{ name = \"useropts1\" }]",
        &["begins with \"useropts\", which the host keeps for itself"],
    );
}

#[test]
fn constraints_that_hosts_cannot_read() {
    refuses(
        "relation = \">=\"\n",
        "",
        &[
            "relationships.depends \"esx-version\": has a version without a relation; add a relation",
        ],
    );
    refuses(
        "version = \"5.5.0\"\n",
        "",
        &["has a relation without a version; add the version or remove the relation"],
    );
    refuses(
        "version = \"5.5.0\"",
        "version = \"5-5-0\"",
        &[
            "has the version \"5-5-0\", which no package can have",
            "FORMAT.md I10",
        ],
    );
    refuses(
        "name = \"greeting\"",
        "name = \"greeting\"\nrelation = \"=\"",
        &["relationships.provides \"greeting\": has a relation"],
    );
}

#[test]
fn texts_of_hardware_and_tags() {
    let head = "vendor = \"acme\"\n";
    refuses(
        head,
        &format!("{head}software-tags = [\"driver\", \" \"]\n"),
        &["software-tags: is empty; fill it in"],
    );
    refuses(
        head,
        &format!("{head}software-tags = [\"a\\u0007\"]\n"),
        &[
            "software-tags: contains the character '\\u{7}'",
            "FORMAT.md D6",
        ],
    );
    refuses(
        "[[contents]]",
        "[[hwplatform]]\nvendor = \"Acme\"\n[[hwplatform]]\nvendor = \"\"\n[[contents]]",
        &["hwplatform 2, vendor: is empty; fill it in"],
    );
    refuses(
        "[[contents]]",
        "[[hwplatform]]\nvendor = \"Acme\"\nmodel = \"One\\nTwo\"\n[[contents]]",
        &[
            "hwplatform 1, model: contains the character '\\n'",
            "FORMAT.md D6",
        ],
    );
}

#[test]
fn a_community_package_that_overlays_others() {
    let head = "vendor = \"acme\"\n";
    refuses(
        head,
        &format!("{head}overlay = true\n"),
        &[
            "overlay: is true in a community package, which hosts refuse; set it to false",
            "FORMAT.md D5",
        ],
    );
    let partner = changed(
        head,
        &format!("{head}overlay = true\nacceptance-level = \"partner\"\n"),
    );
    vib(&partner, "1.2.0");
}

#[test]
fn a_signed_level_may_install_elsewhere_and_says_so() {
    let toml = changed("\"opt/hello/bin/hello\"", "\"usr/bin/hello\"");
    assert_contains(&refusal_of(&toml, "1.2.0", &sources()), &["FORMAT.md L3"]);
    let head = "vendor = \"acme\"\n";
    for level in ["partner", "accepted", "certified"] {
        let toml = toml.replacen(head, &format!("{head}acceptance-level = {level:?}\n"), 1);
        let element = format!("<acceptance-level>{level}</acceptance-level>");
        assert!(vib(&toml, "1.2.0").descriptor().contains(&element));
    }
}

#[test]
fn releases_of_the_host_that_cannot_be() {
    refuses(
        "\"7.*\"",
        "\"seven\"",
        &[
            "platforms \"seven\": is not a release of the host; write it like \"6.*\"",
            "FORMAT.md B8",
        ],
    );
    refuses(
        "[\"6.*\", \"7.*\", \"8.0.3-24449057\"]",
        "[]",
        &["platforms: is empty; name the releases"],
    );
}

#[test]
fn all_findings_are_told_at_once() {
    let toml = changed(BIN, "\"/bin/hello\"")
        .replace("vendor-code = \"acm\"", "vendor-code = \"acme\"")
        .replace(
            "payloads = [{ name = \"hello\" }]",
            "payloads = [{ name = \"hello there\" }]",
        );
    let text = refusal_of(&toml, "1-2-3", &BTreeMap::new());
    assert_contains(
        &text,
        &[
            "vendor-code",
            "payload",
            "version",
            "is absolute",
            "\"build/hello\", which does not exist",
        ],
    );
    assert_eq!(text.lines().count(), 8, "{text}");
}
