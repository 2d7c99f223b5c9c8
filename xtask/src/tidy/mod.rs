//! `cargo xtask tidy`: what the compiler does not see. All findings are collected, each with the
//! file to change.

mod changelog;
mod documents;
mod layers;
mod layout;
mod ports;
mod words;

use std::{fmt::Display, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use clap::Command;

/// Runs every check. `workshop` is the command line that documents are compared with.
///
/// # Errors
/// If there are findings; they have been printed.
pub(crate) fn run(root: &Path, workshop: &Command) -> Result<()> {
    let tree = Tree { root };
    let mut findings = Findings::default();
    layout::check(&tree, &mut findings)?;
    layers::check(&tree, &mut findings)?;
    ports::check(&tree, &mut findings)?;
    changelog::check(&tree, &mut findings)?;
    documents::check(&tree, workshop, &mut findings)?;
    words::check(&tree, &mut findings)?;
    for finding in &findings.0 {
        eprintln!("tidy: {finding}");
    }
    match findings.0.len() {
        0 => Ok(()),
        count => bail!("{count} findings"),
    }
}

/// The files of the workspace.
struct Tree<'r> {
    root: &'r Path,
}

impl Tree<'_> {
    fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| path.to_owned())
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, file: impl Display, problem: impl Display) {
        self.0.push(format!("{file}: {problem}"));
    }
}
