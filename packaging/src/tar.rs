//! The inner archive of a payload of type `tgz`: tar with GNU magic and nothing beyond 512-byte
//! headers (FORMAT.md T2 to T5, T7).

use std::io::{self, Read as _, Write};

use ::tar::{EntryType, Header};

use crate::contents::Entry;
use crate::rules::path::PATH_LIMIT;
use crate::source::{self, CopyError, Sources};
use crate::{Epoch, Error};

/// Size of a header, and what data is padded to, in bytes.
pub(crate) const BLOCK: u64 = 512;
/// Eleven octal digits. More would be written in base 256, which is an extension.
const SIZE_LIMIT: u64 = 0o77_777_777_777;

/// Writes an archive with these entries, all owned by root and last changed at `mtime`.
///
/// # Errors
/// [`Error::FieldOverflow`] for a path of more than 99 bytes or a file of 8 GiB or more,
/// [`Error::Source`] if a file cannot be read to the size that its entry says, [`Error::Write`] if
/// a path is not relative or `out` fails.
pub fn write(
    entries: &[Entry],
    sources: &dyn Sources,
    mtime: Epoch,
    out: &mut dyn Write,
) -> Result<(), Error> {
    for entry in entries {
        let header = header(entry, mtime)?;
        out.write_all(header.as_bytes())
            .map_err(Error::writing("tar"))?;
        data(entry, sources, BLOCK, out)?;
    }
    zeros(2 * BLOCK, out).map_err(Error::writing("tar"))
}

/// The header of an entry. Its checksum is set.
pub(crate) fn header(entry: &Entry, mtime: Epoch) -> Result<Header, Error> {
    for (part, actual, limit) in [
        (
            "path length in bytes",
            entry.path.len() as u64,
            PATH_LIMIT as u64,
        ),
        ("size in bytes", entry.size(), SIZE_LIMIT),
    ] {
        if actual > limit {
            return Err(Error::FieldOverflow {
                archive: "tar",
                member: entry.path.clone(),
                part,
                actual,
                limit,
            });
        }
    }
    let filled = || {
        let mut header = Header::new_gnu();
        header.set_path(&entry.path)?;
        header.set_entry_type(if entry.is_directory() {
            EntryType::Directory
        } else {
            EntryType::Regular
        });
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_mtime(mtime.unix());
        header.set_size(entry.size());
        set_checksum(&mut header)?;
        Ok(header)
    };
    filled().map_err(Error::writing("tar"))
}

/// Sets the checksum in the form of FORMAT.md T7.
pub(crate) fn set_checksum(header: &mut Header) -> io::Result<()> {
    header.set_cksum();
    // The crate writes seven digits and NUL.
    let checksum = format!("{:06o}\0 ", header.cksum()?);
    header
        .as_old_mut()
        .cksum
        .copy_from_slice(checksum.as_bytes());
    Ok(())
}

/// The bytes of an entry, filled up with zeros to a multiple of `unit`. Directories have none.
pub(crate) fn data(
    entry: &Entry,
    sources: &dyn Sources,
    unit: u64,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let Some(file) = &entry.file else {
        return Ok(());
    };
    let failed = |error| Error::Source {
        name: file.source.clone(),
        source: error,
    };
    let mut data = sources.open(&file.source).map_err(failed)?.data;
    source::copy(&mut data, file.size, out).map_err(|error| match error {
        CopyError::Data(error) => failed(error),
        CopyError::Out(error) => Error::writing("payload")(error),
    })?;
    let padding = file.size.next_multiple_of(unit) - file.size;
    zeros(padding, out).map_err(Error::writing("payload"))
}

/// Writes so many zeros.
pub(crate) fn zeros(count: u64, out: &mut dyn Write) -> io::Result<()> {
    io::copy(&mut io::repeat(0).take(count), out).map(drop)
}
