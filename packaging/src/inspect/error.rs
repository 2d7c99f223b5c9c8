//! Why a file cannot be read: what, where, and what was there instead.

use std::io;

use super::vib::DESCRIPTOR;
use crate::rules::{self, Rule};

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
        expected: &'static str,
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
    /// XML that is not well-formed, or that asks for more than elements and text.
    #[error("XML, element {element:?} at byte {offset}: {problem}")]
    Xml {
        /// The innermost open element; empty outside the root.
        element: String,
        /// Where the parser stood.
        offset: u64,
        /// What is wrong.
        problem: String,
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
    /// The input cannot be read, or the extracted part not be written.
    #[error("{part} at byte {offset}: {error}")]
    Io {
        /// The part.
        part: String,
        /// Where it begins.
        offset: u64,
        /// The error of the system.
        error: io::Error,
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
            Self::MemberOrder { .. } => rules::MEMBER_ORDER,
            Self::Xml { .. } => rules::XML_FORM,
            Self::Missing { .. } => rules::DEPOT_PATHS,
            Self::TooLarge { .. } => rules::BOUNDS,
            Self::Path { .. } => rules::CONTAINED,
            Self::Duplicate { .. } => rules::ONE_ENTRY_PER_PATH,
            Self::Checksum { .. } => rules::CHECKSUMS,
            Self::Within { error, .. } => error.rule(),
            Self::Truncated { .. } | Self::Malformed { .. } | Self::Io { .. } => rules::WHOLE,
        }
    }

    /// What a host says to such a file, where that is known.
    pub fn host_message(&self) -> Option<&'static str> {
        match self {
            Self::MemberOrder { expected, .. } if expected.starts_with("sig.pkcs7") => {
                Some("Expected second member of Vib file to be sig.pkcs7")
            }
            Self::MemberOrder { .. } => Some(
                "unsupported format. The first member found was .., but descriptor.xml was expected",
            ),
            Self::Missing { .. } => {
                Some("[MetadataDownloadError] Could not download from depot at zip:..")
            }
            Self::Within { part, error } => match **error {
                Self::Xml { .. } if part == DESCRIPTOR => Some("Could not parse VIB XML data"),
                _ => error.host_message(),
            },
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
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                    Self::Malformed {
                        part,
                        offset,
                        problem: source.to_string(),
                    }
                }
                _ => Self::Io {
                    part,
                    offset,
                    error: source,
                },
            },
        }
    }

    /// For readers inside readers, which can only return the system's kind of error.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}
