//! The files that travel, and their comparison.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// 64 MiB: more than every buffer between client and disk.
const BIG_LEN: u64 = 64 << 20;
/// 4 MiB: many blocks for whoever reads or writes the file, but quick, for suites that run often.
const MODEST_LEN: u64 = 4 << 20;
const SMALL_LEN: u64 = 100_003;
/// A fixed start, so that a failure can be repeated with the same bytes.
const SEED: u64 = 0x0065_7378_6674_7064;
const COMPARED_AT_ONCE: usize = 1 << 20;

/// A local file and the name that it gets on the server.
pub(crate) struct Sample {
    pub(crate) path: PathBuf,
    pub(crate) name: &'static str,
    /// Bytes.
    pub(crate) len: u64,
}

/// The local files of the suite.
pub(crate) struct Samples {
    pub(crate) big: Sample,
    pub(crate) empty: Sample,
    pub(crate) accented: Sample,
    /// The first half of `big`, as if a transfer had been cut off.
    pub(crate) half: Sample,
}

impl Samples {
    /// Writes them into the directory `dir`, which is created.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn write(dir: &Path) -> Result<Self> {
        Self::write_with(dir, BIG_LEN)
    }

    /// The same with a big file that is not so big.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn write_modest(dir: &Path) -> Result<Self> {
        Self::write_with(dir, MODEST_LEN)
    }

    fn write_with(dir: &Path, big: u64) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let sample = |name, len| -> Result<Sample> {
            let path = dir.join(name);
            write_random(&path, len).with_context(|| format!("{}", path.display()))?;
            Ok(Sample { path, name, len })
        };
        Ok(Self {
            big: sample("big.bin", big)?,
            empty: sample("empty.bin", 0)?,
            accented: sample("Übergröße file №1.bin", SMALL_LEN)?,
            half: sample("half.bin", big / 2)?,
        })
    }

    /// The three that are uploaded whole.
    pub(crate) fn whole(&self) -> [&Sample; 3] {
        [&self.big, &self.empty, &self.accented]
    }

    /// Their names on the server.
    pub(crate) fn names(&self) -> [&'static str; 3] {
        self.whole().map(|sample| sample.name)
    }
}

/// Writes `len` bytes of one pseudo-random sequence (splitmix64): a shorter file is the beginning
/// of a longer one.
fn write_random(path: &Path, len: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut state = SEED;
    let mut left = usize::try_from(len)?;
    while left > 0 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        let part = left.min(8);
        file.write_all(&word.to_le_bytes()[..part])?;
        left -= part;
    }
    file.flush()?;
    Ok(())
}

/// Compares two files byte by byte.
///
/// # Errors
/// With the offset of the first difference.
pub(crate) fn expect_same(found: &Path, expected: &Path) -> Result<()> {
    let mut found_file = open(found)?;
    let mut expected_file = open(expected)?;
    let (mut found_part, mut expected_part) = (Vec::new(), Vec::new());
    let mut offset = 0;
    loop {
        found_part.clear();
        expected_part.clear();
        found_file
            .by_ref()
            .take(COMPARED_AT_ONCE as u64)
            .read_to_end(&mut found_part)?;
        expected_file
            .by_ref()
            .take(COMPARED_AT_ONCE as u64)
            .read_to_end(&mut expected_part)?;
        if found_part != expected_part {
            let same = found_part
                .iter()
                .zip(&expected_part)
                .take_while(|(a, b)| a == b)
                .count();
            let (a, b) = (fs::metadata(found)?.len(), fs::metadata(expected)?.len());
            bail!(
                "{} differs from byte {} on ({a} bytes instead of {b})",
                found.display(),
                offset + same
            );
        }
        if found_part.is_empty() {
            return Ok(());
        }
        offset += found_part.len();
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::new(
        File::open(path).with_context(|| format!("{}", path.display()))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_is_found_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        write_random(&a, 3_000_001).unwrap();
        write_random(&b, 3_000_001).unwrap();
        expect_same(&a, &b).unwrap();
        let mut bytes = fs::read(&a).unwrap();
        bytes[2_500_000] ^= 1;
        fs::write(&a, &bytes).unwrap();
        assert!(
            expect_same(&a, &b)
                .unwrap_err()
                .to_string()
                .contains("byte 2500000")
        );
        fs::write(&a, b"").unwrap();
        assert!(
            expect_same(&a, &b)
                .unwrap_err()
                .to_string()
                .contains("0 bytes instead of 3000001")
        );
    }
}
