//! The outer archive of a VIB, read forward (FORMAT.md A1 to A3).
//!
//! Tolerant where hosts are: dates, owners and modes may be anything, names may end in GNU ar's
//! slash or stand in its table of long names.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::limits::Meter;
use super::mistaken;
use super::stream::{Counted, read_part, whole};
use super::{Expected, ReadError};

pub(super) const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;
const HEADER_END: &[u8] = b"`\n";
/// Name of the member that holds long names.
const LONG_NAMES: &str = "//";
/// Name of the member that holds a linker's index.
const SYMBOLS: &str = "/";

/// A member's header.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Member {
    /// The name, without the padding and slash behind it.
    pub name: String,
    /// Where the header begins, in bytes from the start of the archive.
    pub offset: u64,
    /// Size of the data in bytes.
    pub size: u64,
}

/// An archive; as a reader, it gives the data of the current member.
pub(super) struct Reader<'m, R> {
    input: Counted<R>,
    meter: &'m Meter,
    long_names: Vec<u8>,
    members: usize,
    names: BTreeSet<String>,
    current: String,
    remaining: u64,
    padded: bool,
}

impl<'m, R: Read> Reader<'m, R> {
    pub(super) fn new(input: R, meter: &'m Meter) -> Result<Self, ReadError> {
        let mut input = Counted::new(input);
        let mut magic = [0; MAGIC.len()];
        let count = input.fill(&mut magic, "ar magic")?;
        if &magic != MAGIC {
            let (read, _) = magic.split_at(count);
            if let Some(error) = mistaken::known(&mistaken::head(read, &mut input)) {
                return Err(error);
            }
            return Err(ReadError::Malformed {
                part: "ar magic".to_owned(),
                offset: 0,
                problem: format!("it is \"{}\"", magic.escape_ascii()),
            });
        }
        Ok(Self {
            input,
            meter,
            long_names: Vec::new(),
            members: 0,
            names: BTreeSet::new(),
            current: String::new(),
            remaining: 0,
            padded: false,
        })
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The error for a member in the wrong place, or for none at all.
    pub(super) fn unexpected(&self, found: Option<Member>, expected: Expected) -> ReadError {
        ReadError::MemberOrder {
            offset: found.as_ref().map_or(self.offset(), |member| member.offset),
            found: found.map(|member| member.name).unwrap_or_default(),
            expected,
        }
    }

    /// Skips what is left of the current member and reads the next header. No two members have one
    /// name.
    pub(super) fn next_member(&mut self) -> Result<Option<Member>, ReadError> {
        loop {
            let Some(member) = self.header()? else {
                return Ok(None);
            };
            match member.name.as_str() {
                LONG_NAMES => {
                    let limit = self.meter.limits.long_names_bytes;
                    self.long_names = whole(self, limit, "ar long names", member.offset)?;
                }
                SYMBOLS => {}
                _ => {
                    let name = self.full_name(&member)?;
                    if !self.names.insert(name.clone()) {
                        return Err(ReadError::Duplicate {
                            part: "ar member".to_owned(),
                            offset: member.offset,
                            name,
                        });
                    }
                    return Ok(Some(Member { name, ..member }));
                }
            }
        }
    }

    fn header(&mut self) -> Result<Option<Member>, ReadError> {
        let part = format!("ar member {:?}", self.current);
        self.input.skip(self.remaining, &part)?;
        self.remaining = 0;
        if self.padded {
            // May be missing behind the last member.
            self.input.fill(&mut [0], &part)?;
            self.padded = false;
        }
        let offset = self.input.offset();
        let mut header = [0; HEADER];
        match self.input.fill(&mut header, "ar header")? {
            0 => return Ok(None),
            // Some editors and transfers put a newline behind everything.
            1 if header.first() == Some(&b'\n') => return Ok(None),
            HEADER => {}
            _ => {
                return Err(ReadError::Truncated {
                    part: "ar header".to_owned(),
                    offset,
                });
            }
        }
        self.members += 1;
        if self.members > self.meter.limits.members {
            return Err(ReadError::TooLarge {
                part: "ar archive".to_owned(),
                offset,
                limit: self.meter.limits.members as u64,
                unit: "members",
            });
        }
        let member = parse(&header, offset)?;
        self.remaining = member.size;
        self.padded = member.size % 2 == 1;
        self.current.clone_from(&member.name);
        Ok(Some(member))
    }

    /// Looks a name such as `/17` up in the table of long names.
    fn full_name(&self, member: &Member) -> Result<String, ReadError> {
        let problem = |problem: &str| ReadError::Malformed {
            part: format!("ar header of {:?}", member.name),
            offset: member.offset,
            problem: problem.to_owned(),
        };
        if member.name.starts_with("#1/") {
            return Err(problem("its name is in BSD's long form, which no VIB has"));
        }
        let Some(place) = member.name.strip_prefix('/') else {
            let name = member.name.strip_suffix('/').unwrap_or(&member.name);
            if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
                return Err(problem("its name is no plain file name"));
            }
            return Ok(name.to_owned());
        };
        let start: usize = place
            .parse()
            .map_err(|_| problem("not a place in the table of long names"))?;
        let rest = self.long_names.get(start..).unwrap_or_default();
        let name = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let name = name.strip_suffix(b"/").unwrap_or(name);
        match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() && !name.contains('/') && !matches!(name, "." | "..") => {
                Ok(name.to_owned())
            }
            _ => Err(problem("there is no such name in the table of long names")),
        }
    }
}

impl<R: Read> Read for Reader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_part(&mut self.input, &mut self.remaining, buffer).map_err(|error| {
            let part = format!("ar member {:?}", self.current);
            ReadError::reading(part, self.input.offset())(error).into_io()
        })
    }
}

fn parse(header: &[u8; HEADER], offset: u64) -> Result<Member, ReadError> {
    let text = |range: std::ops::Range<usize>| header.get(range).unwrap_or_default();
    let name = text(0..16).trim_ascii_end();
    let shown = name.escape_ascii().to_string();
    let malformed = |problem: String| ReadError::Malformed {
        part: format!("ar header of \"{shown}\""),
        offset,
        problem,
    };
    if text(58..60) != HEADER_END {
        return Err(malformed(format!(
            "it ends in \"{}\" in place of a backquote and a newline",
            text(58..60).escape_ascii()
        )));
    }
    let size = text(48..58).trim_ascii();
    let digits = std::str::from_utf8(size)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let size = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| malformed(format!("its size is \"{}\"", size.escape_ascii())))?;
    // Hosts make numbers of these. Our own readers have no use for them.
    for (field, range) in [
        ("date", 16..28),
        ("owner", 28..34),
        ("group", 34..40),
        ("mode", 40..48),
    ] {
        let value = text(range).trim_ascii();
        // Tools of the vendor write the mode in Python's way.
        let digits = value.strip_prefix(b"0o").filter(|_| field == "mode");
        if !digits.unwrap_or(value).iter().all(u8::is_ascii_digit) {
            return Err(malformed(format!(
                "its {field} is \"{}\"",
                value.escape_ascii()
            )));
        }
    }
    if matches!(name, b"." | b"..") || !name.iter().all(u8::is_ascii_graphic) {
        return Err(malformed("its name is not printable".to_owned()));
    }
    Ok(Member {
        name: shown,
        offset,
        size,
    })
}
