//! The inner archive of a payload of type `vgz`: vmtar, in which all headers come first and the
//! data of every file begins on a page (FORMAT.md R2, T8).

use std::io::Write;

use ::tar::Header;

use crate::contents::Entry;
use crate::source::Sources;
use crate::tar::{self, BLOCK};
use crate::{Epoch, Error};

const MAGIC: &[u8; 8] = b"visor  \0";
/// Bytes of a page, on which data begins.
const PAGE: u64 = 4096;

/// Writes an archive with these entries, all owned by root and last changed at `mtime`.
///
/// # Errors
/// As [`tar::write`], and [`Error::FieldOverflow`] if data would begin beyond 4 GiB.
pub fn write(
    entries: &[Entry],
    sources: &dyn Sources,
    mtime: Epoch,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let headers = (entries.len() as u64 + 1) * BLOCK; // the last one is the block of zeros
    let mut next = headers.next_multiple_of(PAGE);
    for entry in entries {
        // What has no bytes has no place, either.
        let place = if entry.size() == 0 { 0 } else { next };
        next = next.saturating_add(entry.size().next_multiple_of(PAGE));
        let header = header(entry, place, mtime)?;
        out.write_all(header.as_bytes())
            .map_err(Error::writing("vmtar"))?;
    }
    let padding = headers.next_multiple_of(PAGE) - headers;
    tar::zeros(BLOCK + padding, out).map_err(Error::writing("vmtar"))?;
    for entry in entries {
        tar::data(entry, sources, PAGE, out)?;
    }
    Ok(())
}

/// A header of tar with another magic, and behind everything else four numbers: where the data is,
/// and three that only programs of the VMkernel have.
fn header(entry: &Entry, place: u64, mtime: Epoch) -> Result<Header, Error> {
    let Ok(place) = u32::try_from(place) else {
        return Err(Error::FieldOverflow {
            archive: "vmtar",
            member: entry.path.clone(),
            part: "offset of its data in bytes",
            actual: place,
            limit: u32::MAX.into(),
        });
    };
    let mut header = tar::header(entry, mtime)?;
    let bytes = header.as_mut_bytes();
    for (offset, field) in [(257, &MAGIC[..]), (496, &place.to_le_bytes())] {
        if let Some(target) = bytes.get_mut(offset..offset + field.len()) {
            target.copy_from_slice(field);
        }
    }
    tar::set_checksum(&mut header).map_err(Error::writing("vmtar"))?;
    Ok(header)
}
