//! `cargo xtask ci`: everything that must be green before a commit.

use std::path::Path;

use anyhow::Result;
use clap::Command;
use xshell::Shell;

use crate::{cargo::cargo, compile::TARGET, fuzz, steps::Steps, test, tidy};

/// Enough to notice a target that does not build, or breaks at once; not a search.
const FUZZ_SECONDS: u32 = 10;

/// Runs every check and reports all failures; the tests only if they have not been run already.
/// `workshop` is the command line that documents are compared with.
///
/// # Errors
/// If a check fails.
pub(crate) fn run(sh: &Shell, root: &Path, tested: bool, workshop: &Command) -> Result<()> {
    let clippy = |packages: &[&str]| {
        let head = ["clippy", "--locked", "--all-targets"];
        Ok(cargo(sh, &[&head, packages, &["--", "-D", "warnings"]].concat()).run()?)
    };
    let mut steps = Steps::default();
    steps.run("format", || {
        Ok(cargo(sh, &["fmt", "--all", "--check"]).run()?)
    });
    steps.run("tidy", || tidy::run(root, workshop));
    steps.run("clippy for this machine", || clippy(&["--workspace"]));
    steps.run("clippy without the second engine", || {
        clippy(&["--package", "esxftpd", "--no-default-features"])
    });
    steps.run("clippy for the host", || {
        clippy(&["--package", "esxftpd", "--target", TARGET])
    });
    steps.run("documentation", || {
        let doc = [
            "doc",
            "--locked",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ];
        Ok(cargo(sh, &doc).env("RUSTDOCFLAGS", "-D warnings").run()?)
    });
    if !tested {
        // Tests include `dist`.
        steps.run("tests", || test::run(sh, root));
    }
    steps.run("fuzzing, briefly", || {
        fuzz::if_possible(sh, root, FUZZ_SECONDS)
    });
    steps.finish()
}
