//! The queue for checks of passwords. Each takes tens of megabytes and a core.
//!
//! Two run at a time in the whole process, one of each login name. The others wait: addresses take
//! turns, and each address waits in order. So neither many connections from one address nor many
//! addresses that guess one name keep others out.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use tracing::warn;

use super::guard::{Guard, Limit};
use crate::{
    config::Config,
    origin::Origin,
    task::{CHECK_INTERVAL, Task},
};

/// Checks that run at one time.
pub(super) const PARALLEL_CHECKS: usize = 2;

/// Checks of one login name that wait at one time.
const MOST_WAITING: usize = 16;

/// At most one line in this time says that too many wait.
const SILENCE: Duration = Duration::from_mins(1);

/// How much slower than expected a check may be and still be believed, see
/// [`PasswordChecks::expected`].
const MOST_SLOWNESS_PERCENT: u64 = 1000;

/// Checks that are expected to be quicker are no measure of the host.
const MEASURED: Duration = Duration::from_millis(5);

/// Lets a few sessions check a password at a time; the others wait. Clones share it.
///
/// Locks and waits are `parking_lot`'s: those of std spin on a kernel that lacks the newer futex
/// operations.
#[derive(Debug, Clone, Default)]
pub(crate) struct PasswordChecks(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// How much longer than expected a check took at the most, in percent; 0 before the first one.
    slowness: AtomicU64,
}

/// Why a password was not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unchecked {
    /// Nobody waits for it any more.
    Cancelled,
    /// Too many wait for a check of this name.
    Full,
    /// The address has been banned.
    Banned,
}

/// Whose check it is.
#[derive(Debug, Clone)]
struct Turn {
    ticket: u64,
    /// In each round, every address has one check.
    round: u64,
    origin: Origin,
    /// The ban to which a refusal may lead.
    limit: Option<Limit>,
    name: String,
}

#[derive(Debug, Default)]
struct Queue {
    running: Vec<Turn>,
    waiting: Vec<Turn>,
    tickets: u64,
    /// The round of the check that began last.
    round: u64,
    /// When a line said that too many wait.
    said: Option<Instant>,
}

impl PasswordChecks {
    /// Waits for the turn of a client that wants to log in with this name. The check counts until what
    /// is returned is dropped, even if its session is gone.
    ///
    /// # Errors
    /// See [`Unchecked`].
    pub(super) fn wait(
        &self,
        client: IpAddr,
        name: &str,
        config: &Config,
        guard: &Guard,
        task: &Task,
    ) -> Result<Running<'_>, Unchecked> {
        let shared = &*self.0;
        let mut queue = shared.queue.lock();
        let limit = Guard::limit(client, &config.guard);
        let ticket = queue.enter(Origin::of(client), name, limit)?;
        // Whoever had to make room for it hears of that.
        shared.changed.notify_all();
        loop {
            let Some(turn) = queue.waiting.iter().find(|turn| turn.ticket == ticket) else {
                return Err(Unchecked::Full);
            };
            let origin = turn.origin;
            let banned = limit.is_some_and(|limit| guard.left(origin, limit) == 0);
            if banned || task.check().is_err() {
                queue.waiting.retain(|turn| turn.ticket != ticket);
                shared.changed.notify_all();
                return Err(if banned {
                    Unchecked::Banned
                } else {
                    Unchecked::Cancelled
                });
            }
            if queue.begin(ticket, |origin, limit| guard.left(origin, limit)) {
                return Ok(Running {
                    checks: self,
                    ticket,
                });
            }
            shared.changed.wait_for(&mut queue, CHECK_INTERVAL);
        }
    }

    /// How long a check takes at the most that is expected to take so long on a host of common speed.
    pub(super) fn expected(&self, common: Duration) -> Duration {
        let percent = self.0.slowness.load(Ordering::Relaxed).max(100);
        // A quarter for the differences between two checks of the same hash.
        let percent = percent.saturating_add(percent / 4);
        common.mul_f64(f64::from(u32::try_from(percent).unwrap_or(u32::MAX)) / 100.0)
    }

    /// A check that was expected to take so long has taken so long.
    pub(super) fn learn(&self, common: Duration, took: Duration) {
        if common >= MEASURED {
            let percent = took.as_micros() * 100 / common.as_micros().max(1);
            let percent = u64::try_from(percent).unwrap_or(u64::MAX);
            let percent = percent.min(MOST_SLOWNESS_PERCENT);
            self.0.slowness.fetch_max(percent, Ordering::Relaxed);
        }
    }

    /// How many checks run and how many wait.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let queue = self.0.queue.lock();
        (queue.running.len(), queue.waiting.len())
    }
}

/// A check that is running.
#[derive(Debug)]
pub(super) struct Running<'c> {
    checks: &'c PasswordChecks,
    ticket: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let shared = &*self.checks.0;
        let mut queue = shared.queue.lock();
        queue.running.retain(|turn| turn.ticket != self.ticket);
        shared.changed.notify_all();
    }
}

impl Queue {
    /// Lets somebody wait. If too many do for this name, the last one of the address with the most of
    /// them goes, unless it is the newcomer's.
    fn enter(
        &mut self,
        origin: Origin,
        name: &str,
        limit: Option<Limit>,
    ) -> Result<u64, Unchecked> {
        if let Some(displaced) = self.make_room(origin, name)? {
            self.waiting.retain(|turn| turn.ticket != displaced);
        }
        self.tickets += 1;
        let turns = self.running.iter().chain(&self.waiting);
        let own = turns.filter(|turn| turn.origin == origin);
        let round = own.map(|turn| turn.round + 1).max().unwrap_or(0);
        self.waiting.push(Turn {
            ticket: self.tickets,
            round: round.max(self.round),
            origin,
            limit,
            name: name.to_owned(),
        });
        Ok(self.tickets)
    }

    /// Who has to go for one more of this name, if anybody has.
    fn make_room(&mut self, origin: Origin, name: &str) -> Result<Option<u64>, Unchecked> {
        let same: Vec<_> = self.waiting.iter().filter(|it| it.name == name).collect();
        if same.len() < MOST_WAITING {
            return Ok(None);
        }
        let share = |origin: Origin| same.iter().filter(|turn| turn.origin == origin).count();
        let largest = same.iter().map(|turn| (share(turn.origin), turn.ticket));
        let largest = largest.max().filter(|(most, _)| *most > share(origin) + 1);
        self.say_full();
        largest
            .map(|(_, ticket)| Some(ticket))
            .ok_or(Unchecked::Full)
    }

    /// Begins the check with this ticket, if it is its turn. `left` tells how many refusals an origin
    /// has left before its ban: no more checks of it run than that.
    fn begin(&mut self, ticket: u64, left: impl Fn(Origin, Limit) -> usize) -> bool {
        if self.running.len() >= PARALLEL_CHECKS {
            return false;
        }
        let may_begin = |turn: &&Turn| {
            let mut running = self.running.iter();
            let own = self.running.iter().filter(|it| it.origin == turn.origin);
            !running.any(|it| it.name == turn.name)
                && turn
                    .limit
                    .is_none_or(|limit| left(turn.origin, limit) > own.count())
        };
        let mut in_order: Vec<_> = self.waiting.iter().collect();
        in_order.sort_unstable_by_key(|turn| (turn.round, turn.ticket));
        // The first one may begin as a rule; to look for bans takes longer than to sort.
        let next = in_order.into_iter().find(may_begin);
        if next.is_none_or(|turn| turn.ticket != ticket) {
            return false;
        }
        let Some(at) = self.waiting.iter().position(|turn| turn.ticket == ticket) else {
            return false;
        };
        let turn = self.waiting.remove(at);
        self.round = self.round.max(turn.round);
        self.running.push(turn);
        true
    }

    fn say_full(&mut self) {
        let now = Instant::now();
        if self.said.is_none_or(|said| now - said >= SILENCE) {
            self.said = Some(now);
            warn!("log-ins refused: too many wait for a check of the same name");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn origin(number: u32) -> Origin {
        Origin::of(Ipv4Addr::from_bits(number).into())
    }

    /// Begins whatever may begin, and returns the tickets.
    fn begin(queue: &mut Queue) -> Vec<u64> {
        let tickets: Vec<_> = queue.waiting.iter().map(|turn| turn.ticket).collect();
        let mut begun = Vec::new();
        while let Some(ticket) = tickets.iter().find(|it| queue.begin(**it, |_, _| 99)) {
            begun.push(*ticket);
        }
        begun
    }

    #[test]
    fn addresses_take_turns() {
        let mut queue = Queue::default();
        let attacker: Vec<_> = (0..16)
            .map(|name| queue.enter(origin(1), &name.to_string(), None).unwrap())
            .collect();
        assert_eq!(begin(&mut queue), attacker[..2]);
        let other = queue.enter(origin(2), "alice", None).unwrap();
        queue.running.remove(0);
        assert_eq!(begin(&mut queue), [other]);
        queue.running.remove(0);
        assert_eq!(begin(&mut queue), attacker[2..3]);
    }

    #[test]
    fn one_password_of_a_name_is_checked_at_a_time_and_others_wait_in_order() {
        let mut queue = Queue::default();
        let same = [1, 2, 3].map(|number| queue.enter(origin(number), "alice", None).unwrap());
        let other = queue.enter(origin(4), "bob", None).unwrap();
        assert_eq!(begin(&mut queue), [same[0], other]);
        queue.running.retain(|turn| turn.name == "bob");
        assert_eq!(begin(&mut queue), [same[1]]);
    }

    #[test]
    fn sixteen_wait_for_a_name_and_addresses_share_these_places() {
        let mut queue = Queue::default();
        for _ in 0..MOST_WAITING {
            queue.enter(origin(1), "alice", None).unwrap();
        }
        assert_eq!(queue.enter(origin(1), "alice", None), Err(Unchecked::Full));
        let other = queue.enter(origin(2), "alice", None).unwrap();
        let waiting: Vec<_> = queue.waiting.iter().map(|turn| turn.ticket).collect();
        assert_eq!(waiting.len(), MOST_WAITING);
        assert!(
            !waiting.contains(&16) && waiting.contains(&other),
            "{waiting:?}"
        );
        queue.enter(origin(1), "bob", None).unwrap();
    }

    #[test]
    fn with_one_refusal_left_one_check_of_an_address_runs() {
        let mut queue = Queue::default();
        let limit = Guard::limit(Ipv4Addr::LOCALHOST.into(), &Config::default().guard);
        let tickets = ["a", "b"].map(|name| queue.enter(origin(1), name, limit).unwrap());
        assert!(queue.begin(tickets[0], |_, _| 1));
        assert!(!queue.begin(tickets[1], |_, _| 1));
        assert!(queue.begin(tickets[1], |_, _| 2));
    }

    #[test]
    fn the_expected_time_of_a_check_grows_with_what_was_measured() {
        let (checks, second) = (PasswordChecks::default(), Duration::from_secs(1));
        let quarter = second / 4;
        assert_eq!(checks.expected(second), second + quarter);
        checks.learn(second, 2 * second);
        checks.learn(second, second);
        assert_eq!(checks.expected(second), 2 * (second + quarter));
        checks.learn(MEASURED / 2, second);
        assert_eq!(checks.expected(second), 2 * (second + quarter));
        checks.learn(second, 100 * second);
        assert_eq!(checks.expected(second), 10 * (second + quarter));
    }
}
