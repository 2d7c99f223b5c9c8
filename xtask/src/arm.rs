//! The package for ESXi on Arm: built, verified, and its daemon used by real clients under
//! emulation, as far as that carries. It shows nothing about the VMkernel on Arm.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use packaging::manifest::Machine;
use xshell::Shell;

use crate::{
    clients,
    compile::Build,
    dist,
    e2e::{KNOWN_GAPS, SECURITIES},
    peers::{Bench, Caps, Peer},
    process,
};

/// Runs programs for Arm on this machine (Debian: qemu-user-static).
const EMULATOR: &str = "qemu-aarch64-static";

/// More than the clients open.
const CAPS: Caps = Caps {
    sessions: 100,
    per_address: 100,
};

const VERIFY_LIMIT: Duration = Duration::from_mins(2);

/// Builds the package below `target`, and tests it.
///
/// # Errors
/// If it cannot be built, breaks a rule, or if a client is not content with its daemon.
pub(crate) fn run(sh: &Shell, root: &Path) -> Result<()> {
    let build = Build {
        machine: Machine::Aarch64,
        ..Build::default()
    };
    let out = root.join("target/dist-arm64");
    let packed = dist::run(sh, root, &root.join(dist::MANIFEST), build, &out, None)?;
    for made in packed.vibs.iter().chain([&packed.bundle]) {
        let mut verify = process::this_program();
        verify.arg("verify").arg(&made.path);
        process::run(&mut verify, b"", VERIFY_LIMIT)?.success()?;
        println!("verified: {}", made.path.display());
    }
    serve(root, &root.join(build.program()))
}

/// Lets real clients use the daemon, with and without TLS.
fn serve(root: &Path, daemon: &Path) -> Result<()> {
    let [work, programs] = [tempfile::tempdir()?, tempfile::tempdir()?];
    let emulated = programs.path().join("esxftpd");
    let script = format!("#!/bin/sh\nexec {EMULATOR} '{}' \"$@\"\n", daemon.display());
    fs::write(&emulated, script)?;
    fs::set_permissions(&emulated, fs::Permissions::from_mode(0o755))?;
    let bench = Bench::prepare(root, work.path(), emulated, CAPS)?;
    let server = bench.start(Peer::Esxftpd)?;
    fs::create_dir(server.root.join("clients"))?;
    let target = server.target.below("clients");
    for security in SECURITIES {
        let files = tempfile::tempdir()?;
        let report = clients::run(&target.with(*security), files.path())?;
        report
            .check_complete(KNOWN_GAPS)
            .with_context(|| format!("{security:?}, under emulation"))?;
        println!("clients, {security:?}: passed");
    }
    Ok(())
}
