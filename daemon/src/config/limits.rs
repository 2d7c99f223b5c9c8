//! Bounds on what all clients together may use.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;

use super::Findings;

/// Bounds on sessions and on time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Limits {
    /// Control connections at one time, 1 to 1000. Each costs a thread.
    pub sessions: u16,
    /// Control connections at one time from one client address, 1 to 1000.
    pub sessions_per_address: u16,
    /// Seconds after which a session without a command or a transfer ends, 10 to 86400.
    pub idle_seconds: u32,
    /// Seconds that running transfers get to finish when the daemon is told to stop, 0 to 15.
    pub shutdown_grace_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 64,
            sessions_per_address: 16,
            idle_seconds: 300,
            shutdown_grace_seconds: 10,
        }
    }
}

impl Limits {
    /// [`Limits::shutdown_grace_seconds`] as a duration.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds.into())
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        let mut within = |key: &str, value: u32, range: RangeInclusive<u32>, why: &str| {
            if !range.contains(&value) {
                let problem = format!("{value} is not within {} to {}", range.start(), range.end());
                findings.error(key, &problem, why);
            }
        };
        within(
            "limits.sessions",
            self.sessions.into(),
            1..=1000,
            "each session costs a thread; choose a number in the range",
        );
        within(
            "limits.sessions-per-address",
            self.sessions_per_address.into(),
            1..=1000,
            "choose a number in the range",
        );
        within(
            "limits.idle-seconds",
            self.idle_seconds,
            10..=86400,
            "choose a number of seconds in the range",
        );
        within(
            "limits.shutdown-grace-seconds",
            self.shutdown_grace_seconds,
            0..=15,
            "the init script ends the daemon after 20 seconds, because the host ends the script after 30",
        );
    }
}
