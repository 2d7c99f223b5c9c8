//! `imgdb.tgz`: the archive as it stands, so that what is not edited stays as it is (FORMAT.md M4).

use std::io::BufRead;
use std::ops::Range;

use super::archive::walk;
use super::descriptor::Descriptor;
use super::entry::{EntryKind, Flavour};
use super::gunzip::Gunzip;
use super::header::BLOCK;
use super::limits::{Limits, Meter};
use super::stream::{Metered, whole};
use super::xml::Node;
use super::{ReadError, XmlKind, xml};

/// Most bytes of the unpacked archive, which is kept in memory.
const MOST_BYTES: u64 = 24 << 20;

/// The unpacked archive and the places of its entries.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) tar: Vec<u8>,
    pub(crate) entries: Vec<Kept>,
}

/// An entry. Its header and data, with the padding, are one run of bytes.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Path without a leading `./`; directories end in a slash.
    pub(crate) path: String,
    pub(crate) header: usize,
    pub(crate) data: Range<usize>,
    pub(crate) end: usize,
}

impl Database {
    pub(crate) fn read(stored: &mut dyn BufRead) -> Result<Self, ReadError> {
        let meter = Meter::new(Limits::default());
        let mut plain = Metered::new(Gunzip::new(stored), &meter);
        let tar = whole(&mut plain, MOST_BYTES, "unpacked archive", 0)?;
        if plain.into_inner().has_more_behind() {
            return Err(malformed(0, "something stands behind its gzip stream"));
        }
        let archive = walk(&mut tar.as_slice(), &meter, &mut |_, _| Ok(()))?;
        if !archive.terminated || archive.behind.is_some() {
            return Err(malformed(
                archive.behind.unwrap_or(tar.len() as u64),
                "it does not end in blocks of zeros",
            ));
        }
        let mut entries = Vec::with_capacity(archive.entries.len());
        for entry in archive.entries {
            let plain = matches!(entry.kind, EntryKind::File | EntryKind::Directory)
                && entry.extension.is_none()
                && entry.flavour != Flavour::Visor;
            if !plain {
                return Err(ReadError::Path {
                    path: entry.path,
                    offset: entry.offset,
                    problem: "it is no plain file or directory of a tar without extensions",
                });
            }
            let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            let header = place(entry.offset);
            let data = header.saturating_add(BLOCK);
            let data = data..data.saturating_add(place(entry.size));
            entries.push(Kept {
                path: entry.path,
                header,
                end: data.end.next_multiple_of(BLOCK).min(tar.len()),
                data,
            });
        }
        let mut paths: Vec<_> = entries.iter().map(|entry| &entry.path).collect();
        paths.sort_unstable();
        let twice = paths.windows(2).find(|two| two.first() == two.last());
        if let Some(twice) = twice.and_then(<[_]>::first) {
            return Err(ReadError::Duplicate {
                part: "entry".to_owned(),
                offset: 0,
                name: (*twice).clone(),
            });
        }
        Ok(Self { tar, entries })
    }

    /// The data of an entry.
    pub(crate) fn data(&self, entry: &Kept) -> &[u8] {
        self.tar.get(entry.data.clone()).unwrap_or_default()
    }
}

fn malformed(offset: u64, problem: &str) -> ReadError {
    ReadError::Malformed {
        part: "imgdb.tgz".to_owned(),
        offset,
        problem: problem.to_owned(),
    }
}

/// Reads XML files, with limits for all of them together.
pub(crate) struct Documents(Meter);

impl Documents {
    pub(crate) fn new() -> Self {
        Self(Meter::new(Limits::default()))
    }

    /// The elements of a file.
    pub(crate) fn root(&self, bytes: &[u8], kind: XmlKind) -> Result<Node, ReadError> {
        Ok(xml::parse(bytes, kind, &self.0)?.root)
    }

    /// What a file of `vibs/` says about a package, and its elements.
    pub(crate) fn record(&self, bytes: &[u8]) -> Result<(Descriptor, Node), ReadError> {
        let document = xml::parse(bytes, XmlKind::Record, &self.0)?;
        Ok((Descriptor::new(&document), document.root))
    }
}
