//! Arguments that name a file and say something about it.

use super::{arguments, symbolic_mode::SymbolicMode};
use crate::{
    request::Timestamp,
    wire::{name, time_val},
};

/// A file and the part of it that a digest is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) path: Vec<u8>,
    /// The first byte.
    pub(crate) start: u64,
    /// The byte behind the last one; the end of the file if absent.
    pub(crate) end: Option<u64>,
}

/// The argument of MFF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeFacts {
    pub(crate) path: Vec<u8>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) mode: Option<u32>,
    /// A fact that the file system does not let us change, or that nobody knows.
    pub(crate) refused: Option<String>,
}

/// The argument of SITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    /// CHMOD with bits.
    Mode(u32, Vec<u8>),
    /// CHMOD with a symbolic mode.
    ModeChange(SymbolicMode, Vec<u8>),
    /// CPFR.
    CopyFrom(Vec<u8>),
    /// CPTO.
    CopyTo(Vec<u8>),
    /// DF; the working directory if empty.
    Space(Vec<u8>),
    /// HELP.
    Help,
    /// UTIME.
    Modified(Timestamp, Vec<u8>),
    /// A known command with arguments that are none, and its usage.
    Usage(&'static str),
    /// Anything else.
    Unknown,
}

/// The commands of SITE, for HELP and FEAT.
pub(crate) const SITE: [&str; 6] = [
    "CHMOD mode path",
    "CPFR file",
    "CPTO file",
    "DF [path]",
    "HELP",
    "UTIME YYYYMMDDHHMM[SS] path",
];

fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    (!path.is_empty()).then(|| name::decode(path).into_owned())
}

/// Splits at the first space.
fn split(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = argument.iter().position(|&byte| byte == b' ')?;
    let (word, rest) = argument.split_at_checked(space)?;
    Some((word, rest.get(1..)?))
}

/// Splits at the last space.
fn split_last(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = argument.iter().rposition(|&byte| byte == b' ')?;
    let (rest, word) = argument.split_at_checked(space)?;
    Some((rest, word.get(1..)?))
}

/// MFMT, and MDTM that sets: a time and a path.
pub(crate) fn time_and_path(argument: &[u8]) -> Option<(Timestamp, Vec<u8>)> {
    let (time, path) = split(argument)?;
    // Only SITE UTIME leaves the seconds out.
    if time.len() < 14 {
        return None;
    }
    Some((time_val::parse(time)?, decoded(path)?))
}

/// A path, in quotes or not, and perhaps the first byte and the byte behind the last one. Without
/// quotes, numbers at the end are a range if something is left that is a path.
pub(crate) fn part(argument: &[u8]) -> Option<Part> {
    if let Some(quoted) = argument.strip_prefix(b"\"") {
        let end = quoted.iter().rposition(|&byte| byte == b'"')?;
        let (path, rest) = quoted.split_at_checked(end)?;
        let mut numbers = rest
            .get(1..)?
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty());
        let mut next = || numbers.next().map(arguments::number);
        let (start, end) = (next(), next());
        if numbers.next().is_some() {
            return None;
        }
        return Some(Part {
            path: decoded(path)?,
            start: start.unwrap_or(Some(0))?,
            end: match end {
                Some(end) => Some(end?),
                None => None,
            },
        });
    }
    let mut path = argument;
    let mut numbers = Vec::new();
    while numbers.len() < 2
        && let Some((rest, word)) = split_last(path)
        && !rest.is_empty()
        && let Some(number) = arguments::number(word)
    {
        numbers.push(number);
        path = rest;
    }
    let (start, end) = match numbers.as_slice() {
        [end, start] => (*start, Some(*end)),
        [start] => (*start, None),
        _ => (0, None),
    };
    Some(Part {
        path: decoded(path)?,
        start,
        end,
    })
}

/// MFF (draft-somers-ftp-mfxx): facts with values, a space and a path.
pub(crate) fn change_facts(argument: &[u8]) -> Option<ChangeFacts> {
    let (facts, path) = split(argument)?;
    let facts = str::from_utf8(facts).ok()?.strip_suffix(';')?;
    let mut change = ChangeFacts {
        path: decoded(path)?,
        modified: None,
        mode: None,
        refused: None,
    };
    for fact in facts.split(';') {
        let (name, value) = fact.split_once('=')?;
        if name.eq_ignore_ascii_case("modify") {
            change.modified = Some(time_val::parse(value.as_bytes())?);
        } else if name.eq_ignore_ascii_case("UNIX.mode") {
            change.mode = Some(arguments::mode(value.as_bytes())?);
        } else {
            change.refused = Some(name.to_owned());
        }
    }
    Some(change)
}

/// SITE and what follows; only a missing command is an error.
pub(crate) fn site(argument: &[u8]) -> Option<Site> {
    let argument = argument.trim_ascii_start();
    if argument.is_empty() {
        return None;
    }
    let (name, rest) = split(argument).unwrap_or((argument, b""));
    let path = |form: fn(Vec<u8>) -> Site, usage| decoded(rest).map_or(Site::Usage(usage), form);
    Some(match name.to_ascii_uppercase().as_slice() {
        b"CHMOD" => chmod(rest).unwrap_or(Site::Usage(
            "CHMOD mode path, with a mode from 000 to 777 or such as u+x,go-w",
        )),
        b"CPFR" => path(Site::CopyFrom, "CPFR file"),
        b"CPTO" => path(Site::CopyTo, "CPTO file"),
        b"DF" => Site::Space(name::decode(rest).into_owned()),
        b"HELP" => Site::Help,
        b"UTIME" => utime(rest).unwrap_or(Site::Usage(
            "UTIME YYYYMMDDHHMM[SS] path, or UTIME path access modify create UTC",
        )),
        _ => Site::Unknown,
    })
}

fn chmod(argument: &[u8]) -> Option<Site> {
    let (mode, path) = split(argument)?;
    let path = decoded(path)?;
    Some(match arguments::mode(mode) {
        Some(bits) => Site::Mode(bits, path),
        None => Site::ModeChange(SymbolicMode::parse(mode)?, path),
    })
}

/// Both forms that clients use: a time before the path, or three behind it, of which the second
/// is the one that can be set.
fn utime(argument: &[u8]) -> Option<Site> {
    if let Some(site) = utime_three(argument) {
        return Some(site);
    }
    let (time, path) = split(argument)?;
    Some(Site::Modified(time_val::parse(time)?, decoded(path)?))
}

fn utime_three(argument: &[u8]) -> Option<Site> {
    let (rest, zone) = split_last(argument)?;
    if !zone.eq_ignore_ascii_case(b"UTC") {
        return None;
    }
    let (rest, created) = split_last(rest)?;
    let (rest, modified) = split_last(rest)?;
    let (path, accessed) = split_last(rest)?;
    time_val::parse(created)?;
    time_val::parse(accessed)?;
    Some(Site::Modified(time_val::parse(modified)?, decoded(path)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: Timestamp = Timestamp {
        seconds: 0,
        nanoseconds: 0,
    };

    fn part_of(argument: &str) -> Option<(String, u64, Option<u64>)> {
        let Part { path, start, end } = part(argument.as_bytes())?;
        Some((String::from_utf8(path).unwrap(), start, end))
    }

    #[test]
    fn a_digest_may_have_a_range() {
        assert_eq!(part_of("a b"), Some(("a b".into(), 0, None)));
        assert_eq!(part_of("a 5"), Some(("a".into(), 5, None)));
        assert_eq!(part_of("a 5 9"), Some(("a".into(), 5, Some(9))));
        assert_eq!(part_of("a 1 5 9"), Some(("a 1".into(), 5, Some(9))));
        assert_eq!(part_of("5"), Some(("5".into(), 0, None)));
        assert_eq!(part_of("\"a 5\""), Some(("a 5".into(), 0, None)));
        assert_eq!(part_of("\"a 5\" 1 2"), Some(("a 5".into(), 1, Some(2))));
        assert_eq!(part_of("\"a"), None);
        assert_eq!(part_of("\"a\" x"), None);
        assert_eq!(part_of("\"a\" 1 2 3"), None);
        assert_eq!(part_of(""), None);
    }

    #[test]
    fn facts_to_change_are_told_apart() {
        let change = change_facts(b"modify=19700101000000;UNIX.mode=0600; a b").unwrap();
        assert_eq!(change.modified, Some(EPOCH));
        assert_eq!(change.mode, Some(0o600));
        assert_eq!(change.path, b"a b");
        let change = change_facts(b"UNIX.owner=0; a").unwrap();
        assert_eq!(change.refused.as_deref(), Some("UNIX.owner"));
        for wrong in [
            "",
            "modify=1; a",
            "modify; a",
            "modify=19700101000000 a",
            "UNIX.mode=9; a",
        ] {
            assert_eq!(change_facts(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn both_forms_of_utime_are_understood() {
        let expected = Some(Site::Modified(EPOCH, b"a b".to_vec()));
        assert_eq!(site(b"UTIME 19700101000000 a b"), expected);
        assert_eq!(site(b"utime 197001010000 a b"), expected);
        let three = b"UTIME a b 20000101000000 19700101000000 20000101000000 UTC";
        assert_eq!(site(three), expected);
        assert!(matches!(site(b"UTIME a"), Some(Site::Usage(_))));
    }

    #[test]
    fn commands_of_site_are_told_apart() {
        assert_eq!(
            site(b"chmod 644 a b"),
            Some(Site::Mode(0o644, b"a b".to_vec()))
        );
        assert!(matches!(site(b"CHMOD 4755 a"), Some(Site::Usage(_))));
        assert!(matches!(
            site(b"CHMOD u+x,go-w a b"),
            Some(Site::ModeChange(_, path)) if path == b"a b"
        ));
        assert!(matches!(site(b"CHMOD u+s a"), Some(Site::Usage(_))));
        assert_eq!(site(b"CPFR a"), Some(Site::CopyFrom(b"a".to_vec())));
        assert!(matches!(site(b"CPTO"), Some(Site::Usage(_))));
        assert_eq!(site(b"DF"), Some(Site::Space(Vec::new())));
        assert_eq!(site(b"EXEC rm"), Some(Site::Unknown));
        assert_eq!(site(b""), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(argument: Vec<u8>) {
            time_and_path(&argument);
            part(&argument);
            change_facts(&argument);
            site(&argument);
        }
    }
}
