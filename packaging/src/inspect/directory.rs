//! The directory at the end of a zip, with its extension for big archives, read in one pass.

use std::io::{BufReader, Read};

use super::ReadError;
use super::entry::contained;
use super::limits::Meter;
use super::source::Source;
use super::stream::{Counted, fill};
use super::zip::ZipEntry;

const END: &[u8; 4] = b"PK\x05\x06";
const END_SIZE: usize = 22;
/// A comment may stand behind the end, and says how long it is in two bytes.
const COMMENT_LIMIT: u64 = 0xffff;
const BIG_END: &[u8; 4] = b"PK\x06\x06";
const BIG_END_SIZE: usize = 56;
const BIG_END_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const BIG_END_LOCATOR_SIZE: u64 = 20;
const RECORD: &[u8; 4] = b"PK\x01\x02";
const RECORD_SIZE: usize = 46;
/// Extra field with what does not fit into four bytes.
const BIG_SIZES: u16 = 1;
/// Kind of system, in the upper byte, whose modes stand in the record.
const UNIX: u16 = 3;
const LINK: u32 = 0o120_000;
const KIND_OF_FILE: u32 = 0o170_000;
const ENCRYPTED: u16 = 1;

/// What the directory says.
pub(super) struct Directory {
    /// The entries, in its order.
    pub(super) entries: Vec<ZipEntry>,
    /// Where it begins.
    pub(super) start: u64,
    /// Bytes behind its end and comment.
    pub(super) behind: u64,
}

/// Where the records lie, and how many they are.
struct Extent {
    start: u64,
    length: u64,
    entries: u64,
}

pub(super) fn read(source: &Source<'_>, meter: &Meter) -> Result<Directory, ReadError> {
    let (place, end, behind) = find_end(source)?;
    let extent = extent(source, place, &end)?;
    if extent.entries > meter.limits.entries {
        return Err(ReadError::TooLarge {
            part: "zip directory".to_owned(),
            offset: extent.start,
            limit: meter.limits.entries,
            unit: "entries",
        });
    }
    let records = source
        .part(extent.start, extent.length)
        .ok_or_else(|| problem(place, "it lies outside of the file"))?;
    let mut records = Counted::new(BufReader::new(records.reader()));
    let mut entries = Vec::new();
    for _ in 0..extent.entries {
        let offset = extent.start + records.offset();
        entries.push(record(&mut records, offset, meter)?);
    }
    if records.offset() != extent.length {
        return Err(problem(
            extent.start + records.offset(),
            "there is more in it than the entries that it counts",
        ));
    }
    Ok(Directory {
        entries,
        start: extent.start,
        behind,
    })
}

/// The end of the directory: its place, its bytes, and how much stands behind it. One whose comment
/// reaches to the end of the file is the right one; without such a one, the last.
fn find_end(source: &Source<'_>) -> Result<(u64, [u8; END_SIZE], u64), ReadError> {
    let span = source.length().min(COMMENT_LIMIT + END_SIZE as u64);
    let start = source.length() - span;
    let missing = || ReadError::Truncated {
        part: "zip directory".to_owned(),
        offset: source.length(),
    };
    let tail = source.part(start, span).ok_or_else(missing)?;
    let mut bytes = Vec::new();
    let read = tail.reader().read_to_end(&mut bytes);
    read.map_err(ReadError::reading("zip directory", start))?;
    let mut last = None;
    for place in (0..bytes.len()).rev() {
        let Some((end, rest)) = bytes
            .get(place..)
            .and_then(|rest| rest.split_first_chunk::<END_SIZE>())
        else {
            continue;
        };
        if !end.starts_with(END) {
            continue;
        }
        let comment = usize::from(two(end, 20));
        let found = (start + place as u64, *end);
        if comment == rest.len() {
            return Ok((found.0, found.1, 0));
        }
        if comment < rest.len() && last.is_none() {
            last = Some((found.0, found.1, (rest.len() - comment) as u64));
        }
    }
    last.ok_or_else(missing)
}

/// Places from the end, or from its extension if numbers do not fit.
fn extent(source: &Source<'_>, place: u64, end: &[u8; END_SIZE]) -> Result<Extent, ReadError> {
    let small = Extent {
        entries: u64::from(two(end, 10)),
        length: u64::from(four(end, 12)),
        start: u64::from(four(end, 16)),
    };
    let is_big = two(end, 10) == u16::MAX || four(end, 12) == u32::MAX || four(end, 16) == u32::MAX;
    let mut disks = [u64::from(two(end, 4)), u64::from(two(end, 6))];
    let mut until = place;
    let extent = match is_big
        .then(|| big_end(source, place))
        .transpose()?
        .flatten()
    {
        None => small,
        Some((big_place, big)) => {
            until = big_place;
            disks = [u64::from(four(&big, 16)), u64::from(four(&big, 20))];
            Extent {
                entries: eight(&big, 32),
                length: eight(&big, 40),
                start: eight(&big, 48),
            }
        }
    };
    if disks != [0, 0] {
        return Err(problem(place, "it belongs to an archive of several parts"));
    }
    if extent.start.checked_add(extent.length) != Some(until) {
        return Err(problem(
            until,
            "its end is not where it says; something stands before the zip or in it",
        ));
    }
    Ok(extent)
}

/// The extension for big archives and its place, if there is one.
fn big_end(
    source: &Source<'_>,
    place: u64,
) -> Result<Option<(u64, [u8; BIG_END_SIZE])>, ReadError> {
    let Some(locator) = place.checked_sub(BIG_END_LOCATOR_SIZE) else {
        return Ok(None);
    };
    let mut bytes = [0; 20];
    at(source, locator, &mut bytes)?;
    if !bytes.starts_with(BIG_END_LOCATOR) {
        return Ok(None);
    }
    let place = eight(&bytes, 8);
    let mut big = [0; BIG_END_SIZE];
    at(source, place, &mut big)?;
    if !big.starts_with(BIG_END) {
        return Err(problem(place, "its extension for big archives is missing"));
    }
    Ok(Some((place, big)))
}

fn at(source: &Source<'_>, place: u64, bytes: &mut [u8]) -> Result<(), ReadError> {
    let part = source.part(place, bytes.len() as u64);
    let part = part.ok_or_else(|| ReadError::Truncated {
        part: "zip directory".to_owned(),
        offset: place,
    })?;
    fill(&mut part.reader(), bytes).map_err(ReadError::reading("zip directory", place))?;
    Ok(())
}

fn record<R: Read>(
    records: &mut Counted<R>,
    offset: u64,
    meter: &Meter,
) -> Result<ZipEntry, ReadError> {
    const PART: &str = "zip directory";
    let mut fixed = [0; RECORD_SIZE];
    if records.fill(&mut fixed, PART)? < RECORD_SIZE || !fixed.starts_with(RECORD) {
        return Err(problem(offset, "there is no record of an entry here"));
    }
    let [name, extra, comment] = [28, 30, 32].map(|place| usize::from(two(&fixed, place)));
    meter.entry(name, offset)?;
    let mut bytes = vec![0; name];
    let mut extras = vec![0; extra];
    let filled = records.fill(&mut bytes, PART)? + records.fill(&mut extras, PART)?;
    if filled < name + extra {
        return Err(problem(offset, "it ends in a name"));
    }
    records.skip(comment as u64, PART)?;
    let name = std::str::from_utf8(&bytes)
        .map_err(|_| problem(offset, "the name of an entry is not UTF-8"))?;
    let [packed, size, header] = numbers(&fixed, &extras)
        .ok_or_else(|| problem(offset, "sizes of an entry do not fit, and are not extended"))?;
    if name.contains('\\') {
        return Err(ReadError::Backslashes {
            path: name.to_owned(),
            offset: header,
            made_by: maker(two(&fixed, 4) >> 8),
        });
    }
    let (mut path, _) = contained(name, header)?;
    let crooked = path != name.strip_suffix('/').unwrap_or(name);
    if path.is_empty() {
        return Err(problem(offset, "an entry has no name"));
    }
    let mode = four(&fixed, 38) >> 16;
    if two(&fixed, 4) >> 8 == UNIX && mode & KIND_OF_FILE == LINK {
        return Err(ReadError::Path {
            path,
            offset: header,
            problem: "it is a symbolic link, which no bundle needs",
        });
    }
    if two(&fixed, 8) & ENCRYPTED != 0 {
        return Err(ReadError::Malformed {
            part: format!("zip entry {path:?}"),
            offset: header,
            problem: "it is encrypted".to_owned(),
        });
    }
    if name.ends_with('/') {
        path.push('/');
    }
    Ok(ZipEntry {
        path,
        size,
        offset: header,
        crooked,
        method: two(&fixed, 10),
        packed,
        crc: four(&fixed, 16),
    })
}

/// The system of the program that made a zip, by its number.
fn maker(system: u16) -> String {
    match system {
        0 => "a program for MS-DOS or Windows".to_owned(),
        UNIX => "a program for Unix".to_owned(),
        10 | 11 => "a program for Windows".to_owned(),
        19 => "a program for macOS".to_owned(),
        other => format!("system {other}"),
    }
}

/// Packed size, size and place of the header; those that do not fit stand in an extra field, in
/// another order.
fn numbers(fixed: &[u8; RECORD_SIZE], extras: &[u8]) -> Option<[u64; 3]> {
    let [packed, size, header] = [20, 24, 42].map(|place| four(fixed, place));
    if [packed, size, header]
        .iter()
        .all(|number| *number != u32::MAX)
    {
        return Some([packed, size, header].map(u64::from));
    }
    let mut rest = extras;
    let mut big = loop {
        let (head, data) = rest.split_first_chunk::<4>()?;
        let (data, behind) = data.split_at_checked(usize::from(two(head, 2)))?;
        if two(head, 0) == BIG_SIZES {
            break data;
        }
        rest = behind;
    };
    let mut next = |small: u32| {
        if small != u32::MAX {
            return Some(u64::from(small));
        }
        let (number, rest) = big.split_first_chunk::<8>()?;
        big = rest;
        Some(u64::from_le_bytes(*number))
    };
    let size = next(size)?;
    let packed = next(packed)?;
    Some([packed, size, next(header)?])
}

fn problem(offset: u64, problem: &str) -> ReadError {
    ReadError::Malformed {
        part: "zip directory".to_owned(),
        offset,
        problem: problem.to_owned(),
    }
}

fn little_endian<const N: usize>(bytes: &[u8], place: usize) -> [u8; N] {
    let rest = bytes.get(place..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or([0; N])
}

/// A number of two bytes.
pub(super) fn two(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes(little_endian(bytes, place))
}

pub(super) fn four(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(little_endian(bytes, place))
}

fn eight(bytes: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(little_endian(bytes, place))
}
