//! What must be said, and what must not: every configuration key is in its man page; no file names
//! a path of a machine.

use anyhow::{Context as _, Result};

use super::{Findings, Tree, layout};

const CONFIG: &str = "daemon/esxftpd.toml";
const CONFIG_PAGE: &str = "daemon/esxftpd.toml.5";

/// Directories that exist on somebody's machine only. Put together here, so that this file does not
/// contain them.
const PRIVATE: &[&[&str]] = &[&["/root", "/"], &["/home", "/"], &["/work", "/"]];

pub(super) fn check(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    keys_are_documented(tree, findings)?;
    let others = [
        CONFIG,
        CONFIG_PAGE,
        "daemon/esxftpd.8",
        "init.d/esxftpd",
        "packaging/FORMAT.md",
        "packaging/cli/vib.1",
        "packaging/docs/five-minutes.md",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "daemon/docs/administrator.md",
    ];
    for path in layout::sources(tree)?
        .iter()
        .map(String::as_str)
        .chain(others)
    {
        let text = tree.read(path)?;
        for private in PRIVATE.iter().map(|parts| parts.concat()) {
            if text.contains(&private) {
                findings.add(
                    path,
                    format!("contains the path of a machine ({private}..)"),
                );
            }
        }
    }
    Ok(())
}

fn keys_are_documented(tree: &Tree<'_>, findings: &mut Findings) -> Result<()> {
    // Examples are commented out with `#!`.
    let config: toml::Table = tree
        .read(CONFIG)?
        .replace("#!", "")
        .parse()
        .context(CONFIG)?;
    let page = tree.read(CONFIG_PAGE)?.replace("\\-", "-");
    let tables = config.values().flat_map(|value| {
        let elements = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        elements.iter().filter_map(toml::Value::as_table)
    });
    for key in config.keys().chain(tables.flat_map(toml::Table::keys)) {
        if !page.contains(key.as_str()) {
            findings.add(
                CONFIG_PAGE,
                format!("does not mention {key}, which {CONFIG} has"),
            );
        }
    }
    Ok(())
}
