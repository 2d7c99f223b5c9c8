//! The text of a configuration as TOML: from text to values, and from keys back to lines.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Config, Findings};

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
        errors.is_empty().then(|| Self {
            text,
            root: DeValue::Table(table.into_inner()),
        })
    }

    /// Turns the document into a [`Config`]. Every unknown key becomes a finding; so does a value
    /// of a wrong type, which ends the reading.
    pub(super) fn deserialize(&self, findings: &mut Findings) -> Option<Config> {
        let mut unknown = Vec::new();
        let parsed = toml::Deserializer::parse(self.text).and_then(|deserializer| {
            serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()))
        });
        for path in unknown {
            // serde_ignored writes `?` for the layer that `Option` adds.
            let key = path.replace(".?", "");
            let line = self.line_of_key(&key).unwrap_or(1);
            findings.error_at(
                line,
                &key,
                "unknown key",
                "correct its spelling or remove it",
            );
        }
        match parsed {
            Ok(config) => Some(config),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let key = innermost(&self.root, &span).unwrap_or_default();
                let line = line_at(self.text, span.start);
                findings.error_at(
                    line,
                    &key,
                    error.message(),
                    "correct it; the values were not checked further",
                );
                None
            }
        }
    }

    /// The line, counted from 1, of the key with this dotted path, or of the nearest table around
    /// it that is written down.
    pub(super) fn line_of_key(&self, key: &str) -> Option<usize> {
        let mut place = None;
        let mut value = &self.root;
        for segment in key.split('.') {
            let Some(child) = children(value)
                .into_iter()
                .find(|child| child.name == segment)
            else {
                break;
            };
            place = Some(line_at(self.text, child.start));
            value = child.value.get_ref();
        }
        place
    }
}

/// A value inside a table or an array.
struct Child<'a, 't> {
    /// Its key, or its index from 0.
    name: String,
    /// Where it begins in the text, key included; in bytes.
    start: usize,
    value: &'a Spanned<DeValue<'t>>,
}

fn children<'a, 't>(value: &'a DeValue<'t>) -> Vec<Child<'a, 't>> {
    match value {
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| Child {
                name: key.get_ref().to_string(),
                start: key.span().start,
                value,
            })
            .collect(),
        DeValue::Array(array) => array
            .iter()
            .enumerate()
            .map(|(index, value)| Child {
                name: index.to_string(),
                start: value.span().start,
                value,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The dotted path of the innermost value that contains `span`.
fn innermost(value: &DeValue<'_>, span: &Range<usize>) -> Option<String> {
    children(value)
        .into_iter()
        .find_map(|Child { name, value, .. }| {
            // Inside first: the span of a table is its header alone, not what stands below it.
            if let Some(path) = innermost(value.get_ref(), span) {
                return Some(format!("{name}.{path}"));
            }
            let around = value.span();
            (around.start <= span.start && span.end <= around.end).then_some(name)
        })
}

/// The line, counted from 1, of a byte offset.
fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count()
}
