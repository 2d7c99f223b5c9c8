//! TYPE, MODE, STRU, OPTS, LANG, REST, RANG and ALLO: what later commands go by.

use crate::{
    parse::arguments::{Opts, Type, algorithm_name},
    protocol::{Protocol, state::Position},
    reply::Reply,
    request::Fact,
};

/// More than any datastore's file can have, in bytes: those of VMFS have at most 64 TiB.
const LARGEST_FILE: u64 = 1 << 50;

impl Protocol {
    /// Whether line ends are converted now.
    pub(crate) fn converts(&self) -> bool {
        self.settings.ascii && self.parameters.ascii
    }

    pub(crate) fn type_(&mut self, kind: Type) {
        let reply = match kind {
            Type::Ascii => {
                self.parameters.ascii = true;
                if self.settings.ascii {
                    Reply::new(200, "Type is ASCII.")
                } else {
                    Reply::new(200, "Type is ASCII; files are sent as they are.")
                }
            }
            Type::Image => {
                self.parameters.ascii = false;
                Reply::new(200, "Type is binary.")
            }
            Type::Unsupported => Reply::new(504, "The types are A, I and L 8."),
        };
        self.reply(reply);
    }

    pub(crate) fn mode(&mut self, mode: &[u8]) {
        let reply = match mode {
            b"S" => Reply::new(200, "Mode is stream."),
            b"B" | b"C" | b"Z" => Reply::new(504, "Stream is the only mode."),
            _ => Reply::new(501, "Usage: MODE S"),
        };
        self.reply(reply);
    }

    pub(crate) fn stru(&mut self, structure: &[u8]) {
        let reply = match structure {
            b"F" => Reply::new(200, "Structure is file."),
            b"R" | b"P" => Reply::new(504, "File is the only structure."),
            _ => Reply::new(501, "Usage: STRU F"),
        };
        self.reply(reply);
    }

    pub(crate) fn opts(&mut self, option: &Opts) {
        let reply = match *option {
            Opts::Utf8(true) => Reply::new(200, "Names are UTF-8."),
            Opts::Utf8(false) => Reply::new(504, "Names are always UTF-8 here (RFC 2640)."),
            Opts::Mlst(facts) => {
                self.parameters.facts = facts;
                let sent = Fact::ALL.into_iter().filter(|fact| facts.contains(*fact));
                let names: Vec<_> = sent.map(Fact::name).collect();
                let names = names.join(";") + if names.is_empty() { "" } else { ";" };
                // RFC 3659, section 7.8, has this form.
                Reply::new(200, format!("MLST OPTS {names}").trim_end())
            }
            Opts::Hash(algorithm) => {
                let algorithm = algorithm.unwrap_or(self.parameters.algorithm);
                self.parameters.algorithm = algorithm;
                Reply::new(200, algorithm_name(algorithm))
            }
            Opts::UnknownHash => Reply::new(504, "FEAT lists the algorithms of HASH."),
            Opts::Unknown => Reply::new(501, "Only HASH, MLST and UTF8 have options."),
        };
        self.reply(reply);
    }

    /// RFC 2640, section 4: English, whatever kind of it.
    pub(crate) fn lang(&mut self, language: &[u8]) {
        let english = language.is_empty() || language == b"EN" || language.starts_with(b"EN-");
        self.reply(if english {
            Reply::new(200, "Replies are in English.")
        } else {
            Reply::new(504, "English (EN) is the only language.")
        });
    }

    pub(crate) fn rest(&mut self, start: u64) {
        // Positions in converted text mean nothing (RFC 3659, section 5.2).
        if self.converts() && start > 0 {
            self.reply(Reply::new(504, "REST needs TYPE I."));
            return;
        }
        self.parameters.position = Position { start, end: None };
        self.reply(Reply::new(
            350,
            format!("The next transfer begins at byte {start}."),
        ));
    }

    /// draft-bryan-ftp-range: a last byte before the first resets the range.
    pub(crate) fn rang(&mut self, first: u64, last: u64) {
        if self.converts() {
            self.reply(Reply::new(504, "RANG needs TYPE I."));
        } else if last < first {
            self.parameters.position = Position::default();
            self.reply(Reply::new(350, "The next command is for the whole file."));
        } else if let Some(end) = last.checked_add(1) {
            self.parameters.position = Position {
                start: first,
                end: Some(end),
            };
            self.reply(Reply::new(
                350,
                format!("The next command is for bytes {first} to {last}."),
            ));
        } else {
            self.reply(Reply::new(501, "No file is that long."));
        }
    }

    /// What no file can have is refused at once, so that it is not held against the next upload.
    pub(crate) fn allo(&mut self, bytes: u64) {
        if bytes > LARGEST_FILE {
            self.reply(Reply::new(504, "No file is that large."));
            return;
        }
        self.parameters.expected = Some(bytes);
        self.reply(Reply::new(
            200,
            format!("The next upload is to have {bytes} bytes."),
        ));
    }
}
