//! A description of which some values cannot be read: all that is wrong with it at once.
//!
//! The parser of TOML stops at the first value of a wrong type. It is told of the others by putting
//! a sound value in place of each that it refuses, until it is content; then the rules can be asked
//! about the rest.

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::{Manifest, key_of};
use crate::error::{Fault, Faults};
use crate::rules::{self, Finding, Levels};
use crate::{Error, Sources};

/// Values that are put in place of others, by their keys. Their text comes behind that of the
/// description, so that no two values are in the same place.
const STAND_INS: &str = r#"
name = "stand-in"
vendor = "stand-in"
vendor-code = "std"
release = "1"
release-date = 2026-01-15T00:00:00Z
summary = "stand-in"
description = "stand-in"
payloads = [{ name = "stand-in" }]
platforms = ["8.*"]
component = { name = "stand-in", ui-string = "stand-in" }
bulletin = { kb-url = "stand-in", contact = "stand-in" }
ui-string = "stand-in"
kb-url = "stand-in"
contact = "stand-in"
contents = []
source = "stand-in"
destination = "opt/stand-in"
mode = "0755"
on-install = false
on-remove = false
"#;
/// What findings about stand-ins hold.
const STAND_IN: &str = "stand-in";
/// Most faults that are looked for.
const MOST: usize = 100;

/// A description, as far as it can be read.
#[derive(Debug)]
pub struct Draft {
    /// The description, with stand-ins for what cannot be read.
    manifest: Manifest,
    faults: Vec<Fault>,
    /// Where stand-ins are.
    replaced: Vec<Place>,
}

/// A step from a table or an array to a value in it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

type Place = Vec<Step>;

impl Draft {
    /// Reads a `package.toml`.
    ///
    /// # Errors
    /// [`Error::Manifest`] if it is no TOML, or so far from a description that it cannot be told what
    /// is meant.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let table = DeTable::parse(text).map_err(|error| refused(vec![fault(text, &error)]))?;
        let behind = "\n".repeat(text.len() + 1) + STAND_INS;
        let stand_ins =
            DeTable::parse(&behind).map_err(|error| refused(vec![fault("", &error)]))?;
        let (mut table, mut faults, mut replaced) = (table, Vec::new(), Vec::new());
        loop {
            let error = match Manifest::deserialize(Deserializer::from(table.clone())) {
                Ok(manifest) => {
                    return Ok(Self {
                        manifest,
                        faults,
                        replaced,
                    });
                }
                Err(error) => error,
            };
            // What is missing because it was taken away is no fault.
            let known = fault(text, &error);
            faults.push(known);
            let place = mend(&mut table, stand_ins.get_ref(), &error);
            match place {
                Some(place) if faults.len() < MOST => replaced.push(place),
                _ => return Err(refused(faults)),
            }
        }
    }

    /// The description.
    ///
    /// # Errors
    /// [`Error::Manifest`] with everything that cannot be read.
    pub fn finish(self) -> Result<Manifest, Error> {
        if self.faults.is_empty() {
            Ok(self.manifest)
        } else {
            Err(refused(self.faults))
        }
    }

    /// As [`Draft::finish`], with the rules that the rest breaks, and with `upstream` as the version
    /// if a caller gives one.
    ///
    /// # Errors
    /// [`Error::Manifest`] with everything that cannot be read and everything that breaks a rule.
    pub fn finish_with(
        self,
        upstream: Option<&str>,
        sources: &dyn Sources,
    ) -> Result<Manifest, Error> {
        let Self {
            manifest,
            faults,
            replaced,
        } = self;
        let manifest = match upstream {
            Some(upstream) => manifest.with_version(upstream),
            None => manifest,
        };
        if faults.is_empty() {
            return Ok(manifest);
        }
        let mut findings = crate::package::findings(&manifest, sources);
        findings.retain(|one| !caused(&replaced, one));
        Err(Error::Manifest(Faults::new(faults, findings)))
    }
}

/// Whether a finding is about a stand-in, or comes of one.
fn caused(replaced: &[Place], finding: &Finding) -> bool {
    if finding.place.contains(STAND_IN) {
        return true;
    }
    replaced.iter().any(|place| {
        let (Some(Step::Key(key)), rest) = (place.first(), place.get(1..).unwrap_or_default())
        else {
            return false;
        };
        let row = match rest.first() {
            Some(Step::Index(index)) if key == "contents" => {
                Some(format!("contents row {} ", index + 1))
            }
            _ => None,
        };
        let about = finding.place.strip_prefix(key.as_str());
        match (key.as_str(), row) {
            ("contents", Some(row)) => finding.place.starts_with(&row),
            ("contents" | "payloads", _) => {
                about.is_some() || finding.rule.number() == rules::PAYLOAD_CONTENT.number()
            }
            ("acceptance-level", _) => finding.rule.levels() != Levels::All,
            ("platforms" | "relationships", _) => {
                about.is_some()
                    || [rules::CONSTRAINT, rules::LOCATION]
                        .iter()
                        .any(|rule| rule.number() == finding.rule.number())
            }
            _ => about.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ' ', ','])),
        }
    })
}

fn refused(faults: Vec<Fault>) -> Error {
    Error::Manifest(Faults::new(faults, Vec::new()))
}

fn fault(text: &str, error: &toml::de::Error) -> Fault {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Fault {
        line,
        key: key_of(
            text.lines().nth(line - 1).unwrap_or_default(),
            line == 1,
            error.message(),
        ),
        problem: error.message().lines().collect::<Vec<_>>().join("; "),
    }
}

/// Puts something sound in the place of an error; says where that was, or gives up.
fn mend<'t>(
    table: &mut Spanned<DeTable<'t>>,
    stand_ins: &DeTable<'t>,
    error: &toml::de::Error,
) -> Option<Place> {
    let message = error.message();
    let quoted = || message.split('`').nth(1);
    let span = error.span().unwrap_or_default();
    let mut place = if message.starts_with("missing field") {
        find(table.get_ref(), &|node| node == span).or(Some(Vec::new()))?
    } else {
        find(table.get_ref(), &|node| node == span)?
    };
    if message.starts_with("missing field") {
        let key = quoted()?;
        place.push(Step::Key(key.to_owned()));
        insert(table.get_mut(), &place, stand_ins)?;
        return Some(place);
    }
    if message.starts_with("unknown field") {
        remove(table.get_mut(), &place)?;
        return Some(place);
    }
    // A value of which a part is wrong is given up as a whole if the part has no stand-in.
    while !place.is_empty() {
        if insert(table.get_mut(), &place, stand_ins).is_some() {
            return Some(place);
        }
        if matches!(place.last(), Some(Step::Key(_))) {
            remove(table.get_mut(), &place)?;
            return Some(place);
        }
        place.pop();
    }
    None
}

/// The way to the key or value of a span, the deepest one.
fn find(table: &DeTable<'_>, wanted: &dyn Fn(std::ops::Range<usize>) -> bool) -> Option<Place> {
    table.iter().find_map(|(key, value)| {
        let step = Step::Key(key.get_ref().to_string());
        let inner = find_value(value, wanted);
        let here = || (wanted(key.span()) || wanted(value.span())).then(Vec::new);
        let rest = inner.or_else(here)?;
        Some([vec![step], rest].concat())
    })
}

fn find_value(
    value: &Spanned<DeValue<'_>>,
    wanted: &dyn Fn(std::ops::Range<usize>) -> bool,
) -> Option<Place> {
    match value.get_ref() {
        DeValue::Table(table) => find(table, wanted),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, one)| {
            let inner = find_value(one, wanted);
            let rest = inner.or_else(|| wanted(one.span()).then(Vec::new))?;
            Some([vec![Step::Index(index)], rest].concat())
        }),
        _ => None,
    }
}

/// The table that a place is in, and its key there.
fn parent<'a, 't>(
    table: &'a mut DeTable<'t>,
    place: &'a [Step],
) -> Option<(&'a mut DeTable<'t>, &'a str)> {
    let (first, rest) = place.split_first()?;
    let Step::Key(key) = first else { return None };
    if rest.is_empty() {
        return Some((table, key));
    }
    let mut value = table.get_mut(key.as_str())?.get_mut();
    let mut rest = rest;
    loop {
        match (value, rest) {
            (DeValue::Array(array), [Step::Index(index), behind @ ..]) => {
                value = array.get_mut(*index)?.get_mut();
                rest = behind;
            }
            (DeValue::Table(table), rest) => return parent(table, rest),
            _ => return None,
        }
    }
}

fn insert<'t>(table: &mut DeTable<'t>, place: &[Step], stand_ins: &DeTable<'t>) -> Option<()> {
    let (table, key) = parent(table, place)?;
    let (name, value) = stand_ins.get_key_value(key)?;
    match table.get_mut(key) {
        // Never twice for one place.
        Some(there) if there.span() == value.span() => return None,
        Some(there) => *there = value.clone(),
        None => {
            table.insert(name.clone(), value.clone());
        }
    }
    Some(())
}

fn remove(table: &mut DeTable<'_>, place: &[Step]) -> Option<()> {
    let (table, key) = parent(table, place)?;
    table.remove(key).map(drop)
}
