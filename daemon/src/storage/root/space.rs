//! The space of a file system.

use std::os::fd::BorrowedFd;

use nix::sys::statvfs::{Statvfs, fstatvfs};
use protocol::request::Failure;

use super::uninterrupted;

/// The space of a file system as the kernel tells it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawSpace {
    /// All of it.
    pub(crate) total: u64,
    /// What can still be written.
    pub(crate) available: u64,
}

/// The space of the file system of an open file or directory.
///
/// # Errors
/// [`Failure::Unsupported`] if the kernel does not tell, or tells nonsense.
pub(super) fn space_at(place: BorrowedFd<'_>) -> Result<RawSpace, Failure> {
    let told = uninterrupted(|| fstatvfs(place)).map_err(|_errno| Failure::Unsupported)?;
    sensible_space(&told).ok_or(Failure::Unsupported)
}

/// What the kernel tells of a file system, if it can be true.
fn sensible_space(told: &Statvfs) -> Option<RawSpace> {
    let block = match told.fragment_size() {
        0 => told.block_size(),
        size => size,
    };
    let total = told
        .blocks()
        .checked_mul(block)
        .filter(|total| *total > 0)?;
    let available = told.blocks_available().checked_mul(block)?;
    (available <= total).then_some(RawSpace { total, available })
}
