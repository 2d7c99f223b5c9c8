//! Bytes of the control connection to lines.

/// The most bytes of a line, line end included.
pub(crate) const LINE_BYTES: usize = 4096;

/// Bytes that have been read and not been looked at; with more, no more are wanted.
const UNREAD_BYTES: usize = 16 * 1024;

/// What a line may have beyond its limit before the client is given up.
const SKIPPED_BYTES: usize = 64 * 1024;

/// Lines beyond the limit before the client is given up.
const OVERLONG_LINES: u32 = 2;

/// Telnet (RFC 854). Clients send it around ABOR; the rest of Telnet is not for FTP.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const SUBNEGOTIATION_END: u8 = 240;

/// The most bytes of a subnegotiation (RFC 855). What follows belongs to a line again.
const SUBNEGOTIATION_BYTES: u16 = 256;

/// What a client has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its end.
    Text(Vec<u8>),
    /// A line is longer than [`LINE_BYTES`]. What is left of it is skipped.
    TooLong,
    /// A line has a NUL, or a CR that does not end it.
    Forbidden,
    /// A Telnet option was asked for or offered; these bytes refuse it.
    Refusal([u8; 3]),
    /// The client goes on sending what is no line.
    Flood,
}

/// Where the reader is in a Telnet sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Text,
    Escape,
    Option(u8),
    Subnegotiation {
        /// Bytes since its beginning.
        bytes: u16,
        /// Whether the last one was IAC.
        escape: bool,
    },
}

/// Takes bytes and gives lines.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    unread: Vec<u8>,
    /// Bytes of `unread` that have been looked at.
    position: usize,
    telnet: Telnet,
    line: Vec<u8>,
    cr: bool,
    forbidden: bool,
    /// Bytes of this line that were skipped, if it is too long.
    skipped: Option<usize>,
    overlong_lines: u32,
}

impl LineReader {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.drain(..self.position);
        self.position = 0;
        self.unread.extend_from_slice(bytes);
    }

    /// Whether there is room for more.
    pub(crate) fn wants_input(&self) -> bool {
        self.unread.len() - self.position < UNREAD_BYTES
    }

    /// Forgets everything that has been read.
    pub(crate) fn clear(&mut self) {
        let overlong_lines = self.overlong_lines;
        *self = Self {
            overlong_lines,
            ..Self::default()
        };
    }

    /// The next line, if there is a whole one.
    pub(crate) fn next(&mut self) -> Option<Line> {
        while let Some(&byte) = self.unread.get(self.position) {
            self.position += 1;
            if let Some(line) = self.take(byte) {
                return Some(line);
            }
        }
        // A session that has nothing to do keeps no buffer.
        if self.unread.capacity() > LINE_BYTES {
            self.unread = Vec::new();
        } else {
            self.unread.clear();
        }
        self.position = 0;
        None
    }

    /// Whether ABOR is among what has not been looked at.
    pub(crate) fn holds_abort(&self) -> bool {
        let unread = self.unread.get(self.position..).unwrap_or_default();
        let mut lines: Vec<_> = unread.split(|&byte| byte == b'\n').collect();
        // What follows the last line end is no line yet.
        lines.pop();
        lines.into_iter().any(is_abort)
    }

    fn take(&mut self, byte: u8) -> Option<Line> {
        match self.telnet {
            Telnet::Text if byte == IAC => {
                self.telnet = Telnet::Escape;
                None
            }
            Telnet::Text => self.take_text(byte),
            Telnet::Escape => self.take_escaped(byte),
            Telnet::Option(verb) => {
                self.telnet = Telnet::Text;
                match verb {
                    DO => Some(Line::Refusal([IAC, WONT, byte])),
                    WILL => Some(Line::Refusal([IAC, DONT, byte])),
                    _ => self.skip(),
                }
            }
            Telnet::Subnegotiation { bytes, escape } => {
                self.take_subnegotiation(byte, bytes, escape)
            }
        }
    }

    /// A byte of a subnegotiation. One without an end would take in all lines to come, so it ends at
    /// a line end, too, and has a limit.
    fn take_subnegotiation(&mut self, byte: u8, bytes: u16, escape: bool) -> Option<Line> {
        if byte == b'\n' || bytes >= SUBNEGOTIATION_BYTES {
            self.telnet = Telnet::Text;
            return self.take(byte);
        }
        self.telnet = if escape && byte == SUBNEGOTIATION_END {
            Telnet::Text
        } else {
            Telnet::Subnegotiation {
                bytes: bytes + 1,
                escape: byte == IAC && !escape,
            }
        };
        self.skip()
    }

    /// A byte behind IAC.
    fn take_escaped(&mut self, byte: u8) -> Option<Line> {
        self.telnet = match byte {
            DO | DONT | WILL | WONT => Telnet::Option(byte),
            SUBNEGOTIATION => Telnet::Subnegotiation {
                bytes: 0,
                escape: false,
            },
            _ => Telnet::Text,
        };
        match byte {
            IAC => self.take_text(IAC),
            // No Telnet: a name in an old character set has this byte, and nobody doubled it.
            0..SUBNEGOTIATION_END => match self.take_text(IAC) {
                None => self.take_text(byte),
                line => line,
            },
            _ => self.skip(),
        }
    }

    /// A byte that belongs to no line. It counts, because lines that never end are a flood.
    fn skip(&mut self) -> Option<Line> {
        let skipped = self.skipped.as_mut()?;
        *skipped += 1;
        (*skipped > SKIPPED_BYTES).then_some(Line::Flood)
    }

    fn take_text(&mut self, byte: u8) -> Option<Line> {
        let after_cr = std::mem::replace(&mut self.cr, byte == b'\r');
        if byte == b'\n' {
            return self.end();
        }
        if self.skipped.is_some() {
            return self.skip();
        }
        if after_cr || byte == 0 {
            self.forbidden = true;
        }
        // No command begins with such a byte. It is what is left of a Telnet sequence when the
        // kernel has kept its urgent byte.
        if byte == b'\r' || (self.line.is_empty() && byte >= SUBNEGOTIATION_END) {
            return None;
        }
        // Two bytes are for the line end.
        if self.line.len() + 2 < LINE_BYTES {
            self.line.push(byte);
            return None;
        }
        self.line = Vec::new();
        self.skipped = Some(0);
        self.overlong_lines += 1;
        Some(if self.overlong_lines < OVERLONG_LINES {
            Line::TooLong
        } else {
            Line::Flood
        })
    }

    fn end(&mut self) -> Option<Line> {
        let forbidden = std::mem::take(&mut self.forbidden);
        if self.skipped.take().is_some() {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        Some(if forbidden {
            Line::Forbidden
        } else {
            Line::Text(line)
        })
    }
}

/// Whether a line is ABOR, behind whatever Telnet sequences.
pub(crate) fn is_abort(line: &[u8]) -> bool {
    let Some(start) = line.iter().position(|&byte| byte < SUBNEGOTIATION_END) else {
        return false;
    };
    let verb = line.get(start..).unwrap_or_default().trim_ascii_end();
    verb.eq_ignore_ascii_case(b"ABOR")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        let mut reader = LineReader::default();
        reader.push(bytes);
        std::iter::from_fn(|| reader.next()).collect()
    }

    fn text(text: &str) -> Line {
        Line::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn both_line_ends_are_taken() {
        let expected = [text("NOOP"), text("PWD"), text("")];
        assert_eq!(lines(b"NOOP\r\nPWD\n\r\nQUI"), expected);
    }

    #[test]
    fn telnet_is_removed() {
        assert_eq!(lines(b"\xff\xf4\xff\xf2ABOR\r\n"), [text("ABOR")]);
        assert_eq!(lines(b"\xff\xf5AB\xff\xf1OR\r\n"), [text("ABOR")]);
        assert_eq!(lines(b"\xff\xfa\x18\0x\xff\xf0NOOP\r\n"), [text("NOOP")]);
    }

    #[test]
    fn a_subnegotiation_without_an_end_takes_in_no_later_line() {
        let expected = [text(""), text("PWD"), text("NOOP")];
        assert_eq!(lines(b"\xff\xfaUSER x\r\nPWD\r\nNOOP\r\n"), expected);
        assert_eq!(lines(b"\xff\xfa\x18\xff\nPWD\r\nNOOP\r\n"), expected);
        // What came before it is still a line.
        let expected = [text("NOOP"), text("PWD")];
        assert_eq!(lines(b"NOOP\xff\xfa\x18\r\nPWD\r\n"), expected);
        let long = [b"\xff\xfa".as_slice(), &[b'x'; 256], b"PWD\r\n"].concat();
        assert_eq!(lines(&long), [text("PWD")]);
        let doubled = b"\xff\xfa\x18\xff\xff\xf0\xff\xf0PWD\r\n";
        assert_eq!(lines(doubled), [text("PWD")]);
    }

    #[test]
    fn telnet_options_are_refused() {
        let expected = [
            Line::Refusal([255, 252, 1]),
            Line::Refusal([255, 254, 3]),
            text("NOOP"),
        ];
        assert_eq!(
            lines(b"\xff\xfd\x01\xff\xfb\x03\xff\xfe\x01NOOP\r\n"),
            expected
        );
    }

    #[test]
    fn an_urgent_byte_that_is_lost_does_no_harm() {
        assert_eq!(lines(b"\xff\xf4\xf2ABOR\r\n"), [text("ABOR")]);
        assert_eq!(lines(b"\xf2ABOR\r\n"), [text("ABOR")]);
    }

    #[test]
    fn byte_255_of_a_name_comes_through() {
        let expected = [Line::Text(b"RETR a\xffb".to_vec())];
        assert_eq!(lines(b"RETR a\xff\xffb\r\n"), expected);
        assert_eq!(lines(b"RETR a\xffb\r\n"), expected);
    }

    #[test]
    fn nul_and_lone_cr_are_refused() {
        assert_eq!(
            lines(b"A\0\r\nA\rB\r\nNOOP\r\n"),
            [Line::Forbidden, Line::Forbidden, text("NOOP")]
        );
        assert_eq!(lines(b"A\r\r\n"), [Line::Forbidden]);
    }

    #[test]
    fn a_line_has_a_limit() {
        let longest = vec![b'a'; LINE_BYTES - 2];
        let mut bytes = longest.clone();
        bytes.extend_from_slice(b"\r\n");
        assert_eq!(lines(&bytes), [Line::Text(longest)]);
        let mut bytes = vec![b'a'; LINE_BYTES - 1];
        bytes.extend_from_slice(b"\r\nNOOP\r\n");
        assert_eq!(lines(&bytes), [Line::TooLong, text("NOOP")]);
    }

    #[test]
    fn a_client_that_goes_on_is_a_flood() {
        let mut bytes = vec![b'a'; LINE_BYTES];
        bytes.push(b'\n');
        assert_eq!(lines(&bytes.repeat(2)), [Line::TooLong, Line::Flood]);
        let bytes = vec![b'a'; LINE_BYTES - 1 + SKIPPED_BYTES];
        assert_eq!(lines(&bytes), [Line::TooLong]);
        let bytes = vec![b'a'; LINE_BYTES + SKIPPED_BYTES];
        assert_eq!(lines(&bytes).get(1), Some(&Line::Flood));
    }

    #[test]
    fn an_abort_is_found_ahead() {
        let mut reader = LineReader::default();
        reader.push(b"CWD a\r\n\xff\xf4\xff\xf2abor\r\n");
        assert!(reader.holds_abort());
        reader.clear();
        reader.push(b"CWD a\r\nABOR");
        assert!(!reader.holds_abort());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes: Vec<u8>, cuts: Vec<prop::sample::Index>) {
            let mut reader = LineReader::default();
            let mut pieces = Vec::new();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            for cut in cuts.windows(2) {
                reader.push(&bytes[cut[0]..cut[1]]);
                pieces.extend(std::iter::from_fn(|| reader.next()));
            }
            prop_assert_eq!(pieces, lines(&bytes));
        }

        #[test]
        fn no_line_has_what_is_forbidden(bytes: Vec<u8>) {
            for line in lines(&bytes) {
                if let Line::Text(text) = line {
                    prop_assert!(!text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
                }
            }
        }
    }
}
