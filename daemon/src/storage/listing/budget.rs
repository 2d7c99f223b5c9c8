//! Memory for listings: so much for all of them together.
//!
//! Each listing takes [`BASE_BYTES`] when it begins, or is refused. That is enough for a directory of
//! any size, in parts. To sort all names of a large directory takes more; where that is refused, the
//! directory is listed unsorted.

use std::{
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering},
};

use protocol::request::Failure;

use crate::{config::Transfers, sys::memory};

/// What a listing needs however large the directory is: lines that are collected, a part of the names,
/// a slice of entries with the targets of links.
pub(super) const BASE_BYTES: usize = 512 * 1024;

/// Items by which something grows at the least.
const LEAST_GROWTH: usize = 64;

/// What all listings use, in bytes.
#[derive(Debug, Default)]
pub(super) struct Pool(AtomicUsize);

static POOL: Pool = Pool(AtomicUsize::new(0));

/// For listings that are small for certain.
static UNCOUNTED: Pool = Pool(AtomicUsize::new(0));

/// The bound that listings share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pool: &'static Pool,
    total: usize,
}

/// Bytes that are taken from the budget until this is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// The one of these settings.
    pub(super) fn new(transfers: &Transfers) -> Self {
        let total = usize::try_from(transfers.listing_buffers.0).unwrap_or(usize::MAX);
        Self { pool: &POOL, total }
    }

    /// One that refuses nothing.
    pub(super) fn uncounted() -> Self {
        Self {
            pool: &UNCOUNTED,
            total: usize::MAX,
        }
    }

    /// One that only this test uses.
    #[cfg(test)]
    pub(super) fn alone(total: usize) -> Self {
        let pool = Box::leak(Box::default());
        Self { pool, total }
    }

    /// Takes what a listing needs.
    ///
    /// # Errors
    /// [`Failure::ListingsFull`].
    pub(super) fn begin(self) -> Result<Charge, Failure> {
        let mut charge = self.nothing();
        if charge.take(BASE_BYTES, self.total) {
            Ok(charge)
        } else {
            Err(Failure::ListingsFull)
        }
    }

    /// A charge of no bytes.
    pub(super) fn nothing(self) -> Charge {
        Charge {
            budget: self,
            bytes: 0,
        }
    }

    /// Bytes in use.
    pub(super) fn used(self) -> usize {
        self.pool.0.load(Ordering::Relaxed)
    }
}

impl Charge {
    /// Takes more for what a listing can do without, and returns whether there was as much. A
    /// quarter is left for listings that begin.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        self.take(bytes, self.budget.total - self.budget.total / 4)
    }

    /// Gives some of it back.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.pool.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn take(&mut self, bytes: usize, most: usize) -> bool {
        let relaxed = Ordering::Relaxed;
        let used = &self.budget.pool.0;
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= most);
        // Others may hold more than `most` already.
        let taken = bytes == 0 || used.fetch_update(relaxed, relaxed, add).is_ok();
        if taken {
            self.bytes += bytes;
        }
        taken
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// Items whose memory is charged.
#[derive(Debug)]
pub(super) struct Charged<T> {
    items: Vec<T>,
    charge: Charge,
    /// Bytes that [`BASE_BYTES`] has room for.
    covered: usize,
    /// Whether it may become larger than that.
    grows: bool,
}

impl<T> Charged<T> {
    /// No items, the first of which take what the listing has taken already.
    pub(super) fn new(budget: Budget, covered: usize) -> Self {
        Self {
            items: Vec::new(),
            charge: budget.nothing(),
            covered,
            grows: true,
        }
    }

    /// No items, and never more than are covered.
    pub(super) fn covered(budget: Budget, covered: usize) -> Self {
        Self {
            grows: false,
            ..Self::new(budget, covered)
        }
    }

    /// Makes room for more items, and returns whether there is.
    pub(super) fn make_room(&mut self, more: usize) -> bool {
        let capacity = self.items.capacity();
        let needed = self.items.len().saturating_add(more);
        let generous = needed.max(capacity + capacity / 2).max(LEAST_GROWTH);
        needed <= capacity || self.grow_to(generous) || self.grow_to(needed)
    }

    fn grow_to(&mut self, capacity: usize) -> bool {
        let bytes = |items: usize| items.saturating_mul(size_of::<T>());
        let (before, after) = (bytes(self.items.capacity()), bytes(capacity));
        if !self.grows && after > self.covered {
            return false;
        }
        let more = after.max(self.covered) - before.max(self.covered);
        if !self.charge.grow(more) {
            return false;
        }
        let has_room = memory::make_room(&mut self.items, capacity);
        if !has_room {
            self.charge.shrink(more);
        }
        has_room
    }

    /// Appends an item, if there is room.
    pub(super) fn push(&mut self, item: T) -> bool {
        let has_room = self.make_room(1);
        if has_room {
            self.items.push(item);
        }
        has_room
    }

    /// Takes the last one away.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    /// The items, to be changed in place.
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// Leaves out the items that are not kept.
    pub(super) fn retain(&mut self, kept: impl FnMut(&T) -> bool) {
        self.items.retain(kept);
    }
}

impl<T: Copy> Charged<T> {
    /// Appends items, if there is room.
    pub(super) fn append(&mut self, items: &[T]) -> bool {
        let has_room = self.make_room(items.len());
        if has_room {
            self.items.extend_from_slice(items);
        }
        has_room
    }
}

impl<T> Deref for Charged<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: usize = 4 << 20;

    #[test]
    fn all_listings_together_stay_within_the_total_and_give_it_back() {
        let budget = Budget::alone(TOTAL);
        let mut begun = vec![budget.begin().unwrap()];
        let mut names = Charged::<u64>::new(budget, 0);
        while names.push(7) {}
        // Others can begin all the same.
        assert!(budget.used() <= TOTAL / 4 * 3, "{}", budget.used());
        assert!(names.len() * size_of::<u64>() > TOTAL / 3);
        begun.extend(std::iter::from_fn(|| budget.begin().ok()));
        assert!(begun.len() > 2 && budget.used() <= TOTAL);
        assert_eq!(budget.begin().unwrap_err(), Failure::ListingsFull);
        drop(names);
        assert_eq!(budget.used(), begun.len() * BASE_BYTES);
        drop(begun);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_covered_is_not_charged_twice() {
        let budget = Budget::alone(TOTAL);
        let mut part = Charged::<u64>::covered(budget, 8000);
        while part.push(7) {}
        assert_eq!((part.len(), budget.used()), (1000, 0));
        let mut all = Charged::<u64>::new(budget, 8000);
        assert!(all.make_room(1000) && budget.used() == 0);
        assert!(all.make_room(2000) && (1..=16000).contains(&budget.used()));
    }
}
