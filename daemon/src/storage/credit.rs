//! Space that may be filled before the kernel is asked again.
//!
//! Asking for each block would be slow, and filling without asking can go below the reserve. So
//! whoever asks is granted a part of what is free, and nobody else is granted the same part: what
//! all of them together fill leaves the reserve alone.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Failure;

/// The most bytes that are granted at once.
const MOST: u64 = 64 << 20;

/// What is granted at once is this part of what is free: many hold little of the last space.
const PART: u64 = 64;

/// Bytes that were ever granted and those of them that nobody will fill any more, by file system.
/// There are as few of these as the host has datastores.
static BOOKS: Mutex<BTreeMap<u64, Book>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Book {
    granted: u64,
    /// Filled, so that the kernel counts them, or given back.
    settled: u64,
}

fn books() -> MutexGuard<'static, BTreeMap<u64, Book>> {
    BOOKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one upload or copy may fill. The rest is given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Credit {
    device: u64,
    left: u64,
}

impl Credit {
    /// None yet, on this file system.
    pub(super) fn on(device: u64) -> Self {
        Self { device, left: 0 }
    }

    /// Sees to it that so many bytes may be filled. `free` asks the kernel, if that has to be, how
    /// many may be in all.
    ///
    /// # Errors
    /// [`Failure::NoSpace`] if they do not fit beside what is granted to others.
    pub(super) fn cover(&mut self, needed: u64, free: impl FnOnce() -> u64) -> Result<(), Failure> {
        if needed <= self.left {
            return Ok(());
        }
        self.settle(self.left);
        // What is settled after this is still free for `free`, or given back: rather too little.
        let settled = books().entry(self.device).or_default().settled;
        let free = free();
        let mut books = books();
        let book = books.entry(self.device).or_default();
        let free = free.saturating_sub(book.granted.wrapping_sub(settled));
        if free < needed {
            return Err(Failure::NoSpace);
        }
        self.left = (free / PART).min(MOST).max(needed);
        book.granted = book.granted.wrapping_add(self.left);
        Ok(())
    }

    /// Tells that so many bytes have been filled.
    pub(super) fn settle(&mut self, bytes: u64) {
        if bytes > 0 {
            self.left = self.left.saturating_sub(bytes);
            let mut books = books();
            let book = books.entry(self.device).or_default();
            book.settled = book.settled.wrapping_add(bytes);
        }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        self.settle(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_granted_twice() {
        // No file system of this machine.
        let credit = || Credit::on(u64::MAX);
        let (mut one, mut other) = (credit(), credit());
        assert_eq!(one.cover(600, || 1000), Ok(()));
        assert_eq!(other.cover(600, || 1000), Err(Failure::NoSpace));
        // The kernel counts what has been filled.
        one.settle(600);
        assert_eq!(other.cover(600, || 400), Err(Failure::NoSpace));
        assert_eq!(other.cover(400, || 400), Ok(()));
        assert_eq!(one.cover(1, || 400), Err(Failure::NoSpace));
        drop(other);
        assert_eq!(one.cover(400, || 400), Ok(()));
        assert_eq!(Credit::on(u64::MAX - 1).cover(600, || 1000), Ok(()));
    }

    #[test]
    fn a_part_of_much_space_lasts_for_many_blocks() {
        let mut credit = Credit::on(u64::MAX - 2);
        assert_eq!(credit.cover(1, || u64::MAX), Ok(()));
        assert_eq!(credit.cover(MOST, || panic!("asked again")), Ok(()));
        credit.settle(MOST);
        assert_eq!(credit.cover(1, || 100 * PART), Ok(()));
        assert_eq!(credit.left, 100);
    }
}
