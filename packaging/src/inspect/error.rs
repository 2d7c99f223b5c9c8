//! Why a file cannot be read: what, where, and what was there instead.

use std::{fmt, io};

use super::XmlKind;
use crate::rules::{self, Rule};

/// What should have stood in the place of an ar member (FORMAT.md A4, R3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// `descriptor.xml`, at the beginning.
    Descriptor,
    /// `sig.pkcs7`, behind it.
    Signature,
    /// This member of a VIB of 4.x.
    Legacy(&'static str),
    /// No member at all, unless it is a signature.
    Nothing,
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Descriptor => "descriptor.xml",
            Self::Signature => "sig.pkcs7, empty if the package is not signed,",
            Self::Legacy(member) => member,
            Self::Nothing => "nothing but a signature",
        })
    }
}

/// An error of the reader.
///
/// Offsets count bytes from the start of the thing that is named in front: the file itself, or the
/// part of it that [`ReadError::Within`] names, after unpacking.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// None of the kinds that this crate reads (FORMAT.md R1).
    #[error(
        "unknown kind of file: {found}; give a VIB, an offline bundle, a zip around one, or a gzipped tar"
    )]
    UnknownKind {
        /// What the file looks like.
        found: String,
    },
    /// None of them either, but something that is known.
    #[error("unknown kind of file: {found}; {remedy}")]
    Mistaken {
        /// What the file is.
        found: String,
        /// The next step.
        remedy: &'static str,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// The bytes end before the part does.
    #[error("{part} at byte {offset}: the file ends in the middle of it")]
    Truncated {
        /// The part that is cut off.
        part: String,
        /// Where it begins, or where the bytes end.
        offset: u64,
    },
    /// A part that cannot be what it should be.
    #[error("{part} at byte {offset}: {problem}")]
    Malformed {
        /// The part.
        part: String,
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// More than this reader takes on (FORMAT.md R6).
    #[error("{part} at byte {offset}: more than {limit} {unit}, which is the limit of this reader")]
    TooLarge {
        /// The part.
        part: String,
        /// Where it begins, or where the limit was reached.
        offset: u64,
        /// The limit.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A VIB whose members stand in another order than hosts demand (FORMAT.md A4).
    #[error("ar member at byte {offset}: it is {found:?}, but {expected} was expected here")]
    MemberOrder {
        /// Where the member's header begins; the end of the file if there is none.
        offset: u64,
        /// The member that is there; empty if there is none.
        found: String,
        /// What should be there.
        expected: Expected,
    },
    /// A name that stands for two things.
    #[error("{part} at byte {offset}: there is an earlier one called {name:?}")]
    Duplicate {
        /// The second one.
        part: String,
        /// Where it begins.
        offset: u64,
        /// The name of both.
        name: String,
    },
    /// A path that leads out of the archive, or cannot be written as one (FORMAT.md R7).
    #[error("entry {path:?} at byte {offset}: {problem}")]
    Path {
        /// The path as stored.
        path: String,
        /// Where the entry begins.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry of a zip whose maker takes backslashes for slashes (FORMAT.md R7).
    #[error(
        "entry {path:?} at byte {offset}: its path has backslashes for slashes; the zip was made by {made_by}"
    )]
    Backslashes {
        /// The path as stored.
        path: String,
        /// Where the entry begins.
        offset: u64,
        /// The system of the program that made the zip.
        made_by: String,
    },
    /// XML that is not well-formed, or that asks for more than elements and text.
    #[error("XML, element {element:?} at byte {offset}: {problem}")]
    Xml {
        /// The file.
        kind: XmlKind,
        /// The innermost open element; empty outside the root.
        element: String,
        /// Where the parser stood.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// XML in another encoding than UTF-8, by its own words (FORMAT.md D1, R9).
    #[error("XML: it declares the encoding {encoding:?} and is not UTF-8")]
    Encoding {
        /// The file.
        kind: XmlKind,
        /// The encoding that it declares.
        encoding: String,
    },
    /// A part that everything else depends on is not there.
    #[error("{part}: there is no {name}")]
    Missing {
        /// Where it was looked for.
        part: String,
        /// What was looked for.
        name: String,
    },
    /// Bytes that are not those that the descriptor promises. Only extraction insists on this;
    /// inspection reports it.
    #[error("{part}: its {kind} checksum is {actual}, but {expected} is promised")]
    Checksum {
        /// The part.
        part: String,
        /// `checksum-type`, with `verify-process` if it has one.
        kind: String,
        /// What the bytes hash to.
        actual: String,
        /// What the descriptor says.
        expected: String,
    },
    /// The input cannot be read. This says nothing about the file.
    #[error("{part} at byte {offset}: it cannot be read: {cause}")]
    Io {
        /// The part.
        part: String,
        /// Where it begins.
        offset: u64,
        /// The error of the system.
        cause: io::Error,
    },
    /// An extracted file or directory cannot be written. This says nothing about the file.
    #[error("{path:?} cannot be written: {cause}")]
    Sink {
        /// What should have been written.
        path: String,
        /// The error of the system.
        cause: io::Error,
    },
    /// An error inside a part of the file.
    #[error("{part}: {error}")]
    Within {
        /// The part.
        part: String,
        /// The error inside.
        error: Box<Self>,
    },
}

impl ReadError {
    /// The rule that the file breaks.
    pub fn rule(&self) -> Rule {
        match self {
            Self::UnknownKind { .. } => rules::KIND,
            Self::Mistaken { rule, .. } => *rule,
            Self::MemberOrder { .. } => rules::MEMBER_ORDER,
            Self::Encoding {
                kind: XmlKind::Descriptor,
                ..
            } => rules::NO_DECLARATION,
            Self::Xml { .. } | Self::Encoding { .. } => rules::XML_FORM,
            Self::Missing { .. } => rules::DEPOT_PATHS,
            Self::TooLarge { .. } => rules::BOUNDS,
            Self::Path { .. } | Self::Backslashes { .. } => rules::CONTAINED,
            Self::Duplicate { .. } => rules::ONE_ENTRY_PER_PATH,
            Self::Checksum { .. } => rules::CHECKSUMS,
            Self::Within { error, .. } => error.rule(),
            Self::Truncated { .. }
            | Self::Malformed { .. }
            | Self::Io { .. }
            | Self::Sink { .. } => rules::WHOLE,
        }
    }

    /// Whether the fault is that of the system that reads or writes, and not of the file.
    pub fn is_of_the_system(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Sink { .. } => true,
            Self::Within { error, .. } => error.is_of_the_system(),
            _ => false,
        }
    }

    /// Where the part begins, or where the bytes end, from the start of the thing that it is in.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Truncated { offset, .. }
            | Self::Malformed { offset, .. }
            | Self::TooLarge { offset, .. }
            | Self::MemberOrder { offset, .. }
            | Self::Duplicate { offset, .. }
            | Self::Path { offset, .. }
            | Self::Backslashes { offset, .. }
            | Self::Xml { offset, .. }
            | Self::Io { offset, .. } => Some(*offset),
            Self::Within { error, .. } => error.offset(),
            Self::UnknownKind { .. }
            | Self::Mistaken { .. }
            | Self::Encoding { .. }
            | Self::Missing { .. }
            | Self::Checksum { .. }
            | Self::Sink { .. } => None,
        }
    }

    /// The next step, as an imperative.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::UnknownKind { .. } => "unpack it first, if such a file is in it",
            Self::Mistaken { remedy, .. } => remedy,
            Self::Backslashes { .. } => {
                "zip it again with a program that writes slashes, such as 7-Zip"
            }
            Self::Truncated { .. } => "fetch the file again; if that does not help, build it again",
            Self::Malformed { .. } | Self::Checksum { .. } => {
                "fetch the file again, or have it built again"
            }
            Self::TooLarge { .. } => {
                "do not trust the file; if it is sound, split it or read it with higher limits"
            }
            Self::MemberOrder { .. } => {
                "pack descriptor.xml, sig.pkcs7 and the payloads in this order"
            }
            Self::Duplicate { .. } => "pack one of the two",
            Self::Path { .. } => "do not trust the file; pack relative paths and no links",
            Self::Xml { .. } => "mend the XML and build the file again",
            Self::Encoding { .. } => "write it in UTF-8, without a declaration",
            Self::Missing { .. } => "add it, or mend the name that leads to it",
            Self::Io { .. } => "read the file from another place",
            Self::Sink { .. } => "make room, or name another directory",
            Self::Within { error, .. } => error.remedy(),
        }
    }

    /// What is wrong, without the next step.
    pub(crate) fn problem(&self) -> String {
        match self {
            Self::Mistaken { found, .. } => found.clone(),
            Self::Within { part, error } => format!("{part}: {}", error.problem()),
            other => other.to_string(),
        }
    }

    /// What a host says to such a file, where that is known.
    pub fn host_message(&self) -> Option<&'static str> {
        match self {
            Self::MemberOrder { expected, .. } => match expected {
                Expected::Descriptor => Some(
                    "unsupported format. The first member found was .., but descriptor.xml was expected",
                ),
                Expected::Signature => Some("Expected second member of Vib file to be sig.pkcs7"),
                // No release of 5.0 and later looks that far.
                Expected::Legacy(_) | Expected::Nothing => Some("This VIB is a ESX 4.x VIB"),
            },
            Self::Mistaken { rule, .. } if *rule != rules::DEPOT_PATHS => None,
            Self::Missing { .. } | Self::Mistaken { .. } => {
                Some("[MetadataDownloadError] Could not download from depot at zip:..")
            }
            Self::Encoding {
                kind: XmlKind::Descriptor,
                ..
            } => Some("Could not parse VIB XML data: Unicode strings with encoding declaration"),
            Self::Xml {
                kind: XmlKind::Descriptor,
                ..
            } => Some("Could not parse VIB XML data"),
            Self::Within { error, .. } => error.host_message(),
            _ => None,
        }
    }

    /// For `map_err`: says which part the error is in.
    pub(crate) fn within(part: impl Into<String>) -> impl FnOnce(Self) -> Self {
        let part = part.into();
        move |error| Self::Within {
            part,
            error: Box::new(error),
        }
    }

    /// For `map_err` on readers: restores an error of this kind that travelled inside the system's
    /// kind (see [`ReadError::into_io`]), and sorts the others.
    pub(crate) fn reading(part: impl Into<String>, offset: u64) -> impl FnOnce(io::Error) -> Self {
        let part = part.into();
        move |error| match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(source) => match source.kind() {
                io::ErrorKind::UnexpectedEof => Self::Truncated { part, offset },
                // Decompressors say this about what they are given.
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Malformed {
                    part,
                    offset,
                    problem: source.to_string(),
                },
                _ => Self::Io {
                    part,
                    offset,
                    cause: source,
                },
            },
        }
    }

    /// For readers inside readers, which can only return the system's kind of error.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}
