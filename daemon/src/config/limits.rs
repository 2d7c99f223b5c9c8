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
    /// Seconds from the greeting to a log-in, 5 to 3600.
    pub log_in_seconds: u32,
    /// Refused log-ins after which a session ends, 1 to 100.
    pub log_in_attempts: u32,
    /// Seconds after which a session without a command or a transfer ends, 10 to 86400.
    pub idle_seconds: u32,
    /// Seconds for the TLS handshake of a control connection, 1 to 300.
    pub handshake_seconds: u32,
    /// Seconds from a transfer command to its data connection, its TLS handshake included, 1 to
    /// 300. The engine libunftp does not heed it.
    pub data_connection_seconds: u32,
    /// Seconds after which a transfer that moves no byte ends, 1 to 86400.
    pub stall_seconds: u32,
    /// Seconds that running transfers get to finish when the daemon is told to stop, 0 to 12.
    pub shutdown_grace_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 64,
            sessions_per_address: 16,
            log_in_seconds: 60,
            log_in_attempts: 3,
            idle_seconds: 300,
            handshake_seconds: 30,
            data_connection_seconds: 30,
            stall_seconds: 300,
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
            "limits.log-in-attempts",
            self.log_in_attempts,
            1..=100,
            "choose a number in the range",
        );
        for (key, value, range) in [
            ("limits.log-in-seconds", self.log_in_seconds, 5..=3600),
            ("limits.idle-seconds", self.idle_seconds, 10..=86400),
            ("limits.handshake-seconds", self.handshake_seconds, 1..=300),
            (
                "limits.data-connection-seconds",
                self.data_connection_seconds,
                1..=300,
            ),
            ("limits.stall-seconds", self.stall_seconds, 1..=86400),
        ] {
            within(key, value, range, "choose a number of seconds in the range");
        }
        within(
            "limits.shutdown-grace-seconds",
            self.shutdown_grace_seconds,
            0..=12,
            "the init script kills the daemon after 15 seconds, because the host ends the script after 30",
        );
    }
}
