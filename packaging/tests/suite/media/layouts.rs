//! ISO images that are damaged, or laid out in a way that is not edited.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use packaging::media::Iso;
use proptest::prelude::*;

use super::fixture::medium;
use super::readers::{Maker, make};

pub(super) fn refusal(bytes: &[u8]) -> String {
    let iso = match Iso::read(Cursor::new(bytes)) {
        Ok(iso) => iso,
        Err(error) => return error.to_string(),
    };
    match iso.plan(&[], &[("A.T00".to_owned(), 1)]) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn layouts_that_an_edit_would_leave_inconsistent_are_refused() {
    let sound = make(&medium("6.7"), Maker::Extended);
    assert_eq!(refusal(&sound), "");
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        refusal(&bytes)
    };
    let descriptor = |number: usize, field: usize| (16 + number) * 2048 + field;
    for (change, words) in [
        (
            &(|bytes: &mut Vec<u8>| bytes.extend([0; 2048])) as &dyn Fn(&mut Vec<u8>),
            "second session",
        ),
        (
            &|bytes| bytes[descriptor(0, 129)] = 0,
            "blocks of another size",
        ),
        (
            &|bytes| bytes[descriptor(0, 80)] ^= 1,
            "two sizes of its volume",
        ),
        (&|bytes| bytes[descriptor(1, 7)] = b'X', "no boot catalog"),
        (
            &|bytes| bytes[descriptor(2, 88)] = 0,
            "supplementary descriptor",
        ),
        (
            &|bytes| bytes[descriptor(1, 0)] = 1,
            "two primary descriptors",
        ),
        (&|bytes| bytes[descriptor(3, 1)] = b'X', "is no descriptor"),
        (
            &|bytes| bytes[descriptor(4, 1)..descriptor(4, 6)].copy_from_slice(b"BEA01"),
            "also one of UDF",
        ),
        (
            &|bytes| {
                bytes[446] = 0x80;
                bytes[510] = 0x55;
                bytes[511] = 0xaa;
            },
            "has a partition table",
        ),
        (
            &|bytes| bytes[512..520].copy_from_slice(b"EFI PART"),
            "has a partition table",
        ),
        (
            &|bytes| bytes[descriptor(0, 132)..descriptor(0, 140)].copy_from_slice(&[0xff; 8]),
            "more than a MiB",
        ),
        (
            &|bytes| bytes.truncate(bytes.len() - 2048),
            "shorter than its descriptor",
        ),
    ] {
        let text = with(change);
        assert!(text.contains(words), "{words}: {text}");
        assert!(
            text.contains("(FORMAT.md M13)") || text.contains("(FORMAT.md M14)"),
            "{text}"
        );
    }
}

#[test]
fn damaged_directories_are_named() {
    let sound = make(&medium("6.7"), Maker::Plain);
    let number =
        |place: usize| u32::from_le_bytes(sound[place..place + 4].try_into().unwrap()) as usize;
    let root = number(16 * 2048 + 158) * 2048;
    let place = |name: &[u8]| {
        root + sound[root..root + 2048]
            .windows(name.len())
            .position(|w| w == name)
            .unwrap()
            - 33
    };
    let (folder, file) = (place(b"EFI"), place(b"B.B00"));
    let both = |number: u32| [number.to_le_bytes(), number.to_be_bytes()].concat();
    let root_sector = u32::try_from(root / 2048).unwrap();
    for (at, bytes, words) in [
        (folder + 2, both(root_sector), "a loop"),
        (folder + 2, both(0x00ff_ffff), "lies behind the end"),
        (
            folder + 10,
            both(0x7fff_ffff),
            "larger than that of any medium",
        ),
        (file + 2, both(0x00ff_ffff), "lies behind the end"),
        (file, vec![1], "damaged record"),
        (file, vec![200], "damaged record"),
        (file + 32, vec![99], "damaged record"),
        (file + 2, vec![0xff], "damaged record"),
        (file + 25, vec![0x80], "several extents"),
        (root, vec![0], "does not begin with itself"),
    ] {
        let mut damaged = sound.clone();
        damaged[at..at + bytes.len()].copy_from_slice(&bytes);
        let text = refusal(&damaged);
        assert!(text.contains(words), "{words}: {text}");
    }
    for end in (0..sound.len()).step_by(2048) {
        assert!(refusal(&sound[..end]).contains("(FORMAT.md M13)"), "{end}");
    }
}

proptest! {
    #[test]
    fn no_damage_makes_the_reader_or_the_editor_panic(
        seed in prop::sample::select(vec!["plain", "rock-ridge", "no-boot"]),
        changes in prop::collection::vec((0_usize..7 * 2048, any::<u8>(), any::<bool>()), 1..6),
    ) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/iso");
        let mut bytes = fs::read(Path::new(folder).join(seed)).unwrap();
        for (place, byte, near) in changes {
            // Most of a sector is empty.
            let place = if near { place / 2048 * 2048 + place % 256 } else { place };
            bytes[place] = byte;
        }
        crate::corpora::targets::iso(&bytes);
    }
}
