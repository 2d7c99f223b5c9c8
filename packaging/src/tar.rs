//! The inner archive of a payload: tar with GNU magic and nothing beyond 512-byte headers
//! (FORMAT.md T2 to T5).

use std::io::Write;

use ::tar::{Builder, EntryType, Header};

use crate::contents::Entry;
use crate::rules::path::PATH_LIMIT;
use crate::{Epoch, Error};

/// Eleven octal digits. More would be written in base 256, which is an extension.
const SIZE_LIMIT: u64 = 0o77_777_777_777;

/// Writes an archive entry by entry.
pub struct Writer<W: Write> {
    builder: Builder<W>,
    mtime: Epoch,
}

impl<W: Write> Writer<W> {
    /// Begins an archive, all of whose entries were last changed at `mtime`.
    pub fn new(out: W, mtime: Epoch) -> Self {
        Self {
            builder: Builder::new(out),
            mtime,
        }
    }

    /// Appends a file or directory, owned by root.
    ///
    /// # Errors
    /// [`Error::FieldOverflow`] for a path of more than 99 bytes or a file of 8 GiB or more,
    /// [`Error::Write`] if the path is not relative or the inner writer fails.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
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
        self.append(entry).map_err(Error::writing("tar"))
    }

    fn append(&mut self, entry: &Entry) -> std::io::Result<()> {
        let mut header = Header::new_gnu();
        // The path goes to the header, not to `append_data`, which would add a long-name record by
        // itself.
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
        header.set_mtime(self.mtime.unix());
        header.set_size(entry.size());
        header.set_cksum();
        // The crate writes seven digits and NUL (FORMAT.md T7).
        let checksum = format!("{:06o}\0 ", header.cksum()?);
        header
            .as_old_mut()
            .cksum
            .copy_from_slice(checksum.as_bytes());
        self.builder
            .append(&header, entry.data.as_deref().unwrap_or_default())
    }

    /// Ends the archive with two blocks of zeros.
    ///
    /// # Errors
    /// [`Error::Write`] if the inner writer fails.
    pub fn finish(self) -> Result<W, Error> {
        self.builder.into_inner().map_err(Error::writing("tar"))
    }
}
