//! What the clients found.

use std::fmt;

use anyhow::{Result, ensure};

/// The error of a case that needs an optional command which the server lacks; that is no failure of
/// the server.
#[derive(Debug)]
pub(crate) struct NotOffered;

impl fmt::Display for NotOffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server does not offer this command")
    }
}

impl std::error::Error for NotOffered {}

/// One case of one client.
struct Row {
    client: &'static str,
    case: String,
    outcome: Outcome,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Passed,
    NotOffered,
    Failed(String),
}

/// The table of all cases, in the order in which they ran.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds the result of one case.
    pub(crate) fn add(&mut self, client: &'static str, case: &str, result: Result<()>) {
        let outcome = match result {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<NotOffered>() => Outcome::NotOffered,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.rows.push(Row {
            client,
            case: case.to_owned(),
            outcome,
        });
    }

    /// Fails with every failed case.
    ///
    /// # Errors
    /// If a case failed, or if there is none at all.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.rows.is_empty(), "the client suite ran no case");
        let failed = self
            .rows
            .iter()
            .filter(|row| matches!(row.outcome, Outcome::Failed(_)));
        let failed: Vec<_> = failed.map(ToString::to_string).collect();
        let (count, all) = (failed.len(), self.rows.len());
        ensure!(
            failed.is_empty(),
            "{count} of {all} client cases failed:\n{}",
            failed.join("\n")
        );
        Ok(())
    }

    /// Like [`Report::check`] for a server that need not pass these cases (client and case).
    ///
    /// # Errors
    /// If another one failed, or if there is none at all.
    pub(crate) fn check_but(mut self, known: &[(&str, &str)]) -> Result<()> {
        self.rows
            .retain(|row| !known.contains(&(row.client, row.case.as_str())));
        self.check()
    }

    /// Like [`Report::check`] for a server that has to offer everything that the suite asks for,
    /// but for the known `gaps` (client and case).
    ///
    /// # Errors
    /// Also if another case was not offered, or if a gap is one no longer: then its entry has to
    /// go.
    pub(crate) fn check_complete(&self, gaps: &[(&str, &str)]) -> Result<()> {
        self.check()?;
        let missing = self
            .rows
            .iter()
            .filter(|row| row.outcome == Outcome::NotOffered);
        let missing: Vec<_> = missing.map(|row| (row.client, row.case.as_str())).collect();
        ensure!(
            missing == gaps,
            "not offered are {missing:?} and known as such are {gaps:?}"
        );
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, detail) = match &self.outcome {
            Outcome::Passed => ("ok", ""),
            Outcome::NotOffered => ("not offered", ""),
            Outcome::Failed(detail) => ("FAILED", detail.as_str()),
        };
        let line = format!(
            "{:<8} {:<32} {word:<12} {}",
            self.client,
            self.case,
            detail.replace('\n', "\n    ")
        );
        write!(f, "{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn every_failed_case_is_named() {
        let mut report = Report::default();
        assert!(report.check().is_err(), "an empty report proves nothing");
        report.add("curl", "LIST", Ok(()));
        report.add("curl", "MLSD", Err(NotOffered.into()));
        report.check().unwrap();
        let unexpected = report.check_complete(&[]).unwrap_err().to_string();
        assert!(unexpected.contains("MLSD"), "{unexpected}");
        report.check_complete(&[("curl", "MLSD")]).unwrap();
        let stale = report.check_complete(&[("curl", "MLSD"), ("curl", "LIST")]);
        assert!(stale.is_err(), "LIST is no gap");
        report.add("lftp", "SIZE", Err(anyhow!("213 1")));
        report.add("lftp", "RMD", Err(anyhow!("550")));
        let message = report.check().unwrap_err().to_string();
        assert!(
            message.contains("2 of 4") && message.contains("SIZE") && message.contains("RMD"),
            "{message}"
        );
    }
}
