//! What can go wrong, told so that the reader knows what, where and what to do.

use std::collections::BTreeSet;
use std::{fmt, io};

use crate::rules::Finding;

/// An error of this crate.
///
/// The crate never sees a file name: a caller that read `package.toml` or a source from disk puts
/// that name in front.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `package.toml` cannot be understood. Holds all faults, and what else is known to be wrong.
    #[error("{0}")]
    Manifest(Faults),
    /// The package or the bundle would break rules of the format. Holds all findings, not only the
    /// first.
    #[error("{0}")]
    Refused(Findings),
    /// A point in time that the formats cannot hold.
    #[error(
        "{given} is not a time that a package can carry: give whole seconds from 0 to {latest} (end of the year 2107)"
    )]
    Epoch {
        /// What was given.
        given: String,
        /// The last second that is accepted.
        latest: i64,
    },
    /// A value does not fit into the fixed-width field made for it.
    #[error("{part} of {member:?} is {actual}, the field of {archive} holds at most {limit}")]
    FieldOverflow {
        /// Kind of archive: `ar` or `tar`.
        archive: &'static str,
        /// Member of the archive.
        member: String,
        /// Which of the member's fields.
        part: &'static str,
        /// Length or number that was given.
        actual: u64,
        /// Greatest length or number that fits.
        limit: u64,
    },
    /// A name that cannot stand in an ar header.
    #[error(
        "{name:?} cannot name an ar member: use 1 to 15 printable ASCII characters without slash or blank"
    )]
    MemberName {
        /// The name.
        name: String,
    },
    /// A file that was there when the package was checked can no longer be read, or has another
    /// size.
    #[error("the source {name:?} cannot be packed: {source}")]
    Source {
        /// Its name in the description.
        name: String,
        /// The reader's error.
        source: io::Error,
    },
    /// A part could not be written. Writing to memory does not fail; this is for other writers.
    #[error("{part} cannot be written: {source}")]
    Write {
        /// The part of the package.
        part: &'static str,
        /// The writer's error.
        source: io::Error,
    },
    /// Bytes that should be an ELF file are not, or contradict themselves.
    #[error("not a readable ELF file: {problem}")]
    Elf {
        /// What the bytes lack.
        problem: String,
    },
}

impl Error {
    /// For `map_err` on the writers of `part`.
    pub(crate) fn writing(part: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Write { part, source }
    }
}

/// Something in `package.toml` that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Line of the file, counted from 1.
    pub line: usize,
    /// The key or table that the line holds.
    pub key: String,
    /// The parser's words, on one line.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, problem } = self;
        write!(out, "line {line}, {key}: {problem}")
    }
}

/// What cannot be understood in a description, at least one fault, and which rules the rest breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    faults: Vec<Fault>,
    findings: Vec<Finding>,
}

impl Faults {
    /// Each fault once, however often the parser came across it.
    pub(crate) fn new(mut faults: Vec<Fault>, findings: Vec<Finding>) -> Self {
        let mut seen = BTreeSet::new();
        faults.retain(|fault| seen.insert(fault.to_string()));
        faults.sort_by_key(|fault| fault.line);
        Self { faults, findings }
    }

    /// The faults, in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// The rules that the rest breaks.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }
}

/// One line for each, without a newline at the end.
impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.iter().map(ToString::to_string);
        let findings = self.findings.iter().map(ToString::to_string);
        let lines: Vec<_> = faults.chain(findings).collect();
        out.write_str(&lines.join("\n"))
    }
}

/// One or more findings, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        Self(findings)
    }

    /// The findings, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

/// One line per finding, without a newline at the end.
impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, finding) in self.0.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            write!(out, "{finding}")?;
        }
        Ok(())
    }
}

const _: () = {
    const fn can_cross_threads<T: Send + Sync + 'static>() {}
    can_cross_threads::<Error>();
};
