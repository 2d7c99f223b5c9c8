//! The one point in time that a package knows: its release date.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Deserialize, Deserializer, de};

use crate::Error;

/// A release date in whole seconds, UTC.
///
/// Every time stamp of a package derives from this value, so that the same input gives the same
/// bytes. It ranges from 1970 to the end of 2107, the last year that a zip entry can name; zip
/// entries before 1980 say 1980.
///
/// ```
/// use packaging::Epoch;
///
/// let epoch: Epoch = "1768435200".parse()?; // as found in SOURCE_DATE_EPOCH
/// assert_eq!(epoch.unix(), 1_768_435_200);
/// assert!("yesterday".parse::<Epoch>().is_err());
/// # Ok::<(), packaging::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(DateTime<Utc>);

impl Epoch {
    /// 2107-12-31T23:59:59Z
    const LATEST: i64 = 4_354_819_199;

    /// From seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`Error::Epoch`] outside 1970 to 2107.
    pub fn from_unix(seconds: i64) -> Result<Self, Error> {
        if !(0..=Self::LATEST).contains(&seconds) {
            return Err(Self::out_of_range(seconds.to_string()));
        }
        DateTime::from_timestamp(seconds, 0)
            .map(Self)
            .ok_or_else(|| Self::out_of_range(seconds.to_string()))
    }

    /// From a date and a time with an offset, as `2026-01-15T00:00:00Z`. Fractions of the second are
    /// cut off.
    ///
    /// # Errors
    /// [`Error::Epoch`] if it is none, or outside 1970 to 2107.
    pub fn from_rfc3339(text: &str) -> Result<Self, Error> {
        let instant = DateTime::parse_from_rfc3339(text)
            .map_err(|_| Self::out_of_range(format!("{text:?}")))?;
        Self::from_unix(instant.timestamp())
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> u64 {
        self.0.timestamp().unsigned_abs()
    }

    /// `release-date` of a descriptor (FORMAT.md D2).
    pub(crate) fn in_descriptor(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M:%S.000000+00:00").to_string()
    }

    /// `releaseDate` of a bulletin (FORMAT.md B6).
    pub(crate) fn in_bulletin(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
    }

    /// `timestamp` of `vmware.xml` (FORMAT.md B7).
    pub(crate) fn in_response(self) -> String {
        self.0.format("%Y-%m-%dT%H:%M:%S.000000").to_string()
    }

    /// Time of a zip entry: two-second steps from 1980 on.
    pub(crate) fn in_zip(self) -> zip::DateTime {
        let (date, time) = (self.0.date_naive(), self.0.time());
        let narrow = |number: u32| u8::try_from(number).ok();
        let stamp = || {
            zip::DateTime::from_date_and_time(
                u16::try_from(date.year()).ok()?,
                narrow(date.month())?,
                narrow(date.day())?,
                narrow(time.hour())?,
                narrow(time.minute())?,
                narrow(time.second())?,
            )
            .ok()
        };
        stamp().unwrap_or_default() // the default is 1980-01-01
    }

    fn out_of_range(given: impl Into<String>) -> Error {
        Error::Epoch {
            given: given.into(),
            latest: Self::LATEST,
        }
    }
}

/// As `release-date` of a description wants it: `2026-01-15T00:00:00Z`.
impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// Reads the text of `SOURCE_DATE_EPOCH`: seconds as a decimal number.
impl FromStr for Epoch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let seconds = text
            .trim()
            .parse()
            .map_err(|_| Self::out_of_range(format!("{text:?}")))?;
        Self::from_unix(seconds)
    }
}

/// From a TOML date-time with an offset; without one it would mean another second on every machine.
impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = toml::value::Datetime::deserialize(deserializer)?.to_string();
        let instant = DateTime::parse_from_rfc3339(&text).map_err(|_| {
            de::Error::custom(format!(
                "{text} is not a date, a time and an offset; write it like 2026-01-15T00:00:00Z"
            ))
        })?;
        Self::from_unix(instant.timestamp()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_a_bundle_spells_the_time_its_own_way() {
        let epoch = Epoch::from_unix(1_768_435_199).unwrap();
        assert_eq!(epoch.in_descriptor(), "2026-01-14T23:59:59.000000+00:00");
        assert_eq!(epoch.in_bulletin(), "2026-01-14T23:59:59+00:00");
        assert_eq!(epoch.in_response(), "2026-01-14T23:59:59.000000");
    }

    #[test]
    fn zip_times_before_1980_become_1980() {
        assert_eq!(Epoch::from_unix(0).unwrap().in_zip().year(), 1980);
        assert_eq!(
            Epoch::from_unix(Epoch::LATEST).unwrap().in_zip().year(),
            2107
        );
    }

    #[test]
    fn times_outside_1970_to_2107_are_refused() {
        assert!(Epoch::from_unix(-1).is_err());
        assert!(Epoch::from_unix(Epoch::LATEST + 1).is_err());
    }
}
