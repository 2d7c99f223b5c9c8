//! Log lines about clients that get no session: few, however many clients there are.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{info, warn};

use crate::{accounts::origin::Origin, session::admission::Refusal};

/// The time in which refusals are counted together.
const WINDOW: Duration = Duration::from_mins(1);

/// Refusals of one origin and cause that get a line of their own in one window. The number of all
/// others is the tenth line.
const LINES: u64 = 9;

/// Origins that are counted one by one. All others are counted together, by cause.
const MOST_ORIGINS: usize = 256;

/// Counts refusals by origin and cause.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Key, Window>>);

/// An origin, or none for all that are counted together, and the cause.
type Key = (Option<Origin>, Refusal);

#[derive(Debug)]
struct Window {
    since: Instant,
    refusals: u64,
}

/// The refusals of one origin and cause that had no line of their own.
#[derive(Debug, PartialEq, Eq)]
struct Rest {
    origin: Option<Origin>,
    refusal: Refusal,
    more: u64,
}

impl Refusals {
    /// Logs a refusal, or counts it.
    pub(super) fn log(&self, client: SocketAddr, refusal: Refusal) {
        if self.is_logged(client, refusal) {
            info!(%client, "refused: {}", refusal.cause());
        }
    }

    /// Logs that there is no thread or no pipe for a session, and why, or counts it.
    pub(super) fn log_failure(&self, client: SocketAddr, error: &io::Error) {
        if self.is_logged(client, Refusal::Resources) {
            warn!(%client, %error, "refused: {}", Refusal::Resources.cause());
        }
    }

    fn is_logged(&self, client: SocketAddr, refusal: Refusal) -> bool {
        let origin = Origin::of(client.ip());
        let (alone, rest) = self.count(origin, refusal, Instant::now());
        log_rest(rest.as_slice());
        alone
    }

    /// Logs the number of those that had no line, as far as their time has come.
    pub(super) fn log_counted(&self) {
        log_rest(&self.take(|window| window.is_over(Instant::now())));
    }

    /// Logs the number of all that had no line.
    pub(super) fn log_all(&self) {
        log_rest(&self.take(|_window| true));
    }

    /// Whether a refusal gets a line of its own, and the rest of the window that has ended with it.
    fn count(&self, origin: Origin, refusal: Refusal, now: Instant) -> (bool, Option<Rest>) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (Some(origin), refusal);
        if windows.len() >= MOST_ORIGINS && !windows.contains_key(&key) {
            key.0 = None;
        }
        let fresh = Window {
            since: now,
            refusals: 0,
        };
        let over = windows.get(&key).is_some_and(|window| window.is_over(now));
        let rest = if over { windows.remove(&key) } else { None };
        let window = windows.entry(key).or_insert(fresh);
        window.refusals += 1;
        (
            window.refusals <= LINES,
            rest.and_then(|window| window.rest(key)),
        )
    }

    fn take(&self, which: impl Fn(&Window) -> bool) -> Vec<Rest> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = windows.extract_if(|_, window| which(window));
        taken.filter_map(|(key, window)| window.rest(key)).collect()
    }
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }

    fn rest(self, (origin, refusal): Key) -> Option<Rest> {
        let more = self.refusals.checked_sub(LINES).filter(|more| *more > 0)?;
        Some(Rest {
            origin,
            refusal,
            more,
        })
    }
}

fn log_rest(rest: &[Rest]) {
    for Rest {
        origin,
        refusal,
        more,
    } in rest
    {
        let client = origin.map_or("several".to_owned(), |origin| origin.to_string());
        let of = format!("refused: {}", refusal.cause());
        info!(%client, lines = more, of, "left-out");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn origin(number: u32) -> Origin {
        Origin::of(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn a_client_that_is_refused_without_end_gets_ten_lines_a_minute() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let count = |now| {
            let counted = (0..1000).map(|_| refusals.count(origin(1), Refusal::Address, now));
            let (alone, rest): (Vec<_>, Vec<_>) = counted.unzip();
            (
                alone.into_iter().filter(|alone| *alone).count(),
                rest.into_iter().flatten().collect::<Vec<_>>(),
            )
        };
        assert_eq!(count(start), (9, vec![]));
        assert_eq!(count(start + WINDOW / 2), (0, vec![]));
        let rest = Rest {
            origin: Some(origin(1)),
            refusal: Refusal::Address,
            more: 1991,
        };
        assert_eq!(count(start + WINDOW), (9, vec![rest]));
        // Another cause, or another client, is not silenced by it.
        for (origin, refusal) in [
            (origin(1), Refusal::Sessions),
            (origin(2), Refusal::Address),
        ] {
            assert_eq!(
                refusals.count(origin, refusal, start + WINDOW),
                (true, None)
            );
        }
    }

    #[test]
    fn what_was_counted_is_told_when_nobody_comes_any_more() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        for _ in 0..12 {
            refusals.count(origin(1), Refusal::Sessions, start);
        }
        refusals.count(origin(2), Refusal::Sessions, start);
        assert_eq!(refusals.take(|window| window.is_over(start)), []);
        let told = refusals.take(|window| window.is_over(start + WINDOW));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].origin, told[0].more), (Some(origin(1)), 3));
        assert!(refusals.0.lock().unwrap().is_empty());
    }

    #[test]
    fn many_origins_share_their_lines_and_no_more_memory() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let lines = (0..100_000)
            .filter(|number| refusals.count(origin(*number), Refusal::Address, start).0)
            .count();
        assert_eq!(lines as u64, MOST_ORIGINS as u64 + LINES);
        assert_eq!(refusals.0.lock().unwrap().len(), MOST_ORIGINS + 1);
        let told = refusals.take(|_| true);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].origin, None);
    }
}
