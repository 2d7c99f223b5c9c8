//! Documents: links lead somewhere, and commands of the workshop exist with their options.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Command;
use regex::Regex;
use walkdir::WalkDir;

use super::{Findings, Tree};

/// What building leaves behind, and what others wrote.
const SKIPPED: &[&str] = &[".git", "dist", "target", "node_modules"];

pub(super) fn check(tree: &Tree<'_>, workshop: &Command, findings: &mut Findings) -> Result<()> {
    let pages = pages(tree)?;
    for page in &pages {
        let text = tree.read(page)?;
        for problem in broken_links(tree, page, &text)? {
            findings.add(page, problem);
        }
        for problem in unknown_commands(workshop, &text)? {
            findings.add(page, problem);
        }
    }
    Ok(())
}

/// The Markdown files of the workspace.
fn pages(tree: &Tree<'_>) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    let entries = WalkDir::new(tree.root).sort_by_file_name().into_iter();
    let skipped = |name: &str| SKIPPED.contains(&name);
    for entry in entries.filter_entry(|entry| !entry.file_name().to_str().is_some_and(skipped)) {
        let entry = entry?;
        if entry.path().extension().is_some_and(|end| end == "md") {
            let path = entry.path().strip_prefix(tree.root)?;
            pages.push(
                path.to_str()
                    .context("a page's name is not UTF-8")?
                    .to_owned(),
            );
        }
    }
    Ok(pages)
}

/// What is wrong with the links of a page.
fn broken_links(tree: &Tree<'_>, page: &str, text: &str) -> Result<Vec<String>> {
    let link = Regex::new(r"\]\(([^)\s]+)\)")?;
    let mut problems = Vec::new();
    for target in link.captures_iter(text).filter_map(|found| found.get(1)) {
        let target = target.as_str();
        if target.starts_with("http://") || target.starts_with("https://") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() {
            PathBuf::from(page)
        } else {
            below(page, file)
        };
        if !tree.root.join(&path).exists() {
            problems.push(format!("links to {target}, which does not exist"));
        } else if !anchor.is_empty() && path.extension().is_some_and(|end| end == "md") {
            let other = tree.read(path.to_str().context("a link is not UTF-8")?)?;
            if !anchors(&other).any(|known| known == anchor) {
                problems.push(format!("links to {target}, where no heading is called so"));
            }
        }
    }
    Ok(problems)
}

/// A path relative to a page, without `..`.
fn below(page: &str, file: &str) -> PathBuf {
    let mut path = Path::new(page).parent().unwrap_or(Path::new("")).to_owned();
    for component in Path::new(file).components() {
        match component {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

/// The anchors of a page's headings, as code hosts make them: letters and digits in lower case,
/// blanks as hyphens.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter_map(|line| {
        let (marks, heading) = line.split_once(' ')?;
        (!marks.is_empty() && marks.bytes().all(|byte| byte == b'#')).then_some(heading)
    });
    headings.map(|heading| {
        let kept = heading.chars().filter_map(|character| match character {
            ' ' | '-' => Some('-'),
            '_' => Some('_'),
            other if other.is_alphanumeric() => Some(other),
            _ => None,
        });
        kept.collect::<String>().to_lowercase()
    })
}

/// Which commands of the workshop a page names that do not exist, or not with such an option.
fn unknown_commands(workshop: &Command, text: &str) -> Result<Vec<String>> {
    let command = Regex::new(r"cargo xtask ([a-z][a-z0-9-]*)([^`\n#;]*)")?;
    let option = Regex::new(r"(?:^|[ \[])--([a-z][a-z-]*)")?;
    let mut problems = Vec::new();
    for found in command.captures_iter(text) {
        let [name, rest] = [1, 2].map(|group| found.get(group).map_or("", |text| text.as_str()));
        let Some(known) = workshop.find_subcommand(name) else {
            problems.push(format!("names cargo xtask {name}, which does not exist"));
            continue;
        };
        // Behind it comes another program's command.
        let ours = rest.split(" -- ").next().unwrap_or_default();
        for found in option.captures_iter(ours).filter_map(|found| found.get(1)) {
            let long = found.as_str();
            let is_known = |argument: &clap::Arg| argument.get_long() == Some(long);
            let nested = known.get_subcommands().flat_map(Command::get_arguments);
            if !known.get_arguments().chain(nested).any(is_known) {
                problems.push(format!(
                    "names cargo xtask {name} --{long}, which does not exist"
                ));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Arg;

    use super::*;

    #[test]
    fn broken_links_are_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("docs")).unwrap();
        fs::write(root.path().join("a.md"), "# First steps, `now`\n").unwrap();
        let tree = Tree { root: root.path() };
        let text = "[1](../a.md) [2](../a.md#first-steps-now) [3](https://x/y) \
                    [4](../b.md) [5](../a.md#second)";
        let problems = broken_links(&tree, "docs/page.md", text).unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("../b.md") && problems[1].contains("#second"));
    }

    #[test]
    fn commands_and_options_that_do_not_exist_are_found() {
        let pack = Command::new("pack").arg(Arg::new("out").long("out"));
        let workshop = Command::new("xtask").subcommand(pack);
        let text = "`cargo xtask pack --out DIR` `cargo xtask pack [--in DIR]` `cargo xtask unpack`\n\
                    cargo xtask pack --out X -- other --in   # --in\n";
        let problems = unknown_commands(&workshop, text).unwrap();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("--in") && problems[1].contains("unpack"));
    }
}
