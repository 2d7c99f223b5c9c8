//! The inner archive of a payload: tar in all its dialects, and vmtar (FORMAT.md T2, R2).
//!
//! In tar, an entry's data follows its header. In vmtar all headers come first and say where their
//! data lies. Both are read forward, in one pass.

use std::io::{self, Read};

use super::entry::{Entry, Flavour};
use super::header::{BLOCK, Header};
use super::limits::Meter;
use super::stream::{Counted, read_part};
use super::{ReadError, header};

/// The entries of an archive, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Archive {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether a block of zeros ends the headers (FORMAT.md T5).
    pub terminated: bool,
    /// Blocks of zeros at the end of a tar, the first one included.
    pub end_blocks: u64,
    /// Where something else stands behind the end of a tar, in bytes from the start of the unpacked
    /// archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
}

/// Takes each entry with its data; may leave data unread.
pub(super) type Visit<'v> = dyn FnMut(&mut Entry, &mut dyn Read) -> Result<(), ReadError> + 'v;

/// Reads an unpacked archive to the end of its last entry.
pub(super) fn walk(
    input: &mut dyn Read,
    meter: &Meter,
    visit: &mut Visit<'_>,
) -> Result<Archive, ReadError> {
    let mut input = Counted::new(input);
    let mut archive = Archive::default();
    let mut later = Vec::new();
    while let Some(header) = header::next(&mut input, meter, &mut archive.terminated)? {
        let Header {
            mut entry,
            data_offset,
        } = header;
        let link = entry.link.as_ref().map_or(0, String::len);
        meter.entry(entry.path.len() + link, entry.offset)?;
        if entry.flavour == Flavour::Visor {
            if !entry.path.is_empty() {
                later.push((data_offset, archive.entries.len()));
            }
        } else {
            data(&mut input, &mut entry, visit)?;
            let padding = entry.size.next_multiple_of(BLOCK as u64) - entry.size;
            // Writers that stop right behind the last byte are forgiven.
            io::copy(&mut input.by_ref().take(padding), &mut io::sink())
                .map_err(ReadError::reading("tar padding", entry.offset))?;
        }
        // The root's own entry says nothing.
        if !entry.path.is_empty() {
            archive.entries.push(entry);
        }
    }
    if archive.terminated && later.is_empty() {
        (archive.end_blocks, archive.behind) = end(&mut input)?;
    }
    later.sort_by_key(|(offset, _)| *offset);
    for (offset, index) in later {
        if let Some(entry) = archive.entries.get_mut(index) {
            data_at(&mut input, offset, entry, visit)?;
        }
    }
    Ok(archive)
}

/// Reads on behind the first block of zeros: how many blocks of zeros there are with it, and where
/// something else begins.
fn end(input: &mut Counted<&mut dyn Read>) -> Result<(u64, Option<u64>), ReadError> {
    let mut blocks = 1;
    loop {
        let start = input.offset();
        let mut block = [0; BLOCK];
        let count = input.fill(&mut block, "end of the archive")?;
        if let Some(place) = block.iter().position(|byte| *byte != 0) {
            return Ok((blocks, Some(start + place as u64)));
        }
        if count < BLOCK {
            return Ok((blocks, None));
        }
        blocks += 1;
    }
}

fn data(
    input: &mut Counted<&mut dyn Read>,
    entry: &mut Entry,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let part = format!("data of {:?}", entry.path);
    let end = input.offset().saturating_add(entry.size);
    let mut data = Whole {
        left: entry.size,
        input,
    };
    if !entry.path.is_empty() {
        visit(entry, &mut data)?;
    }
    let left = end.saturating_sub(input.offset());
    input.skip(left, &part)
}

/// The data of a vmtar entry, which lies at a place of its own.
fn data_at(
    input: &mut Counted<&mut dyn Read>,
    offset: u64,
    entry: &mut Entry,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    if entry.size > 0 {
        let Some(gap) = offset.checked_sub(input.offset()) else {
            return Err(ReadError::Malformed {
                part: format!("vmtar header of {:?}", entry.path),
                offset: entry.offset,
                problem: format!(
                    "its data begins at byte {offset}, inside what comes before it (up to byte {})",
                    input.offset()
                ),
            });
        };
        input.skip(gap, &format!("data of {:?}", entry.path))?;
    }
    data(input, entry, visit)
}

/// The data of one entry; that it ends early is an error, not an end.
struct Whole<'a, 'r> {
    input: &'a mut Counted<&'r mut dyn Read>,
    left: u64,
}

impl Read for Whole<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_part(self.input, &mut self.left, buffer)
    }
}
