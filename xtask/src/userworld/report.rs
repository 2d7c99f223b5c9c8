//! What a command asked for and did not get, or should not have asked for.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// One kind of call, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Finding {
    /// The name of the call, with the flag that mattered.
    pub(crate) call: String,
    /// `allow`, or the errno that it got.
    pub(crate) answer: String,
    /// Whether the table knows the call.
    pub(crate) listed: bool,
    /// Why it must not be made, wherever it is allowed.
    pub(crate) unwanted: Option<String>,
}

/// All findings, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    counts: BTreeMap<Finding, u64>,
}

#[derive(Serialize, Deserialize)]
struct Counted {
    #[serde(flatten)]
    finding: Finding,
    count: u64,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        *self.counts.entry(finding).or_default() += 1;
    }

    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.counts.keys()
    }

    /// What fails a test of the daemon: calls that the table does not know, and those that it must
    /// not make.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (finding, count) in &self.counts {
            let Finding { call, answer, .. } = finding;
            if !finding.listed {
                faults.push(format!(
                    "{call} was called {count} times and is not in xtask/userworld: {answer}"
                ));
            } else if let Some(reason) = &finding.unwanted {
                faults.push(format!("{call} was called {count} times: {reason}"));
            }
        }
        faults
    }

    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        let counted: Vec<_> = self
            .counts
            .iter()
            .map(|(finding, count)| Counted {
                finding: finding.clone(),
                count: *count,
            })
            .collect();
        serde_json::to_string_pretty(&counted)
    }

    pub(crate) fn from_json(text: &str) -> serde_json::Result<Self> {
        let counted: Vec<Counted> = serde_json::from_str(text)?;
        Ok(Self {
            counts: counted.into_iter().map(|c| (c.finding, c.count)).collect(),
        })
    }
}

/// `futex FUTEX_WAIT_BITSET: ENOSYS (3 times)`, one a line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (finding, count) in &self.counts {
            let Finding { call, answer, .. } = finding;
            write!(f, "{call}: {answer} ({count} times)")?;
            if !finding.listed {
                f.write_str(", not in xtask/userworld")?;
            }
            if finding.unwanted.is_some() {
                f.write_str(", unwanted")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_travel_and_name_the_call() {
        let mut report = Report::default();
        let finding = |call: &str, listed, unwanted: Option<&str>| Finding {
            call: call.to_owned(),
            answer: "ENOSYS".to_owned(),
            listed,
            unwanted: unwanted.map(str::to_owned),
        };
        report.add(finding("getrandom", true, None));
        report.add(finding("getrandom", true, None));
        assert!(report.faults().is_empty());
        report.add(finding("landlock_restrict_self", false, None));
        report.add(finding("eventfd2", true, Some("the waker is a pipe")));
        assert_eq!(
            Report::from_json(&report.to_json().unwrap()).unwrap(),
            report
        );
        let faults = report.faults().join("\n");
        assert!(
            faults.contains("landlock_restrict_self was called 1 times"),
            "{faults}"
        );
        assert!(
            faults.contains("eventfd2 was called 1 times: the waker"),
            "{faults}"
        );
        assert!(report.to_string().contains("getrandom: ENOSYS (2 times)"));
    }
}
