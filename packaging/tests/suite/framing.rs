//! Sizes and padding of the archives, for any contents.

use packaging::contents::Entry;
use packaging::{Epoch, Error, ar, tar};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{ar_members, tar_entries};

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ar::Writer::new(Vec::new()).unwrap();
    for (name, data) in members {
        archive.member(name, data).unwrap();
    }
    archive.finish()
}

fn entry(path: &str, mode: u32, data: &[u8]) -> Entry {
    Entry {
        path: path.to_owned(),
        mode,
        data: Some(data.to_vec()),
    }
}

#[test]
fn an_ar_name_fills_its_field_but_for_one_blank() {
    assert_eq!(
        &archive(&[("fifteen-letters".to_owned(), Vec::new())])[8..24],
        b"fifteen-letters "
    );
}

#[test]
fn ar_refuses_names_that_readers_would_misread() {
    let mut archive = ar::Writer::new(Vec::new()).unwrap();
    for name in ["", "sixteen-letters!", "a/b", "a b", "tab\t", "ü"] {
        let error = archive.member(name, b"").expect_err(name);
        assert!(matches!(error, Error::MemberName { .. }), "{error}");
    }
    assert_eq!(
        archive.finish(),
        b"!<arch>\n",
        "nothing of a refused member is written"
    );
}

#[test]
fn tar_takes_a_path_of_99_bytes_and_refuses_100() {
    let epoch = Epoch::from_unix(0).unwrap();
    let mut archive = tar::Writer::new(Vec::new(), epoch);
    archive.entry(&entry(&"p".repeat(99), 0o644, b"")).unwrap();
    let error = archive
        .entry(&entry(&"p".repeat(100), 0o644, b""))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is 100, the field of tar holds at most 99"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn ar_members_come_back_with_name_and_data(
        members in vec(("[!-.0-~]{1,15}", vec(any::<u8>(), 0..600)), 0..5)
    ) {
        let bytes = archive(&members);
        prop_assert_eq!(bytes.len() % 2, 0);
        let read: Vec<_> = ar_members(&bytes)
            .into_iter()
            .map(|(header, data)| (String::from_utf8(header[..16].to_vec()).unwrap().trim_end().to_owned(), data.to_vec()))
            .collect();
        prop_assert_eq!(read, members);
    }

    #[test]
    fn tar_entries_come_back_with_path_mode_and_data(
        files in vec(("[a-z]{1,9}(/[a-z]{1,9}){0,8}", 0_u32..0o2000, vec(any::<u8>(), 0..1600)), 1..5)
    ) {
        let mut archive = tar::Writer::new(Vec::new(), Epoch::from_unix(1_768_435_200).unwrap());
        for (path, mode, data) in &files {
            archive.entry(&entry(path, *mode, data)).unwrap();
        }
        let bytes = archive.finish().unwrap();
        prop_assert_eq!(bytes.len() % 512, 0);
        let read: Vec<_> = tar_entries(&bytes)
            .into_iter()
            .map(|(header, data)| {
                let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap().trim_end_matches('\0').to_owned();
                let mode = u32::from_str_radix(&text(&header[100..108]), 8).unwrap();
                (text(&header[..100]), mode, data.to_vec())
            })
            .collect();
        prop_assert_eq!(read, files);
    }
}
