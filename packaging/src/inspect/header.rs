//! Headers of tar and vmtar, with the records for long names that may stand before them.

use std::io::Read;

use ::tar::{EntryType, Header as Fields, PaxExtensions};

use super::ReadError;
use super::entry::{Entry, EntryKind, Extension, Flavour, contained};
use super::limits::Meter;
use super::stream::{Counted, whole};

/// Size of a header, and what data is padded to.
pub(super) const BLOCK: usize = 512;

/// Keys of pax records by which tools of macOS keep attributes of files.
const APPLE: [&[u8]; 2] = [b"LIBARCHIVE.xattr.com.apple.", b"SCHILY.xattr.com.apple."];

/// An entry, and where vmtar keeps its data.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) entry: Entry,
    pub(super) data_offset: u64,
}

/// Values that replace those of the next header.
#[derive(Debug, Default)]
struct Overrides {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    extension: Option<Extension>,
}

/// Reads up to the next entry's header; `None` at the end. `terminated` is set if that is a block
/// of zeros.
pub(super) fn next(
    input: &mut Counted<&mut dyn Read>,
    meter: &Meter,
    terminated: &mut bool,
) -> Result<Option<Header>, ReadError> {
    let mut overrides = Overrides::default();
    loop {
        let offset = input.offset();
        let mut block = [0; BLOCK];
        match input.fill(&mut block, "tar header")? {
            0 => return Ok(None),
            BLOCK => {}
            _ => {
                return Err(ReadError::Truncated {
                    part: "tar header".to_owned(),
                    offset,
                });
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            *terminated = true;
            return Ok(None);
        }
        let fields = Fields::from_byte_slice(&block);
        let flavour = check(fields, offset)?;
        let kind = fields.entry_type();
        if !matches!(
            kind,
            EntryType::GNULongName
                | EntryType::GNULongLink
                | EntryType::XHeader
                | EntryType::XGlobalHeader
        ) {
            return entry(fields, flavour, overrides, offset).map(Some);
        }
        meter.entry(0, offset)?;
        let record = record(input, fields, meter, offset)?;
        match kind {
            EntryType::GNULongName => {
                overrides.path = Some(terminated_text(&record));
                overrides.extension = Some(Extension::GnuLongName);
            }
            EntryType::GNULongLink => {
                overrides.link = Some(terminated_text(&record));
                overrides.extension = Some(Extension::GnuLongName);
            }
            EntryType::XHeader => pax(&record, &mut overrides, offset)?,
            // A comment or a time for the whole archive; names cannot stand there.
            _ => overrides.extension = Some(Extension::Pax),
        }
    }
}

/// Both sums of a header's bytes, its checksum taken for blanks: of the bytes as they are, and of
/// the bytes as signed characters, as vmtar and some old tars have it (FORMAT.md T7, R2).
fn sums(block: &[u8; BLOCK]) -> [i64; 2] {
    let bytes = block.iter().enumerate().map(|(place, byte)| {
        if (148..156).contains(&place) {
            b' '
        } else {
            *byte
        }
    });
    bytes.fold([0, 0], |[plain, signed], byte| {
        [
            plain + i64::from(byte),
            signed + i64::from(byte.cast_signed()),
        ]
    })
}

/// The dialect, if the header's checksum is one of the two that are right.
fn check(fields: &Fields, offset: u64) -> Result<Flavour, ReadError> {
    let block = fields.as_bytes();
    let malformed = |problem: String| ReadError::Malformed {
        part: "tar header".to_owned(),
        offset,
        problem,
    };
    let stored = fields
        .cksum()
        .map_err(|_| malformed("it is no header: its checksum is not a number".to_owned()))?;
    let [plain, signed] = sums(block);
    if ![plain, signed].contains(&i64::from(stored)) {
        let or_signed = if plain == signed {
            String::new()
        } else {
            format!(", or {signed} of signed characters")
        };
        return Err(malformed(format!(
            "its checksum is {plain}{or_signed}, but {stored} is stored"
        )));
    }
    Ok(match block.get(257..265).unwrap_or_default() {
        b"ustar  \0" => Flavour::Gnu,
        b"visor  \0" => Flavour::Visor,
        magic if magic.starts_with(b"ustar\0") => Flavour::Posix,
        _ => Flavour::Old,
    })
}

fn record(
    input: &mut Counted<&mut dyn Read>,
    fields: &Fields,
    meter: &Meter,
    offset: u64,
) -> Result<Vec<u8>, ReadError> {
    let part = "tar record for a long name";
    let size = fields.entry_size().map_err(|_| ReadError::Malformed {
        part: part.to_owned(),
        offset,
        problem: "its size is not a number".to_owned(),
    })?;
    let limit = meter.limits.long_name_bytes;
    if size > limit {
        return Err(ReadError::TooLarge {
            part: part.to_owned(),
            offset,
            limit,
            unit: "bytes",
        });
    }
    let bytes = whole(&mut input.by_ref().take(size), limit, part, offset)?;
    if (bytes.len() as u64) < size {
        return Err(ReadError::Truncated {
            part: part.to_owned(),
            offset,
        });
    }
    input.skip(size.next_multiple_of(BLOCK as u64) - size, part)?;
    Ok(bytes)
}

fn terminated_text(record: &[u8]) -> Vec<u8> {
    record
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default()
        .to_vec()
}

fn pax(record: &[u8], overrides: &mut Overrides, offset: u64) -> Result<(), ReadError> {
    let malformed = |problem: String| ReadError::Malformed {
        part: "pax record".to_owned(),
        offset,
        problem,
    };
    overrides.extension = Some(Extension::Pax);
    for extension in PaxExtensions::new(record) {
        let extension = extension.map_err(|error| malformed(error.to_string()))?;
        let value = extension.value_bytes();
        match extension.key_bytes() {
            b"path" => overrides.path = Some(value.to_vec()),
            b"linkpath" => overrides.link = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                overrides.size =
                    Some(size.ok_or_else(|| malformed("its size is not a number".to_owned()))?);
            }
            key if APPLE.iter().any(|apple| key.starts_with(apple)) => {
                overrides.extension = Some(Extension::PaxOfMacos);
            }
            key if key.starts_with(b"GNU.sparse") => {
                return Err(malformed(
                    "it describes a sparse file, which no package has".to_owned(),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn entry(
    fields: &Fields,
    flavour: Flavour,
    overrides: Overrides,
    offset: u64,
) -> Result<Header, ReadError> {
    let stored = overrides
        .path
        .unwrap_or_else(|| fields.path_bytes().into_owned());
    let malformed = |problem: &str| ReadError::Malformed {
        part: format!("tar header of {:?}", String::from_utf8_lossy(&stored)),
        offset,
        problem: problem.to_owned(),
    };
    let Ok(text) = std::str::from_utf8(&stored) else {
        return Err(malformed("its name is not UTF-8"));
    };
    let (mut path, dotted) = contained(text, offset)?;
    if let Some(field) = odd_number(fields, flavour) {
        return Err(malformed(&format!("its {field} is not a number")));
    }
    let plain = text.strip_prefix("./").unwrap_or(text);
    let crooked = !path.is_empty() && path != plain.strip_suffix('/').unwrap_or(plain);
    let kind = kind(fields.entry_type(), flavour, text);
    if kind == EntryKind::Directory {
        if !path.is_empty() {
            path.push('/');
        }
    } else if path.is_empty() {
        return Err(malformed("it has no name"));
    }
    let size = match (overrides.size, kind) {
        (Some(size), EntryKind::File) => size,
        (None, EntryKind::File) => fields
            .entry_size()
            .map_err(|_| malformed("its size is not a number"))?,
        (_, EntryKind::Special) => fields
            .entry_size()
            .map_err(|_| malformed("its size is not a number"))?,
        // Some readers would pass over so much data, and others go on right behind the header. In
        // vmtar, nothing ever follows a header.
        _ if flavour != Flavour::Visor && fields.entry_size().is_ok_and(|size| size > 0) => {
            return Err(malformed("it has a size, but is of a kind without data"));
        }
        _ => 0,
    };
    if fields.entry_type() == EntryType::GNUSparse {
        return Err(malformed("it is a sparse file, which no package has"));
    }
    let link = overrides
        .link
        .or_else(|| fields.link_name_bytes().map(std::borrow::Cow::into_owned));
    Ok(Header {
        data_offset: u64::from(little_endian(fields.as_bytes(), 496)),
        entry: Entry {
            path,
            kind,
            mode: fields
                .mode()
                .map_err(|_| malformed("its mode is not a number"))?
                & 0o7777,
            size,
            uid: fields
                .uid()
                .map_err(|_| malformed("its owner is not a number"))?,
            gid: fields
                .gid()
                .map_err(|_| malformed("its group is not a number"))?,
            link: link
                .filter(|_| matches!(kind, EntryKind::Symlink | EntryKind::HardLink))
                .map(|link| String::from_utf8_lossy(&link).into_owned()),
            flavour,
            filled: is_filled(fields, flavour),
            extension: overrides.extension,
            dotted,
            crooked,
            offset,
            program: None,
            script: None,
            xml_fault: None,
        },
    })
}

/// The first field that holds something else than octal digits, GNU's form for large numbers, or
/// nothing. Hosts make numbers of all of them.
fn odd_number(fields: &Fields, flavour: Flavour) -> Option<&'static str> {
    const FIELDS: [(&str, std::ops::Range<usize>); 7] = [
        ("mode", 100..108),
        ("owner", 108..116),
        ("group", 116..124),
        ("size", 124..136),
        ("time", 136..148),
        ("device", 329..337),
        ("device", 337..345),
    ];
    // The oldest headers have no devices.
    let count = FIELDS.len() - if flavour == Flavour::Old { 2 } else { 0 };
    let is_odd = |range: &std::ops::Range<usize>| {
        let field = fields.as_bytes().get(range.clone()).unwrap_or_default();
        let digits = field.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_large = matches!(field.first(), Some(0x80 | 0xff));
        !is_large
            && !digits
                .trim_ascii()
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'7'))
    };
    let mut fields = FIELDS.iter().take(count);
    fields
        .find(|(_, range)| is_odd(range))
        .map(|(name, _)| *name)
}

/// Whether something stands where POSIX has the beginning of a long path, and these dialects
/// nothing.
fn is_filled(fields: &Fields, flavour: Flavour) -> bool {
    let range = match flavour {
        Flavour::Gnu => 345..500,
        Flavour::Visor => 345..496,
        Flavour::Posix | Flavour::Old => return false,
    };
    let bytes = fields.as_bytes().get(range).unwrap_or_default();
    bytes.iter().any(|byte| *byte != 0)
}

fn kind(kind: EntryType, flavour: Flavour, path: &str) -> EntryKind {
    match kind {
        // Before POSIX, a directory was a file whose name ends in a slash.
        EntryType::Regular if path.ends_with('/') && flavour != Flavour::Visor => {
            EntryKind::Directory
        }
        // Type 7 is a module or program of vmtar.
        EntryType::Regular | EntryType::Continuous => EntryKind::File,
        EntryType::Directory => EntryKind::Directory,
        EntryType::Symlink => EntryKind::Symlink,
        EntryType::Link => EntryKind::HardLink,
        _ => EntryKind::Special,
    }
}

fn little_endian(block: &[u8; BLOCK], place: usize) -> u32 {
    let bytes = block
        .get(place..place + 4)
        .and_then(|bytes| bytes.try_into().ok());
    u32::from_le_bytes(bytes.unwrap_or_default())
}
