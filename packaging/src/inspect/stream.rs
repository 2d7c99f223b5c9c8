//! Readers around readers: count, hash and bound what passes.

use std::io::{self, Read, Write};

use super::ReadError;
use super::limits::Meter;
use crate::digest::{Digesting, Sha1, Sha256};

/// Counts the bytes that were read.
#[derive(Debug)]
pub(super) struct Counted<R> {
    inner: R,
    offset: u64,
}

impl<R: Read> Counted<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, offset: 0 }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads until `buffer` is full or the input ends; says how much it was.
    pub(super) fn fill(&mut self, buffer: &mut [u8], part: &str) -> Result<usize, ReadError> {
        let start = self.offset;
        fill(self, buffer).map_err(ReadError::reading(part, start))
    }

    /// Skips bytes.
    pub(super) fn skip(&mut self, bytes: u64, part: &str) -> Result<(), ReadError> {
        let start = self.offset;
        let skipped = io::copy(&mut self.by_ref().take(bytes), &mut io::sink())
            .map_err(ReadError::reading(part, start))?;
        if skipped < bytes {
            return Err(ReadError::Truncated {
                part: part.to_owned(),
                offset: self.offset,
            });
        }
        Ok(())
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Reads from a part with so many bytes left; that it ends before them is an error, not an end.
pub(super) fn read_part(
    input: &mut impl Read,
    left: &mut u64,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let most = usize::try_from(*left).unwrap_or(usize::MAX);
    let (buffer, _) = buffer.split_at_mut(most.min(buffer.len()));
    let count = input.read(buffer)?;
    if count == 0 && !buffer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    *left -= count as u64;
    Ok(count)
}

/// Both digests of a run of bytes.
pub(super) type Digests = Digesting<Digesting<io::Sink, Sha1>, Sha256>;

/// Hashes the bytes that are read.
pub(super) struct Hashed<R> {
    inner: R,
    digests: Digests,
}

/// What went through a [`Hashed`].
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    pub(super) length: u64,
    pub(super) sha256: String,
    pub(super) sha1: String,
}

impl Sums {
    /// The one of this `checksum-type`, if it is one that is known.
    pub(crate) fn of(&self, kind: &str) -> Option<&str> {
        match kind {
            "sha-256" => Some(&self.sha256),
            "sha-1" => Some(&self.sha1),
            _ => None,
        }
    }
}

impl<R: Read> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            digests: Digesting::new(Digesting::new(io::sink())),
        }
    }

    /// Reads on to the end, and tells what all bytes hash to. Gives the reader back.
    pub(super) fn finish(mut self) -> io::Result<(Sums, R)> {
        io::copy(&mut self, &mut io::sink())?;
        let (rest, sha256) = self.digests.finish();
        let (_, sha1) = rest.finish();
        let sums = Sums {
            length: sha256.length,
            sha256: sha256.hex,
            sha1: sha1.hex,
        };
        Ok((sums, self.inner))
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let (read, _) = buffer.split_at(count.min(buffer.len()));
        self.digests.write_all(read)?;
        Ok(count)
    }
}

/// Bounds what comes out of a decompressor.
pub(super) struct Metered<'m, R> {
    inner: Counted<R>,
    meter: &'m Meter,
}

impl<'m, R: Read> Metered<'m, R> {
    pub(super) fn new(inner: R, meter: &'m Meter) -> Self {
        Self {
            inner: Counted::new(inner),
            meter,
        }
    }
}

impl<R> Metered<'_, R> {
    pub(super) fn into_inner(self) -> R {
        self.inner.inner
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter
            .unpacked(count, self.inner.offset())
            .map_err(ReadError::into_io)?;
        Ok(count)
    }
}

/// Reads until `buffer` is full or the input ends; says how much it was.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads all of a part that must fit into memory.
pub(super) fn whole(
    reader: &mut dyn Read,
    limit: u64,
    part: &str,
    offset: u64,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(ReadError::reading(part, offset))?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge {
            part: part.to_owned(),
            offset,
            limit,
            unit: "bytes",
        });
    }
    Ok(bytes)
}
