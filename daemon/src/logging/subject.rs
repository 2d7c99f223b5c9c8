//! What lines of the log are about, as far as they are counted by it.

use std::net::SocketAddr;

use crate::{floods::Floods, origin::Origin};

/// Subjects that are counted one by one. All others are counted together.
const MOST: usize = 512;

/// Whom a line is about, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    /// None for all that are counted together.
    pub(super) client: Option<Origin>,
    pub(super) what: String,
}

impl Subject {
    /// For a client's end of a connection, as it is written in the log.
    pub(super) fn new(client: &str, what: String) -> Self {
        let address = client.parse::<SocketAddr>().ok();
        let client = address.map(|address| Origin::of(address.ip()));
        Self { client, what }
    }

    /// All that are counted together.
    pub(super) fn others() -> Self {
        Self {
            client: None,
            what: "many".to_owned(),
        }
    }
}

/// Counts lines by subject.
pub(super) fn floods() -> Floods<Subject> {
    Floods::new(MOST)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::floods::{LINES, Rest, WINDOW};

    fn key(client: &str) -> Subject {
        Subject::new(client, "refused".to_owned())
    }

    fn count(
        floods: &Floods<Subject>,
        subject: Subject,
        now: Instant,
    ) -> (bool, Option<Rest<Subject>>) {
        floods.count(subject, |_| Subject::others(), now)
    }

    #[test]
    fn one_cause_of_one_address_has_ten_lines_a_minute() {
        let (floods, start) = (floods(), Instant::now());
        let lines = |now| {
            let counted =
                (0..1000).map(|port| count(&floods, key(&format!("192.0.2.1:{port}")), now));
            let (lines, rest): (Vec<_>, Vec<_>) = counted.unzip();
            let lines = lines.into_iter().filter(|line| *line).count();
            (lines, rest.into_iter().flatten().collect::<Vec<_>>())
        };
        assert_eq!(lines(start), (9, vec![]));
        assert_eq!(lines(start + WINDOW / 2), (0, vec![]));
        let rest = Rest {
            key: Subject {
                client: Origin::parse("192.0.2.1"),
                what: "refused".to_owned(),
            },
            more: 1991,
        };
        assert_eq!(lines(start + WINDOW), (9, vec![rest]));
        // Others are not silenced by it.
        assert!(count(&floods, key("192.0.2.2:1"), start + WINDOW).0);
        let other = Subject::new("192.0.2.1:1", "disconnected".to_owned());
        assert!(count(&floods, other, start + WINDOW).0);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let (floods, now) = (floods(), Instant::now());
        let mut client = 0;
        let mut is_told = || {
            client += 1;
            count(&floods, key(&format!("[2001:db8::{client:x}]:21")), now).0
        };
        assert_eq!((0..100).filter(|_| is_told()).count() as u64, LINES);
    }

    #[test]
    fn many_addresses_share_their_lines_and_no_more_memory() {
        let (floods, now) = (floods(), Instant::now());
        let lines = (0..100_000_u32)
            .map(|number| SocketAddr::from((number.to_be_bytes(), 21)))
            .filter(|client| count(&floods, key(&client.to_string()), now).0)
            .count();
        assert_eq!(lines as u64, MOST as u64 + LINES);
        let rest = floods.take(now, true);
        assert!(rest.len() == 1 && rest[0].key.client.is_none(), "{rest:?}");
        assert!(floods.take(now, true).is_empty());
    }
}
