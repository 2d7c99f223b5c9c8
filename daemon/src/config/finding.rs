//! What was found in a configuration file, each finding with its place and its remedy.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::document::Document;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The daemon refuses the file, or offers no TLS with its certificate and key.
    Error,
    /// The daemon runs with it, but not as intended.
    Warning,
}

/// One thing that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The configuration file.
    pub file: PathBuf,
    /// Line in the file, counted from 1; absent if the finding is about the file as a whole.
    pub line: Option<usize>,
    /// Dotted path of the key, array elements by index from 0 (`users.0.root`); empty for the file
    /// as a whole.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}; {}", self.problem, self.remedy)
    }
}

/// The most findings that are kept. More of them help nobody, and each costs a walk through the
/// file.
const MAX_FINDINGS: usize = 100;

/// The findings about one file, the first hundred of them.
#[derive(Debug)]
pub struct Findings {
    file: PathBuf,
    list: Vec<Finding>,
}

impl Findings {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
        }
    }

    /// Whether the daemon must refuse the file.
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// The findings, in the order of their lines; those about the whole file come first.
    pub fn as_slice(&self) -> &[Finding] {
        &self.list
    }

    /// The file that the findings are about.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The daemon cannot run with the value of `key`.
    pub(crate) fn error(&mut self, key: &str, problem: &str, remedy: &str) {
        self.push(Severity::Error, None, key, problem, remedy);
    }

    /// The daemon can run with the value of `key`, but not as intended.
    pub(crate) fn warning(&mut self, key: &str, problem: &str, remedy: &str) {
        self.push(Severity::Warning, None, key, problem, remedy);
    }

    /// Something is wrong with the file as a whole.
    pub(super) fn file_error(&mut self, problem: &str, remedy: &str) {
        self.push(Severity::Error, None, "", problem, remedy);
    }

    /// Like [`Findings::error`], for a place that the parser names.
    pub(super) fn error_at(&mut self, line: usize, key: &str, problem: &str, remedy: &str) {
        self.push(Severity::Error, Some(line), key, problem, remedy);
    }

    /// Runs `check` and gives every finding that it makes the line of its key in `document`.
    pub(super) fn locate_in(&mut self, document: &Document<'_>, check: impl FnOnce(&mut Self)) {
        let before = self.list.len();
        check(self);
        for finding in &mut self.list[before..] {
            finding.line = finding.line.or_else(|| document.line_of_key(&finding.key));
        }
    }

    fn push(
        &mut self,
        severity: Severity,
        line: Option<usize>,
        key: &str,
        problem: &str,
        remedy: &str,
    ) {
        if self.is_full() {
            return;
        }
        self.list.push(Finding {
            severity,
            file: self.file.clone(),
            line,
            key: key.to_owned(),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    /// Whether further findings would not be kept.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// Brings the findings into the order in which a reader meets their lines.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|finding| finding.line);
    }
}
