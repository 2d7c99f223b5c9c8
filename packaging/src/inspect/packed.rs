//! A VIB with the bytes of its first two members, which a database of hosts keeps.

use std::io::{Read, Seek};

use super::entry::Entry;
use super::limits::{Limits, Meter};
use super::stream::{Hashed, whole};
use super::vib::{DESCRIPTOR, SIGNATURE};
use super::{Contents, Inspection, Observer, ReadError, inspect_with};

/// A file that was looked at, and, if it is a VIB, what it says about itself word by word.
pub(crate) struct Packed {
    pub(crate) inspection: Inspection,
    pub(crate) descriptor: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// Size of the file in bytes.
    pub(crate) size: u64,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
}

struct FirstTwo<'l> {
    limits: &'l Limits,
    descriptor: Vec<u8>,
    signature: Vec<u8>,
}

impl Observer for FirstTwo<'_> {
    fn member(&mut self, name: &str, data: &mut dyn Read) -> Result<(), ReadError> {
        match name {
            DESCRIPTOR => self.descriptor = whole(data, self.limits.xml_bytes, name, 0)?,
            SIGNATURE => self.signature = whole(data, self.limits.signature_bytes, name, 0)?,
            _ => {}
        }
        Ok(())
    }

    fn entry(&mut self, _: &str, _: &Entry, _: &mut dyn Read) -> Result<(), ReadError> {
        Ok(())
    }

    fn undeclared(&mut self, _: &str) {}
}

/// Reads a file twice: what it holds, and what it hashes to.
pub(crate) fn packed<R: Read + Seek>(mut input: R, limits: &Limits) -> Result<Packed, ReadError> {
    let mut seen = FirstTwo {
        limits,
        descriptor: Vec::new(),
        signature: Vec::new(),
    };
    let inspection = inspect_with(&mut input, &Meter::new(limits.clone()), &mut seen)?;
    let (mut size, mut sha256) = (0, String::new());
    if matches!(inspection.contents, Contents::Vib(_)) {
        input.rewind().map_err(ReadError::reading("file", 0))?;
        let sums = Hashed::new(input).finish();
        let (sums, _) = sums.map_err(ReadError::reading("file", 0))?;
        (size, sha256) = (sums.length, sums.sha256);
    }
    Ok(Packed {
        inspection,
        descriptor: seen.descriptor,
        signature: seen.signature,
        size,
        sha256,
    })
}
