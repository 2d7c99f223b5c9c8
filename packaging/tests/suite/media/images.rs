//! ISO images that are edited in place, and read by programs that have no part in it.

use std::fs;
use std::io::Cursor;
use std::ops::Range;

use packaging::media::{Changes, Content, Image, Iso, Options, Plan};

use super::fixture::{Memory, addition, applied, medium, sample};
use super::layouts::refusal;
use super::readers::{MAKERS, Maker, all_read, el_torito, extracted, iso, make, own};
use crate::support::{on_disk, tool};

fn planned(iso: &Iso<Cursor<&[u8]>>, changes: &Changes) -> Plan {
    let sizes: Vec<_> = changes
        .write
        .iter()
        .map(|change| {
            let size = match &change.content {
                Content::Bytes(bytes) => bytes.len() as u64,
                Content::Payload { size, .. } => *size,
            };
            (change.path.clone(), size)
        })
        .collect();
    iso.plan(&changes.remove, &sizes)
        .expect("it can be edited in place")
}

/// What a plan makes of an image.
fn carried_out(before: &[u8], plan: &Plan, contents: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = before[..usize::try_from(plan.keep).unwrap()].to_vec();
    bytes.resize(usize::try_from(plan.length).unwrap(), 0);
    let patches = plan
        .patches
        .iter()
        .map(|patch| (patch.offset, &patch.bytes));
    for (offset, content) in patches.chain(plan.places.iter().copied().zip(contents)) {
        let start = usize::try_from(offset).unwrap();
        bytes[start..start + content.len()].copy_from_slice(content);
    }
    bytes
}

fn add(before: &[u8], vib: &[u8]) -> (Vec<u8>, Plan) {
    let iso = iso(before);
    let changes = Image::read(&iso)
        .unwrap()
        .add(&[addition(vib)], &Options::default())
        .unwrap();
    edited(before, &iso, &changes, vib)
}

fn remove(before: &[u8], name: &str) -> Vec<u8> {
    let iso = iso(before);
    let image = Image::read(&iso).unwrap();
    let changes = image
        .remove(&[name.to_owned()], &Options::default())
        .unwrap();
    edited(before, &iso, &changes, b"").0
}

fn edited(
    before: &[u8],
    iso: &Iso<Cursor<&[u8]>>,
    changes: &Changes,
    vib: &[u8],
) -> (Vec<u8>, Plan) {
    let plan = planned(iso, changes);
    let written = applied(
        &Memory::default(),
        &Changes {
            write: changes.write.clone(),
            ..Changes::default()
        },
        &[vib],
    );
    let contents: Vec<_> = changes
        .write
        .iter()
        .map(|change| written.0[&change.path].clone())
        .collect();
    (carried_out(before, &plan, &contents), plan)
}

#[test]
fn images_are_read_as_their_makers_meant_them() {
    let before = medium("6.7");
    for maker in MAKERS {
        let bytes = make(&before, maker);
        let mut files = own(&bytes);
        // The maker has put a table into it.
        files.insert("ISOLINUX.BIN".to_owned(), before.0["ISOLINUX.BIN"].clone());
        assert!(files.remove("BOOT.CAT").is_some());
        assert!(files == before.0, "{maker:?}");
        let image = Image::read(&iso(&bytes)).unwrap();
        assert!(image.problems().is_empty(), "{:?}", image.problems());
        let entries = image.summary().boot_entries;
        let shown: Vec<_> = entries.iter().map(|one| one.to_ascii_uppercase()).collect();
        assert_eq!(shown, ["BIOS FROM ISOLINUX.BIN", "UEFI FROM EFIBOOT.IMG"]);
    }
}

/// Places in which two images of one beginning differ.
fn differences(one: &[u8], two: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (place, _) in one
        .iter()
        .zip(two)
        .enumerate()
        .filter(|(_, (one, two))| one != two)
    {
        match ranges.last_mut() {
            Some(range) if range.end == place => range.end += 1,
            _ => ranges.push(place..place + 1),
        }
    }
    ranges
}

#[test]
fn an_added_package_is_read_by_all_and_nothing_else_has_moved() {
    let vib = sample("1.2.0");
    for maker in MAKERS {
        let before = make(&medium("6.7"), maker);
        let (after, plan) = add(&before, vib.bytes());
        let tree = super::fixture::added(&Memory(own(&before)), &[vib.bytes()]).0;
        all_read(&after, &tree.0);
        assert_eq!(el_torito(&before), el_torito(&after), "{maker:?}");
        assert_eq!(plan.keep, before.len() as u64);
        let patched = |range: &Range<usize>| {
            plan.patches.iter().any(|patch| {
                let start = usize::try_from(patch.offset).unwrap();
                start <= range.start && range.end <= start + patch.bytes.len()
            })
        };
        let differences = differences(&before, &after);
        assert!(differences.iter().all(patched), "{differences:?}");
        let changed: usize = differences.iter().map(Range::len).sum();
        assert!((1..4000).contains(&changed), "{changed} bytes");
        assert_eq!(after.len() % 2048, 0);
    }
}

#[test]
fn adding_removing_and_adding_gives_the_bytes_of_the_first_addition() {
    let vib = sample("1.2.0");
    for maker in MAKERS {
        let before = make(&medium("6.5"), maker);
        let (first, _) = add(&before, vib.bytes());
        let without = remove(&first, "hello");
        let mut files = own(&without);
        assert!(files.remove("IMGDB.TGZ") != own(&before).remove("IMGDB.TGZ"));
        let mut expected = own(&before);
        expected.remove("IMGDB.TGZ");
        assert!(files == expected, "{maker:?}");
        all_read(&without, &own(&without));
        let (second, _) = add(&without, vib.bytes());
        assert!(second == first, "{maker:?}");
        // A newer version takes the place of the first.
        let newer = sample("1.3.0");
        let (upgraded, _) = add(&second, newer.bytes());
        let (fresh, _) = add(&before, newer.bytes());
        // What has not changed once more keeps its place.
        assert!(own(&upgraded) == own(&fresh), "{maker:?}");
        all_read(&upgraded, &own(&fresh));
    }
}

/// A medium whose root directory has so many more files.
fn filled(count: usize) -> Memory {
    let mut files = medium("6.7").0;
    for number in 0..count {
        files.insert(format!("F{number:03}.TXT"), number.to_string().into_bytes());
    }
    Memory(files)
}

/// Bytes of the primary root directory that are free in its last sector, and its sectors.
fn root(bytes: &[u8]) -> (usize, usize) {
    let number =
        |place: usize| u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap()) as usize;
    let (sector, length) = (number(16 * 2048 + 158), number(16 * 2048 + 166));
    let last = &bytes[sector * 2048 + length - 2048..sector * 2048 + length];
    let mut used = 0;
    while used < 2048 && last[used] != 0 {
        used += usize::from(last[used]);
    }
    (2048 - used, length / 2048)
}

#[test]
fn a_full_root_directory_grows_into_the_sectors_of_its_folders() {
    let vib = sample("1.2.0");
    for maker in [Maker::Plain, Maker::Extended] {
        let (mut grown, mut fitted) = (0, 0);
        for count in 0..44 {
            let before = make(&filled(count), maker);
            let (free, sectors) = root(&before);
            // Only the counts around the border are of interest.
            if free > 130 {
                continue;
            }
            let (after, _) = add(&before, vib.bytes());
            let tree = super::fixture::added(&Memory(own(&before)), &[vib.bytes()]).0;
            all_read(&after, &tree.0);
            assert_eq!(el_torito(&before), el_torito(&after));
            if root(&after).1 > sectors {
                grown += 1;
                let (again, _) = add(&remove(&after, "hello"), vib.bytes());
                assert!(again == after, "{maker:?} {count}");
            } else {
                fitted += 1;
            }
            if grown > 1 || grown > 0 && fitted > 0 {
                break;
            }
        }
        assert!(grown > 0, "{maker:?}: no image had a full directory");
    }
}

#[test]
fn a_plan_may_let_the_root_grow_by_two_sectors() {
    let before = make(&medium("6.7"), Maker::Plain);
    let names: Vec<_> = (0..70).map(|n| (format!("NEW{n:03}.T00"), 5)).collect();
    let plan = iso(&before).plan(&[], &names).unwrap();
    let contents: Vec<_> = (0..70).map(|n| format!("{n:05}").into_bytes()).collect();
    let after = carried_out(&before, &plan, &contents);
    assert_eq!(root(&after).1, root(&before).1 + 2);
    let mut expected = own(&before);
    expected.extend(names.into_iter().map(|(name, _)| name).zip(contents));
    all_read(&after, &expected);
    // Three folders make room for three sectors.
    let many: Vec<_> = (0..200).map(|n| (format!("NEW{n:03}.T00"), 5)).collect();
    let text = iso(&before).plan(&[], &many).unwrap_err().to_string();
    assert!(
        text.contains("has no room for another record") && text.contains("(FORMAT.md M14)"),
        "{text}"
    );
    assert!(text.contains("xorriso -indev"), "{text}");
}

/// What the advice of a refusal makes of an image.
fn rebuilt(bytes: &[u8]) -> Vec<u8> {
    let mut longer = bytes.to_vec();
    longer.extend([0; 2048]);
    let text = refusal(&longer);
    let start = text.find("xorriso ").unwrap();
    let line = &text[start..text[start..].find(" (FORMAT").unwrap() + start];
    let args: Vec<_> = line.split(' ').skip(1).collect();
    let (folder, _) = on_disk("OLD.iso", bytes);
    tool("xorriso", &args, folder.path());
    fs::read(folder.path().join("NEW.iso")).unwrap()
}

#[test]
fn the_advice_of_a_refusal_makes_an_image_that_is_taken_and_can_grow() {
    let vib = sample("1.2.0");
    let (mut refused, mut grown) = (0, 0);
    for count in 11..32 {
        let before = make(&filled(count), Maker::Xorriso);
        let text = match iso(&before).plan(&[], &[("HELLO.T00".to_owned(), 1)]) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        // Fields of Rock Ridge follow the root directory.
        refused += usize::from(text.contains("something else follows it"));
        let rebuilt = rebuilt(&before);
        assert_eq!(refusal(&rebuilt), "");
        let (after, _) = add(&rebuilt, vib.bytes());
        assert!(own(&after).contains_key("HELLO.T00"));
        if root(&after).1 > root(&rebuilt).1 {
            grown += 1;
            let tree = super::fixture::added(&Memory(own(&before)), &[vib.bytes()]).0;
            assert!(extracted(&after, "bsdtar").len() >= tree.0.len() - 1);
        }
    }
    assert!(refused > 0 && grown > 0, "{refused} {grown}");
}
