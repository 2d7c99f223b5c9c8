//! Where the bytes of files come from, and how they are passed on: in pieces, never as a whole.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// Bytes that pass through memory at once.
const PIECE: usize = 128 * 1024;

/// Finds the files that a description names.
pub trait Sources {
    /// Opens the file of that name.
    ///
    /// A package is written in two steps: first it is checked, then its files are read. Each step
    /// opens every file once.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none, any other if it cannot be read. Both become
    /// findings of [`Package::new`](crate::Package::new).
    fn open(&self, name: &str) -> io::Result<Source<'_>>;
}

/// An open file.
pub struct Source<'a> {
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes, exactly as many.
    pub data: Box<dyn Read + 'a>,
}

/// Files that are in memory already.
impl Sources for BTreeMap<String, Vec<u8>> {
    fn open(&self, name: &str) -> io::Result<Source<'_>> {
        let bytes = self.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Source {
            size: bytes.len() as u64,
            data: Box::new(bytes.as_slice()),
        })
    }
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The data cannot be read, or is not of the size that was announced.
    Data(io::Error),
    /// The writer failed.
    Out(io::Error),
}

impl CopyError {
    /// The error itself, for callers that report both alike.
    pub(crate) fn into_inner(self) -> io::Error {
        match self {
            Self::Data(error) | Self::Out(error) => error,
        }
    }
}

/// Passes on `size` bytes and makes sure that the data ends there.
///
/// Pieces are always full, however few bytes the reader gives at a time: compressors are then fed
/// in the same way on every machine.
pub(crate) fn copy(data: &mut dyn Read, size: u64, out: &mut dyn Write) -> Result<(), CopyError> {
    let mut piece = vec![0; PIECE];
    let mut left = size;
    loop {
        let count = fill(data, &mut piece).map_err(CopyError::Data)?;
        let (filled, _) = piece.split_at(count);
        left = left
            .checked_sub(count as u64)
            .ok_or_else(|| unlike(size, "more"))?;
        out.write_all(filled).map_err(CopyError::Out)?;
        if count < PIECE {
            break;
        }
    }
    if left > 0 {
        return Err(unlike(size, "fewer"));
    }
    Ok(())
}

fn unlike(size: u64, how: &str) -> CopyError {
    let problem = format!("it has {how} than the {size} bytes that it had before; pack it again");
    CopyError::Data(io::Error::new(io::ErrorKind::InvalidData, problem))
}

/// Reads until the buffer is full or the data ends.
fn fill(data: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match data.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    /// Notes the size of each write.
    struct Sizes(Vec<usize>);

    impl Write for Sizes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn pieces_are_full_however_slowly_the_bytes_come() {
        let bytes = vec![7; PIECE + 5];
        let mut sizes = Sizes(Vec::new());
        copy(&mut Drops(&bytes), bytes.len() as u64, &mut sizes).unwrap();
        assert_eq!(sizes.0, [PIECE, 5]);
    }

    #[test]
    fn data_that_grew_or_shrank_is_refused() {
        for (size, how) in [(2, "more"), (4, "fewer")] {
            let error = copy(&mut &b"abc"[..], size, &mut Vec::new()).unwrap_err();
            let error = error.into_inner();
            assert!(error.to_string().contains(how), "{error}");
        }
    }
}
