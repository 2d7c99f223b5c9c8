//! Sizes and padding of the archives, for any contents.

use std::collections::BTreeMap;

use packaging::contents::{Entry, File};
use packaging::{Epoch, Error, ar, tar, vmtar};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{ar_members, tar_entries, vmtar_entries};

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ar::Writer::new(Vec::new()).unwrap();
    for (name, data) in members {
        archive
            .member(name, data.len() as u64, &mut data.as_slice())
            .unwrap();
    }
    archive.finish()
}

/// Path, mode and data of a file.
type Row = (String, u32, Vec<u8>);
type Write =
    fn(&[Entry], &dyn packaging::Sources, Epoch, &mut dyn std::io::Write) -> Result<(), Error>;

/// An archive of files, each its own source.
fn packed(write: Write, files: &[Row]) -> Result<Vec<u8>, Error> {
    let mut sources = BTreeMap::new();
    let mut entries = Vec::new();
    for (number, (path, mode, data)) in files.iter().enumerate() {
        sources.insert(number.to_string(), data.clone());
        entries.push(Entry {
            path: path.clone(),
            mode: *mode,
            file: Some(File {
                source: number.to_string(),
                size: data.len() as u64,
            }),
        });
    }
    let mut bytes = Vec::new();
    let epoch = Epoch::from_unix(1_768_435_200).unwrap();
    write(&entries, &sources, epoch, &mut bytes).map(|()| bytes)
}

/// Path, mode and data of entries that were cut by hand.
fn rows(entries: Vec<(&[u8], &[u8])>) -> Vec<Row> {
    let text = |field: &[u8]| {
        let text = String::from_utf8(field.to_vec()).unwrap();
        text.trim_end_matches('\0').to_owned()
    };
    entries
        .into_iter()
        .map(|(header, data)| {
            let mode = u32::from_str_radix(&text(&header[100..108]), 8).unwrap();
            (text(&header[..100]), mode, data.to_vec())
        })
        .collect()
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
        let error = archive.member(name, 0, &mut &b""[..]).expect_err(name);
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
    for write in [tar::write, vmtar::write] {
        packed(write, &[("p".repeat(99), 0o644, Vec::new())]).unwrap();
        let error = packed(write, &[("p".repeat(100), 0o644, Vec::new())]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("is 100, the field of tar holds at most 99"),
            "{error}"
        );
    }
}

#[test]
fn vmtar_refuses_data_beyond_4_gib_before_it_reads_any() {
    let entry = |path: &str, size| Entry {
        path: path.to_owned(),
        mode: 0o644,
        file: Some(File {
            source: "there is none".to_owned(),
            size,
        }),
    };
    let entries = [entry("a", 1 << 32), entry("b", 1)];
    let epoch = Epoch::from_unix(0).unwrap();
    let sources = BTreeMap::<String, Vec<u8>>::new();
    let error = vmtar::write(&entries, &sources, epoch, &mut Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("offset of its data in bytes of \"b\" is 4294971392"),
        "{error}"
    );
}

#[test]
fn a_source_that_changed_is_named() {
    let entry = Entry {
        path: "a".to_owned(),
        mode: 0o644,
        file: Some(File {
            source: "build/a".to_owned(),
            size: 4,
        }),
    };
    let epoch = Epoch::from_unix(0).unwrap();
    let sources = BTreeMap::from([("build/a".to_owned(), b"abc".to_vec())]);
    let error = tar::write(&[entry], &sources, epoch, &mut Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the source \"build/a\" cannot be packed: it has fewer than the 4 bytes that it had \
         before; pack it again"
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
    fn entries_come_back_with_path_mode_and_data(
        files in vec(
            ("[a-z]{1,9}(/[a-z]{1,9}){0,8}", 0_u32..0o2000, vec(any::<u8>(), 0..9000)),
            1..5,
        )
    ) {
        let bytes = packed(tar::write, &files).unwrap();
        prop_assert_eq!(bytes.len() % 512, 0);
        prop_assert_eq!(rows(tar_entries(&bytes)), files.clone());
        let bytes = packed(vmtar::write, &files).unwrap();
        prop_assert_eq!(bytes.len() % 4096, 0);
        prop_assert_eq!(rows(vmtar_entries(&bytes)), files);
    }
}
