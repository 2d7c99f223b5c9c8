//! Who gets a session: caps on all sessions and on those of one client address.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::config::Config;

/// Counts sessions by client address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: u16,
    by_address: HashMap<IpAddr, u16>,
}

/// Why a client gets no session. The `Display` form is the text of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client's address is not allowed.
    Address,
    /// The server is full.
    Sessions,
    /// This client's address has its share.
    SessionsOfAddress,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "no service for your address",
            Self::Sessions => "too many sessions, try again later",
            Self::SessionsOfAddress => "too many sessions from your address, close one first",
        })
    }
}

/// A session's place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Admission,
    address: IpAddr,
}

impl Admission {
    /// Takes a place for a client at `address`.
    pub(crate) fn enter(&self, address: IpAddr, config: &Config) -> Result<Permit, Refusal> {
        if !config.listen.admits(address) {
            return Err(Refusal::Address);
        }
        let limits = &config.limits;
        let mut counts = self.counts();
        if counts.total >= limits.sessions {
            return Err(Refusal::Sessions);
        }
        let of_address = counts.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= limits.sessions_per_address {
            return Err(Refusal::SessionsOfAddress);
        }
        counts.total += 1;
        counts.by_address.insert(address, of_address + 1);
        Ok(Permit {
            admission: self.clone(),
            address,
        })
    }

    /// Whether no place is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts().total == 0
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.total -= 1;
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
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
        let admission = Admission::default();
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
            admission.counts().by_address.len(),
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
        let admission = Admission::default();
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
}
