//! `cargo xtask test`: every test there is.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::Shell;

use crate::{
    cargo::cargo, clients, compile::TARGET, conformance, dist, e2e, faults, steps::Steps, tools,
    twice, userworld::matrix,
};

/// A package of scripts.
const EXAMPLE: &str = "packaging/examples/bootnote/package.toml";

/// Runs every test.
///
/// # Errors
/// If a program that the tests need is missing and cannot be installed, or if a test fails.
pub(crate) fn run(sh: &Shell, root: &Path) -> Result<()> {
    tools::ensure_root()?;
    tools::ensure(sh)?;
    let mut steps = Steps::default();
    steps.run(
        "unit and integration tests of packaging, protocol and xtask",
        || {
            let packages = ["packaging", "protocol", "xtask"].map(|name| ["--package", name]);
            let packages = packages.concat();
            Ok(cargo(
                sh,
                &[&["test", "--locked", "--no-fail-fast"], &packages[..]].concat(),
            )
            .run()?)
        },
    );
    // The daemon is tested as the program that ships: the build for this machine uses other system
    // calls.
    steps.run("unit and integration tests of the daemon", || {
        let package = ["--package", "esxftpd", "--target", TARGET];
        Ok(cargo(
            sh,
            &[&["test", "--locked", "--no-fail-fast"], &package[..]].concat(),
        )
        .run()?)
    });
    steps.run("conformance suite", || conformance::ours(sh, root));
    steps.run("clients with the engine libunftp", || {
        clients::libunftp::run(root, &conformance::debug_daemon(sh, root)?)
    });
    steps.run("faults of medium, datastore and clock", || {
        faults::Options::default().run(sh, root)
    });
    let mut built = None;
    steps.run("dist", || {
        built = Some(dist::ours(sh, root)?);
        Ok(())
    });
    steps.run("packages, built twice", || {
        twice::pack(&root.join(EXAMPLE), false)?;
        // The daemon's own bytes are compared by `verify --twice`, which takes too long for here.
        twice::pack(&root.join(dist::MANIFEST), false)
    });
    let vib = || {
        built
            .as_ref()
            .map(|dist| dist.vib.as_path())
            .context("not run: there is no package")
    };
    steps.run("end-to-end test", || e2e::run(vib()?));
    steps.run("life of the package", || e2e::life(vib()?));
    steps.run("end-to-end test of broken packages", || {
        e2e::sabotage(vib()?)
    });
    steps.run("regressions that the matrix must notice", || {
        matrix::regressions(vib()?)
    });
    steps.run("matrix of system calls", || matrix::run(vib()?, ""));
    steps.finish()
}
