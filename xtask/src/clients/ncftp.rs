//! ncftp's programs for scripts; the account is in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::round::{Client, Place};
use super::samples::Sample;
use super::{Security, listing, run_client};
use crate::process::{self, Finished};

pub(super) struct Ncftp;

impl Ncftp {
    fn account(at: &Place<'_>) -> Result<PathBuf> {
        let target = at.target;
        let path = at.work.join("account");
        fs::write(&path, "")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let text = format!(
            "host {}\nport {}\nuser {}\npass {}\n",
            target.host, target.port, target.user, target.password
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    pub(super) fn run(
        at: &Place<'_>,
        program: &str,
        options: &[&str],
        paths: &[String],
    ) -> Result<Finished> {
        let mut command = process::command(program);
        command
            .arg("-f")
            .arg(Self::account(at)?)
            .args(["-F", "-t", "30"])
            .args(options)
            .args(paths)
            .current_dir(&at.work)
            .env("HOME", &at.work)
            .env("LC_ALL", "C.UTF-8");
        run_client(at.target, &mut command, b"")?.success()
    }

    pub(super) fn remote(at: &Place<'_>, name: &str) -> String {
        match (at.target.directory.as_str(), name) {
            ("", name) => name.to_owned(),
            (directory, "") => directory.to_owned(),
            (directory, name) => format!("{directory}/{name}"),
        }
    }
}

impl Client for Ncftp {
    fn name(&self) -> &'static str {
        "ncftp"
    }

    fn knows_tls(&self) -> bool {
        false
    }

    fn upload(&self, at: &Place<'_>, samples: &[&Sample]) -> Option<Result<()>> {
        let mut paths = vec![Self::remote(at, "")];
        paths.extend(
            samples
                .iter()
                .map(|sample| sample.path.display().to_string()),
        );
        Some(Self::run(at, "ncftpput", &["-V"], &paths).map(drop))
    }

    fn download(&self, at: &Place<'_>, names: &[&str], into: &Path) -> Result<()> {
        let mut paths = vec![into.display().to_string()];
        paths.extend(names.iter().map(|name| Self::remote(at, name)));
        Self::run(at, "ncftpget", &["-V"], &paths).map(drop)
    }

    fn list(&self, at: &Place<'_>) -> Result<Vec<String>> {
        let url = at.target.with(Security::Plain).url("");
        let finished = Self::run(at, "ncftpls", &["-1"], &[url])?;
        Ok(listing::nlst(&finished.stdout))
    }
}
