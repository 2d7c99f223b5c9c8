//! Memory that has been used before, for what servers store.
//!
//! A virtual machine may have to ask its host for memory that it has not used yet, and its kernel
//! may report free memory back to the host, in pieces of 128 KiB or more (free page reporting). The
//! first use of such memory is up to ten times slower than any later one, so a figure would tell
//! of the host and not of the server. So as much memory as the measures need is used once, and
//! then let go in pieces that are too small to be reported: the kernel takes those first.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::fcntl::{FallocateFlags, fallocate};

use super::subject::MIB;

/// What is written at once.
const BLOCK_BYTES: u64 = MIB;
/// Of so much memory, one page is held. Neighbours in the file are mostly neighbours in memory, so
/// no free piece is larger.
const SPACING: u64 = 64 << 10;
const PAGE: u64 = 4 << 10;

/// What [`warm`] holds of so many bytes.
pub(super) const fn held(bytes: u64) -> u64 {
    bytes / SPACING * PAGE
}

/// Uses so many bytes of memory once, in a file system that is in memory, and lets go of them but
/// for pages that the returned file holds.
///
/// # Errors
/// If there is not as much.
pub(super) fn warm(dir: &Path, bytes: u64) -> Result<File> {
    let mut file = tempfile::tempfile_in(dir).with_context(|| dir.display().to_string())?;
    let block = vec![1; usize::try_from(BLOCK_BYTES)?];
    for _ in 0..bytes.div_ceil(BLOCK_BYTES) {
        file.write_all(&block).context("using memory once")?;
    }
    let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let mut start = 0;
    while start < bytes {
        let (from, length) = (start + PAGE, SPACING - PAGE);
        fallocate(&file, hole, i64::try_from(from)?, i64::try_from(length)?)
            .context("letting memory go")?;
        start += SPACING;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn one_page_of_sixteen_is_held() {
        let bytes = 10 * MIB;
        let file = warm(Path::new("/dev/shm"), bytes).unwrap();
        let found = file.metadata().unwrap();
        assert_eq!(found.len(), bytes);
        assert_eq!(found.blocks() * 512, held(bytes));
        assert_eq!(held(bytes), bytes / 16);
    }
}
