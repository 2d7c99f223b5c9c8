//! Few lines about what happens again and again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The time in which lines are counted together.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// Lines of one key in one window; the tenth has the number of all others.
pub(crate) const LINES: u64 = 9;

/// Counts lines by a key: whom they are about, and what. Not in a hash map, which needs random
/// numbers: the log is there to say that the kernel has none.
#[derive(Debug)]
pub(crate) struct Floods<K> {
    /// Keys that are counted one by one.
    most: usize,
    windows: Mutex<BTreeMap<K, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u64,
}

/// Lines that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rest<K> {
    /// What they were about.
    pub(crate) key: K,
    /// How many.
    pub(crate) more: u64,
}

impl<K: Ord + Clone> Floods<K> {
    /// Counts so many keys one by one.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            windows: Mutex::default(),
        }
    }

    /// Whether there is a line for this, and what was left out in the window that has ended with it.
    /// A key for which there is no room counts as that of `others`.
    pub(crate) fn count(
        &self,
        mut key: K,
        others: impl FnOnce(&K) -> K,
        now: Instant,
    ) -> (bool, Option<Rest<K>>) {
        let mut windows = self.windows();
        if windows.len() >= self.most && !windows.contains_key(&key) {
            key = others(&key);
        }
        let over = windows.get(&key).is_some_and(|window| window.is_over(now));
        let rest = if over { windows.remove(&key) } else { None };
        let rest = rest.and_then(|window| window.rest(key.clone()));
        let window = windows.entry(key).or_insert(Window {
            since: now,
            lines: 0,
        });
        window.lines += 1;
        (window.lines <= LINES, rest)
    }

    /// What was left out, as far as its time has come, or all of it.
    pub(crate) fn take(&self, now: Instant, all: bool) -> Vec<Rest<K>> {
        let mut windows = self.windows();
        let taken = windows.extract_if(.., |_, window| all || window.is_over(now));
        taken.filter_map(|(key, window)| window.rest(key)).collect()
    }

    /// Keys that are counted now.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.windows().len()
    }

    fn windows(&self) -> MutexGuard<'_, BTreeMap<K, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }

    fn rest<K>(self, key: K) -> Option<Rest<K>> {
        let more = self.lines.checked_sub(LINES).filter(|more| *more > 0)?;
        Some(Rest { key, more })
    }
}
