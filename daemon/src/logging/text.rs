//! The form of a line: what happened, and then `key=value` pairs.

use std::fmt;

use tracing::field::{Field, Visit};

/// The most bytes of one value; longer ones lose their middle.
const MAX_VALUE_BYTES: usize = 300;

/// The most bytes of a line. Hosts cut what they send to a log server after as many.
const MAX_LINE_BYTES: usize = 1024;

/// Whose line it is; behind the verb, in this order.
const WHOSE: [&str; 3] = ["user", "client", "session"];

/// The line that tells of a session what protects it.
const LOGGED_IN: &str = "logged-in";

/// Stands for the middle of a value that was too long.
const CUT: &str = "...";

/// Fields of an event or a span, in their written form.
#[derive(Debug)]
pub(super) struct Fields {
    /// What happened; of events only.
    pub(super) message: String,
    pairs: Vec<(&'static str, String)>,
    /// The most bytes of one value.
    limit: usize,
}

/// With values of a bounded length.
impl Default for Fields {
    fn default() -> Self {
        Self {
            message: String::new(),
            pairs: Vec::new(),
            limit: MAX_VALUE_BYTES,
        }
    }
}

impl Fields {
    /// With values that are not cut.
    pub(super) fn whole() -> Self {
        Self {
            limit: usize::MAX,
            ..Self::default()
        }
    }

    /// The written value of a field.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(known, _)| *known == key);
        pair.map(|(_, value)| value.as_str())
    }

    /// Puts a value in the place of the one before; an empty one takes it away.
    fn set(&mut self, key: &'static str, value: String) {
        self.pairs.retain(|(known, _)| *known != key);
        if value != "\"\"" {
            self.pairs.push((key, value));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.set(field.name(), quoted(value.as_bytes(), self.limit));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.set(field.name(), written(&text, self.limit));
        }
    }
}

/// A value that was formatted: as it is, if it is one word or quoted, else in quotes.
fn written(text: &str, limit: usize) -> String {
    let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    if let Some(inner) = inner {
        return format!("\"{}\"", shortened(inner, limit));
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !text.is_empty() && text.len() <= MAX_VALUE_BYTES && text.bytes().all(plain) {
        return text.to_owned();
    }
    quoted(text.as_bytes(), limit)
}

/// A value in quotes: printable ASCII as it is, everything else as in a string of C or Python.
fn quoted(value: &[u8], limit: usize) -> String {
    format!(
        "\"{}\"",
        shortened(&value.escape_ascii().to_string(), limit)
    )
}

/// An escaped text without its middle, if it is too long. No escape is cut in two.
fn shortened(escaped: &str, limit: usize) -> String {
    if escaped.len() <= limit {
        return escaped.to_owned();
    }
    let (mut starts, mut at) = (Vec::new(), 0);
    while let Some(rest) = escaped.get(at..).filter(|rest| !rest.is_empty()) {
        starts.push(at);
        at += unit(rest);
    }
    let half = limit.saturating_sub(CUT.len()) / 2;
    let front = starts.iter().rev().find(|start| **start <= half);
    let back = starts.iter().find(|start| **start + half >= escaped.len());
    let front = front
        .and_then(|end| escaped.get(..*end))
        .unwrap_or_default();
    let back = back.and_then(|start| escaped.get(*start..));
    format!("{front}{CUT}{}", back.unwrap_or_default())
}

/// The bytes that a written value stands for.
pub(super) fn bytes_of(value: &str) -> Vec<u8> {
    let inner = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let mut rest = inner.unwrap_or(value);
    let mut bytes = Vec::new();
    while !rest.is_empty() {
        let (one, more) = rest.split_at(unit(rest));
        match one.as_bytes() {
            [b'\\', b'x', ..] => {
                let digits = one.get(2..).unwrap_or_default();
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            [b'\\', b'n'] => bytes.push(b'\n'),
            [b'\\', b'r'] => bytes.push(b'\r'),
            [b'\\', b't'] => bytes.push(b'\t'),
            [b'\\', other] => bytes.push(*other),
            other => bytes.extend_from_slice(other),
        }
        rest = more;
    }
    bytes
}

/// The bytes of the first character of an escaped text.
fn unit(text: &str) -> usize {
    let bytes = text.as_bytes();
    let length = match bytes {
        [b'\\', b'x', ..] => 4,
        [b'\\', b'u', ..] => text.find('}').map_or(2, |end| end + 1),
        [b'\\', ..] => 2,
        _ => text.chars().next().map_or(1, char::len_utf8),
    };
    length.min(text.len())
}

/// The line of an event of a session: `verb key=value ...`. The words before a colon of the message
/// are the verb, those behind it the cause.
pub(super) fn session_line(event: &Fields, session: &Fields) -> String {
    let (verb, cause) = verb_and_cause(&event.message);
    let mut line = verb.clone();
    let mut add = |key: &str, value: &str| {
        line.push(' ');
        line.push_str(key);
        line.push('=');
        line.push_str(value);
    };
    for key in WHOSE {
        if let Some(value) = event.get(key).or_else(|| session.get(key)) {
            add(key, value);
        }
    }
    let rest = |fields: &'_ Fields| {
        let pairs = fields.pairs.clone();
        pairs.into_iter().filter(|(key, _)| !WHOSE.contains(key))
    };
    for (key, value) in rest(event) {
        add(key, &value);
    }
    // What else is known of a session is told once.
    if verb == LOGGED_IN {
        for (key, value) in rest(session) {
            add(key, &value);
        }
    }
    if let Some(cause) = cause {
        add("cause", &quoted(cause.as_bytes(), MAX_VALUE_BYTES));
    }
    bounded(&line)
}

/// What happened in one word, and why, if the message says so.
pub(super) fn verb_and_cause(message: &str) -> (String, Option<&str>) {
    let (verb, cause) = match message.split_once(": ") {
        Some((verb, cause)) => (verb, Some(cause)),
        None => (message, None),
    };
    (verb.trim().replace(' ', "-"), cause)
}

/// The line of an event of the daemon: a sentence, and its fields.
pub(super) fn daemon_line(event: &Fields) -> String {
    let mut line = event.message.clone();
    for (key, value) in &event.pairs {
        line.extend([" ", key, "=", value]);
    }
    bounded(&line)
}

/// One line, and no longer than it may be. Newer hosts take what is in brackets at its beginning for
/// something else.
fn bounded(line: &str) -> String {
    let mut line = line.replace(char::is_control, " ");
    if line.starts_with('[') {
        line.insert(0, '-');
    }
    if line.len() > MAX_LINE_BYTES {
        line.truncate(line.floor_char_boundary(MAX_LINE_BYTES - CUT.len()));
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(message: &str, pairs: &[(&'static str, &str)]) -> Fields {
        let mut fields = Fields {
            message: message.to_owned(),
            ..Fields::default()
        };
        for (key, value) in pairs {
            fields.set(key, written(value, MAX_VALUE_BYTES));
        }
        fields
    }

    #[test]
    fn a_line_says_what_happened_and_who_it_was_first() {
        let session = fields(
            "",
            &[("session", "7"), ("client", "[::1]:9"), ("user", "\"a\"")],
        );
        let event = fields("stored", &[("path", "\"/x\""), ("bytes", "5")]);
        assert_eq!(
            session_line(&event, &session),
            "stored user=\"a\" client=[::1]:9 session=7 path=\"/x\" bytes=5"
        );
        let event = fields("log-in refused: wrong password", &[("user", "\"b c\"")]);
        assert_eq!(
            session_line(&event, &fields("", &[])),
            "log-in-refused user=\"b c\" cause=\"wrong password\""
        );
    }

    #[test]
    fn a_field_that_is_set_again_has_one_value_and_an_empty_one_none() {
        let mut session = Fields::default();
        for value in ["\"a\"", "\"b\""] {
            session.set("user", value.to_owned());
        }
        assert_eq!(session.get("user"), Some("\"b\""));
        session.set("user", "\"\"".to_owned());
        assert_eq!(session.get("user"), None);
    }

    #[test]
    fn two_long_paths_fit_into_one_line_with_their_ends() {
        let path = |end: &str| format!("\"/{}{end}\"", "\\xc3\\xbc".repeat(1000));
        let (from, to) = (path("old"), path("new"));
        let event = fields("renamed", &[("from", &from), ("to", &to)]);
        let line = session_line(&event, &fields("", &[("user", "\"u\"")]));
        assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
        for end in ["old\" to=\"/\\xc3", "xbcnew\""] {
            assert!(line.contains(end), "{line}");
        }
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_they_were_written(value: Vec<u8>) {
            prop_assert_eq!(bytes_of(&quoted(&value, usize::MAX)), value);
        }

        #[test]
        fn nothing_that_a_client_sends_breaks_a_line(value: Vec<u8>, words: String) {
            let value = quoted(&value, MAX_VALUE_BYTES);
            let event = fields(&words, &[]);
            let mut event = event;
            event.set("path", value);
            for line in [session_line(&event, &Fields::default()), daemon_line(&event)] {
                prop_assert!(line.len() <= MAX_LINE_BYTES);
                prop_assert!(!line.contains(char::is_control) && !line.starts_with('['));
            }
        }

        #[test]
        fn values_that_are_cut_keep_whole_escapes(value in prop::collection::vec(any::<u8>(), 0..2000)) {
            let value = quoted(&value, MAX_VALUE_BYTES);
            prop_assert!(value.len() <= MAX_VALUE_BYTES + 2);
            let inner = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let mut rest = inner;
            while !rest.is_empty() {
                let (one, more) = rest.split_at(unit(rest));
                let whole = match one.as_bytes() {
                    [b'\\', b'x', digits @ ..] => {
                        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
                    }
                    [b'\\', next] => b"nrt'\"\\".contains(next),
                    _ => true,
                };
                prop_assert!(whole, "{}", one);
                rest = more;
            }
        }
    }
}
