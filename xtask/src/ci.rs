//! `cargo xtask ci`: everything that must be green before a commit.

use std::path::Path;

use anyhow::Result;
use clap::Command;
use xshell::{Shell, cmd};

use crate::{cargo::cargo, compile::TARGET, fuzz, steps::Steps, test, tidy};

/// Enough to notice a target that does not build, or breaks at once; not a search.
const FUZZ_SECONDS: u32 = 10;

/// Machines that packages are built on, too, and that nobody here has a C compiler or linker for.
const ELSEWHERE: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

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
    steps.run("packaging without a C compiler", || without_c(sh));
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

/// Without signatures, the package tool needs nothing but Rust, on any machine.
fn without_c(sh: &Shell) -> Result<()> {
    let here = cmd!(sh, "rustup target list --installed").read()?;
    for target in ELSEWHERE {
        if !here.lines().any(|line| line == target) {
            cmd!(sh, "rustup target add {target}").run()?;
        }
        let check = [
            "check",
            "--locked",
            "--package",
            "packaging",
            "--package",
            "vib",
        ];
        let check = [&check[..], &["--no-default-features", "--target", target]].concat();
        // A library that wants a C compiler does not find one.
        cargo(sh, &check).env("CC", "false").run()?;
    }
    let test = [
        "test",
        "--locked",
        "--package",
        "vib",
        "--no-default-features",
    ];
    let test = [&test[..], &["--test", "without_signatures"]].concat();
    Ok(cargo(sh, &test).run()?)
}
