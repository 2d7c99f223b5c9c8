//! How files are stored and listed.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::Findings;

/// How files are stored and listed, for all accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
pub struct Storage {
    /// How sessions are kept inside their roots.
    pub root: RootChoice,
    /// Bytes of a file system that uploads leave free.
    pub reserve: ByteSize,
    /// Whether a directory whose name is a datastore's UUID is not listed beside the link that
    /// bears its label.
    pub hide_uuid_twins: bool,
    /// How listings show symbolic links.
    pub links: LinkForm,
    /// Days after which a session that lists a directory removes part files in it that nobody has
    /// changed since; 0 keeps them.
    pub part_file_days: u16,
    /// The times in listings of the `ls -l` kind; those of MLSD are always UTC.
    pub utc_offset: UtcOffset,
    /// Permission bits that new files and directories do not get, unless the account says
    /// otherwise.
    pub umask: Umask,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            root: RootChoice::Auto,
            reserve: ByteSize(1 << 30),
            hide_uuid_twins: true,
            links: LinkForm::AsLinks,
            part_file_days: 7,
            utc_offset: UtcOffset(0),
            umask: Umask(0o022),
        }
    }
}

impl Storage {
    pub(super) fn check(&self, findings: &mut Findings) {
        if self.part_file_days > MOST_DAYS {
            findings.error(
                "storage.part-file-days",
                "more than ten years",
                "choose at most 3650 days, or 0 to keep part files",
            );
        }
        if self.reserve.0 > MOST_RESERVE {
            findings.error(
                "storage.reserve",
                "more than 1 TiB would be left free",
                "choose at most \"1 TiB\"",
            );
        }
    }
}

/// More days are a mistake.
const MOST_DAYS: u16 = 3650;

/// A larger reserve is a slip of the unit.
const MOST_RESERVE: u64 = 1 << 40;

/// How sessions are kept inside their roots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub enum RootChoice {
    /// By directory handles where the kernel has the calls for it, else by paths.
    #[default]
    Auto,
    /// By directory handles.
    Confined,
    /// By paths.
    Paths,
}

/// How listings show symbolic links whose target is inside the root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub enum LinkForm {
    /// As links, except labels of datastores and absolute links directly below the root.
    #[default]
    AsLinks,
    /// As what they lead to.
    AsTargets,
}

/// A number of bytes, written as an integer or with a unit, such as `"1 GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("\"{text}\" is not a size; write it as \"1 GiB\" or in bytes");
        let end = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_error| wrong())?;
        let unit: u64 = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of bytes, or a size such as \"1 GiB\"")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ByteSize, E> {
                let bytes = u64::try_from(value);
                bytes
                    .map(ByteSize)
                    .map_err(|_negative| E::custom("a size cannot be negative"))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<ByteSize, E> {
                value.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Seconds that a local time is ahead of UTC, written as `"+02:00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct UtcOffset(pub i32);

impl FromStr for UtcOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (sign, rest) = match text.split_at_checked(1)? {
                ("+", rest) => (1, rest),
                ("-", rest) => (-1, rest),
                _ => return None,
            };
            let (hours, minutes) = rest.split_once(':')?;
            let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
            if !digits(hours) || !digits(minutes) {
                return None;
            }
            let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
            // The islands furthest to the east have +14:00.
            let valid = hours <= 14 && minutes < 60;
            valid.then_some(Self(sign * (hours * 3600 + minutes * 60)))
        };
        parse().ok_or_else(|| format!("\"{text}\" is not an offset; write it as \"+02:00\""))
    }
}

impl<'de> Deserialize<'de> for UtcOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// Permission bits that new files do not get, written as three octal digits: `"022"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct Umask(pub u32);

impl FromStr for Umask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octal = matches!(text.len(), 3 | 4) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let mask = u32::from_str_radix(text, 8).ok();
        mask.filter(|mask| octal && *mask <= 0o777)
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is not a umask; write it as \"022\""))
    }
}

impl<'de> Deserialize<'de> for Umask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1 GiB", 1 << 30),
            ("512MiB", 512 << 20),
            ("3 B", 3),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "1 GB",
            "GiB",
            "-1",
            "1.5 GiB",
            "99999999999 TiB",
            "1 gib",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_have_a_sign_and_four_digits() {
        for (text, seconds) in [("+02:00", 7200), ("-03:30", -12600), ("+00:00", 0)] {
            assert_eq!(text.parse(), Ok(UtcOffset(seconds)), "{text}");
        }
        for text in [
            "", "2", "02:00", "+2:00", "+15:00", "+02:60", "UTC", "+é0:0", "+02:+0",
        ] {
            assert!(text.parse::<UtcOffset>().is_err(), "{text}");
        }
    }

    #[test]
    fn umasks_are_octal() {
        assert_eq!("022".parse(), Ok(Umask(0o022)));
        assert_eq!("0077".parse(), Ok(Umask(0o077)));
        for text in ["", "22", "088", "1777", "+22"] {
            assert!(text.parse::<Umask>().is_err(), "{text}");
        }
    }
}
