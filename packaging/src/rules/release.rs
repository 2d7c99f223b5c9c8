//! Releases of the host, and sets of them: not every rule holds everywhere.

use std::cmp::Ordering;
use std::fmt;
use std::ops::BitAnd;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::Version;

/// Releases that rules tell apart, by major and minor number. Updates of one release count as it.
const KNOWN: [(u8, u8); 9] = [
    (5, 0),
    (5, 1),
    (5, 5),
    (6, 0),
    (6, 5),
    (6, 7),
    (7, 0),
    (8, 0),
    (9, 0),
];

/// A set of releases of the host, from 5.0 to 9.0.
///
/// ```
/// use packaging::rules::Releases;
///
/// let some = "6.*".parse::<Releases>()?;
/// assert_eq!(some.to_string(), "6.0 to 6.7");
/// assert_eq!("8.0.3-24449057".parse::<Releases>()?.to_string(), "8.0");
/// assert!("4.1".parse::<Releases>().is_err());
/// # Ok::<(), packaging::rules::UnknownRelease>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Releases(u16);

/// A text that names no release of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no release of the host; write one of {list}, or a whole line such as 6.*", list = Releases::ALL.names().collect::<Vec<_>>().join(", "))]
pub struct UnknownRelease(String);

impl Releases {
    /// All that are known.
    pub const ALL: Self = Self((1 << KNOWN.len()) - 1);
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Those that a package is judged for that says nothing about them (FORMAT.md R10).
    pub const CURRENT: Self = Self::from(6, 5);

    /// This release and all later ones.
    pub const fn from(major: u8, minor: u8) -> Self {
        Self(Self::ALL.0 & !(Self::place(major, minor) - 1))
    }

    /// This release and all earlier ones.
    pub const fn up_to(major: u8, minor: u8) -> Self {
        let bit = Self::place(major, minor);
        Self(bit | (bit - 1))
    }

    /// Those of all texts together that name some; none if one of the texts stands for all releases,
    /// or if no text names one that is known.
    pub fn named<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let mut named = Self::NONE;
        for text in texts {
            if matches!(text, "" | "*") {
                return None;
            }
            named = named.or(text.parse().unwrap_or(Self::NONE));
        }
        Some(named).filter(|named| !named.is_empty())
    }

    /// The bit of a release. For one that is not known, it lies behind all others.
    const fn place(major: u8, minor: u8) -> u16 {
        let mut index = 0;
        while index < KNOWN.len() {
            let (known_major, known_minor) = KNOWN[index];
            if known_major == major && known_minor == minor {
                break;
            }
            index += 1;
        }
        1 << index
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Each as `MAJOR.MINOR`.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.members()
            .map(|(_, (major, minor))| format!("{major}.{minor}"))
    }

    fn members(self) -> impl Iterator<Item = (usize, (u8, u8))> {
        KNOWN
            .into_iter()
            .enumerate()
            .filter(move |(place, _)| self.0 & (1 << place) != 0)
    }

    fn only(wanted: impl Fn(u8, u8) -> bool) -> Self {
        let bits = (0..).zip(KNOWN);
        Self(bits.fold(0, |set, (place, (major, minor))| {
            set | (u16::from(wanted(major, minor)) << place)
        }))
    }

    /// Those with an update whose `esx-version` meets a constraint (FORMAT.md I3, I10). A
    /// constraint that means nothing excludes nothing.
    #[must_use]
    pub fn that_meet(relation: &str, version: &str) -> Self {
        let upstream = version.split('-').next().unwrap_or_default();
        let Ok(wanted) = Version::parse(&format!("{upstream}-0")) else {
            return Self::ALL;
        };
        Self::only(|major, minor| {
            let against = |update: &str| {
                let host = Version::parse(&format!("{major}.{minor}.{update}-0"));
                host.map_or(Ordering::Equal, |host| host.compare(&wanted))
            };
            // Updates count from 0 on; this is one behind all of them.
            let (first, last) = (against("0"), against("999"));
            match relation {
                "<<" => first.is_lt(),
                "<=" => first.is_le(),
                "=" => first.is_le() && last.is_ge(),
                ">=" => last.is_ge(),
                ">>" => last.is_gt(),
                _ => true,
            }
        })
    }
}

impl BitAnd for Releases {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

/// `6.7` and its updates such as `6.7.0` or `8.0.3-24449057`; `6`, `6.x` or `6.*` for a line of
/// releases.
impl FromStr for Releases {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let unknown = || UnknownRelease(text.to_owned());
        let mut numbers = text.split(['.', '-']);
        let major: u8 = numbers
            .next()
            .and_then(|number| number.parse().ok())
            .ok_or_else(unknown)?;
        let found = match numbers.next() {
            None | Some("*" | "x") => Self::only(|known, _| known == major),
            Some(minor) => {
                let minor: u8 = minor.parse().map_err(|_| unknown())?;
                Self::only(|known, of| (known, of) == (major, minor))
            }
        };
        if found.is_empty() {
            return Err(unknown());
        }
        Ok(found)
    }
}

/// `all releases`, `8.0 and later`, `5.0 to 6.5`, `6.7`, or several of these.
impl fmt::Display for Releases {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return out.write_str("all releases");
        }
        // Runs of neighbours, as the places of their first and last.
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (place, _) in self.members() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                _ => runs.push((place, place)),
            }
        }
        let name = |place: usize| {
            KNOWN
                .get(place)
                .map_or_else(String::new, |(major, minor)| format!("{major}.{minor}"))
        };
        let runs: Vec<_> = runs
            .into_iter()
            .map(
                |(first, last)| match (first == last, last + 1 == KNOWN.len()) {
                    (true, _) => name(first),
                    (false, true) => format!("{} and later", name(first)),
                    (false, false) => format!("{} to {}", name(first), name(last)),
                },
            )
            .collect();
        out.write_str(&runs.join(", "))
    }
}

/// A list of `MAJOR.MINOR`.
impl Serialize for Releases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(relation: &str, version: &str) -> String {
        Releases::that_meet(relation, version).to_string()
    }

    #[test]
    fn a_constraint_on_the_host_leaves_the_releases_with_an_update_that_meets_it() {
        assert_eq!(met(">=", "5.5.0"), "5.5 and later");
        assert_eq!(met(">=", "6.7.0-1.20"), "6.7 and later");
        assert_eq!(met(">=", "8.0.2"), "8.0 and later");
        assert_eq!(met("<<", "7.0.0"), "5.0 to 6.7");
        assert_eq!(met("<=", "7.0.0"), "5.0 to 7.0");
        assert_eq!(met("=", "6.5.0"), "6.5");
        assert_eq!(met(">>", "9.0.3"), "9.0");
        assert_eq!(met(">>", "not a version"), "all releases");
        assert_eq!(met("~", "1"), "all releases");
    }

    #[test]
    fn sets_have_names() {
        assert_eq!(Releases::from(8, 0).to_string(), "8.0 and later");
        assert_eq!(Releases::up_to(6, 5).to_string(), "5.0 to 6.5");
        assert_eq!(Releases::up_to(5, 0).to_string(), "5.0");
        let both = Releases::up_to(5, 1).or(Releases::from(9, 0));
        assert_eq!(both.to_string(), "5.0 to 5.1, 9.0");
        assert_eq!(Releases::NONE.to_string(), "");
        assert_eq!(
            (Releases::from(6, 7) & Releases::up_to(6, 5)),
            Releases::NONE
        );
    }

    #[test]
    fn texts_name_a_release_or_a_line() {
        for (text, wanted) in [
            ("6", "6.0 to 6.7"),
            ("5.x", "5.0 to 5.5"),
            ("7.0.1", "7.0"),
            ("9.*", "9.0"),
        ] {
            assert_eq!(text.parse::<Releases>().unwrap().to_string(), wanted);
        }
        for text in ["", "x", "6.2", "10", "6.7a", "-1"] {
            let error = text.parse::<Releases>().unwrap_err().to_string();
            assert!(error.contains("write one of 5.0, 5.1, "), "{error}");
        }
    }
}
