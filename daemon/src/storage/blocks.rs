//! Memory for blocks of files: so much for all transfers together, so much for each.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{config::Transfers, sys::memory};

/// What every transfer gets for a block, however many there are. It bounds what they use beyond the
/// configured total.
const LEAST: usize = 32 * 1024;

/// Blocks in use at one time by a transfer with two threads.
pub(crate) const BLOCKS: usize = 3;

/// With so many transfers or fewer, processors wait for work.
const FEW: usize = 2;

/// Blocks begin at a multiple of this, which suits file systems without a cache.
const ALIGNMENT: usize = 4096;

/// What all transfers use.
#[derive(Debug, Default)]
struct Pool {
    used: AtomicUsize,
    transfers: AtomicUsize,
}

static POOL: Pool = Pool {
    used: AtomicUsize::new(0),
    transfers: AtomicUsize::new(0),
};

/// The claim of one transfer on the memory.
#[derive(Debug)]
pub(crate) struct Claim {
    pool: &'static Pool,
    total: usize,
    largest: usize,
}

/// A block of bytes. It is given back when dropped.
#[derive(Debug)]
pub(crate) struct Block {
    pool: &'static Pool,
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Claim {
    /// A claim under these settings.
    pub(crate) fn new(transfers: &Transfers) -> Arc<Self> {
        let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        let total = bytes(transfers.buffers.0);
        Self::on(&POOL, total, bytes(transfers.block_size.0))
    }

    /// A claim beside which there is no other.
    #[cfg(test)]
    pub(crate) fn alone(transfers: &Transfers) -> Arc<Self> {
        let bytes = |size: u64| usize::try_from(size).unwrap();
        let pool = Box::leak(Box::default());
        Self::on(
            pool,
            bytes(transfers.buffers.0),
            bytes(transfers.block_size.0),
        )
    }

    fn on(pool: &'static Pool, total: usize, largest: usize) -> Arc<Self> {
        pool.transfers.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            pool,
            total,
            largest,
        })
    }

    /// The size of blocks that is fair now: a power of two. It sinks with the number of transfers.
    fn share(&self) -> usize {
        let transfers = self.pool.transfers.load(Ordering::Relaxed).max(1);
        let fair = self.total / transfers / BLOCKS;
        power_of_two(fair).clamp(LEAST, self.largest.max(LEAST))
    }

    /// Whether few transfers task.
    pub(crate) fn is_one_of_few(&self) -> bool {
        self.pool.transfers.load(Ordering::Relaxed) <= FEW
    }

    /// A block of at most `wanted` bytes, and fewer if memory is short.
    pub(crate) fn block(&self, wanted: usize) -> Block {
        let mut length = wanted.clamp(1, self.share());
        // Small ones are not worth a refusal.
        while length > LEAST {
            if let Some(block) = self.charged(length) {
                return block;
            }
            length /= 2;
        }
        self.pool.used.fetch_add(length, Ordering::Relaxed);
        let spare = if length < LEAST { 0 } else { ALIGNMENT };
        Block::new(self.pool, length, vec![0; length + spare])
    }

    /// A block of this size, if the configuration allows it and the host has memory for it.
    fn charged(&self, length: usize) -> Option<Block> {
        if !self.charge(length) {
            return None;
        }
        let bytes = memory::zeroed(length + ALIGNMENT);
        if bytes.is_none() {
            self.pool.used.fetch_sub(length, Ordering::Relaxed);
        }
        bytes.map(|bytes| Block::new(self.pool, length, bytes))
    }

    /// The largest block that can be had.
    pub(crate) fn large_block(&self) -> Block {
        self.block(usize::MAX)
    }

    /// The block itself, or another one if its size is not fair any more, and `wanted` allows it.
    pub(crate) fn renew(&self, block: Block, wanted: usize) -> Block {
        let length = wanted.clamp(1, self.share());
        if block.length < length
            && let Some(larger) = self.charged(length)
        {
            return larger;
        }
        if block.length > length {
            drop(block);
            return self.block(length);
        }
        block
    }

    fn charge(&self, length: usize) -> bool {
        let total = self.total;
        let add = |used: usize| used.checked_add(length).filter(|sum| *sum <= total);
        let relaxed = Ordering::Relaxed;
        self.pool.used.fetch_update(relaxed, relaxed, add).is_ok()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.pool.transfers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Block {
    /// A block in these bytes, aligned if there are some to spare.
    fn new(pool: &'static Pool, length: usize, bytes: Vec<u8>) -> Self {
        let spare = bytes.len().saturating_sub(length);
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(spare);
        Self {
            pool,
            bytes,
            start,
            length,
        }
    }

    /// Its size in bytes; never zero.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The bytes at its front, `length` of them at the most.
    pub(crate) fn front(&self, length: usize) -> &[u8] {
        let end = self.start + length.min(self.length);
        self.bytes.get(self.start..end).unwrap_or_default()
    }

    /// The bytes at its front to be changed, `length` of them at the most.
    pub(crate) fn front_mut(&mut self, length: usize) -> &mut [u8] {
        let end = self.start + length.min(self.length);
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }

    /// How much of it to use at this position of a file, so that the next block begins at a
    /// multiple of its size.
    pub(crate) fn aligned_length(&self, position: u64) -> usize {
        let size = power_of_two(self.length) as u64;
        usize::try_from(size - position % size).unwrap_or(self.length)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.used.fetch_sub(self.length, Ordering::Relaxed);
    }
}

/// The largest power of two that is not larger.
fn power_of_two(bytes: usize) -> usize {
    bytes.checked_ilog2().map_or(1, |log| 1 << log)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOTAL: usize = 32 << 20;
    const LARGEST: usize = 1 << 20;

    fn claim(pool: &'static Pool) -> Arc<Claim> {
        Claim::on(pool, TOTAL, LARGEST)
    }

    fn pool() -> &'static Pool {
        Box::leak(Box::default())
    }

    #[test]
    fn a_single_transfer_gets_large_blocks_and_gives_them_back() {
        let pool = pool();
        let claim = claim(pool);
        let blocks: Vec<_> = (0..BLOCKS).map(|_| claim.large_block()).collect();
        for block in &blocks {
            assert_eq!(block.length(), LARGEST);
            assert_eq!(block.front(LARGEST).len(), LARGEST);
            assert_eq!(block.front(LARGEST).as_ptr().align_offset(ALIGNMENT), 0);
        }
        assert_eq!(pool.used.load(Ordering::Relaxed), BLOCKS * LARGEST);
        drop((blocks, claim));
        assert_eq!(pool.used.load(Ordering::Relaxed), 0);
        assert_eq!(pool.transfers.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn many_transfers_stay_within_the_total() {
        let pool = pool();
        let mut transfers = Vec::new();
        // None of them moves, so none shrinks for those that come later.
        for _ in 0..50 {
            let claim = claim(pool);
            let blocks: Vec<_> = (0..BLOCKS).map(|_| claim.large_block()).collect();
            transfers.push((claim, blocks));
        }
        let used = pool.used.load(Ordering::Relaxed);
        assert!(used <= TOTAL + 50 * BLOCKS * LEAST, "{used}");
        // When the others move, the last gets its share.
        for (claim, blocks) in &mut transfers {
            *blocks = blocks
                .drain(..)
                .map(|block| claim.renew(block, LARGEST))
                .collect();
        }
        let (last, blocks) = transfers.last_mut().unwrap();
        *blocks = blocks
            .drain(..)
            .map(|block| last.renew(block, LARGEST))
            .collect();
        assert!(blocks.iter().all(|block| block.length() == 128 << 10));
    }

    #[test]
    fn a_small_block_is_small() {
        let claim = claim(pool());
        assert_eq!(claim.block(10).front(100).len(), 10);
        assert_eq!(claim.block(0).length(), 1);
    }

    proptest! {
        #[test]
        fn blocks_end_at_multiples_of_their_size(wanted in 1_usize..100_000, position: u32) {
            let block = claim(pool()).block(wanted);
            let length = block.aligned_length(position.into());
            prop_assert!(0 < length && length <= block.length());
            let size = power_of_two(block.length()) as u64;
            prop_assert_eq!((u64::from(position) + length as u64) % size, 0);
        }
    }
}
