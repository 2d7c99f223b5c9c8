//! Names of packages and vendors, and the forms that other places want them in.

use std::{fmt, str::FromStr};

/// Most characters: rulesets of the firewall have no longer names on any host.
const MOST: usize = 27;
/// Most characters of a payload's name: as long as a file name of the boot bank.
const PAYLOAD: usize = 8;
/// What hosts take for payloads of their own.
const RESERVED: [&str; 3] = ["useropts", "features", "jumpstrt"];

/// A name that can stand everywhere: in file names, as a ruleset and in the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

/// A text that cannot be a name.
#[derive(Debug, thiserror::Error)]
#[error(
    "write lower-case letters, digits and single dashes between them, at most {MOST}, with a letter in front"
)]
pub(super) struct NoName;

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins
            || text.len() > MOST
            || !text.chars().all(known)
            || text.ends_with('-')
            || text.contains("--")
        {
            return Err(NoName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Name {
    /// Protocol, ports and direction: 19 characters at most, all of them allowed.
    pub(super) fn of_rule(text: String) -> Self {
        Self(text)
    }

    /// As a command of esxcli, which has no dashes.
    pub(super) fn as_command(&self) -> String {
        self.0.replace('-', "")
    }

    /// As the name of a payload.
    pub(super) fn as_payload(&self) -> String {
        let short: String = self.as_command().chars().take(PAYLOAD).collect();
        if RESERVED.contains(&short.as_str()) {
            return format!("my{}", short.chars().take(PAYLOAD - 2).collect::<String>());
        }
        short
    }

    /// Three letters or digits.
    pub(super) fn as_code(&self) -> String {
        let code: String = self.as_command().chars().take(3).collect();
        format!("{code:x<3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_where_they_go() {
        for text in [
            "", "A", "1a", "-a", "a-", "a_b", "a.b", "a b", "a/b", "\u{fc}",
        ] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
        assert!("a".repeat(28).parse::<Name>().is_err());
        let name: Name = "note-to-self-2".parse().unwrap();
        assert_eq!(name.as_command(), "notetoself2");
        assert_eq!(name.as_payload(), "notetose");
        assert_eq!(name.as_code(), "not");
        let name: Name = "features-of-x".parse().unwrap();
        assert_eq!(name.as_payload(), "myfeatur");
        assert_eq!("a".parse::<Name>().unwrap().as_code(), "axx");
    }
}
