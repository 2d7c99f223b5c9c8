//! Refused logins and bans by address, in bounded memory. Time is an argument.

use std::time::{Duration, Instant};

use crate::{config::MOST_FAILURES, origin::Origin};

/// The most addresses that are kept.
pub(super) const MOST_ADDRESSES: usize = 4096;

/// Milliseconds of a tick: times are kept in 32 bits.
const TICK: u32 = 100;

/// What is kept of a login name: a hash of one that an account has, or this of one that none has.
pub(super) const UNKNOWN_NAME: u16 = 0;

/// When an address is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Refused logins.
    pub(super) failures: u8,
    /// In which they count.
    pub(super) window: Duration,
    /// How long the ban is.
    pub(super) ban: Duration,
}

/// The addresses whose logins were refused.
#[derive(Debug)]
pub(super) struct Table {
    start: Instant,
    entries: Vec<Entry>,
}

/// One address: the failures that still count, or a ban.
#[derive(Debug)]
struct Entry {
    origin: Origin,
    /// The tick after each failure's, oldest first; 0 for none.
    times: [u32; MOST_FAILURES as usize],
    names: [u16; MOST_FAILURES as usize],
    /// The tick at which its ban ends; 0 without a ban.
    until: u32,
    /// Connections that were refused during the ban.
    refused: u32,
    /// The failures that led to the ban.
    counted: u8,
}

/// A ban, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ban {
    /// Whom it is for.
    pub(crate) origin: Origin,
    /// Refused logins that led to it.
    pub(crate) failures: u8,
    /// Connections that were refused since.
    pub(crate) refused: u32,
    /// What is left of it.
    pub(crate) left: Duration,
}

/// What a refused login has led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Consequence {
    /// A ban, and the names that the refused logins used.
    pub(super) ban: Option<(Ban, Vec<u16>)>,
    /// A ban that was ended early because the table was full.
    pub(super) displaced: Option<Ban>,
}

impl Table {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            entries: Vec::new(),
        }
    }

    fn tick(&self, at: Instant) -> u32 {
        let ticks = at.saturating_duration_since(self.start).as_millis() / u128::from(TICK);
        u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn find(&mut self, origin: Origin) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.origin == origin)
    }

    /// Counts a connection if it is to be refused; whether it is.
    pub(super) fn refuses(&mut self, origin: Origin, now: Instant) -> bool {
        let tick = self.tick(now);
        let entry = self.find(origin).filter(|entry| entry.until > tick);
        entry
            .map(|entry| entry.refused = entry.refused.saturating_add(1))
            .is_some()
    }

    /// How many more logins may be refused before a ban; 0 during one.
    pub(super) fn left(&mut self, origin: Origin, limit: Limit, now: Instant) -> u8 {
        let (tick, oldest) = (self.tick(now), self.oldest(limit, now));
        match self.find(origin) {
            Some(entry) if entry.until > tick => 0,
            // A ban that is over has had its failures.
            Some(entry) if entry.until > 0 => limit.failures,
            Some(entry) => limit.failures.saturating_sub(entry.count_since(oldest)),
            None => limit.failures,
        }
    }

    /// The tick from which on failures count.
    fn oldest(&self, limit: Limit, now: Instant) -> u32 {
        now.checked_sub(limit.window)
            .map_or(0, |since| self.tick(since))
            .max(1)
    }

    /// Counts a refused login with a name, see [`UNKNOWN_NAME`].
    pub(super) fn fail(
        &mut self,
        origin: Origin,
        name: u16,
        limit: Limit,
        now: Instant,
    ) -> Consequence {
        let (tick, oldest) = (self.tick(now), self.oldest(limit, now));
        let mut consequence = Consequence::default();
        if self.find(origin).is_none() {
            consequence.displaced = self.make_room(tick);
            self.entries.push(Entry::new(origin));
        }
        let until = self.tick(now + limit.ban).max(tick + 1);
        let Some(entry) = self.find(origin) else {
            return consequence;
        };
        if entry.until > tick {
            // A check that was under way when the ban began.
            return consequence;
        }
        if entry.until > 0 {
            *entry = Entry::new(origin);
        }
        entry.count(tick, name, oldest);
        let counted = entry.count_since(oldest);
        if counted < limit.failures {
            return consequence;
        }
        let mut names = entry.names.to_vec();
        names.retain(|name| *name != UNKNOWN_NAME);
        names.sort_unstable();
        names.dedup();
        *entry = Entry {
            until,
            counted,
            ..Entry::new(origin)
        };
        consequence.ban = Some((entry.ban(tick), names));
        consequence
    }

    /// Forgets the failures of this address with this name.
    pub(super) fn succeed(&mut self, origin: Origin, name: u16) {
        if let Some(entry) = self.find(origin).filter(|entry| entry.until == 0) {
            entry.forget(name);
        }
        self.entries
            .retain(|entry| entry.until > 0 || entry.last() > 0);
    }

    /// Removes the bans that are over, and returns them.
    pub(super) fn take_over(&mut self, now: Instant) -> Vec<Ban> {
        let tick = self.tick(now);
        let over = self
            .entries
            .extract_if(.., |entry| entry.until > 0 && entry.until <= tick);
        over.map(|entry| entry.ban(tick)).collect()
    }

    /// Removes the ban of one address, or all, and returns them. Failures that count go, too.
    pub(super) fn remove(&mut self, origin: Option<Origin>, now: Instant) -> Vec<Ban> {
        let tick = self.tick(now);
        let removed = self
            .entries
            .extract_if(.., |entry| origin.is_none_or(|it| it == entry.origin));
        let banned = removed.filter(|entry| entry.until > 0);
        banned.map(|entry| entry.ban(tick)).collect()
    }

    /// All bans.
    pub(super) fn bans(&self, now: Instant) -> Vec<Ban> {
        let tick = self.tick(now);
        let banned = self.entries.iter().filter(|entry| entry.until > tick);
        banned.map(|entry| entry.ban(tick)).collect()
    }

    /// Makes room for one more address: the one without a ban goes whose failure is the oldest, else
    /// the ban that ends first.
    fn make_room(&mut self, tick: u32) -> Option<Ban> {
        if self.entries.len() < MOST_ADDRESSES {
            return None;
        }
        let age = |entry: &Entry| (entry.until, entry.last());
        let oldest = (0..self.entries.len()).min_by_key(|at| self.entries.get(*at).map(age))?;
        let entry = self.entries.swap_remove(oldest);
        (entry.until > 0).then(|| entry.ban(tick))
    }
}

impl Entry {
    fn new(origin: Origin) -> Self {
        Self {
            origin,
            times: Default::default(),
            names: Default::default(),
            until: 0,
            refused: 0,
            counted: 0,
        }
    }

    /// Failures at this tick and later.
    fn count_since(&self, oldest: u32) -> u8 {
        let count = self.times.iter().filter(|time| **time >= oldest).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    fn last(&self) -> u32 {
        self.times.iter().copied().max().unwrap_or(0)
    }

    /// Counts a failure in the place of the oldest, and of those that no longer count.
    fn count(&mut self, tick: u32, name: u16, oldest: u32) {
        for (time, name) in self.times.iter_mut().zip(&mut self.names) {
            if *time < oldest {
                (*time, *name) = (0, UNKNOWN_NAME);
            }
        }
        let places = self.times.iter_mut().zip(&mut self.names);
        if let Some(place) = places.min_by_key(|(time, _)| **time) {
            (*place.0, *place.1) = (tick, name);
        }
    }

    fn forget(&mut self, forgotten: u16) {
        for (time, name) in self.times.iter_mut().zip(&mut self.names) {
            if *name == forgotten {
                (*time, *name) = (0, UNKNOWN_NAME);
            }
        }
    }

    fn ban(&self, tick: u32) -> Ban {
        let ticks = u64::from(self.until.saturating_sub(tick));
        Ban {
            origin: self.origin,
            failures: self.counted,
            refused: self.refused,
            left: Duration::from_millis(ticks * u64::from(TICK)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LIMIT: Limit = Limit {
        failures: 3,
        window: Duration::from_mins(10),
        ban: Duration::from_mins(15),
    };

    fn origin(number: u32) -> Origin {
        Origin::of(Ipv4Addr::from_bits(number).into())
    }

    fn table() -> (Table, Instant) {
        let start = Instant::now();
        (Table::new(start), start)
    }

    #[test]
    fn an_address_is_banned_at_the_limit_for_its_time_and_no_other_is() {
        let (mut table, start) = table();
        for (number, left) in [(1, 3), (2, 2)] {
            assert_eq!(table.left(origin(1), LIMIT, start), left);
            assert_eq!(
                table.fail(origin(1), number, LIMIT, start),
                Consequence::default()
            );
        }
        assert_eq!(table.left(origin(1), LIMIT, start), 1);
        let (ban, names) = table.fail(origin(1), 2, LIMIT, start).ban.unwrap();
        assert_eq!((ban.failures, names), (3, vec![1, 2]));
        assert_eq!(ban.left, LIMIT.ban);
        assert_eq!(table.left(origin(1), LIMIT, start), 0);
        assert!(!table.refuses(origin(2), start));
        let last = start + LIMIT.ban.mul_f32(0.99);
        assert!(table.refuses(origin(1), start) && table.refuses(origin(1), last));
        assert_eq!(table.take_over(last), []);
        let end = start + LIMIT.ban;
        assert!(!table.refuses(origin(1), end));
        // Even if nobody has taken it away yet.
        assert_eq!(table.left(origin(1), LIMIT, end), 3);
        let over = table.take_over(end);
        assert_eq!((over.len(), over[0].refused), (1, 2));
        assert!(table.entries.is_empty());
    }

    #[test]
    fn a_failure_counts_for_the_window_only() {
        let (mut table, start) = table();
        table.fail(origin(1), 0, LIMIT, start);
        let later = start + LIMIT.window + Duration::from_secs(1);
        for _ in 0..2 {
            assert_eq!(table.fail(origin(1), 0, LIMIT, later).ban, None);
        }
        assert!(table.fail(origin(1), 0, LIMIT, later).ban.is_some());
    }

    #[test]
    fn a_right_login_clears_the_failures_of_its_own_name_only() {
        let (mut table, start) = table();
        for name in [7, 0] {
            table.fail(origin(1), name, LIMIT, start);
        }
        table.succeed(origin(1), 7);
        assert_eq!(table.left(origin(1), LIMIT, start), 2);
        table.succeed(origin(1), 8);
        assert_eq!(table.left(origin(1), LIMIT, start), 2);
        table.fail(origin(2), 7, LIMIT, start);
        table.succeed(origin(2), 7);
        assert_eq!(
            table.entries.len(),
            1,
            "an address without failures is forgotten"
        );
    }

    #[test]
    fn an_administrator_ends_bans_and_their_failures() {
        let (mut table, start) = table();
        for number in [1, 1, 1, 2, 2, 2, 3] {
            table.fail(origin(number), 0, LIMIT, start);
        }
        assert_eq!(table.bans(start).len(), 2);
        assert_eq!(table.remove(Some(origin(9)), start), []);
        assert_eq!(table.remove(Some(origin(1)), start).len(), 1);
        assert!(!table.refuses(origin(1), start) && table.refuses(origin(2), start));
        assert_eq!(table.remove(None, start).len(), 1);
        assert!(table.entries.is_empty());
    }

    #[test]
    fn the_table_has_a_bound_and_the_oldest_address_goes_first() {
        let (mut table, start) = table();
        for _ in 0..3 {
            table.fail(origin(0), 0, LIMIT, start);
        }
        let most = u32::try_from(MOST_ADDRESSES).unwrap();
        for number in 1..=most {
            let at = start + Duration::from_secs(u64::from(number));
            assert_eq!(table.fail(origin(number), 0, LIMIT, at).displaced, None);
        }
        assert_eq!(table.entries.len(), MOST_ADDRESSES);
        assert!(table.find(origin(1)).is_none() && table.find(origin(2)).is_some());
        assert!(table.refuses(origin(0), start), "a ban stays");
        let bytes = table.entries.capacity() * size_of::<Entry>();
        assert!(bytes <= 512 << 10, "{bytes}");
        // When all are banned, the ban goes that ends first, and that is told.
        let now = start + Duration::from_secs(u64::from(most) + 1);
        let long = Limit {
            failures: 1,
            ban: Duration::from_hours(99),
            ..LIMIT
        };
        for number in 2..=most {
            table.fail(origin(number), 0, long, now);
        }
        let displaced = table.fail(origin(most + 1), 0, long, now).displaced;
        assert_eq!(displaced.map(|ban| ban.origin), Some(origin(0)));
    }
}
