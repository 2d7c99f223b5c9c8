//! rclone: copies whole directories, several files at a time; the account is in its environment.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::round::{Client, Place};
use super::samples::Sample;
use super::{Security, listing, run_client};
use crate::process::{self, Finished};

pub(super) struct Rclone;

impl Rclone {
    fn command(at: &Place<'_>) -> Command {
        let mut command = process::command("rclone");
        command
            .args(["--retries=1", "--low-level-retries=1", "--timeout=30s"])
            .current_dir(&at.work)
            .env("HOME", &at.work)
            .env("RCLONE_CONFIG", at.work.join("none.conf"));
        command
    }

    /// Runs rclone with a remote called `suite:`.
    pub(super) fn run(at: &Place<'_>, arguments: &[&str]) -> Result<Finished> {
        let target = at.target;
        let password = format!("{}\n", target.password);
        let mut obscure = Self::command(at);
        let obscured = run_client(target, obscure.args(["obscure", "-"]), password.as_bytes())?;
        let obscured = obscured.success().context("rclone obscure")?.stdout;
        let mut command = Self::command(at);
        command
            .args(arguments)
            .env("RCLONE_CONFIG_SUITE_TYPE", "ftp")
            .env("RCLONE_CONFIG_SUITE_HOST", &target.host)
            .env("RCLONE_CONFIG_SUITE_PORT", target.port.to_string())
            .env("RCLONE_CONFIG_SUITE_USER", &target.user)
            .env("RCLONE_CONFIG_SUITE_PASS", obscured.trim())
            .env("RCLONE_CONFIG_SUITE_CONCURRENCY", "6");
        if target.security == Security::Tls {
            command
                .env("RCLONE_CONFIG_SUITE_EXPLICIT_TLS", "true")
                .env("RCLONE_CONFIG_SUITE_NO_CHECK_CERTIFICATE", "true");
        }
        run_client(target, &mut command, b"")?
            .success()
            .context("rclone")
    }

    fn remote(at: &Place<'_>) -> String {
        format!("suite:{}", at.target.directory)
    }
}

impl Client for Rclone {
    fn name(&self) -> &'static str {
        "rclone"
    }

    fn knows_tls(&self) -> bool {
        true
    }

    fn upload(&self, at: &Place<'_>, samples: &[&Sample]) -> Option<Result<()>> {
        let copy = || {
            let local = at.work.join("upload");
            fs::create_dir_all(&local)?;
            for sample in samples {
                fs::copy(&sample.path, local.join(sample.name))?;
            }
            let local = local.to_str().context("the directory is not UTF-8")?;
            Self::run(at, &["copy", local, &Self::remote(at)]).map(drop)
        };
        Some(copy())
    }

    fn download(&self, at: &Place<'_>, _: &[&str], into: &Path) -> Result<()> {
        let local = into.to_str().context("the directory is not UTF-8")?;
        Self::run(at, &["copy", &Self::remote(at), local]).map(drop)
    }

    fn list(&self, at: &Place<'_>) -> Result<Vec<String>> {
        let finished = Self::run(at, &["lsf", &Self::remote(at)])?;
        Ok(listing::nlst(&finished.stdout))
    }
}
