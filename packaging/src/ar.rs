//! The outer archive of a VIB: `ar`, in the narrow form that hosts read (FORMAT.md A1 to A3).

use std::io::{Read, Write};

use crate::Error;
use crate::source::{self, CopyError};

const MAGIC: &[u8] = b"!<arch>\n";
const NAME_LIMIT: usize = 15;
const SIZE_LIMIT: u64 = 9_999_999_999; // ten decimal digits

/// Writes an archive member by member.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// [`Error::Write`] if `out` fails.
    pub fn new(mut out: W) -> Result<Self, Error> {
        out.write_all(MAGIC).map_err(Error::writing("ar"))?;
        Ok(Self { out })
    }

    /// Goes on behind members that are in `out` already.
    #[cfg(feature = "signatures")]
    pub(crate) fn behind(out: W) -> Self {
        Self { out }
    }

    /// Appends a member of `size` bytes.
    ///
    /// Date, owner and mode are zero whatever the file was: hosts ignore them, and the bytes must
    /// not depend on the machine.
    ///
    /// # Errors
    /// [`Error::MemberName`] unless the name is 1 to 15 printable ASCII characters without slash or
    /// blank, [`Error::FieldOverflow`] beyond 9 999 999 999 bytes, [`Error::Write`] if `data` is not
    /// of that size, cannot be read, or the inner writer fails.
    pub fn member(&mut self, name: &str, size: u64, data: &mut dyn Read) -> Result<(), Error> {
        let writable = name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if !writable || name.is_empty() || name.len() > NAME_LIMIT {
            return Err(Error::MemberName {
                name: name.to_owned(),
            });
        }
        if size > SIZE_LIMIT {
            return Err(Error::FieldOverflow {
                archive: "ar",
                member: name.to_owned(),
                part: "size in bytes",
                actual: size,
                limit: SIZE_LIMIT,
            });
        }
        let (mtime, uid, gid, mode) = (0, 0, 0, 0);
        // No slash behind the name: that is GNU ar's dialect.
        let header = format!("{name:<16}{mtime:<12}{uid:<6}{gid:<6}{mode:<8}{size:<10}`\n");
        let padding: &[u8] = if size.is_multiple_of(2) { b"" } else { b"\n" };
        let out = &mut self.out;
        out.write_all(header.as_bytes())
            .and_then(|()| source::copy(data, size, out).map_err(CopyError::into_inner))
            .and_then(|()| out.write_all(padding))
            .map_err(Error::writing("ar"))
    }

    /// Ends the archive, which has no trailer.
    pub fn finish(self) -> W {
        self.out
    }
}
