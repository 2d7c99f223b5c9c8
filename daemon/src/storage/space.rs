//! Space that may be filled before the kernel is asked again.
//!
//! Asking for each block would be slow, and filling without asking can go below the reserve. So
//! whoever asks is granted a part of what is free, and nobody else is granted the same part: what
//! all of them together fill leaves the reserve alone.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use protocol::request::Failure;

/// The most bytes that are granted at once.
const MOST: u64 = 64 << 20;

/// What is granted at once is this part of what is free: many hold little of the last space.
const PART: u64 = 64;

/// How long the free space of a file system is remembered, while there is [`PLENTY`] of it: no host
/// writes that much in this time.
const REMEMBERED: Duration = Duration::from_millis(200);
const PLENTY: u64 = 4 << 30;

/// Bytes that were ever granted and those of them that nobody will fill any more, by file system.
/// There are as few of these as the host has datastores.
static LEDGERS: Mutex<BTreeMap<u64, Ledger>> = Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Ledger {
    granted: u64,
    /// Filled, so that the kernel counts them, or given back.
    settled: u64,
    /// What was free when the kernel was asked last, and when that was.
    told: Option<(u64, Instant)>,
}

fn ledgers() -> MutexGuard<'static, BTreeMap<u64, Ledger>> {
    LEDGERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is free on a file system beside the reserve: `ask` asks the kernel, if that has to be.
pub(super) fn free(device: u64, reserve: u64, ask: impl FnOnce() -> u64) -> u64 {
    let now = Instant::now();
    let told = ledgers().entry(device).or_default().told;
    let told = told.filter(|(_, at)| now.duration_since(*at) < REMEMBERED);
    let available = match told {
        Some((available, _)) if available.saturating_sub(reserve) > PLENTY => available,
        _ => {
            let available = ask();
            ledgers().entry(device).or_default().told = Some((available, now));
            available
        }
    };
    available.saturating_sub(reserve)
}

/// What one upload or copy may fill. The rest is given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct SpaceReservation {
    device: u64,
    left: u64,
}

impl SpaceReservation {
    /// None yet, on this file system.
    pub(super) fn on(device: u64) -> Self {
        Self { device, left: 0 }
    }

    /// The file system.
    pub(super) fn device(&self) -> u64 {
        self.device
    }

    /// Sees to it that so many bytes may be filled. `free` asks the kernel, if that has to be, how
    /// many may be in all.
    ///
    /// # Errors
    /// [`Failure::NoSpace`] if they do not fit beside what is granted to others.
    pub(super) fn reserve(
        &mut self,
        needed: u64,
        free: impl FnOnce() -> u64,
    ) -> Result<(), Failure> {
        if needed <= self.left {
            return Ok(());
        }
        self.commit(self.left);
        // What is settled after this is still free for `free`, or given back: rather too little.
        let settled = ledgers().entry(self.device).or_default().settled;
        let free = free();
        let mut ledgers = ledgers();
        let ledger = ledgers.entry(self.device).or_default();
        let free = free.saturating_sub(ledger.granted.wrapping_sub(settled));
        if free < needed {
            return Err(Failure::NoSpace);
        }
        self.left = (free / PART).min(MOST).max(needed);
        ledger.granted = ledger.granted.wrapping_add(self.left);
        Ok(())
    }

    /// Tells that so many bytes have been filled.
    pub(super) fn commit(&mut self, bytes: u64) {
        if bytes > 0 {
            self.left = self.left.saturating_sub(bytes);
            let mut ledgers = ledgers();
            let ledger = ledgers.entry(self.device).or_default();
            ledger.settled = ledger.settled.wrapping_add(bytes);
        }
    }
}

impl Drop for SpaceReservation {
    fn drop(&mut self) {
        self.commit(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_granted_twice() {
        // No file system of this machine.
        let reservation = || SpaceReservation::on(u64::MAX);
        let (mut one, mut other) = (reservation(), reservation());
        assert_eq!(one.reserve(600, || 1000), Ok(()));
        assert_eq!(other.reserve(600, || 1000), Err(Failure::NoSpace));
        // The kernel counts what has been filled.
        one.commit(600);
        assert_eq!(other.reserve(600, || 400), Err(Failure::NoSpace));
        assert_eq!(other.reserve(400, || 400), Ok(()));
        assert_eq!(one.reserve(1, || 400), Err(Failure::NoSpace));
        drop(other);
        assert_eq!(one.reserve(400, || 400), Ok(()));
        assert_eq!(
            SpaceReservation::on(u64::MAX - 1).reserve(600, || 1000),
            Ok(())
        );
    }

    #[test]
    fn a_part_of_much_space_lasts_for_many_blocks() {
        let mut reservation = SpaceReservation::on(u64::MAX - 2);
        assert_eq!(reservation.reserve(1, || u64::MAX), Ok(()));
        assert_eq!(reservation.reserve(MOST, || panic!("asked again")), Ok(()));
        reservation.commit(MOST);
        assert_eq!(reservation.reserve(1, || 100 * PART), Ok(()));
        assert_eq!(reservation.left, 100);
    }
}
