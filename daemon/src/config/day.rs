//! Days of the calendar, as UTC has them.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Deserializer, de};
use toml::value::Datetime;

/// A day, written as a TOML date: `2027-01-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct Day(i64);

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

impl Day {
    /// The day that begins so many days after 1970-01-01.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn since_1970(days: i64) -> Self {
        Self(days)
    }

    /// The day that it is in UTC.
    #[expect(
        clippy::disallowed_methods,
        reason = "accounts expire by the host's clock, at a log-in and in `check`"
    )]
    pub(crate) fn today() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is wrong anyway.
        let days = now.unwrap_or_default().as_secs() / DAY;
        Self(i64::try_from(days).unwrap_or(i64::MAX))
    }

    /// Days since 1970-01-01.
    pub(crate) fn days(self) -> i64 {
        self.0
    }
}

/// As it is written.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = u64::try_from(self.0).unwrap_or(0);
        match NaiveDate::default().checked_add_days(Days::new(days)) {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom("expected a date without a time, such as 2027-01-01");
        let written = Datetime::deserialize(deserializer).map_err(|_other_type| wrong())?;
        let (Some(date), None, None) = (written.date, written.time, written.offset) else {
            return Err(wrong());
        };
        let date = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into());
        let days = date.ok_or_else(wrong)? - NaiveDate::default();
        Ok(Self(days.num_days()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_shown_as_they_are_written() {
        assert_eq!(Day::since_1970(0).to_string(), "1970-01-01");
        assert_eq!(Day::since_1970(20_819).to_string(), "2027-01-01");
        assert!(Day::today() > Day::since_1970(20_000));
        assert_eq!(
            Day::since_1970(i64::MAX).to_string(),
            format!("day {}", i64::MAX)
        );
    }
}
