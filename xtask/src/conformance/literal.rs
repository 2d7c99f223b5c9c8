//! How case files write bytes: escapes, contents of files, and texts with variables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

/// Most bytes of one generated content: a case takes milliseconds.
const MAX_FILL: usize = 64 << 20;

/// Values of the variables of a case, by name.
pub(crate) type Variables = BTreeMap<String, Vec<u8>>;

/// Resolves `\r`, `\n`, `\t`, `\0`, `\\`, `\"` and `\xHH`.
///
/// # Errors
/// At any other character after a backslash.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let letter = escape.chars().next().context("a lone \\ at the end")?;
        rest = &escape[letter.len_utf8()..];
        match letter {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' | '"' => bytes.push(letter as u8),
            'x' => {
                let byte = rest
                    .get(..2)
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.with_context(|| format!("no two hexadecimal digits: \\x{rest}"))?);
                rest = &rest[2..];
            }
            other => bail!("unknown escape \\{other}; write \\xHH"),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// `bytes` on one line for a reader, at most `limit` of them; what is not UTF-8 as `\xHH`.
pub(crate) fn show(bytes: &[u8], limit: usize) -> String {
    let mut text = String::new();
    for chunk in bytes[..bytes.len().min(limit)].utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                c if c.is_control() => {
                    let _cannot_fail = write!(text, "\\x{:02x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _cannot_fail = write!(text, "\\x{byte:02x}");
        }
    }
    if bytes.len() > limit {
        let _cannot_fail = write!(text, ".. ({} bytes)", bytes.len());
    }
    text
}

/// The bytes from `offset` on of one endless content that holds every byte value and in which every
/// shift shows.
pub(crate) fn fill(offset: usize, len: usize) -> Vec<u8> {
    (offset..offset + len)
        .map(|at| (at ^ (at >> 8).wrapping_mul(31) ^ (at >> 16).wrapping_mul(17)).to_le_bytes()[0])
        .collect()
}

/// What a file or a data connection holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A quoted text.
    Text(Template),
    /// A part of the endless content of [`fill`].
    Fill { offset: usize, len: usize },
}

impl Content {
    /// Reads `"text"`, `fill LEN` or `fill LEN @OFFSET`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.starts_with('"') {
            let (inner, rest) = quoted(text)?;
            ensure!(rest.trim().is_empty(), "unexpected after the text: {rest}");
            return Ok(Self::Text(Template::parse(inner)?));
        }
        let mut words = text.split_whitespace();
        ensure!(
            words.next() == Some("fill"),
            "expected \"text\" or `fill LEN [@OFFSET]`, found {text:?}"
        );
        let len: usize = words.next().context("no length after fill")?.parse()?;
        let offset = match words.next() {
            Some(word) => word
                .strip_prefix('@')
                .context("expected @OFFSET")?
                .parse()?,
            None => 0,
        };
        ensure!(words.next().is_none(), "too much after fill: {text:?}");
        ensure!(len <= MAX_FILL, "more than {MAX_FILL} bytes");
        Ok(Self::Fill { offset, len })
    }

    pub(crate) fn bytes(&self, variables: &Variables) -> Result<Vec<u8>> {
        match self {
            Self::Text(template) => template.bytes(variables),
            Self::Fill { offset, len } => Ok(fill(*offset, *len)),
        }
    }

    /// The variables that it needs.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Text(template) => template.names(),
            Self::Fill { .. } => Vec::new(),
        }
    }
}

/// Splits `"text" rest` at the closing quote, escapes untouched.
fn quoted(text: &str) -> Result<(&str, &str)> {
    let inner = text.strip_prefix('"').context("no quote")?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        if c == '"' && !escaped {
            return Ok((&inner[..at], &inner[at + 1..]));
        }
        escaped = c == '\\' && !escaped;
    }
    bail!("no closing quote: {text}")
}

/// Splits off the first word, which may be quoted; the rest begins with no blank.
pub(crate) fn word(text: &str) -> Result<(Template, &str)> {
    let (word, rest) = if text.starts_with('"') {
        quoted(text)?
    } else {
        text.split_once(' ').unwrap_or((text, ""))
    };
    ensure!(!word.is_empty(), "a word is missing");
    Ok((Template::parse(word)?, rest.trim_start()))
}

/// Bytes with variables in them, written `{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Variable(String),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        for (plain, variable) in split_variables(text) {
            pieces.push(Piece::Bytes(unescape(plain)?));
            pieces.extend(variable.map(|name| Piece::Variable(name.to_owned())));
        }
        Ok(Self(pieces))
    }

    pub(crate) fn bytes(&self, variables: &Variables) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Bytes(plain) => bytes.extend_from_slice(plain),
                Piece::Variable(name) => bytes.extend_from_slice(value(variables, name)?),
            }
        }
        Ok(bytes)
    }

    /// The variables in it.
    pub(crate) fn names(&self) -> Vec<&str> {
        let variables = self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Bytes(_) => None,
        });
        variables.collect()
    }
}

/// The value of a variable.
pub(crate) fn value<'v>(variables: &'v Variables, name: &str) -> Result<&'v [u8]> {
    let value = variables.get(name).map(Vec::as_slice);
    value.with_context(|| format!("the variable {{{name}}} has no value yet"))
}

/// Splits at variables: pairs of a text and the name of the variable after it. What stands in
/// braces and is no name (a count in a pattern) is text.
pub(crate) fn split_variables(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut parts = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let end = text[open..].find('}').map(|at| open + at);
        let name = end.map(|end| &text[open + 1..end]);
        let is_name = |name: &&str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        if let (Some(name), Some(end)) = (name.filter(is_name), end) {
            parts.push((&text[start..open], Some(name)));
            start = end + 1;
            from = start;
        } else {
            from = open + 1;
        }
    }
    parts.push((&text[start..], None));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_bytes_and_back() {
        assert_eq!(unescape(r#"a\r\n\xe4\\\"\0"#).unwrap(), b"a\r\n\xe4\\\"\0");
        for wrong in ["\\", "\\q", "\\x4", "\\xzz"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
        assert_eq!(show(b"a\r\n\xe4\xc3\xa4", 99), "a\\r\\n\\xe4\u{e4}");
        assert_eq!(show(b"abc", 2), "ab.. (3 bytes)");
    }

    #[test]
    fn variables_are_put_in_and_counts_are_left_alone() {
        let variables = Variables::from([("dir".to_owned(), b"/x".to_vec())]);
        let template = Template::parse("CWD {dir}/a{2}").unwrap();
        assert_eq!(template.bytes(&variables).unwrap(), b"CWD /x/a{2}");
        assert_eq!(template.names(), ["dir"]);
        let unknown = Template::parse("{other}").unwrap().bytes(&variables);
        assert!(unknown.unwrap_err().to_string().contains("{other}"));
    }

    #[test]
    fn words_and_contents_are_read() {
        let (name, rest) = word("\"a b\" fill 3 @1").unwrap();
        let none = Variables::new();
        assert_eq!(name.bytes(&none).unwrap(), b"a b");
        let content = Content::parse(rest).unwrap();
        assert_eq!(content.bytes(&none).unwrap(), fill(0, 4)[1..]);
        for wrong in [
            "",
            "x",
            "fill",
            "fill a",
            "fill 1 2",
            "\"a",
            "\"a\" b",
            "fill 99999999999",
        ] {
            assert!(Content::parse(wrong).is_err(), "{wrong}");
        }
    }
}
