//! Zip archives, by name, with bounds (FORMAT.md B1, R6, R8).
//!
//! Only what the directory at the end lists is an entry. Its list is counted before it is read, and
//! every entry is read from its own place, so that a zip inside a zip need not be in memory.

use std::io::{self, BufReader, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use serde::Serialize;

use super::ReadError;
use super::directory::{self, Directory};
use super::entry::contained;
use super::limits::Meter;
use super::source::Source;
use super::stream::{Metered, fill, whole};

const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";
/// Bytes of a compressed entry that are read at once.
const CHUNK: usize = 64 << 10;
/// The two ways to store an entry that hosts and their tools use.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The header that stands before an entry says so if sizes and checksum follow behind it.
const SIZES_BEHIND: u16 = 8;

/// Whether the header before an entry says the same as the directory, as far as it says anything.
/// Readers that go forward believe the one, the others the other.
fn agrees(header: &[u8], entry: &ZipEntry) -> bool {
    // In large zips, the sizes are somewhere else.
    let size = |place: usize, of_directory: u64| {
        let own = directory::four(header, place);
        own == u32::MAX || u64::from(own) == of_directory
    };
    directory::two(header, 8) == entry.method
        && (directory::two(header, 6) & SIZES_BEHIND != 0
            || directory::four(header, 14) == entry.crc
                && size(18, entry.packed)
                && size(22, entry.size))
}

/// Entries as their directory lists them.
pub(super) struct Zip<'m, 'f> {
    source: Source<'f>,
    directory: Directory,
    /// Places in the directory, in the order of paths.
    by_path: Vec<usize>,
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
    /// Whether the path is stored in a longer form, with `./`, `//` or the like.
    pub crooked: bool,
    #[serde(skip)]
    pub(super) method: u16,
    #[serde(skip)]
    pub(super) packed: u64,
    #[serde(skip)]
    pub(super) crc: u32,
}

impl<'m, 'f> Zip<'m, 'f> {
    pub(super) fn new(source: Source<'f>, meter: &'m Meter) -> Result<Self, ReadError> {
        let directory = directory::read(&source, meter)?;
        let mut by_path: Vec<_> = (0..directory.entries.len()).collect();
        let path = |place: &usize| {
            let entry = directory.entries.get(*place);
            entry.map_or("", |entry| entry.path.trim_end_matches('/'))
        };
        by_path.sort_by(|one, two| path(one).cmp(path(two)).then(one.cmp(two)));
        let twice = by_path.windows(2).find_map(|two| match two {
            [one, two] if path(one) == path(two) => directory.entries.get(*two),
            _ => None,
        });
        if let Some(second) = twice {
            return Err(ReadError::Duplicate {
                part: "zip entry".to_owned(),
                offset: second.offset,
                name: second.path.clone(),
            });
        }
        Ok(Self {
            source,
            directory,
            by_path,
            meter,
        })
    }

    pub(super) fn entries(&self) -> &[ZipEntry] {
        &self.directory.entries
    }

    /// Bytes behind the end of the directory, which belong to nothing.
    pub(super) fn behind(&self) -> u64 {
        self.directory.behind
    }

    /// The entry that a path leads to, in whatever form it is written.
    pub(super) fn find(&self, path: &str) -> Option<&ZipEntry> {
        let (path, _) = contained(path, 0).ok()?;
        let entry = |place: &usize| self.directory.entries.get(*place);
        let name =
            |place: &usize| entry(place).map_or("", |entry| entry.path.trim_end_matches('/'));
        let place = self
            .by_path
            .binary_search_by(|place| name(place).cmp(path.as_str()));
        let entry = entry(self.by_path.get(place.ok()?)?)?;
        (!entry.path.ends_with('/')).then_some(entry)
    }

    /// As [`Zip::find`], where there must be one.
    pub(super) fn get(&self, path: &str) -> Result<&ZipEntry, ReadError> {
        self.find(path).ok_or_else(|| ReadError::Missing {
            part: "zip".to_owned(),
            name: path.to_owned(),
        })
    }

    /// A reader over the unpacked bytes of an entry. It ends with an error if they are not those
    /// that the directory promises.
    pub(super) fn open(&self, entry: &ZipEntry) -> Result<impl Read + use<'m, 'f>, ReadError> {
        let packed = self.packed(entry)?;
        let malformed = |problem: String| ReadError::Malformed {
            part: format!("zip entry {:?}", entry.path),
            offset: entry.offset,
            problem,
        };
        let packed = BufReader::with_capacity(CHUNK, packed.reader());
        let data = match entry.method {
            STORED if entry.packed == entry.size => Data::Stored(packed),
            STORED => {
                return Err(malformed(format!(
                    "it is stored as it is, with {} bytes, but {} are declared",
                    entry.packed, entry.size
                )));
            }
            DEFLATED => Data::Deflated(DeflateDecoder::new(packed)),
            other => {
                return Err(malformed(format!(
                    "it is compressed by method {other}, which hosts do not know; deflate it"
                )));
            }
        };
        let checked = Checked {
            data,
            sum: Crc::new(),
            length: 0,
            entry: entry.clone(),
        };
        Ok(Metered::new(checked, self.meter))
    }

    /// The stored bytes of an entry, behind its own header.
    fn packed(&self, entry: &ZipEntry) -> Result<Source<'f>, ReadError> {
        let part = || format!("zip entry {:?}", entry.path);
        let truncated = || ReadError::Truncated {
            part: part(),
            offset: entry.offset,
        };
        let malformed = |problem: &str| ReadError::Malformed {
            part: part(),
            offset: entry.offset,
            problem: problem.to_owned(),
        };
        let rest = self.source.length().saturating_sub(entry.offset);
        let all = self.source.part(entry.offset, rest).ok_or_else(truncated)?;
        let mut header = [0; 30];
        let mut reader = all.reader();
        let count =
            fill(&mut reader, &mut header).map_err(ReadError::reading(part(), entry.offset))?;
        if count < header.len() {
            return Err(truncated());
        }
        if !header.starts_with(LOCAL_HEADER) {
            return Err(malformed(
                "there is no header of an entry where the directory says so",
            ));
        }
        let name = usize::from(directory::two(&header, 26));
        let extra = u64::from(directory::two(&header, 28));
        let mut own = vec![0; name];
        fill(&mut reader, &mut own).map_err(ReadError::reading(part(), entry.offset))?;
        let own = std::str::from_utf8(&own).ok();
        let own = own.and_then(|name| contained(name, 0).ok());
        if own.is_none_or(|(name, _)| name != entry.path.trim_end_matches('/')) {
            return Err(malformed("its own header has another name"));
        }
        if !agrees(&header, entry) {
            return Err(malformed(
                "its own header has another method, checksum or size than the directory",
            ));
        }
        let start = (header.len() + name) as u64 + extra;
        let end = start.saturating_add(entry.packed);
        if entry.offset.saturating_add(end) > self.directory.start {
            return Err(malformed("it reaches into the directory"));
        }
        all.part(start, entry.packed).ok_or_else(truncated)
    }

    /// All bytes of an entry that must fit into memory.
    pub(super) fn whole(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadError> {
        let entry = self.get(path)?;
        whole(&mut self.open(entry)?, limit, path, entry.offset)
    }

    /// The bytes of a zip inside this one: where they lie if they are stored as they are, in
    /// memory if they are compressed.
    pub(super) fn inner(&self, entry: &ZipEntry) -> Result<Source<'f>, ReadError> {
        if entry.method == STORED {
            // All of it passes once, so that its checksum is looked at.
            io::copy(&mut self.open(entry)?, &mut io::sink())
                .map_err(ReadError::reading(entry.path.clone(), entry.offset))?;
            return self.packed(entry);
        }
        let limit = self.meter.limits.inner_zip_bytes;
        let bytes = whole(&mut self.open(entry)?, limit, &entry.path, entry.offset)?;
        Ok(Source::memory(bytes))
    }
}

enum Data<R> {
    Stored(R),
    Deflated(DeflateDecoder<R>),
}

/// Compares size and checksum at the end.
struct Checked<R> {
    data: Data<R>,
    sum: Crc,
    length: u64,
    entry: ZipEntry,
}

impl<R: io::BufRead> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.data {
            Data::Stored(data) => data.read(buffer)?,
            Data::Deflated(data) => data.read(buffer)?,
        };
        let (read, _) = buffer.split_at(count.min(buffer.len()));
        self.sum.update(read);
        self.length += count as u64;
        let entry = &self.entry;
        let problem = if self.length > entry.size || (count == 0 && self.length < entry.size) {
            let more_or_less = if count == 0 { "fewer" } else { "more" };
            format!(
                "it unpacks to {more_or_less} than the {} bytes that are declared",
                entry.size
            )
        } else if count == 0 && self.sum.sum() != entry.crc {
            format!(
                "its checksum is {:08x}, but {:08x} is stored",
                self.sum.sum(),
                entry.crc
            )
        } else {
            return Ok(count);
        };
        // An empty buffer says nothing about the end.
        if count == 0 && buffer.is_empty() {
            return Ok(0);
        }
        let error = ReadError::Malformed {
            part: format!("zip entry {:?}", entry.path),
            offset: entry.offset,
            problem,
        };
        Err(error.into_io())
    }
}
