//! The peers' programs: Debian packages and a Python package, below `target/peers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// The servers, and the libraries that a small system lacks.
const DEBIAN: &[&str] = &[
    "libhashkit2",
    "libhiredis0.14",
    "libmemcached11",
    "libmemcachedutil2",
    "libpcre2-posix3",
    "libsodium23",
    "libwrap0",
    "proftpd-core",
    "proftpd-mod-crypto",
    "pure-ftpd",
    "vsftpd",
];

/// With what its TLS needs.
const PYTHON: &[&str] = &["pyftpdlib", "pyopenssl"];

const DOWNLOAD_LIMIT: Duration = Duration::from_mins(5);

/// Unpacked programs.
pub(crate) struct Packages {
    debian: PathBuf,
    /// The directory for `PYTHONPATH`.
    pub(crate) python: PathBuf,
    versions: Vec<(String, String)>,
}

impl Packages {
    /// Downloads and unpacks what is not there yet.
    ///
    /// # Errors
    /// Names the program that failed, and what to do.
    pub(super) fn unpack(dir: &Path) -> Result<Self> {
        let archives = dir.join("deb");
        let debian = dir.join("debian");
        let python = dir.join("python");
        // A directory gets its name when it is complete.
        if !debian.is_dir() {
            let partial = fresh(&dir.join("debian.partial"))?;
            fresh(&archives)?;
            download(&archives)?;
            for archive in sorted(&archives)? {
                let mut command = process::command("dpkg");
                command.arg("-x").arg(&archive).arg(&partial);
                process::run(&mut command, b"", DOWNLOAD_LIMIT)?.success()?;
            }
            fs::rename(&partial, &debian)?;
        }
        if !python.is_dir() {
            let partial = fresh(&dir.join("python.partial"))?;
            println!(
                "installing from PyPI into {}: {}",
                dir.display(),
                PYTHON.join(" ")
            );
            let mut command = process::command("python3");
            command.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--root-user-action",
                "ignore",
            ]);
            command.arg("--target").arg(&partial).args(PYTHON);
            command.env("HOME", &partial);
            process::run(&mut command, b"", DOWNLOAD_LIMIT)?
                .success()
                .context("pip; PyPI must be reachable")?;
            fs::rename(&partial, &python)?;
        }
        let versions = sorted(&archives)?
            .iter()
            .filter_map(|path| version(path))
            .collect();
        Ok(Self {
            debian,
            python,
            versions,
        })
    }

    /// A file of Debian's packages.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.debian.join(path)
    }

    /// A program of them, with their libraries.
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let program = self.path(program);
        let program = program
            .to_str()
            .context("the path of the workspace is not UTF-8")?;
        let mut command = process::command(program);
        command.env("LD_LIBRARY_PATH", self.libraries()?);
        Ok(command)
    }

    pub(super) fn libraries(&self) -> Result<String> {
        let places = ["usr/lib", "lib"].map(|lib| self.path(lib).join(machine()));
        let places = places.map(|place| place.to_str().map(str::to_owned));
        let places: Option<Vec<_>> = places.into_iter().collect();
        Ok(places
            .context("the path of the workspace is not UTF-8")?
            .join(":"))
    }

    /// The version of a Debian package.
    pub(super) fn version(&self, package: &str) -> String {
        let found = self.versions.iter().find(|(name, _)| name == package);
        found.map_or_else(String::new, |(_, version)| version.clone())
    }
}

/// The directory of libraries for one kind of machine.
fn machine() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "aarch64-linux-gnu"
    } else {
        "x86_64-linux-gnu"
    }
}

fn download(archives: &Path) -> Result<()> {
    println!(
        "downloading Debian packages into {}: {}",
        archives.display(),
        DEBIAN.join(" ")
    );
    let advice = "run `apt-get update`; the package names are those of Debian 12";
    let mut command = process::command("apt-get");
    command
        .args(["-qq", "download"])
        .args(DEBIAN)
        .current_dir(archives);
    process::run(&mut command, b"", DOWNLOAD_LIMIT)?
        .success()
        .context(advice)?;
    let found = sorted(archives)?.len();
    ensure!(
        found == DEBIAN.len(),
        "{found} of {} packages were downloaded; {advice}",
        DEBIAN.len()
    );
    Ok(())
}

/// Name and version of `name_version_machine.deb`.
fn version(archive: &Path) -> Option<(String, String)> {
    let mut parts = archive.file_stem()?.to_str()?.split('_');
    let (name, version) = (parts.next()?, parts.next()?);
    Some((name.to_owned(), version.replace("%3a", ":")))
}

/// An empty directory.
fn fresh(dir: &Path) -> Result<PathBuf> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    Ok(dir.to_owned())
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    let mut paths: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_archives() {
        let found = version(Path::new("x/vsftpd_3.0.3-13+b2_amd64.deb")).unwrap();
        assert_eq!(found, ("vsftpd".to_owned(), "3.0.3-13+b2".to_owned()));
        assert!(version(Path::new("x")).is_none());
    }
}
