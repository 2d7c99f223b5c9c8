//! What is not put onto media, each by its rule.

use packaging::media::{Image, Options};

use super::fixture::{
    MODULES, Memory, Packed, added, database, image, medium, other, refusal, sample,
};
use crate::reading::fixture::{FILES, edited, tar};

/// A medium whose text files were changed.
fn changed(medium: &Memory, paths: &[&str], from: &str, to: &str) -> Memory {
    let mut files = medium.0.clone();
    for path in paths {
        let text = String::from_utf8(files[*path].clone()).unwrap();
        assert!(text.contains(from), "{path}");
        files.insert((*path).to_owned(), text.replace(from, to).into_bytes());
    }
    Memory(files)
}

const BOTH: [&str; 2] = ["BOOT.CFG", "EFI/BOOT/BOOT.CFG"];

fn has(text: &str, words: &str, rule: &str) {
    assert!(
        text.contains(words) && text.contains(&format!("(FORMAT.md {rule})")),
        "{text}"
    );
}

#[test]
fn media_of_7_and_later_with_the_way_that_works() {
    for version in ["7.0", "8.0"] {
        let text = refusal(&medium(version), &[sample("1.2.0").bytes()]);
        has(&text, "damage would show only at the next update", "M5");
        assert!(text.contains("New-EsxImageProfile"), "{text}");
    }
}

#[test]
fn releases_that_contradict_each_other_or_are_unknown() {
    let before = medium("6.7");
    let text = refusal(&changed(&before, &BOTH, "build=\n", "build=6.5.0-1\n"), &[]);
    has(&text, "build 6.5.0-1, esx-base 6.7.0", "M3");
    let text = refusal(&changed(&before, &BOTH, "build=\n", "build=6.9.0-1\n"), &[]);
    has(&text, "names no release that is known", "M3");
}

#[test]
fn media_of_4_and_folders_that_are_none() {
    let files = ["isolinux.cfg", "imagedd.bz2", "sys.vgz"];
    let old = Memory(files.map(|name| (name.to_owned(), Vec::new())).into());
    has(&refusal(&old, &[]), "is one of 4.x", "M3");
    has(&refusal(&Memory::default(), &[]), "has no boot.cfg", "M2");
    let mut none = medium("6.7");
    none.0.remove("IMGDB.TGZ");
    has(&refusal(&none, &[]), "has no imgdb.tgz", "M2");
    let mut twice = medium("6.7");
    twice.0.insert("boot.cfg".to_owned(), Vec::new());
    has(&refusal(&twice, &[]), "do not tell apart", "M2");
}

#[test]
fn parts_of_a_medium_that_do_not_agree() {
    let (vib, before) = (sample("1.2.0"), medium("6.7"));
    let one = changed(&before, &BOTH[..1], " --- /net.v00", "");
    has(
        &refusal(&one, &[vib.bytes()]),
        "list different modules",
        "M2",
    );
    let both = changed(&before, &BOTH, " --- /net.v00", "");
    has(
        &refusal(&both, &[vib.bytes()]),
        "needs the module \"net.v00\"",
        "M4",
    );
    let mut missing = before.clone();
    missing.0.remove("NET.V01");
    has(
        &refusal(&missing, &[vib.bytes()]),
        "/net.v01: is not on the medium",
        "M2",
    );
    let twice = changed(&before, &BOTH, "/net.v00", "/net.v00 --- /net.v00");
    has(
        &refusal(&twice, &[vib.bytes()]),
        "/net.v00: is listed twice",
        "M2",
    );
    let relative = changed(&before, &BOTH, "--- /net.v00", "--- net.v00");
    has(
        &refusal(&relative, &[vib.bytes()]),
        "EFI/BOOT/BOOT.CFG: net.v00: is not on",
        "M2",
    );
    assert!(!image(&relative).summary().problems.is_empty());
}

#[test]
fn files_of_others_conflicts_and_what_is_missing() {
    let before = medium("6.7");
    let conflict = other(
        &[("opt/hello/share/empty", "usr/lib/vmware/vmkmod/one")],
        "1",
    );
    let text = refusal(&before, &[conflict.bytes()]);
    has(
        &text,
        "which belongs to VMware_bootbank_net-one_1.0-1",
        "M8",
    );
    let needs = other(&[("name = \"esx-version\"", "name = \"acme-base\"")], "1");
    let text = refusal(&before, &[needs.bytes()]);
    has(&text, "requires acme-base >= 5.5.0, which no package", "M8");
    let hates = other(&[("name = \"goodbye\"", "name = \"net-two\"")], "1");
    has(
        &refusal(&before, &[hates.bytes()]),
        "conflicts with net-two",
        "M8",
    );
    let replaces = other(&[("name = \"salute\"", "name = \"net-one\"")], "1");
    has(
        &refusal(&before, &[replaces.bytes()]),
        "replaces net-one << 2.0-1",
        "M8",
    );
    // 5.0 is not what the package is for.
    let text = refusal(&medium("5.0"), &[sample("1.2.0").bytes()]);
    assert!(text.contains("exclude the host itself"), "{text}");
}

#[test]
fn versions_that_are_not_newer_and_ids_with_other_contents() {
    let (with, _) = added(&medium("6.7"), &[sample("1.2.0").bytes()]);
    let text = refusal(&with, &[sample("1.1.0").bytes()]);
    has(
        &text,
        "is not newer than acme_bootbank_hello_1.2.0-3",
        "M10",
    );
    let same = other(&[("opt/hello/share", "opt/hello/other")], "1.2.0");
    has(
        &refusal(&with, &[same.bytes()]),
        "with another file-list, payloads",
        "M10",
    );
    let two = [sample("1.2.0"), sample("1.3.0")];
    let text = refusal(&medium("6.7"), &[two[0].bytes(), two[1].bytes()]);
    has(&text, "together with another of its name", "M10");
}

/// A package made by hand, with a changed descriptor.
fn by_hand(changes: &[(&str, &str)]) -> Vec<u8> {
    edited(&tar("gnu", &FILES), |text| {
        changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    })
}

#[test]
fn packages_that_the_installer_would_stop_at() {
    let before = medium("6.7");
    assert!(image(&before).problems().is_empty());
    for (changes, words, rule) in [
        (
            &[("acceptance-level>community", "acceptance-level>partner")][..],
            "is not signed",
            "S2",
        ),
        (
            &[("<type>bootbank", "<type>locker")],
            "is not installed from a module",
            "M6",
        ),
        (
            &[("<overlay>false", "<overlay>true")],
            "replace files of others",
            "M6",
        ),
        (
            &[("type=\"tgz\"", "type=\"boot\"")],
            "is of type \"boot\"",
            "M6",
        ),
        (
            &[("verify-process=\"gunzip\">", "verify-process=\"gunzip\">0")],
            "checksum",
            "C1",
        ),
    ] {
        let text = refusal(&before, &[&by_hand(changes)]);
        has(&text, words, rule);
    }
    let reserved = other(
        &[(
            "payloads = [{ name = \"hello\" }]",
            "payloads = [{ name = \"esxcore\" }]",
        )],
        "1",
    );
    has(
        &refusal(&before, &[reserved.bytes()]),
        "boot loader knows another module",
        "M6",
    );
}

#[test]
fn removals_that_others_need_or_that_leave_gaps() {
    let remove = |version: &str, name: &str| {
        let changes = image(&medium(version)).remove(&[name.to_owned()], &Options::default());
        changes.expect_err("refused").to_string()
    };
    let text = remove("6.7", "esx-base");
    has(&text, "has payloads that do not come from modules", "M6");
    has(&text, "net-one_1.0-1: requires esx-version >= 5.0.0", "M8");
    has(&remove("6.7", "nothing"), "is not in the image", "M10");
    has(
        &remove("5.5", "net-one"),
        "modules net.vNN: would have a gap",
        "M7",
    );
    let fine = image(&medium("6.0")).remove(&["net-one".to_owned()], &Options::default());
    assert_eq!(fine.unwrap().remove, ["NET.V00"]);
    let last = image(&medium("5.5")).remove(&["net-two".to_owned()], &Options::default());
    assert_eq!(last.unwrap().remove, ["NET.V01"]);
}

#[test]
fn a_database_of_components_whatever_the_release() {
    let mut files = medium("6.7").0;
    let vib = Packed {
        name: "esx-base",
        version: "6.7.0-1",
        relationships: "",
        files: &[],
        payloads: &[],
    };
    let plain = database(&[vib], true);
    files.insert("IMGDB.TGZ".to_owned(), plain);
    assert!(image(&Memory(files.clone())).problems().is_empty());
    let bulletins = super::database::with(&[("var/db/esximg/bulletins/a.xml", b"<bulletin/>")]);
    files.insert("IMGDB.TGZ".to_owned(), bulletins);
    let text = refusal(&Memory(files), &[sample("1.2.0").bytes()]);
    has(&text, "a database of components", "M5");
    assert_eq!(MODULES.matches("imgdb").count(), 1);
    assert!(Image::read(&Memory::default()).is_err());
}
