//! `cargo xtask test`: every test there is.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{compile::TARGET, dist, e2e, steps::Steps, tools};

/// Runs every test.
///
/// # Errors
/// If a program that the tests need is missing and cannot be installed, or if a test fails.
pub(crate) fn run(sh: &Shell, root: &Path) -> Result<()> {
    tools::ensure(sh)?;
    let mut steps = Steps::default();
    steps.run("unit and integration tests of packaging and xtask", || {
        Ok(cmd!(
            sh,
            "cargo test --locked --package packaging --package xtask"
        )
        .run()?)
    });
    // The daemon is tested as the program that ships: the build for this machine uses other system
    // calls.
    steps.run("unit and integration tests of the daemon", || {
        Ok(cmd!(
            sh,
            "cargo test --locked --package esxftpd --target {TARGET}"
        )
        .run()?)
    });
    let mut dist = None;
    steps.run("dist", || {
        dist = Some(dist::ours(sh, root)?);
        Ok(())
    });
    if let Some(dist) = dist {
        steps.run("end-to-end test", || e2e::run(&dist.vib));
        steps.run("end-to-end test of broken packages", || {
            e2e::sabotage(&dist.vib)
        });
    }
    steps.finish()
}
