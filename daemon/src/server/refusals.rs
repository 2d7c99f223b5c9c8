//! Log lines about clients that get no session: few, however many clients there are.

use std::{io, net::SocketAddr, time::Instant};

use tracing::{info, warn};

use crate::{
    floods::{Floods, Rest},
    origin::Origin,
    session::admission::Refusal,
};

/// Origins and causes that are counted one by one. All others are counted together, by cause.
const MOST: usize = 256;

/// An origin, or none for all that are counted together, and the cause.
type Key = (Option<Origin>, Refusal);

/// Counts refusals by origin and cause.
#[derive(Debug)]
pub(super) struct Refusals(Floods<Key>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Floods::new(MOST))
    }
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

    /// Whether a refusal gets a line of its own, and the rest of the window that has ended with it.
    fn count(&self, origin: Origin, refusal: Refusal, now: Instant) -> (bool, Option<Rest<Key>>) {
        let others = |(_, refusal): &Key| (None, *refusal);
        self.0.count((Some(origin), refusal), others, now)
    }

    /// Logs the number of those that had no line, as far as their time has come.
    pub(super) fn log_counted(&self) {
        log_rest(&self.0.take(Instant::now(), false));
    }

    /// Logs the number of all that had no line.
    pub(super) fn log_all(&self) {
        log_rest(&self.0.take(Instant::now(), true));
    }
}

fn log_rest(rest: &[Rest<Key>]) {
    for Rest { key, more } in rest {
        let (origin, refusal) = key;
        let client = origin.map_or("several".to_owned(), |origin| origin.to_string());
        let of = format!("refused: {}", refusal.cause());
        info!(%client, lines = more, of, "left-out");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::floods::{LINES, WINDOW};

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
            key: (Some(origin(1)), Refusal::Address),
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
        assert_eq!(refusals.0.take(start, false), []);
        let told = refusals.0.take(start + WINDOW, false);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].key.0, told[0].more), (Some(origin(1)), 3));
        assert_eq!(refusals.0.len(), 0);
    }

    #[test]
    fn many_origins_share_their_lines_and_no_more_memory() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let lines = (0..100_000)
            .filter(|number| refusals.count(origin(*number), Refusal::Address, start).0)
            .count();
        assert_eq!(lines as u64, MOST as u64 + LINES);
        assert_eq!(refusals.0.len(), MOST + 1);
        let told = refusals.0.take(start, true);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].key.0, None);
    }
}
