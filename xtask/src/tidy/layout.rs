//! What stands where: the top level of the workspace, the size of files, and who may name what.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};
use walkdir::WalkDir;

use super::{Findings, Tree};

/// All that the top level holds; beyond the folders, only what tools look for at a root.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "daemon",
    "deny.toml",
    "firewall",
    "init.d",
    "packaging",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "xtask",
];

/// What building leaves behind.
const BUILT: &[&str] = &[".git", "dist", "target"];

/// A source file with more lines does more than one thing.
const MAX_LINES: usize = 500;

pub(super) fn check(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    top_level(tree, findings)?;
    for path in sources(tree)? {
        let text = tree.read(&path)?;
        let lines = text.lines().count();
        if lines > MAX_LINES {
            findings.add(
                &path,
                format!("{lines} lines; split it by concern ({MAX_LINES} are allowed)"),
            );
        }
        engine_has_one_home(&path, &text, findings);
    }
    Ok(())
}

fn top_level(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    let mut found = BTreeSet::new();
    for entry in tree.root.read_dir().context("the root of the workspace")? {
        found.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    let expected: BTreeSet<String> = TOP_LEVEL.iter().map(ToString::to_string).collect();
    for extra in found
        .difference(&expected)
        .filter(|name| !BUILT.contains(&name.as_str()))
    {
        findings.add(extra, "does not belong at the top level; move it, or change TOP_LEVEL in xtask/src/tidy/layout.rs");
    }
    for missing in expected.difference(&found) {
        findings.add(missing, "is missing at the top level");
    }
    Ok(())
}

/// The Rust files of the workspace, relative to its root, sorted.
pub(super) fn sources(tree: &Tree<'_>) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    for folder in ["daemon", "packaging", "xtask"] {
        for entry in WalkDir::new(tree.root.join(folder)).sort_by_file_name() {
            let entry = entry?;
            let rust = Path::new(entry.file_name())
                .extension()
                .is_some_and(|extension| extension == "rs");
            if rust {
                sources.push(entry.path().strip_prefix(tree.root)?.display().to_string());
            }
        }
    }
    Ok(sources)
}

/// The engine's builder is named in one file, and its own listeners, which know no bounds, in none.
fn engine_has_one_home(path: &str, text: &str, findings: &mut Findings) {
    const HOME: &str = "daemon/src/session/engine.rs";
    if !path.starts_with("daemon/src/") {
        return;
    }
    if path != HOME && text.contains("ServerBuilder") {
        findings.add(
            path,
            format!("names libunftp's ServerBuilder; that belongs in {HOME}"),
        );
    }
    for pooled in ["pooled_", ".listen(\""] {
        if path == HOME && text.contains(pooled) {
            findings.add(
                path,
                format!(
                    "uses `{pooled}..` of libunftp; sessions are accepted in daemon/src/server.rs"
                ),
            );
        }
    }
}
