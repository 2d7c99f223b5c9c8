//! The newest version of the CHANGELOG is the version of the workspace, and its date the release
//! date of the package.

use anyhow::{Context as _, Result};

use super::{Findings, Tree};
use crate::dist::MANIFEST;

const CHANGELOG: &str = "CHANGELOG.md";

pub(super) fn check(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    let (version, date) = newest(&tree.read(CHANGELOG)?).context(CHANGELOG)?;
    let workspace = env!("CARGO_PKG_VERSION");
    if version != workspace {
        findings.add(
            CHANGELOG,
            format!("its newest entry is {version}, but Cargo.toml has {workspace}"),
        );
    }
    let manifest: toml::Table = tree.read(MANIFEST)?.parse().context(MANIFEST)?;
    let release = manifest
        .get("release-date")
        .and_then(|value| value.as_datetime()?.date)
        .map(|date| date.to_string());
    if release.as_ref() != Some(&date) {
        findings.add(
            MANIFEST,
            format!("release-date is {release:?}, but {CHANGELOG} has {date}"),
        );
    }
    Ok(())
}

/// Version and date of the first entry that has both: `## [1.2.3] - 2026-01-31`.
fn newest(text: &str) -> Result<(String, String)> {
    text.lines()
        .find_map(|line| line.strip_prefix("## [")?.split_once("] - "))
        .map(|(version, date)| (version.to_owned(), date.trim().to_owned()))
        .context("no entry of the form `## [1.2.3] - 2026-01-31`")
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn an_entry_without_a_date_is_not_a_release() {
        let text = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-03\n\n## [0.1.0] - 2026-01-02\n";
        assert_eq!(
            newest(text).unwrap(),
            ("0.2.0".to_owned(), "2026-02-03".to_owned())
        );
    }
}
