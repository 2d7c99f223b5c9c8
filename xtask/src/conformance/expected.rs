//! What the engine libunftp does not pass, as a list: whatever differs from it is told, so that an
//! update of the library cannot change its behaviour unseen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::case::Topic;
use super::play::Outcome;
use super::suite::Results;

/// The list, below the root of the workspace.
pub(super) const LIST: &str = "xtask/conformance/expected/libunftp.toml";

/// The cases that are expected not to pass.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    fails: BTreeSet<String>,
    /// Those whose outcome depends on the moment.
    varies: BTreeSet<String>,
}

impl Expected {
    /// Reads the list.
    ///
    /// # Errors
    /// If it names a case that does not exist.
    pub(super) fn read(root: &Path, topics: &[Topic]) -> Result<Self> {
        let text = fs::read_to_string(root.join(LIST)).context(LIST)?;
        let expected: Self = toml::from_str(&text).context(LIST)?;
        let cases = topics.iter().flat_map(|topic| &topic.cases);
        let known: BTreeSet<_> = cases.map(|case| case.id.as_str()).collect();
        for id in expected.fails.iter().chain(&expected.varies) {
            ensure!(known.contains(id.as_str()), "{LIST}: there is no case {id}");
        }
        Ok(expected)
    }

    /// Whether a case need not pass.
    pub(super) fn fails(&self, id: &str) -> bool {
        self.fails.contains(id) || self.varies.contains(id)
    }

    /// What differs from the list, a line each.
    pub(super) fn surprises(&self, results: &Results) -> Vec<String> {
        let mut surprises = Vec::new();
        for (id, outcome) in &results.outcomes {
            let passed = *outcome == Outcome::Passed;
            if passed && self.fails.contains(id) {
                surprises.push(format!("{id} passes; take it from the list"));
            } else if !passed && !self.fails(id) {
                surprises.push(format!("{id} does not pass: {outcome:?}"));
            }
        }
        surprises
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_kinds_of_differences_are_told() {
        let list = "fails = [\"a\", \"b\"]\nvaries = [\"v\"]";
        let expected: Expected = toml::from_str(list).unwrap();
        let failed = || Outcome::Failed("500".to_owned());
        let outcomes = [
            ("a", failed()),
            ("b", Outcome::Passed),
            ("c", failed()),
            ("d", Outcome::Passed),
            ("v", failed()),
        ];
        let results = Results {
            outcomes: outcomes
                .map(|(id, outcome)| (id.to_owned(), outcome))
                .into(),
            took: Duration::ZERO,
        };
        let surprises = expected.surprises(&results).join("\n");
        assert!(surprises.starts_with("b passes"), "{surprises}");
        assert!(surprises.contains("\nc does not pass"), "{surprises}");
        assert_eq!(surprises.lines().count(), 2, "{surprises}");
    }
}
