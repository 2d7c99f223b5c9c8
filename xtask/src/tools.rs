//! The programs that the tests drive, and where they come from.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::Uid;
use packaging::Elf;
use xshell::{Shell, cmd};

use crate::process;

/// A program that must be on the search path, and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    tool("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    tool("ar", "binutils"),
    tool("bash", "bash"),
    tool("bsdtar", "libarchive-tools"),
    tool("busybox", "busybox-static"),
    tool("cc", "gcc"),
    tool("curl", "curl"),
    tool("genisoimage", "genisoimage"),
    tool("groff", "groff-base"),
    tool("inetutils-ftp", "inetutils-ftp"),
    tool("isoinfo", "genisoimage"),
    tool("lftp", "lftp"),
    tool("ncftpput", "ncftp"),
    tool("node", "nodejs"),
    tool("npm", "npm"),
    tool("openssl", "openssl"),
    tool("python3", "python3"),
    tool("qemu-aarch64-static", "qemu-user-static"),
    tool("rclone", "rclone"),
    tool("readelf", "binutils"),
    tool("setpriv", "util-linux"),
    tool("shellcheck", "shellcheck"),
    tool("tar", "tar"),
    tool("tnftp", "tnftp"),
    tool("unshare", "util-linux"),
    tool("unzip", "unzip"),
    tool("wget", "wget"),
    tool("xmllint", "libxml2-utils"),
    tool("xorriso", "xorriso"),
];

const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// Refuses to go on without the rights that a simulated host takes.
///
/// # Errors
/// If this process is not root.
pub(crate) fn ensure_root() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "the simulated host needs root, for chroot and mknod; run: sudo env PATH=\"$PATH\" cargo xtask test"
    );
    Ok(())
}

/// Makes sure that every program of the table is there. Root on Debian or one of its relatives gets
/// the missing ones installed; everybody else is told the command that does it.
///
/// # Errors
/// If programs are missing and stay so.
pub(crate) fn ensure(sh: &Shell) -> Result<()> {
    let missing = missing_packages(present);
    if missing.is_empty() {
        return Ok(());
    }
    let may_install = present("apt-get") && Uid::effective().is_root();
    if !may_install {
        bail!("{}", advice(&missing));
    }
    println!(
        "installing the Debian packages that the tests need: {}",
        missing.join(" ")
    );
    let _noninteractive = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    cmd!(sh, "apt-get -qq update")
        .run()
        .context("updating the package lists")?;
    let packages = &missing;
    cmd!(
        sh,
        "apt-get -qq install --yes --no-install-recommends {packages...}"
    )
    .run()
    .with_context(|| advice(packages))?;
    let still = missing_packages(present);
    if !still.is_empty() {
        bail!("still missing after the installation: {}", still.join(" "));
    }
    Ok(())
}

fn advice(packages: &[&str]) -> String {
    format!(
        "programs that the tests need are missing; on Debian: apt-get install {}",
        packages.join(" ")
    )
}

/// The packages to install, each once, in the order of the table.
fn missing_packages(present: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for tool in TOOLS.iter().filter(|tool| !present(tool.program)) {
        if !packages.contains(&tool.package) {
            packages.push(tool.package);
        }
    }
    packages
}

fn present(program: &str) -> bool {
    process::find(program).is_some_and(|path| program != "busybox" || is_static(&path))
}

/// The host has no libc for a busybox that needs one.
fn is_static(program: &Path) -> bool {
    let elf = fs::read(program).map(|bytes| Elf::read(&bytes));
    elf.is_ok_and(|elf| elf.is_ok_and(|elf| elf.interpreter.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_package_is_named_once() {
        assert_eq!(
            missing_packages(|program| program != "ar" && program != "readelf"),
            ["binutils"]
        );
        assert!(missing_packages(|_| true).is_empty());
        assert!(advice(&["lftp", "curl"]).ends_with("apt-get install lftp curl"));
    }
}
