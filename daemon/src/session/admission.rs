//! Who gets a session: caps on all sessions and on those of one client address.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{config::Config, origin::Origin, sys::memory};

/// Memory that must be free for a session: the stacks of its threads, its buffers and those of one
/// transfer under TLS.
const SESSION_BYTES: usize = 4 << 20;

/// Counts sessions by client address.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    counts: Arc<Mutex<Counts>>,
    /// Sessions for which the process has descriptors.
    places: u16,
}

#[derive(Debug, Default)]
struct Counts {
    total: u16,
    by_origin: HashMap<Origin, u16>,
}

/// Why a client gets no session. The `Display` form is the text of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// The client's address is not allowed.
    Address,
    /// The client's address is banned.
    Banned,
    /// The server is full.
    Sessions,
    /// There are descriptors for no more sessions.
    Descriptors,
    /// This client's address has its share.
    SessionsOfAddress,
    /// Threads or memory have run out.
    Resources,
}

impl Refusal {
    /// The cause for the log, with what an administrator can do about it.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Address => "the address is not allowed by listen.allow and listen.deny",
            Self::Banned => "the address is banned; see: esxftpd bans",
            Self::Sessions => "as many sessions as limits.sessions allows",
            Self::Descriptors => {
                "the process may open too few files for another session; lower limits.sessions"
            }
            Self::SessionsOfAddress => "as many sessions as limits.sessions-per-address allows",
            Self::Resources => "no thread or memory for another session; lower limits.sessions",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "no service for your address",
            Self::Banned => "too many logins from your address were refused, try again later",
            Self::Sessions | Self::Descriptors => "too many sessions, try again later",
            Self::Resources => "the server is out of resources, try again later",
            Self::SessionsOfAddress => "too many sessions from your address, close one first",
        })
    }
}

/// A session's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Admission,
    origin: Origin,
}

impl Admission {
    /// For at most so many sessions, whatever the configuration allows.
    pub(crate) fn new(places: u16) -> Self {
        Self {
            counts: Arc::default(),
            places,
        }
    }

    /// Takes a place for a client at `address`.
    pub(crate) fn enter(&self, address: IpAddr, config: &Config) -> Result<Permit, Refusal> {
        if !config.listen.admits(address) {
            return Err(Refusal::Address);
        }
        if memory::is_short() || !memory::is_available(SESSION_BYTES) {
            return Err(Refusal::Resources);
        }
        let limits = &config.limits;
        let mut counts = self.counts();
        if counts.total >= limits.sessions {
            return Err(Refusal::Sessions);
        }
        if counts.total >= self.places {
            return Err(Refusal::Descriptors);
        }
        let origin = Origin::of(address);
        let of_origin = counts.by_origin.get(&origin).copied().unwrap_or(0);
        if of_origin >= limits.sessions_per_address {
            return Err(Refusal::SessionsOfAddress);
        }
        counts.total += 1;
        counts.by_origin.insert(origin, of_origin + 1);
        Ok(Permit {
            admission: self.clone(),
            origin,
        })
    }

    /// Whether no place is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts().total == 0
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.total -= 1;
        if let Some(of_origin) = counts.by_origin.get_mut(&self.origin) {
            *of_origin -= 1;
            if *of_origin == 0 {
                counts.by_origin.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::{Limits, Listen};

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn enter(admission: &Admission, last: u8, config: &Config) -> Result<Permit, Refusal> {
        admission.enter(address(last), config)
    }

    #[test]
    fn a_place_is_free_again_after_its_session() {
        let config = Config {
            limits: Limits {
                sessions: 3,
                sessions_per_address: 2,
                ..Limits::default()
            },
            ..Config::default()
        };
        let admission = Admission::new(u16::MAX);
        let first = enter(&admission, 1, &config).unwrap();
        let _second = enter(&admission, 1, &config).unwrap();
        assert_eq!(
            enter(&admission, 1, &config).unwrap_err(),
            Refusal::SessionsOfAddress
        );
        let third = enter(&admission, 2, &config).unwrap();
        assert_eq!(
            enter(&admission, 3, &config).unwrap_err(),
            Refusal::Sessions
        );
        drop((first, third));
        let _again = enter(&admission, 1, &config).unwrap();
        assert_eq!(admission.counts().total, 2);
        assert_eq!(
            admission.counts().by_origin.len(),
            1,
            "addresses without sessions are forgotten"
        );
    }

    #[test]
    fn networks_are_allowed_and_denied() {
        let networks = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        let config = |allow: &[&str], deny: &[&str]| Config {
            listen: Listen {
                allow: networks(allow),
                deny: networks(deny),
                ..Listen::default()
            },
            ..Config::default()
        };
        let admission = Admission::new(u16::MAX);
        let enters = |config: &Config| enter(&admission, 7, config).map(drop);
        assert_eq!(enters(&config(&["192.0.2.0/24"], &[])), Ok(()));
        assert_eq!(
            enters(&config(&["2001:db8::/32"], &[])),
            Err(Refusal::Address)
        );
        assert_eq!(
            enters(&config(&["192.0.2.0/24"], &["192.0.2.4/30"])),
            Err(Refusal::Address)
        );
        assert_eq!(enters(&config(&[], &["192.0.2.8/32"])), Ok(()));
    }

    #[test]
    fn a_client_with_an_ipv6_network_has_the_share_of_one_address() {
        let config = Config {
            limits: Limits {
                sessions_per_address: 2,
                ..Limits::default()
            },
            ..Config::default()
        };
        let admission = Admission::new(u16::MAX);
        let enter = |address: &str| admission.enter(address.parse().unwrap(), &config);
        let _two = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"].map(|it| enter(it).unwrap());
        assert_eq!(
            enter("2001:db8:0:1::3").unwrap_err(),
            Refusal::SessionsOfAddress
        );
        let _other = enter("2001:db8:0:2::1").unwrap();
        // IPv4 addresses that come as IPv6 are all in one network of /64.
        let _mapped = ["::ffff:192.0.2.1", "::ffff:192.0.2.2", "::ffff:192.0.2.3"]
            .map(|it| enter(it).unwrap());
    }

    #[test]
    fn no_more_sessions_are_admitted_than_there_are_descriptors_for() {
        let config = Config::default();
        let admission = Admission::new(1);
        let place = enter(&admission, 1, &config).unwrap();
        assert_eq!(
            enter(&admission, 2, &config).unwrap_err(),
            Refusal::Descriptors
        );
        drop(place);
        let _again = enter(&admission, 2, &config).unwrap();
    }
}
