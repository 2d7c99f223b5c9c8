//! What stands where: the top level of the workspace, the size of files, and who may name what.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};
use regex::Regex;
use walkdir::WalkDir;

use super::{Findings, Tree};

/// All that the top level holds; beyond the folders, only what tools look for at a root.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
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
    let mut libunftp_lines = 0;
    for path in sources(tree)? {
        let text = tree.read(&path)?;
        let lines = text.lines().count();
        if lines > MAX_LINES {
            findings.add(
                &path,
                format!("{lines} lines; split it by concern ({MAX_LINES} are allowed)"),
            );
        }
        libunftp_has_one_home(&path, &text, findings)?;
        if path.starts_with(LIBUNFTP) {
            libunftp_lines += lines;
        }
    }
    if libunftp_lines > LIBUNFTP_LINES {
        findings.add(
            LIBUNFTP,
            format!("{libunftp_lines} lines; {LIBUNFTP_LINES} are allowed for the engine libunftp"),
        );
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

/// The folder of the engine libunftp, and the most lines that it may have: what it needs beyond them
/// belongs to the frame.
const LIBUNFTP: &str = "daemon/src/libunftp/";
const LIBUNFTP_LINES: usize = 470;

/// The second engine's crates are named in its folder only.
fn libunftp_has_one_home(path: &str, text: &str, findings: &mut Findings) -> Result<()> {
    // The module of this name is `crate::libunftp`.
    let crates =
        r"(use |[^:\w])::libunftp\b|\buse libunftp\b|\bunftp[-_](core|sbe[-_]fs)\b|\bslog::";
    if path.starts_with(LIBUNFTP) || !path.starts_with("daemon/") {
        return Ok(());
    }
    if let Some(named) = Regex::new(crates)?.find(text) {
        let named = named.as_str();
        findings.add(path, format!("names `{named}`; that belongs in {LIBUNFTP}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_of_the_second_engine_are_found_outside_of_its_folder() {
        let found = |path: &str, text: &str| {
            let mut findings = Findings::default();
            libunftp_has_one_home(path, text, &mut findings).unwrap();
            findings.0.len()
        };
        for text in [
            "use ::libunftp::Server;",
            "use libunftp::Server;",
            "let _ = ::libunftp::Server;",
            "use unftp_core::auth;",
            "// as unftp-sbe-fs does",
            "slog::o!()",
        ] {
            assert_eq!(found("daemon/src/server/mod.rs", text), 1, "{text}");
            assert_eq!(found("daemon/src/libunftp/mod.rs", text), 0, "{text}");
        }
        for text in [
            "crate::libunftp::serve",
            "syslog::line",
            "the engine libunftp",
        ] {
            assert_eq!(found("daemon/src/server/mod.rs", text), 0, "{text}");
        }
    }
}
