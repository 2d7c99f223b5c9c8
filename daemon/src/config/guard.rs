//! Bounds on guessing passwords.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

use super::Findings;

/// The most refused logins that can be asked for: the daemon keeps the time of each.
pub(crate) const MOST_FAILURES: u8 = 15;

/// When addresses are banned whose logins are refused again and again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Guard {
    /// Refused logins within the window that ban an address, 1 to 15; 0 bans none.
    pub failures: u8,
    /// Seconds after which a refused login no longer counts, 1 to 86400.
    pub window_seconds: u32,
    /// Seconds for which an address is banned, 1 to 604800.
    pub ban_seconds: u32,
    /// Networks whose addresses are neither counted nor banned.
    pub exempt: Vec<IpNet>,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            failures: 10,
            window_seconds: 600,
            ban_seconds: 900,
            exempt: Vec::new(),
        }
    }
}

impl Guard {
    /// [`Guard::window_seconds`] as a duration.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds.into())
    }

    /// [`Guard::ban_seconds`] as a duration.
    pub(crate) fn ban(&self) -> Duration {
        Duration::from_secs(self.ban_seconds.into())
    }

    /// Whether refused logins from this address count.
    pub(crate) fn watches(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.failures > 0 && !self.exempt.iter().any(|network| network.contains(&client))
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        if self.failures > MOST_FAILURES {
            findings.error(
                "guard.failures",
                &format!("{} is not within 0 to {MOST_FAILURES}", self.failures),
                "choose a number in the range; 0 bans no address",
            );
        }
        for (key, seconds, most) in [
            ("guard.window-seconds", self.window_seconds, 86_400),
            ("guard.ban-seconds", self.ban_seconds, 604_800),
        ] {
            if !(1..=most).contains(&seconds) {
                findings.error(
                    key,
                    &format!("{seconds} is not within 1 to {most}"),
                    "choose a number of seconds in the range",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::findings;

    #[test]
    fn bad_guards_are_named() {
        let found = findings("[guard]\nfailures = 16\nwindow-seconds = 0\nban-seconds = 604801\n");
        let keys: Vec<_> = found
            .iter()
            .filter_map(|it| it.split(": ").nth(1))
            .collect();
        assert_eq!(
            keys,
            [
                "guard.failures",
                "guard.window-seconds",
                "guard.ban-seconds"
            ]
        );
        assert_eq!(findings("[guard]\nfailures = 0\n"), [""; 0]);
    }
}
