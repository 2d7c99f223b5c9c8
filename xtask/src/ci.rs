//! `cargo xtask ci`: everything that must be green before a commit.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{compile::TARGET, steps::Steps, test, tidy};

/// Runs every check and reports all failures.
///
/// # Errors
/// If a check fails.
pub(crate) fn run(sh: &Shell, root: &Path) -> Result<()> {
    let mut steps = Steps::default();
    steps.run("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?));
    steps.run("tidy", || tidy::run(root));
    steps.run("clippy for this machine", || {
        Ok(cmd!(
            sh,
            "cargo clippy --locked --workspace --all-targets -- -D warnings"
        )
        .run()?)
    });
    steps.run("clippy for the host", || {
        Ok(cmd!(
            sh,
            "cargo clippy --locked --package esxftpd --all-targets --target {TARGET} -- -D warnings"
        )
        .run()?)
    });
    steps.run("documentation", || {
        let _strict = sh.push_env("RUSTDOCFLAGS", "-D warnings");
        Ok(cmd!(
            sh,
            "cargo doc --locked --workspace --no-deps --document-private-items"
        )
        .run()?)
    });
    // Tests include `dist`.
    steps.run("tests", || test::run(sh, root));
    steps.finish()
}
