//! The text of a configuration as TOML: from text to values, and from keys back to lines.

use std::{collections::HashSet, ops::Range};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::Findings;

/// A parsed TOML document that knows where its keys stand.
pub(super) struct Document<'t> {
    text: &'t str,
    root: DeValue<'t>,
}

impl<'t> Document<'t> {
    /// Parses `text`. Every syntax error becomes a finding; with one, there is no document.
    pub(super) fn parse(text: &'t str, findings: &mut Findings) -> Option<Self> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = line_at(text, error.span().map_or(0, |span| span.start));
            findings.error_at(line, "", error.message(), "correct the TOML syntax");
        }
        let root = DeValue::Table(table.into_inner());
        errors.is_empty().then_some(Self { text, root })
    }

    /// The entries at the top level.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_, 't>> {
        children(self.text, "", &self.root)
    }

    /// The line, counted from 1, of the key with this dotted path, or of the nearest table around
    /// it that is written down.
    pub(super) fn line_of_key(&self, key: &str) -> Option<usize> {
        let mut place = None;
        let mut value = &self.root;
        while let Some(child) = children(self.text, place.as_ref().map_or("", Entry::key), value)
            .find(|child| key == child.key || key.starts_with(&format!("{}.", child.key)))
        {
            value = child.value.get_ref();
            place = Some(child);
        }
        place.map(|entry| entry.line())
    }
}

/// A key or an array's element, and its value.
pub(super) struct Entry<'d, 't> {
    text: &'t str,
    /// The dotted path; elements of arrays by index from 0.
    key: String,
    /// Where it begins in the text, key included; in bytes.
    start: usize,
    value: &'d Spanned<DeValue<'t>>,
}

impl<'d, 't> Entry<'d, 't> {
    /// The dotted path; elements of arrays by index from 0.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Counted from 1.
    fn line(&self) -> usize {
        line_at(self.text, self.start)
    }

    /// Puts the value into `place`, unless it has a wrong type.
    pub(super) fn read_into<T: DeserializeOwned>(&self, place: &mut T, findings: &mut Findings) {
        if let Some(value) = self.read(findings) {
            *place = value;
        }
    }

    /// The value. Every unknown key in it becomes a finding; so does the first value of a wrong
    /// type, and then there is no value.
    pub(super) fn read<T: DeserializeOwned>(&self, findings: &mut Findings) -> Option<T> {
        let (result, unknown) = self.deserialize();
        self.name_unknown(|key| unknown.contains(key), findings);
        result.map_err(|error| self.wrong(&error, findings)).ok()
    }

    /// A table with the keys of two types. Keys that neither has are unknown. `serde(flatten)` would
    /// lose them, and the place of errors.
    pub(super) fn read_both<T: DeserializeOwned, U: DeserializeOwned>(
        &self,
        findings: &mut Findings,
    ) -> Option<(T, U)> {
        let (one, others) = self.deserialize();
        let (other, ones) = self.deserialize();
        self.name_unknown(|key| ones.contains(key) && others.contains(key), findings);
        match (one, other) {
            (Ok(one), Ok(other)) => Some((one, other)),
            (Err(error), _) | (_, Err(error)) => {
                self.wrong(&error, findings);
                None
            }
        }
    }

    /// The value, and the dotted paths of keys that it does not have.
    fn deserialize<T: DeserializeOwned>(&self) -> (Result<T, toml::de::Error>, HashSet<String>) {
        let mut unknown = HashSet::new();
        let value = ValueDeserializer::from(self.value.clone());
        let result = serde_ignored::deserialize(value, |path| {
            unknown.insert(format!("{}.{path}", self.key));
        });
        (result, unknown)
    }

    fn name_unknown(&self, is_unknown: impl Fn(&String) -> bool, findings: &mut Findings) {
        for entry in self.descendants().filter(|entry| is_unknown(&entry.key)) {
            entry.unknown(findings);
        }
    }

    /// The values of an array's elements. Without the value of one, there are none.
    pub(super) fn read_all<T>(
        &self,
        findings: &mut Findings,
        read: impl Fn(&Self, &mut Findings) -> Option<T>,
    ) -> Option<Vec<T>> {
        if !matches!(self.value.get_ref(), DeValue::Array(_)) {
            let remedy = format!("write [[{}]] before each table", self.key);
            findings.error_at(self.line(), &self.key, "expected a list of tables", &remedy);
            return None;
        }
        let elements: Vec<_> = self
            .children()
            .map(|element| read(&element, findings))
            .collect();
        elements.into_iter().collect()
    }

    /// This key is none of ours.
    pub(super) fn unknown(&self, findings: &mut Findings) {
        // Not even the line is looked for in vain.
        if !findings.is_full() {
            let remedy = "correct its spelling or remove it";
            findings.error_at(self.line(), &self.key, "unknown key", remedy);
        }
    }

    fn wrong(&self, error: &toml::de::Error, findings: &mut Findings) {
        let span = error.span().unwrap_or(self.value.span());
        let entry = self.descendants().filter(|entry| entry.holds(&span)).last();
        let entry = entry.as_ref().unwrap_or(self);
        let line = line_at(self.text, span.start);
        findings.error_at(line, &entry.key, without_value(error.message()), UNREAD);
    }

    fn children(&self) -> impl Iterator<Item = Entry<'d, 't>> + use<'d, 't> {
        children(self.text, &self.key, self.value.get_ref())
    }

    /// Everything inside, outer entries before inner ones.
    fn descendants(&self) -> Box<dyn Iterator<Item = Entry<'d, 't>> + 'd>
    where
        't: 'd,
    {
        Box::new(self.children().flat_map(|child| {
            let inside: Vec<_> = child.descendants().collect();
            std::iter::once(child).chain(inside)
        }))
    }

    fn holds(&self, span: &Range<usize>) -> bool {
        let around = self.value.span();
        around.start <= span.start && span.end <= around.end
    }
}

/// What a table or an array holds; `key` is its own dotted path, empty for the whole document.
fn children<'d, 't>(
    text: &'t str,
    key: &str,
    value: &'d DeValue<'t>,
) -> impl Iterator<Item = Entry<'d, 't>> + use<'d, 't> {
    let (table, array) = match value {
        DeValue::Table(table) => (Some(table), None),
        DeValue::Array(array) => (None, Some(array)),
        _ => (None, None),
    };
    let prefix = if key.is_empty() {
        String::new()
    } else {
        format!("{key}.")
    };
    let named = table
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.get_ref().to_string(), name.span().start, value));
    let numbered = array.into_iter().flat_map(|array| array.iter().enumerate());
    let numbered = numbered.map(|(index, value)| (index.to_string(), value.span().start, value));
    named
        .chain(numbered)
        .map(move |(name, start, value)| Entry {
            text,
            key: format!("{prefix}{name}"),
            start,
            value,
        })
}

/// The remedy for a value of a wrong type, with which the reading of its table ends.
const UNREAD: &str = "correct it; the rest of this table was not checked";

/// What a message of the parser says without the value that it quotes: somebody may have written a
/// password there.
fn without_value(message: &str) -> &str {
    match message.rfind("expected ") {
        Some(start) => &message[start..],
        None => message,
    }
}

/// The line, counted from 1, of a byte offset.
fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count()
}
