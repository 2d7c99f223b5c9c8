//! A file on its way to a client: which bytes, from where, and holes that need not be read.

use std::{
    fs::File,
    ops::Range,
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use nix::{
    errno::Errno,
    unistd::{Whence, lseek},
};
use protocol::{request::Failure, virtual_path::VirtualPath};

use crate::{
    storage::{blocks::Block, errno::io_failure, root::Root, zeros::HOLE_BYTES},
    sys::uninterrupted,
};

/// Bytes of one block of `stat`.
pub(crate) const STAT_BLOCK: u64 = 512;

/// The most bytes that are read before the data connection is needed. Each session may hold so many
/// until its client comes for them; it is what every transfer gets for a block, too.
const SMALL: usize = 32 * 1024;

/// A part of a file that is being read.
#[derive(Debug)]
pub(crate) struct Download {
    file: File,
    /// What has not been read yet.
    left: Range<u64>,
    /// Data known to be around or behind the position, in a file with holes.
    data: Option<Range<u64>>,
    /// Whether zeros have been passed since the file was last seen to be long enough for all.
    unproven: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// So many bytes to be read.
    Data(usize),
    /// So many zeros, which are nowhere but in the file. They have been passed.
    Zeros(u64),
}

/// What a step has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes at the front of the block.
    Data(usize),
    /// So many zeros, which are nowhere but in the file.
    Zeros(u64),
}

impl Download {
    /// Opens a file to send the bytes from `start` to before `end`, which is the end of the file
    /// if absent. What is written to the file later is not sent.
    ///
    /// # Errors
    /// [`Failure::BehindEnd`] if the file is shorter than `start`; those of [`Root::open_read`].
    pub(crate) fn open(
        root: &Root,
        path: &VirtualPath,
        start: u64,
        end: Option<u64>,
    ) -> Result<Self, Failure> {
        let (file, found) = root.open_read(path)?;
        let size = found.size;
        let end = end.map_or(size, |end| end.min(size));
        if start > end {
            return Err(Failure::BehindEnd);
        }
        let is_sparse = size > HOLE_BYTES as u64 && {
            let taken = file.metadata().map_err(|error| io_failure(&error))?;
            taken.blocks().saturating_mul(STAT_BLOCK) < size
        };
        Ok(Self {
            file,
            left: start..end,
            data: is_sparse.then_some(0..0),
            unproven: false,
        })
    }

    /// Bytes that have not been read.
    pub(crate) fn left(&self) -> u64 {
        self.left.end - self.left.start
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Where the next byte is in the file.
    pub(crate) fn position(&self) -> u64 {
        self.left.start
    }

    /// All that is left, if it is little. Nothing also if it cannot be read; reading it again in
    /// its time tells why.
    pub(crate) fn small(&self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.left()).ok()?;
        if length > SMALL || self.data.is_some() {
            return None;
        }
        let mut bytes = vec![0; length];
        self.read(&mut bytes).ok()?;
        Some(bytes)
    }

    /// What comes next, `whole` bytes of data at the most; nothing at the end.
    ///
    /// # Errors
    /// [`Failure::Shortened`] if the file does not have what the client was promised.
    pub(crate) fn span(&mut self, whole: usize) -> Result<Option<Span>, Failure> {
        if self.left.is_empty() {
            // Nobody reads zeros, so nobody else notices that they are gone.
            if self.unproven {
                self.prove()?;
            }
            return Ok(None);
        }
        let until = self.left.start.saturating_add(whole as u64);
        let until = until.min(self.left.end);
        let until = match self.hole(until)? {
            Some(zeros) => {
                self.left.start += zeros;
                self.unproven = true;
                return Ok(Some(Span::Zeros(zeros)));
            }
            None => self.data.as_ref().map_or(until, |data| until.min(data.end)),
        };
        let length = usize::try_from(until - self.left.start).unwrap_or(whole);
        Ok(Some(Span::Data(length)))
    }

    /// Looks whether the file still has all that is to be sent.
    fn prove(&mut self) -> Result<(), Failure> {
        let found = self.file.metadata().map_err(|error| read_failure(&error))?;
        if found.len() < self.left.end {
            return Err(Failure::Shortened);
        }
        self.unproven = false;
        Ok(())
    }

    /// Passes bytes that have been read; none means that the file has become shorter.
    ///
    /// # Errors
    /// [`Failure::Shortened`] then, because the client was promised more.
    pub(crate) fn pass(&mut self, bytes: usize) -> Result<(), Failure> {
        self.left.start += bytes as u64;
        if bytes == 0 {
            return Err(Failure::Shortened);
        }
        Ok(())
    }

    /// Reads into a block; nothing at the end.
    ///
    /// # Errors
    /// [`Failure::Shortened`] if the file has become shorter, because the client was promised more.
    pub(crate) fn step(&mut self, block: &mut Block) -> Result<Option<Step>, Failure> {
        let whole = match self.left() {
            left if left <= block.length() as u64 => block.length(),
            _ => block.aligned_length(self.left.start),
        };
        match self.span(whole)? {
            None => Ok(None),
            Some(Span::Zeros(zeros)) => Ok(Some(Step::Zeros(zeros))),
            Some(Span::Data(length)) => {
                let read = self.read(block.front_mut(length))?;
                self.pass(read)?;
                Ok(Some(Step::Data(read)))
            }
        }
    }

    /// Fills the buffer from the position on.
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, self.left.start + filled as u64) {
                Ok(0) => return Err(Failure::Shortened),
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failure(&error)),
            }
        }
        Ok(filled)
    }

    /// The zeros between here and the next data, if there are enough for a hole. Otherwise
    /// [`Download::data`] tells how far to read, at least up to `until` if that is all data.
    ///
    /// # Errors
    /// [`Failure::Shortened`] if the file ends before the hole should.
    fn hole(&mut self, until: u64) -> Result<Option<u64>, Failure> {
        let here = self.left.start;
        let Some(known) = self.data.clone() else {
            return Ok(None);
        };
        if known.contains(&here) && known.end >= until {
            return Ok(None);
        }
        let mut data = known;
        if !data.contains(&here) {
            data = here..here;
        }
        loop {
            let next = match self.seek(data.end, Whence::SeekData) {
                Ok(next) => next.max(data.end),
                // No data up to the end, wherever that is now.
                Err(Errno::ENXIO) => {
                    self.prove()?;
                    self.left.end
                }
                Err(_unsupported) => {
                    self.data = None;
                    return Ok(None);
                }
            };
            let next = next.min(self.left.end);
            let zeros = next - data.end;
            if zeros >= HOLE_BYTES as u64 {
                let at_hole = data.end == here;
                self.data = Some(data);
                return Ok(at_hole.then_some(zeros));
            }
            // Smaller holes are read like data: two calls more would cost more.
            let Ok(end) = self.seek(next, Whence::SeekHole) else {
                data.end = self.left.end;
                self.data = Some(data);
                return Ok(None);
            };
            data.end = end.clamp(next, self.left.end);
            if data.end >= until || data.end == next {
                data.end = data.end.max(until);
                self.data = Some(data);
                return Ok(None);
            }
        }
    }

    fn seek(&self, position: u64, what: Whence) -> nix::Result<u64> {
        let position = i64::try_from(position).map_err(|_huge| Errno::EOVERFLOW)?;
        let found = uninterrupted(|| lseek(&self.file, position, what))?;
        u64::try_from(found).map_err(|_negative| Errno::EINVAL)
    }
}

/// What an error of reading means: no name is at fault here.
fn read_failure(error: &std::io::Error) -> Failure {
    match io_failure(error) {
        Failure::InvalidName => Failure::Device,
        failure => failure,
    }
}

#[cfg(test)]
mod tests;
