//! Zip archives, by name, with bounds.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use ::zip::ZipArchive;
use ::zip::result::ZipError;
use serde::Serialize;

use super::ReadError;
use super::entry::contained;
use super::limits::Meter;
use super::stream::{Metered, whole};

/// Entries as their directory lists them.
pub(super) struct Zip<'m, R> {
    archive: ZipArchive<R>,
    entries: Vec<ZipEntry>,
    places: BTreeMap<String, usize>,
    meter: &'m Meter,
}

/// An entry of a zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ZipEntry {
    /// Path; directories end in a slash.
    pub path: String,
    /// Size in bytes, as declared.
    pub size: u64,
    /// Where its header begins, in bytes from the start of the zip.
    pub offset: u64,
    #[serde(skip)]
    index: usize,
}

impl<'m, R: Read + Seek> Zip<'m, R> {
    pub(super) fn new(input: R, meter: &'m Meter) -> Result<Self, ReadError> {
        let archive = ZipArchive::new(input).map_err(|error| broken(error, 0))?;
        if archive.has_duplicate_names() {
            return Err(ReadError::Malformed {
                part: "zip directory".to_owned(),
                offset: archive.central_directory_start(),
                problem: "two entries have the same name".to_owned(),
            });
        }
        let mut entries = Vec::new();
        for index in 0..archive.len() {
            let entry = archive
                .by_index_data(index)
                .map_err(|error| broken(error, 0))?;
            let offset = entry.header_start();
            let name = entry.name().map_err(|error| broken(error, offset))?;
            meter.entry(name.len(), offset)?;
            let (mut path, _) = contained(&name, offset)?;
            if entry.is_symlink() {
                return Err(ReadError::Path {
                    path,
                    offset,
                    problem: "it is a symbolic link, which no bundle needs",
                });
            }
            if entry.is_dir() {
                path.push('/');
            }
            entries.push(ZipEntry {
                path,
                size: entry.size(),
                offset,
                index,
            });
        }
        let paths = entries.iter().map(|entry| entry.path.clone());
        Ok(Self {
            archive,
            places: paths.zip(0..).collect(),
            entries,
            meter,
        })
    }

    pub(super) fn entries(&self) -> &[ZipEntry] {
        &self.entries
    }

    pub(super) fn find(&self, path: &str) -> Option<&ZipEntry> {
        self.entries.get(*self.places.get(path)?)
    }

    /// A reader over the unpacked bytes of an entry.
    pub(super) fn open(&mut self, entry: &ZipEntry) -> Result<impl Read, ReadError> {
        let file = self
            .archive
            .by_index(entry.index)
            .map_err(|error| ReadError::within(entry.path.clone())(broken(error, entry.offset)))?;
        Ok(Metered::new(file, self.meter))
    }

    /// All bytes of an entry that must fit into memory.
    pub(super) fn whole(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, ReadError> {
        let Some(entry) = self.find(path).cloned() else {
            return Err(ReadError::Missing {
                part: "zip".to_owned(),
                name: path.to_owned(),
            });
        };
        whole(&mut self.open(&entry)?, limit, path, entry.offset)
    }
}

fn broken(error: ZipError, offset: u64) -> ReadError {
    match error {
        ZipError::Io(error) => ReadError::reading("zip", offset)(error),
        other => ReadError::Malformed {
            part: "zip".to_owned(),
            offset,
            problem: other.to_string(),
        },
    }
}
