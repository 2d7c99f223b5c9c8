use std::fs;

use proptest::{collection::vec, prelude::*};
use tempfile::TempDir;

use super::*;
use crate::{
    config::{ByteSize, Transfers},
    storage::{blocks::Claim, root::RootKind},
};

fn file_of(pieces: &[(bool, usize)]) -> (TempDir, Root, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let file = File::create(directory.path().join("f")).unwrap();
    let mut content = Vec::new();
    for (index, (is_hole, length)) in pieces.iter().enumerate() {
        let position = content.len();
        let byte = u8::try_from(index + 1).unwrap();
        content.resize(position + length, if *is_hole { 0 } else { byte });
        if !is_hole {
            file.write_all_at(&content[position..], position as u64)
                .unwrap();
        }
    }
    file.set_len(content.len() as u64).unwrap();
    let root = Root::open(directory.path(), RootKind::Paths).unwrap();
    (directory, root, content)
}

fn path() -> VirtualPath {
    VirtualPath::root().join(b"f").unwrap()
}

/// What the steps give, and how many bytes of it were read.
fn read(root: &Root, start: u64, end: Option<u64>) -> Result<(Vec<u8>, usize), Failure> {
    let mut download = Download::open(root, &path(), start, end)?;
    let size = download.left();
    let transfers = Transfers {
        block_size: ByteSize(64 << 10),
        ..Transfers::default()
    };
    let mut block = Claim::new(&transfers).large_block();
    let (mut content, mut from_disk) = (Vec::new(), 0);
    while let Some(step) = download.step(&mut block)? {
        match step {
            Step::Data(length) => {
                content.extend_from_slice(block.front(length));
                from_disk += length;
            }
            Step::Zeros(length) => {
                content.resize(content.len() + usize::try_from(length).unwrap(), 0);
            }
        }
    }
    assert_eq!(content.len() as u64, size);
    Ok((content, from_disk))
}

#[test]
fn holes_are_not_read() {
    let (_directory, root, content) = file_of(&[(true, 5 << 20), (false, 4096), (true, 5 << 20)]);
    let (sent, from_disk) = read(&root, 0, None).unwrap();
    assert!(sent == content);
    assert!(from_disk <= 128 << 10, "{from_disk} bytes were read");
}

#[test]
fn a_part_behind_two_tebibytes_is_right_to_the_byte() {
    const END: u64 = (2 << 40) + 12_345;
    let (directory, root, _) = file_of(&[]);
    let file = File::options()
        .write(true)
        .open(directory.path().join("f"))
        .unwrap();
    file.write_all_at(b"tail", END).unwrap();
    let (sent, _) = read(&root, END - 3, None).unwrap();
    assert_eq!(sent, b"\0\0\0tail");
    // The whole file, without going through its zeros one by one.
    let mut download = Download::open(&root, &path(), 0, None).unwrap();
    let mut block = Claim::new(&Transfers::default()).block(1000);
    let mut steps = Vec::new();
    while let Some(step) = download.step(&mut block).unwrap() {
        steps.push(step);
    }
    let total: u64 = steps
        .iter()
        .map(|step| match step {
            Step::Data(length) => *length as u64,
            Step::Zeros(length) => *length,
        })
        .sum();
    assert_eq!(total, END + 4);
    assert!(steps.len() < 100, "{} steps", steps.len());
}

#[test]
fn positions_behind_the_end_are_refused() {
    let (_directory, root, content) = file_of(&[(false, 10)]);
    assert_eq!(read(&root, 10, None), Ok((Vec::new(), 0)));
    assert_eq!(read(&root, 11, None), Err(Failure::BehindEnd));
    assert_eq!(read(&root, 5, Some(4)), Err(Failure::BehindEnd));
    assert_eq!(read(&root, 5, Some(100)).unwrap().0, content[5..]);
}

#[test]
fn a_file_that_shrinks_is_not_sent_as_if_it_were_whole() {
    let (directory, root, _) = file_of(&[(false, 100_000)]);
    let mut download = Download::open(&root, &path(), 0, None).unwrap();
    fs::write(directory.path().join("f"), "short").unwrap();
    let mut block = Claim::new(&Transfers::default()).large_block();
    let mut steps = std::iter::from_fn(|| download.step(&mut block).transpose());
    assert_eq!(steps.find(Result::is_err), Some(Err(Failure::Shortened)));
}

proptest! {
    #[test]
    fn every_range_is_right_to_the_byte(
        pieces in vec((any::<bool>(), 0_usize..300_000), 0..6),
        start in 0_usize..1_000_000,
        end in proptest::option::of(0_usize..1_500_000),
    ) {
        let (_directory, root, content) = file_of(&pieces);
        let expected = content.get(start..end.unwrap_or(content.len()).min(content.len()));
        let sent = read(&root, start as u64, end.map(|end| end as u64));
        prop_assert_eq!(sent.ok().map(|(sent, _)| sent), expected.map(<[u8]>::to_vec));
    }
}

/// Nobody reads the zeros of a hole, so only the size tells that the file has ended in it.
#[test]
fn a_file_with_holes_that_shrinks_is_not_sent_as_zeros() {
    const PIECE: usize = 1 << 20;
    let pieces = [(false, PIECE), (true, PIECE), (false, PIECE), (true, PIECE)];
    for (cut_after, size) in [(1, 2), (1, 1), (2, 2), (2, 3), (3, 3), (4, 2)] {
        let (directory, root, _) = file_of(&pieces);
        let mut download = Download::open(&root, &path(), 0, None).unwrap();
        let mut block = Claim::new(&Transfers::default()).large_block();
        let name = directory.path().join("f");
        let file = File::options().write(true).open(name).unwrap();
        let mut sent = 0;
        let ended = loop {
            if sent == (cut_after * PIECE) as u64 {
                file.set_len((size * PIECE) as u64 - 4096).unwrap();
            }
            match download.step(&mut block) {
                Ok(Some(Step::Data(length))) => sent += length as u64,
                Ok(Some(Step::Zeros(length))) => sent += length,
                Ok(None) => break Ok(sent),
                Err(failure) => break Err(failure),
            }
        };
        assert_eq!(ended, Err(Failure::Shortened), "{cut_after} {size}");
    }
}
