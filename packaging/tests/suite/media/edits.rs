//! Packages that are added to media and removed, looked at by the system's tar and by hand.

use std::collections::BTreeMap;

use packaging::media::{Image, Options};
use packaging::rules::Level;
use packaging::{Epoch, media::Changes};

use super::fixture::{
    MODULES, Memory, added, addition, applied, image, medium, other, removed, sample,
};
use crate::support::{assert_golden, gunzip, payload, tar_entries};

const OLD: [&str; 4] = ["5.5", "6.0", "6.5", "6.7"];

/// Entries of the database by path: header and data.
fn entries(medium: &Memory) -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let tar = gunzip(&medium.0["IMGDB.TGZ"]);
    let entries = tar_entries(&tar).into_iter().map(|(header, data)| {
        let end = header.iter().position(|byte| *byte == 0).unwrap();
        let path = String::from_utf8(header[..end.min(100)].to_vec()).unwrap();
        (path, (header.to_vec(), data.to_vec()))
    });
    entries.collect()
}

fn text(medium: &Memory, path: &str) -> String {
    String::from_utf8(medium.0[path].clone()).unwrap()
}

fn said(changes: &Changes, words: &str) -> bool {
    changes
        .messages
        .iter()
        .any(|message| message.contains(words))
}

#[test]
fn media_of_every_release_are_shown() {
    for (version, shown) in [
        ("5.0", "5.0"),
        ("5.5", "5.5"),
        ("6.0", "6.0"),
        ("6.5", "6.5"),
        ("6.7", "6.7"),
        ("7.0", "7.0"),
        ("8.0", "8.0"),
    ] {
        let image = image(&medium(version));
        assert!(image.problems().is_empty(), "{:?}", image.problems());
        let summary = image.summary();
        assert_eq!(summary.release.to_string(), shown);
        assert_eq!(summary.modules.len(), 12);
        assert_eq!(summary.vibs.len(), 3);
        assert_eq!(summary.level, "partner");
    }
    let text = image(&medium("6.7")).summary().to_string();
    // The size of the database is the compressor's business.
    let size = medium("6.7").0["IMGDB.TGZ"].len().to_string();
    assert_golden("image-summary.txt", &text.replace(&size, "SIZE"));
}

#[test]
fn an_added_package_is_a_module_before_the_database_in_both_configurations() {
    let vib = sample("1.2.0");
    for version in OLD {
        let before = medium(version);
        let (after, changes) = added(&before, &[vib.bytes()]);
        let list = MODULES.replace("/imgdb.tgz", "/hello.t00 --- /imgdb.tgz");
        for path in ["BOOT.CFG", "EFI/BOOT/BOOT.CFG"] {
            assert_eq!(
                text(&after, path),
                text(&before, path).replace(MODULES, &list)
            );
        }
        assert_eq!(after.0["HELLO.T00"], payload(vib.bytes()));
        let same = |path: &&String| before.0.get(*path) == after.0.get(*path);
        let differ: Vec<_> = after.0.keys().filter(|path| !same(path)).collect();
        assert_eq!(
            differ,
            ["BOOT.CFG", "EFI/BOOT/BOOT.CFG", "HELLO.T00", "IMGDB.TGZ"]
        );
        assert!(said(&changes, "lowered from partner to community"));
        assert!(said(&changes, "cannot use UEFI Secure Boot"));
        assert!(said(&changes, "Update Manager and Lifecycle Manager"));
        let image = image(&after);
        assert!(image.problems().is_empty(), "{:?}", image.problems());
        let vibs = image.summary().vibs;
        assert_eq!(vibs.last().unwrap().id, "acme_bootbank_hello_1.2.0-3");
    }
}

#[test]
fn all_other_entries_of_the_database_keep_their_bytes_and_place() {
    for version in OLD {
        let before = medium(version);
        let (after, _) = added(&before, &[sample("1.2.0").bytes()]);
        let (old, new) = (entries(&before), entries(&after));
        for (path, entry) in &old {
            if !path.contains("/profiles/ESXi") {
                assert_eq!(new.get(path), Some(entry), "{path}");
            }
        }
        let mut come: Vec<_> = new.keys().filter(|path| !old.contains_key(*path)).collect();
        let record = come.remove(0);
        assert!(record.starts_with("var/db/esximg/vibs/hello-"), "{record}");
        // From 6.5 on the original and the signature stand beside it.
        let beside: &[String] = if matches!(version, "6.5" | "6.7") {
            &[format!("{record}.orig"), format!("{record}.sig")]
        } else {
            &[]
        };
        assert_eq!(come, beside.iter().collect::<Vec<_>>());
        for (header, _) in new.values() {
            let sum: u32 = header.iter().enumerate().fold(0, |sum, (place, byte)| {
                sum + if (148..156).contains(&place) {
                    32
                } else {
                    u32::from(*byte)
                }
            });
            let field = std::str::from_utf8(&header[148..154]).unwrap();
            assert_eq!(
                u32::from_str_radix(field.trim_end_matches('\0'), 8),
                Ok(sum)
            );
        }
    }
}

#[test]
fn record_and_profile_are_those_that_were_reviewed() {
    let vib = sample("1.2.0");
    let (after, _) = added(&medium("6.7"), &[vib.bytes()]);
    let entries = entries(&after);
    let of = |found: &dyn Fn(&str) -> bool| {
        let (path, (_, data)) = entries.iter().find(|(path, _)| found(path)).unwrap();
        (path, String::from_utf8(data.clone()).unwrap())
    };
    let (_, profile) = of(&|path| path.contains("/profiles/ESXi"));
    assert_golden("image-profile.xml", &profile);
    let (path, record) =
        of(&|path| path.contains("/hello-") && path.rsplit('.').next() == Some("xml"));
    assert_golden("image-record.xml", &record);
    let (size, sha256) = (
        vib.bytes().len(),
        crate::reading::fixture::hash("sha256sum", vib.bytes()),
    );
    let facts =
        format!("<packed-size>{size}</packed-size><checksum checksum-type=\"sha-256\">{sha256}<");
    assert!(record.contains(&facts), "{facts}");
    assert_eq!(
        entries[&format!("{path}.orig")].1,
        vib.descriptor().as_bytes()
    );
    assert_eq!(entries[&format!("{path}.sig")].1, b"");
}

#[test]
fn what_is_added_and_removed_leaves_the_profile_only() {
    let vib = sample("1.2.0");
    for version in OLD {
        let before = medium(version);
        let (with, _) = added(&before, &[vib.bytes()]);
        let without = removed(&with, "hello");
        for (path, bytes) in &before.0 {
            if path != "IMGDB.TGZ" {
                assert_eq!(without.0.get(path), Some(bytes), "{path}");
            }
        }
        assert_eq!(without.0.len(), before.0.len());
        let (old, mut new) = (entries(&before), entries(&without));
        let profile = "var/db/esximg/profiles/ESXi-standard-0001".to_owned();
        new.insert(profile.clone(), old[&profile].clone());
        assert_eq!(new, old);
        let summary = image(&without).summary();
        assert_eq!(
            (summary.profile.as_str(), summary.level.as_str()),
            ("ESXi-standard", "community")
        );
        // Whatever was between.
        let (again, _) = added(&without, &[vib.bytes()]);
        assert!(again == with, "{version}: the same bytes");
    }
}

#[test]
fn the_level_is_raised_when_that_is_asked_for_and_possible() {
    let (with, _) = added(&medium("6.7"), &[sample("1.2.0").bytes()]);
    let options = Options {
        level: Some(Level::Accepted),
        epoch: Some(Epoch::from_unix(1_800_000_000).unwrap()),
        ..Options::default()
    };
    let changes = image(&with)
        .remove(&["hello".to_owned()], &options)
        .unwrap();
    let without = applied(&with, &changes, &[]);
    assert_eq!(image(&without).summary().level, "accepted");
    assert!(
        entries(&without)["var/db/esximg/profiles/ESXi-standard-0001"]
            .1
            .windows(19)
            .any(|w| w == b"2027-01-15T08:00:00")
    );
    let error = image(&with)
        .remove(&["net-two".to_owned()], &options)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is above that of acme_bootbank_hello"),
        "{error}"
    );
}

#[test]
fn the_same_input_gives_the_same_changes() {
    let one = sample("1.2.0");
    let two = other(
        &[
            ("name = \"hello\"\nvendor", "name = \"hi\"\nvendor"),
            ("opt/hello", "opt/hi"),
            ("init.d/hello", "init.d/hi"),
            ("config/hello", "config/hi"),
        ],
        "1",
    );
    let changes = || added(&medium("6.7"), &[one.bytes(), two.bytes()]);
    assert_eq!(changes().1, changes().1);
    let (after, _) = changes();
    // Both payloads are called hello.
    assert!(after.0.contains_key("HELLO.T00") && after.0.contains_key("HELLO.T01"));
    assert!(text(&after, "BOOT.CFG").contains("/hello.t00 --- /hello.t01 --- /imgdb.tgz"));
    let name = image(&after).summary().profile;
    assert_eq!(name, "ESXi-standard+hello+hi");
    assert!(image(&after).problems().is_empty());
}

#[test]
fn an_older_version_is_replaced_and_the_same_one_changes_nothing() {
    let (first, _) = added(&medium("5.5"), &[sample("1.2.0").bytes()]);
    let new = sample("1.10.0");
    let (second, changes) = added(&first, &[new.bytes()]);
    assert!(said(
        &changes,
        "acme_bootbank_hello_1.10.0-3 replaces acme_bootbank_hello_1.2.0-3"
    ));
    assert_eq!(second.0["HELLO.T00"], payload(new.bytes()));
    assert_eq!(text(&second, "BOOT.CFG"), text(&first, "BOOT.CFG"));
    let summary = image(&second).summary();
    assert_eq!(summary.vibs.len(), 4);
    assert_eq!(summary.profile, "ESXi-standard+hello");
    // Nothing of the old one is left.
    let fresh = added(&medium("5.5"), &[new.bytes()]).0;
    assert!(fresh == second);

    let (third, changes) = added(&second, &[new.bytes()]);
    assert!(changes.is_empty() && third == second);
    assert!(said(&changes, "is already in the image"));
}

#[test]
fn a_tree_in_lower_case_without_slashes_keeps_its_style() {
    let files = medium("6.5").0.into_iter().map(|(path, bytes)| {
        let bytes = match String::from_utf8(bytes.clone()) {
            Ok(text) if text.contains("modules=") => {
                let text = text.replace("=/", "=").replace("--- /", "--- ");
                text.replace("prefix=\n", "prefix=ESXi-6.5\n").into_bytes()
            }
            _ => bytes,
        };
        (path.to_ascii_lowercase(), bytes)
    });
    let before = Memory(files.collect());
    let vib = sample("1.2.0");
    let changes = image(&before)
        .add(&[addition(vib.bytes())], &Options::default())
        .unwrap();
    let after = applied(&before, &changes, &[vib.bytes()]);
    assert!(text(&after, "boot.cfg").contains("xorg.v00 --- hello.t00 --- imgdb.tgz ---"));
    assert!(after.0.contains_key("hello.t00"));
    assert!(Image::read(&after).unwrap().problems().is_empty());
}

#[test]
fn name_creator_and_boot_options_can_be_chosen() {
    let options = Options {
        name: Some("Mine".to_owned()),
        creator: Some("Me".to_owned()),
        kernelopt: Some("hello.url=http://h/x".to_owned()),
        ..Options::default()
    };
    let vib = sample("1.2.0");
    let before = medium("6.7");
    let changes = image(&before)
        .add(&[addition(vib.bytes())], &options)
        .unwrap();
    let summary = image(&applied(&before, &changes, &[vib.bytes()])).summary();
    assert_eq!(
        (summary.profile.as_str(), summary.creator.as_str()),
        ("Mine", "Me")
    );
    assert_eq!(
        summary.kernelopt.as_deref(),
        Some("runweasel cdromBoot hello.url=http://h/x")
    );
    for bad in [String::new(), "x".repeat(81), "a\nb".to_owned()] {
        let options = Options {
            name: Some(bad),
            ..Options::default()
        };
        let error = image(&before)
            .add(&[addition(vib.bytes())], &options)
            .unwrap_err();
        assert!(error.to_string().contains("(FORMAT.md M11)"), "{error}");
    }
}
