//! Replies to the client (RFC 959, section 4.2): codes, forms, and what failures are called.

use crate::{
    request::Failure,
    virtual_path::{InvalidPath, VirtualPath},
    wire::name,
};

/// A reply of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    code: u16,
    /// Between the first and the last line, without line ends.
    middle: Vec<String>,
    first: Option<String>,
    last: String,
}

impl Reply {
    /// A reply of one line.
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            middle: Vec::new(),
            first: None,
            last: text.into(),
        }
    }

    /// A reply of several lines.
    pub(crate) fn lines(
        code: u16,
        first: impl Into<String>,
        middle: Vec<String>,
        last: impl Into<String>,
    ) -> Self {
        Self {
            code,
            middle,
            first: Some(first.into()),
            last: last.into(),
        }
    }

    /// The reply to something that failed.
    pub(crate) fn failure(failure: Failure) -> Self {
        Self::new(code(failure), sentence(&failure.to_string()))
    }

    /// The reply to something that failed with a path.
    pub(crate) fn failure_of(path: &VirtualPath, failure: Failure) -> Self {
        Self::new(code(failure), format!("{}: {failure}.", shown(path)))
    }

    /// The reply to an argument that is no path.
    pub(crate) fn no_path(problem: InvalidPath) -> Self {
        Self::new(553, sentence(&problem.to_string()))
    }

    /// The same text with another code.
    pub(crate) fn with_code(self, code: u16) -> Self {
        Self { code, ..self }
    }

    /// The same code with another text.
    pub(crate) fn with_text(self, text: String) -> Self {
        Self::new(self.code, text)
    }

    /// Its code.
    pub(crate) fn code(&self) -> u16 {
        self.code
    }

    /// Whether it tells that a command has been done.
    pub(crate) fn is_success(&self) -> bool {
        self.code < 400
    }

    /// The bytes for the wire.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let Self {
            code,
            middle,
            first,
            last,
        } = self;
        let mut bytes = Vec::new();
        if let Some(first) = first {
            bytes.extend_from_slice(format!("{code}-{}\r\n", clean(&first)).as_bytes());
            for line in middle {
                // A line that begins like a reply would end this one for some clients.
                if line.starts_with(|first: char| first.is_ascii_digit()) {
                    bytes.push(b' ');
                }
                bytes.extend_from_slice(clean(&line).as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes.extend_from_slice(format!("{code} {}\r\n", clean(&last)).as_bytes());
        bytes
    }
}

/// Names are encoded where they are put in, configured texts are not: nothing forges a line.
fn clean(text: &str) -> String {
    text.replace(|character: char| character.is_ascii_control(), " ")
}

/// The text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let mut sentence: String = first.into_iter().chain(letters).collect();
    sentence.push('.');
    sentence
}

/// A path for a reply, in quotes that are doubled inside (RFC 959, appendix II).
pub(crate) fn shown(path: &VirtualPath) -> String {
    let path = name::encode(path.as_bytes()).replace('"', "\"\"");
    format!("\"{path}\"")
}

/// The code for each failure.
fn code(failure: Failure) -> u16 {
    match failure {
        Failure::NoConnection => 425,
        Failure::ConnectionLost | Failure::Truncated | Failure::Cancelled => 426,
        Failure::BeingWritten | Failure::Locked | Failure::ListingsFull => 450,
        Failure::Device
        | Failure::Shortened
        | Failure::Displaced
        | Failure::Unsynced
        | Failure::Resources
        | Failure::TooMuch
        | Failure::Internal => 451,
        Failure::NoSpace | Failure::NoSpaceRemoved => 452,
        Failure::InvalidTime | Failure::Unsupported => 504,
        // RFC 4217, section 10: the data connection's TLS is not what it has to be.
        Failure::Handshake | Failure::NotResumed => 522,
        Failure::NotFound
        | Failure::Exists
        | Failure::NotADirectory
        | Failure::IsADirectory
        | Failure::NotAFile
        | Failure::NotEmpty
        | Failure::TargetMissing
        | Failure::IsALink
        | Failure::LinkRefused
        | Failure::PermissionDenied
        | Failure::ReadOnly
        | Failure::AccountForbids
        | Failure::Unfinished => 550,
        Failure::Quota | Failure::TooLarge => 552,
        Failure::InvalidName | Failure::PartName => 553,
        // RFC 3659, section 5.4: not the place that REST asks for.
        Failure::BehindEnd => 554,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: Reply) -> String {
        String::from_utf8(reply.into_bytes()).unwrap()
    }

    #[test]
    fn replies_have_the_form_of_rfc_959() {
        assert_eq!(wire(Reply::new(200, "Done.")), "200 Done.\r\n");
        let reply = Reply::lines(211, "Status", vec!["213 x".into(), " y".into()], "End");
        assert_eq!(wire(reply), "211-Status\r\n 213 x\r\n y\r\n211 End\r\n");
    }

    #[test]
    fn no_text_forges_a_line() {
        let forged = "a\r\n230 Welcome";
        assert_eq!(wire(Reply::new(220, forged)), "220 a  230 Welcome\r\n");
    }

    #[test]
    fn quotes_in_paths_are_doubled() {
        let path = VirtualPath::root().join(b"a\"b\n").unwrap();
        assert_eq!(shown(&path), "\"/a\"\"b\u{f70a}\"");
    }

    #[test]
    fn failures_are_sentences() {
        assert_eq!(
            wire(Reply::failure(Failure::NoSpace)),
            "452 No space left on the datastore.\r\n"
        );
        assert_eq!(
            wire(Reply::failure_of(&VirtualPath::root(), Failure::NotAFile)),
            "550 \"/\": neither a file nor a directory.\r\n"
        );
    }
}
