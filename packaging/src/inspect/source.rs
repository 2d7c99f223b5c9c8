//! Runs of bytes that can be read from any place: of the file itself, or in memory.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::rc::Rc;

/// What a file is read from.
pub(super) trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}

/// A run of bytes. Several may be read at once, each from its own place.
#[derive(Clone)]
pub(super) struct Source<'f> {
    bytes: Bytes<'f>,
    start: u64,
    length: u64,
}

#[derive(Clone)]
enum Bytes<'f> {
    File(&'f RefCell<dyn Input + 'f>),
    Memory(Rc<Vec<u8>>),
}

impl<'f> Source<'f> {
    /// The whole file.
    pub(super) fn file(file: &'f RefCell<dyn Input + 'f>) -> io::Result<Self> {
        let length = file.borrow_mut().seek(SeekFrom::End(0))?;
        Ok(Self {
            bytes: Bytes::File(file),
            start: 0,
            length,
        })
    }

    pub(super) fn memory(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            length: bytes.len() as u64,
            bytes: Bytes::Memory(Rc::new(bytes)),
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// A part of it, if it lies inside.
    pub(super) fn part(&self, start: u64, length: u64) -> Option<Self> {
        let end = start.checked_add(length)?;
        (end <= self.length).then(|| Self {
            bytes: self.bytes.clone(),
            start: self.start.saturating_add(start),
            length,
        })
    }

    /// Reads it from its beginning.
    pub(super) fn reader(&self) -> SourceReader<'f> {
        SourceReader {
            source: self.clone(),
            position: 0,
        }
    }
}

/// A place in a [`Source`].
pub(super) struct SourceReader<'f> {
    source: Source<'f>,
    position: u64,
}

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.length.saturating_sub(self.position);
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let (buffer, _) = buffer.split_at_mut(most.min(buffer.len()));
        let place = self.source.start.saturating_add(self.position);
        let count = match &self.source.bytes {
            Bytes::File(file) => {
                let mut file = file.borrow_mut();
                file.seek(SeekFrom::Start(place))?;
                file.read(buffer)?
            }
            Bytes::Memory(bytes) => {
                let mut cursor = Cursor::new(bytes.as_slice());
                cursor.set_position(place);
                cursor.read(buffer)?
            }
        };
        self.position += count as u64;
        Ok(count)
    }
}
