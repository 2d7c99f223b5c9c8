//! What can go wrong with media.

use std::io;

use crate::inspect::ReadError;
use crate::rules::Finding;

/// Why media were not read or not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Rules are broken; all of them are told, one in each line.
    #[error("{}", lines(.0))]
    Refused(Vec<Finding>),
    /// A file of the medium, or a package, cannot be understood.
    #[error("{part}: {error}")]
    Read {
        /// The file.
        part: String,
        /// What is wrong with it.
        error: ReadError,
    },
    /// The system failed.
    #[error("{part}: {cause}")]
    Io {
        /// What was read.
        part: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Something could not be written.
    #[error(transparent)]
    Write(#[from] crate::Error),
}

impl MediaError {
    /// A single finding.
    pub(super) fn one(
        rule: crate::rules::Rule,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Refused(vec![Finding::new(rule, place, problem, remedy)])
    }

    /// For `map_err`: says which file it was.
    pub(super) fn read(part: impl Into<String>) -> impl FnOnce(ReadError) -> Self {
        let part = part.into();
        move |error| Self::Read { part, error }
    }

    /// For `map_err`: says which file it was.
    pub(super) fn io(part: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let part = part.into();
        move |cause| Self::Io { part, cause }
    }
}

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
