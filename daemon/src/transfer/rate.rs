//! Limits on how fast bytes move.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use protocol::request::Failure;

use crate::{
    config::{ByteSize, Transfers},
    task::{Pace, Task},
};

/// Steps per second at a limited rate: what one step moves is in flight at once.
const STEPS_PER_SECOND: u64 = 8;

/// The limits that hold for a transfer; none of them, as a rule.
#[derive(Debug)]
pub(crate) struct RateLimit {
    session: Option<Arc<Limit>>,
    account: Option<Arc<Limit>>,
}

/// So many bytes per second, for whoever shares this.
#[derive(Debug)]
struct Limit {
    rate: u64,
    /// When the bytes that have been moved are paid for.
    paid: Mutex<Option<Instant>>,
}

impl RateLimit {
    /// The limits of one transfer of an account, which has a rate of its own or that of all.
    pub(crate) fn new(transfers: &Transfers, account: &str, account_rate: ByteSize) -> Self {
        let limit = |rate: u64| (rate > 0).then(|| Arc::new(Limit::new(rate)));
        let account_rate = account_rate.0;
        Self {
            session: limit(transfers.session_rate.0),
            account: (account_rate > 0).then(|| shared(account, account_rate)),
        }
    }

    /// Whether there is a limit at all; without one, nothing has to wait.
    pub(crate) fn is_limited(&self) -> bool {
        self.limits().next().is_some()
    }

    /// The most bytes to move before [`RateLimit::spend`].
    pub(crate) fn step(&self) -> usize {
        let rate = self.limits().map(|limit| limit.rate).min();
        let step = rate.map_or(u64::MAX, |rate| (rate / STEPS_PER_SECOND).max(1));
        usize::try_from(step).unwrap_or(usize::MAX)
    }

    /// Waits until these bytes are paid for.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(crate) fn spend(&self, bytes: u64, task: &Task) -> Result<(), Failure> {
        let Some(until) = self.charge(bytes, Instant::now()) else {
            return Ok(());
        };
        task.wait_until(until)
    }

    fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.session.iter().chain(&self.account).map(Arc::as_ref)
    }
}

impl Pace for RateLimit {
    /// Charges bytes to all limits and returns when the slowest of them has been paid.
    fn charge(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let paid = self.limits().map(|limit| limit.charge(bytes, now));
        paid.max()
    }
}

impl Limit {
    fn new(rate: u64) -> Self {
        Self {
            rate,
            paid: Mutex::new(None),
        }
    }

    /// Charges bytes and returns when they are paid for.
    fn charge(&self, bytes: u64, now: Instant) -> Instant {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        let cost = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        // Time in which nothing moved is lost.
        let until = paid.map_or(now, |paid| paid.max(now)) + cost;
        *paid = Some(until);
        until
    }
}

/// The limit that all sessions of an account share while one of them moves something.
fn shared(account: &str, rate: u64) -> Arc<Limit> {
    static ACCOUNTS: Mutex<BTreeMap<String, Weak<Limit>>> = Mutex::new(BTreeMap::new());
    let mut accounts = ACCOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    accounts.retain(|_, limit| limit.strong_count() > 0);
    let known = accounts.get(account).and_then(Weak::upgrade);
    if let Some(limit) = known.filter(|limit| limit.rate == rate) {
        return limit;
    }
    let limit = Arc::new(Limit::new(rate));
    accounts.insert(account.to_owned(), Arc::downgrade(&limit));
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(transfers: &Transfers, account: &str) -> RateLimit {
        RateLimit::new(transfers, account, transfers.account_rate)
    }

    #[test]
    fn bytes_take_the_time_that_the_rate_gives_them() {
        let limit = Limit::new(1000);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(limit.charge(500, start), start + second / 2);
        assert_eq!(limit.charge(500, start), start + second);
        // Whoever waits saves nothing.
        let later = start + 60 * second;
        assert_eq!(limit.charge(1000, later), later + second);
    }

    #[test]
    fn sessions_of_one_account_share_their_limit() {
        let transfers = Transfers {
            account_rate: ByteSize(4096),
            ..Transfers::default()
        };
        let [one, two, other] =
            ["rate-a", "rate-a", "rate-b"].map(|account| new(&transfers, account));
        let limit = |rate: &RateLimit| Arc::as_ptr(rate.account.as_ref().unwrap());
        assert_eq!(limit(&one), limit(&two));
        assert_ne!(limit(&one), limit(&other));
        assert_eq!(one.step(), 512);
        assert_eq!(new(&Transfers::default(), "rate-a").step(), usize::MAX);
    }

    /// To wait for one after the other made the sum of both.
    #[test]
    fn with_two_limits_the_lower_one_is_the_rate() {
        let transfers = Transfers {
            session_rate: ByteSize(2048),
            account_rate: ByteSize(3 * 1024),
            ..Transfers::default()
        };
        let [one, two] = [(); 2].map(|()| new(&transfers, "rate-d"));
        let start = Instant::now();
        let seconds = |due: Option<Instant>| (due.unwrap() - start).as_secs();
        assert_eq!(seconds(one.charge(6144, start)), 3);
        // Two sessions together meet the account's.
        assert_eq!(seconds(two.charge(6144, start)), 4);
        assert_eq!(new(&Transfers::default(), "").charge(1, start), None);
    }

    #[test]
    fn waiting_can_be_cancelled() {
        let transfers = Transfers {
            session_rate: ByteSize(1024),
            ..Transfers::default()
        };
        let task = Task::default();
        task.cancel();
        let rate = new(&transfers, "rate-c");
        assert_eq!(rate.spend(1 << 40, &task), Err(Failure::Cancelled));
    }
}
