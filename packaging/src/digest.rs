//! Digests, computed while the bytes are written: what was hashed is what was stored.

use std::fmt::Write as _;
use std::io::{self, Write};

use sha2::digest::{Digest, Output};

pub use sha1::Sha1;
pub use sha2::Sha256;

/// Passes bytes on to `W` and hashes them with `D`.
#[derive(Debug)]
pub struct Digesting<W, D> {
    inner: W,
    hasher: D,
    length: u64,
}

impl<W: Write, D: Digest> Digesting<W, D> {
    /// Hashes what will be written to `inner` from now on.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: D::new(),
            length: 0,
        }
    }

    /// The inner writer, and the digest and length of all that went through.
    pub fn finish(self) -> (W, Sum) {
        (
            self.inner,
            Sum {
                hex: hex::<D>(&self.hasher.finalize()),
                length: self.length,
            },
        )
    }
}

impl<W: Write, D: Digest> Write for Digesting<W, D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        let (written, _) = bytes
            .split_at_checked(count)
            .ok_or(io::ErrorKind::InvalidData)?;
        self.hasher.update(written);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Digest of a run of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The digest in lower-case hexadecimal digits.
    pub hex: String,
    /// Number of bytes.
    pub length: u64,
}

/// SHA-256 of `bytes`, in lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex::<Sha256>(&Sha256::digest(bytes))
}

fn hex<D: Digest>(digest: &Output<D>) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_reach_the_inner_writer_and_the_digest() {
        let mut writer = Digesting::<_, Sha1>::new(Vec::new());
        writer.write_all(b"a").unwrap();
        writer.write_all(b"bc").unwrap();
        let (bytes, sum) = writer.finish();
        assert_eq!(bytes, b"abc");
        assert_eq!(sum.length, 3);
        assert_eq!(sum.hex, "a9993e364706816aba3e25717850c26c9cd0d89d"); // FIPS 180, appendix A.1
    }

    #[test]
    fn sha256_matches_the_published_example() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
