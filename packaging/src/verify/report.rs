//! Collects findings: each with its weight, its place, where it holds, and what a host says.

use std::fmt;

use serde::Serialize;

use crate::rules::constraint::Stated;
use crate::rules::{Finding, Level, Levels, Releases, Rule};

/// How much a diagnosis weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing to fix, at least not for the releases that the package is for.
    Note,
    /// Hosts take it.
    Warning,
    /// Some host refuses it, or the file contradicts itself.
    Error,
}

/// A finding about a finished file.
///
/// Its JSON form is an object with `severity` (`error`, `warning` or `note`), `rule` (the number in
/// FORMAT.md), `place`, `offset` (bytes from the start of the archive that the place is in; absent
/// where there is none), `problem`, `remedy`, `host-message` (what a host says, shortened; null if
/// that is not known), `releases` (those where the finding holds) and `levels` (`all`, `community`
/// or `above-community`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Diagnosis {
    /// How much it weighs.
    pub severity: Severity,
    /// Rule, place, problem and remedy.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where the part begins, in bytes from the start of the archive that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What a host says, shortened, where that is known; `..` stands for what varies.
    pub host_message: Option<&'static str>,
    /// Releases where it holds.
    pub releases: Releases,
    /// Acceptance levels that it holds for.
    pub levels: Levels,
}

/// Three lines at most: the finding, what a host says, and where that is so. Without a newline at
/// the end.
impl fmt::Display for Diagnosis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        // Places and problems quote the file: no control character may reach a terminal.
        let finding = self
            .finding
            .to_string()
            .replace(char::is_control, "\u{fffd}");
        write!(out, "{severity}: {finding}")?;
        if let Some(message) = self.host_message {
            write!(out, "\n    a host says: {message}")?;
        }
        let rule = self.finding.rule;
        if rule.releases() != Releases::ALL {
            write!(out, "\n    on: {}", rule.releases())?;
        }
        Ok(())
    }
}

/// The most findings that are kept: the first ones and the last one. A hostile archive could have
/// hundreds of thousands.
const MOST_DIAGNOSES: usize = 1000;

/// Collects diagnoses.
#[derive(Debug)]
pub(super) struct Report {
    diagnoses: Vec<Diagnosis>,
    /// Put in front of places, for instance the path of a VIB in its bundle.
    prefix: String,
    /// Releases that are of interest.
    releases: Releases,
    /// Whether the caller has named them.
    asked: bool,
    /// Whether each of them counts, also those before 6.5.
    each: bool,
    /// Where the part begins that is looked at, if it has a place.
    offset: Option<u64>,
    /// Level of the package that is looked at, if it has one.
    level: Option<Level>,
}

/// What was just reported, to add to it; empty if nobody wants to know.
pub(super) struct Reported<'r>(Option<&'r mut Diagnosis>);

impl Reported<'_> {
    /// What a host says to it.
    pub(super) fn says(self, message: &'static str) -> Self {
        if let Self(Some(diagnosis)) = self {
            diagnosis.host_message = Some(message);
            return Self(Some(diagnosis));
        }
        self
    }

    /// Where the part begins, in bytes.
    pub(super) fn at(self, offset: u64) -> Self {
        if let Self(Some(diagnosis)) = self {
            diagnosis.offset = Some(offset);
            return Self(Some(diagnosis));
        }
        self
    }
}

impl Report {
    /// For these releases, or for all.
    pub(super) fn new(releases: Option<Releases>) -> Self {
        Self {
            diagnoses: Vec::new(),
            prefix: String::new(),
            releases: releases.unwrap_or(Releases::ALL),
            asked: releases.is_some(),
            each: releases.is_some(),
            offset: None,
            level: None,
        }
    }

    pub(super) fn finish(self) -> Vec<Diagnosis> {
        self.diagnoses
    }

    /// Releases that are of interest at this place.
    pub(super) fn releases(&self) -> Releases {
        self.releases
    }

    /// Whether one of these releases is of interest, and counts.
    pub(super) fn judges_any_of(&self, releases: Releases) -> bool {
        self.each && !(self.releases & releases).is_empty()
    }

    /// Whether the caller has named them.
    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Reports that a rule is broken, if it holds for a release and for the level of interest.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        rule: Rule,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Reported<'_> {
        self.found(severity, Finding::new(rule, place, problem, remedy))
    }

    pub(super) fn found(&mut self, severity: Severity, finding: Finding) -> Reported<'_> {
        let rule = finding.rule;
        let releases = rule.releases() & self.releases;
        if releases.is_empty() || !rule.levels().include(self.level) {
            return Reported(None);
        }
        // Nobody said that it is for older ones, so that they are not a reason to refuse it.
        let severity = if self.each || !(releases & Releases::CURRENT).is_empty() {
            severity
        } else {
            Severity::Note
        };
        let place = format!("{}{}", self.prefix, finding.place);
        let diagnosis = Diagnosis {
            severity,
            finding: Finding { place, ..finding },
            offset: self.offset,
            host_message: None,
            releases,
            levels: rule.levels(),
        };
        if self.diagnoses.len() == MOST_DIAGNOSES {
            self.diagnoses.pop();
        }
        Reported(Some(self.diagnoses.push_mut(diagnosis)))
    }

    /// Runs checks whose places lie inside `part`.
    pub(super) fn inside(&mut self, part: &str, checks: impl FnOnce(&mut Self)) {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{part}: ");
        checks(self);
        self.prefix = outer;
    }

    /// Runs checks of a part that begins there.
    pub(super) fn at(&mut self, offset: u64, checks: impl FnOnce(&mut Self)) {
        let outer = self.offset.replace(offset);
        checks(self);
        self.offset = outer;
    }

    /// Runs checks of a package of this level, which says that it is for these releases, if it says
    /// anything.
    pub(super) fn of_package(
        &mut self,
        level: Option<Level>,
        stated: Option<Stated>,
        checks: impl FnOnce(&mut Self),
    ) {
        let outer = std::mem::replace(&mut self.level, level);
        self.on(stated, checks);
        self.level = outer;
    }

    /// Runs checks of what is offered for these releases, if anything is said about them. Whoever
    /// asks for releases wants to know about those, offered or not.
    pub(super) fn offered(&mut self, releases: Option<Releases>, checks: impl FnOnce(&mut Self)) {
        let releases = releases.filter(|_| !self.asked);
        self.on(releases.map(Stated::narrowed), checks);
    }

    fn on(&mut self, stated: Option<Stated>, checks: impl FnOnce(&mut Self)) {
        let outer = (self.releases, self.each);
        if let Some(stated) = stated {
            let own = Stated {
                releases: self.releases,
                each: self.each,
            };
            let both = own.and(stated);
            self.releases = both.releases;
            self.each = both.each || (both.releases & Releases::CURRENT).is_empty();
        }
        checks(self);
        (self.releases, self.each) = outer;
    }
}
