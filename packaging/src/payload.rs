//! A payload: a gzipped archive and the three digests by which releases of the host check it.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use crate::contents::Entry;
use crate::digest::{Digesting, Sha1, Sha256, Sum};
use crate::manifest::PayloadType;
use crate::source::Sources;
use crate::{Epoch, Error, tar, vmtar};

/// Operating system "unknown", as the vendor's tools write it (FORMAT.md T6).
const GZIP_OS_UNKNOWN: u8 = 255;

/// An archive of a package: its name and what it holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Payload {
    /// Name, which is also that of its member (FORMAT.md A4, I9).
    pub name: String,
    /// Kind of its archive.
    pub kind: PayloadType,
    /// File name in the boot bank, if it was chosen (FORMAT.md H2).
    pub vfat_name: Option<String>,
    /// Files and directories, sorted by path.
    pub entries: Vec<Entry>,
}

/// What a descriptor says about the bytes of a payload.
#[derive(Debug)]
pub(crate) struct Sums {
    /// SHA-256 of the bytes as stored.
    pub(crate) packed_sha256: Sum,
    /// SHA-256 of the archive.
    pub(crate) plain_sha256: Sum,
    /// SHA-1 of the archive.
    pub(crate) plain_sha1: Sum,
}

impl Payload {
    /// Writes the payload in one pass: archived, hashed twice, compressed, hashed once.
    pub(crate) fn write(
        &self,
        sources: &dyn Sources,
        mtime: Epoch,
        out: &mut dyn Write,
    ) -> Result<Sums, Error> {
        let stored = Digesting::<_, Sha256>::new(out);
        // No name, no time: the header is the same for every package. `best` is what writes XFL 2.
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(GZIP_OS_UNKNOWN)
            .write(stored, Compression::best());
        let mut plain = Digesting::<_, Sha256>::new(Digesting::<_, Sha1>::new(gzip));
        match self.kind {
            PayloadType::Tgz => tar::write(&self.entries, sources, mtime, &mut plain)?,
            PayloadType::Vgz => vmtar::write(&self.entries, sources, mtime, &mut plain)?,
        }
        let (rest, plain_sha256) = plain.finish();
        let (gzip, plain_sha1) = rest.finish();
        let (_, packed_sha256) = gzip.finish().map_err(Error::writing("gzip"))?.finish();
        Ok(Sums {
            packed_sha256,
            plain_sha256,
            plain_sha1,
        })
    }
}
