//! Digests of files.

use std::{fs::File, os::unix::fs::FileExt as _};

use md5::Md5;
use protocol::{
    request::{Algorithm, Failure, Outcome},
    virtual_path::VirtualPath,
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::{errno::io_failure, files::Files};
use crate::{sys::memory, task::Task};

/// Bytes that are read at a time; a cancel is noticed after each.
const BLOCK_BYTES: usize = 256 * 1024;

/// Computes the digest of a part of a file.
///
/// # Errors
/// [`Failure::BehindEnd`] if the file is shorter; see the others.
pub(super) fn digest(
    files: &Files,
    task: &Task,
    path: &VirtualPath,
    algorithm: Algorithm,
    start: u64,
    end: Option<u64>,
) -> Result<Outcome, Failure> {
    let (file, found) = files.root().open_read(path)?;
    let end = end.unwrap_or(found.size);
    if start > end || end > found.size {
        return Err(Failure::BehindEnd);
    }
    let mut hasher = Hasher::new(algorithm);
    each_block(&file, task, start, end, |block| hasher.update(block))?;
    let hex = hasher.finish();
    Ok(Outcome::Digest { hex, start, end })
}

fn each_block(
    file: &File,
    task: &Task,
    start: u64,
    end: u64,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Failure> {
    let mut buffer = memory::zeroed(BLOCK_BYTES).ok_or(Failure::Resources)?;
    let mut position = start;
    while position < end {
        task.check()?;
        let wanted = usize::try_from(end - position).unwrap_or(BLOCK_BYTES);
        let wanted = wanted.min(BLOCK_BYTES);
        let (block, _) = buffer.split_at_mut(wanted);
        let read = match file.read_at(block, position) {
            Ok(0) => return Err(Failure::Shortened),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io_failure(&error)),
        };
        take(block.get(..read).unwrap_or_default());
        task.add(read as u64);
        position += read as u64;
    }
    Ok(())
}

/// A digest that grows.
enum Hasher {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc32(hasher) => format!("{:08x}", hasher.finalize()),
            Self::Md5(hasher) => hex(&hasher.finalize()),
            Self::Sha1(hasher) => hex(&hasher.finalize()),
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::Sha512(hasher) => hex(&hasher.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(digit).collect()
}
