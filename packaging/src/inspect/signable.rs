//! Finds the place of a signature in a VIB, for whoever replaces it.

use std::io::{BufReader, Read, Seek};

use super::limits::{Limits, Meter};
use super::stream::{fill, whole};
use super::vib::{DESCRIPTOR, SIGNATURE};
use super::{Expected, ReadError, ar, legacy, payload};
use crate::sign::SignError;

/// The front of a VIB.
pub(crate) struct Signable {
    /// The exact bytes of the descriptor.
    pub(crate) descriptor: Vec<u8>,
    /// Where the header of the signature begins, in bytes.
    pub(crate) begins: u64,
    /// Where the member behind it begins, or the file ends.
    pub(crate) ends: u64,
    /// Whether the signature is not empty.
    pub(crate) signed: bool,
}

/// Reads the first two members.
pub(crate) fn signable<R: Read + Seek>(
    input: &mut R,
    limits: &Limits,
) -> Result<Signable, SignError> {
    let mut magic = [0; ar::MAGIC.len()];
    let length = fill(input, &mut magic).map_err(ReadError::reading("file", 0))?;
    input.rewind().map_err(ReadError::reading("file", 0))?;
    let (magic, _) = magic.split_at(length);
    if magic.starts_with(b"PK") {
        return Err(SignError::NotSignable {
            found: "an offline bundle",
            remedy: "hosts look at the signatures of the VIBs in it: pack it again with --key and --cert",
        });
    }
    if magic.starts_with(payload::GZIP) {
        return Err(SignError::NotSignable {
            found: "an archive without a descriptor",
            remedy: "make a VIB of it first",
        });
    }
    let meter = Meter::new(limits.clone());
    let mut archive = ar::Reader::new(BufReader::new(input), &meter)?;
    let first = match archive.next_member()? {
        Some(first) if first.name == DESCRIPTOR => first,
        Some(first) if legacy::begins_with(&first.name) => {
            return Err(SignError::NotSignable {
                found: "a VIB of 4.x",
                remedy: "build a package for 5.0 or later",
            });
        }
        other => return Err(archive.unexpected(other, Expected::Descriptor).into()),
    };
    let descriptor = whole(&mut archive, limits.xml_bytes, DESCRIPTOR, first.offset)?;
    let second = match archive.next_member()? {
        Some(second) if second.name == SIGNATURE => second,
        other => return Err(archive.unexpected(other, Expected::Signature).into()),
    };
    // The header of the next member, if there is one, tells where it begins.
    let ends = match archive.next_member()? {
        Some(third) => third.offset,
        None => archive.offset(),
    };
    Ok(Signable {
        descriptor,
        begins: second.offset,
        ends,
        signed: second.size > 0,
    })
}
