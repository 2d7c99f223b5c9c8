//! `cargo xtask host`: a simulated host for people, with a package on it.

use std::{ffi::OsString, fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, ensure};

use super::{CALLS, HostRoot, LOG, Package};
use crate::process;

/// Makes a host in `dir`, which must not exist or be empty, installs the VIB and runs a command in
/// it, a shell by default. What still runs when the command has ended is ended; the files stay.
///
/// # Errors
/// If the directory is in use, if the package cannot be installed, or if the command cannot be
/// started.
pub(crate) fn run(dir: &Path, vib: &Path, command: &[OsString]) -> Result<ExitCode> {
    fs::create_dir_all(dir).with_context(|| format!("{}", dir.display()))?;
    let empty = fs::read_dir(dir)?.next().is_none();
    ensure!(
        empty,
        "{} is not empty; name a new directory",
        dir.display()
    );
    let host = HostRoot::empty(dir)?;
    host.add_commands()?;
    let package = Package::install(&host, vib)?;
    let shell = [OsString::from("/bin/sh")];
    let command = if command.is_empty() { &shell } else { command };
    let root = host.path("/");
    eprintln!(
        "a simulated host in {}; its log is {LOG}, calls of its commands are in {CALLS}",
        root.display()
    );
    let status = process::command("chroot")
        .arg(&root)
        .args(command)
        .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")
        .env("TERM", "vt100")
        .current_dir("/")
        .status()
        .context("chroot")?;
    package.check_untouched(&host)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
