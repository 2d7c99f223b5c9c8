//! The payload: a gzipped tar and the three digests by which releases of the host check it.

use flate2::{Compression, GzBuilder};

use crate::digest::{Digesting, Sha1, Sha256, Sum};
use crate::{Error, Package, tar};

/// Operating system "unknown", as the vendor's tools write it (FORMAT.md T6).
const GZIP_OS_UNKNOWN: u8 = 255;

/// A payload of type `tgz`.
#[derive(Debug)]
pub(crate) struct Payload {
    /// The bytes as stored.
    pub(crate) bytes: Vec<u8>,
    pub(crate) sums: Sums,
}

/// What a descriptor says about a payload.
#[derive(Debug)]
pub(crate) struct Sums {
    /// SHA-256 of the bytes as stored.
    pub(crate) packed_sha256: Sum,
    /// SHA-256 of the tar.
    pub(crate) tar_sha256: Sum,
    /// SHA-1 of the tar.
    pub(crate) tar_sha1: Sum,
}

impl Payload {
    /// Packs the entries in one pass: tar, hashed twice, compressed, hashed once.
    pub(crate) fn build(package: &Package) -> Result<Self, Error> {
        let stored = Digesting::<_, Sha256>::new(Vec::new());
        // No name, no time: the header is the same for every package. `best` is what writes XFL 2.
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(GZIP_OS_UNKNOWN)
            .write(stored, Compression::best());
        let hashed = Digesting::<_, Sha256>::new(Digesting::<_, Sha1>::new(gzip));

        let mut archive = tar::Writer::new(hashed, package.facts.epoch);
        for entry in &package.entries {
            archive.entry(entry)?;
        }

        let (rest, tar_sha256) = archive.finish()?.finish();
        let (gzip, tar_sha1) = rest.finish();
        let (bytes, packed_sha256) = gzip.finish().map_err(Error::writing("gzip"))?.finish();
        Ok(Self {
            bytes,
            sums: Sums {
                packed_sha256,
                tar_sha256,
                tar_sha1,
            },
        })
    }
}
