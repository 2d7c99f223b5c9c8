//! Few lines about what one client does again and again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time in which lines are counted together.
const WINDOW: Duration = Duration::from_mins(1);

/// Lines of one cause and address in one window; the tenth has the number of all others.
const LINES: u64 = 9;

/// Causes and addresses that are counted one by one. All others are counted together.
const MOST_KEYS: usize = 512;

/// Bits of an IPv6 address that its owner chooses freely (RFC 4291, section 2.5.1).
const INTERFACE_BITS: u32 = 64;

/// Counts lines by address and cause. Not in a hash map, which needs random numbers: the log is there
/// to say that the kernel has none.
#[derive(Debug, Default)]
pub(super) struct Floods(Mutex<BTreeMap<Key, Window>>);

/// Whom a line is about, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The client's address or network; none for all that are counted together.
    client: Option<IpAddr>,
    what: String,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u64,
}

/// Lines that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// The address or network; none for several.
    pub(super) client: Option<IpAddr>,
    /// What they were about.
    pub(super) what: String,
    /// How many.
    pub(super) more: u64,
}

impl Key {
    /// For a client's end of a connection, as it is written in the log.
    pub(super) fn new(client: &str, what: String) -> Self {
        let address = client.parse::<SocketAddr>().ok();
        let client = address.map(|address| match address.ip().to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> INTERFACE_BITS << INTERFACE_BITS;
                Ipv6Addr::from_bits(network).into()
            }
            address @ IpAddr::V4(_) => address,
        });
        Self { client, what }
    }
}

impl Floods {
    /// Whether there is a line for this, and what was left out in the window that has ended with it.
    pub(super) fn count(&self, mut key: Key, now: Instant) -> (bool, Option<Rest>) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_KEYS && !windows.contains_key(&key) {
            key = Key {
                client: None,
                what: "many".to_owned(),
            };
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
    pub(super) fn take(&self, now: Instant, all: bool) -> Vec<Rest> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = windows.extract_if(.., |_, window| all || window.is_over(now));
        taken.filter_map(|(key, window)| window.rest(key)).collect()
    }
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }

    fn rest(self, Key { client, what }: Key) -> Option<Rest> {
        let more = self.lines.checked_sub(LINES).filter(|more| *more > 0)?;
        Some(Rest { client, what, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(client: &str) -> Key {
        Key::new(client, "refused".to_owned())
    }

    #[test]
    fn one_cause_of_one_address_has_ten_lines_a_minute() {
        let (floods, start) = (Floods::default(), Instant::now());
        let lines = |now| {
            let counted =
                (0..1000).map(|port| floods.count(key(&format!("192.0.2.1:{port}")), now));
            let (lines, rest): (Vec<_>, Vec<_>) = counted.unzip();
            let lines = lines.into_iter().filter(|line| *line).count();
            (lines, rest.into_iter().flatten().collect::<Vec<_>>())
        };
        assert_eq!(lines(start), (9, vec![]));
        assert_eq!(lines(start + WINDOW / 2), (0, vec![]));
        let rest = Rest {
            client: Some("192.0.2.1".parse().unwrap()),
            what: "refused".to_owned(),
            more: 1991,
        };
        assert_eq!(lines(start + WINDOW), (9, vec![rest]));
        // Others are not silenced by it.
        assert!(floods.count(key("192.0.2.2:1"), start + WINDOW).0);
        let other = Key::new("192.0.2.1:1", "disconnected".to_owned());
        assert!(floods.count(other, start + WINDOW).0);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let (floods, now) = (Floods::default(), Instant::now());
        let mut client = 0;
        let mut count = || {
            client += 1;
            floods
                .count(key(&format!("[2001:db8::{client:x}]:21")), now)
                .0
        };
        assert_eq!((0..100).filter(|_| count()).count() as u64, LINES);
    }

    #[test]
    fn many_addresses_share_their_lines_and_no_more_memory() {
        let (floods, now) = (Floods::default(), Instant::now());
        let lines = (0..100_000_u32)
            .map(|number| SocketAddr::from((number.to_be_bytes(), 21)))
            .filter(|client| floods.count(key(&client.to_string()), now).0)
            .count();
        assert_eq!(lines as u64, MOST_KEYS as u64 + LINES);
        let rest = floods.take(now, true);
        assert!(rest.len() == 1 && rest[0].client.is_none(), "{rest:?}");
        assert!(floods.take(now, true).is_empty());
    }
}
