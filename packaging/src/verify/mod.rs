//! The verifier: what is wrong with a finished file, by which rule, what a host would say to it,
//! and what to do.
//!
//! It judges the facts of an [`Inspection`]; all checksums were computed when that was made. Single
//! values are judged by the same [`rules`](crate::rules) that the writer obeys.
//!
//! An *error* is what some release of the host is known to refuse, what breaks there, or a
//! contradiction inside the file. A *warning* is what hosts take and a careful packager would not
//! write, or what could not be checked.

mod bundle;
mod checksums;
mod entries;
mod vib;

use std::fmt;

use serde::Serialize;

use crate::inspect::{Contents, Inspection, ReadError};
use crate::rules::{Finding, LEGACY, Rule, WRAPPER};

/// How much a diagnosis weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Hosts take it.
    Warning,
    /// Some host refuses it, or the file contradicts itself.
    Error,
}

/// A finding about a finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// How much it weighs.
    pub severity: Severity,
    /// Rule, place, problem and remedy.
    pub finding: Finding,
    /// What a host says, shortened, where that is known; `..` stands for what varies.
    pub host_message: Option<&'static str>,
}

/// Two lines at most: the finding, and what a host says. Without a newline at the end.
impl fmt::Display for Diagnosis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        // Places and problems quote the file: no control character may reach a terminal.
        let finding = self
            .finding
            .to_string()
            .replace(char::is_control, "\u{fffd}");
        write!(out, "{severity}: {finding}")?;
        match self.host_message {
            Some(message) => write!(out, "\n    a host says: {message}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a file, in the order of its parts.
pub fn verify(inspection: &Inspection) -> Vec<Diagnosis> {
    let mut report = Report::default();
    match &inspection.contents {
        Contents::Vib(vib) => vib::check(vib, &mut report),
        Contents::Bundle(bundle) => bundle::check(bundle, &mut report),
        Contents::WrappedBundle { inner, bundle } => {
            report
                .error(
                    WRAPPER,
                    format!("zip entry {inner:?}"),
                    "is the offline bundle, and this file only wraps it",
                    "unpack this zip and give hosts the inner one",
                )
                .host_message =
                Some("[MetadataDownloadError] Could not download from depot at zip:..index.xml");
            report.inside(inner, |report| bundle::check(bundle, report));
        }
        Contents::LegacyVib(vib) => {
            report
                .error(
                    LEGACY,
                    format!("VIB {:?}", vib.id),
                    format!(
                        "is of the kind {:?}, which only ESX 4.x reads",
                        vib.vib_type
                    ),
                    "look for a package for 5.0 or later",
                )
                .host_message = Some("This VIB is a ESX 4.x VIB");
        }
        Contents::Archive(archive) => entries::check(None, archive, &mut report),
    }
    report.diagnoses
}

/// The diagnosis of a file that cannot even be read.
pub fn unreadable(error: &ReadError) -> Diagnosis {
    let (place, problem) = match error {
        ReadError::Within { part, error } => (part.clone(), error.to_string()),
        other => ("file".to_owned(), other.to_string()),
    };
    Diagnosis {
        severity: Severity::Error,
        finding: Finding::new(
            error.rule(),
            place,
            problem,
            "fetch it again, or have it built again",
        ),
        host_message: error.host_message(),
    }
}

/// The most findings that are kept: the first ones and the last one. A hostile archive could have
/// hundreds of thousands.
const MOST_DIAGNOSES: usize = 1000;

/// Collects diagnoses.
#[derive(Debug, Default)]
struct Report {
    diagnoses: Vec<Diagnosis>,
    /// Put in front of places, for instance the path of a VIB in its bundle.
    prefix: String,
}

impl Report {
    /// Something that hosts refuse. The caller may add what they say.
    fn error(
        &mut self,
        rule: Rule,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut Diagnosis {
        self.found(Severity::Error, Finding::new(rule, place, problem, remedy))
    }

    /// Something that hosts take.
    fn warning(
        &mut self,
        rule: Rule,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut Diagnosis {
        self.found(
            Severity::Warning,
            Finding::new(rule, place, problem, remedy),
        )
    }

    fn found(&mut self, severity: Severity, finding: Finding) -> &mut Diagnosis {
        let place = format!("{}{}", self.prefix, finding.place);
        let diagnosis = Diagnosis {
            severity,
            finding: Finding { place, ..finding },
            host_message: None,
        };
        if self.diagnoses.len() == MOST_DIAGNOSES {
            self.diagnoses.pop();
        }
        self.diagnoses.push_mut(diagnosis)
    }

    /// Runs checks whose places lie inside `part`.
    fn inside(&mut self, part: &str, checks: impl FnOnce(&mut Self)) {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{part}: ");
        checks(self);
        self.prefix = outer;
    }
}
