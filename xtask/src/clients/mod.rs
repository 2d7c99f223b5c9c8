//! Drives real FTP clients against any FTP server and says what worked: curl, lftp and Python's
//! ftplib each upload, download, list, rename, resume and delete; further clients upload, download
//! and list. Every byte is compared.
//!
//! The suite looks at effects (contents, names, sizes), not at reply texts, in which servers
//! rightly differ.

mod basic_ftp;
mod curl;
pub(crate) mod destroy;
mod ftplib;
mod lftp;
pub(crate) mod libunftp;
mod line_mode;
mod listing;
mod mirror;
mod ncftp;
mod rclone;
mod report;
mod round;
mod samples;
mod target;
mod wget;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::process::{self, Finished};

pub(crate) use report::Report;
pub(crate) use samples::{Samples, expect_same};
pub(crate) use target::{Security, Target};

/// Time for one run of one client: 64 MiB each way through a slow server on a busy machine, but no
/// hang.
const CLIENT_LIMIT: Duration = Duration::from_mins(2);

/// Runs the suite against `target`. `work` is an existing local directory for samples and
/// downloads.
///
/// On the server everything happens in new directories below the target's, which are removed again.
///
/// # Errors
/// Only if the suite itself cannot work; what the server gets wrong stands in the report.
pub(crate) fn run(target: &Target, work: &Path) -> Result<Report> {
    let samples = Samples::write(&work.join("samples")).context("writing the sample files")?;
    let mut report = run_with(target, &samples, work)?;
    mirror::run(target, work, &mut report)?;
    let basic_ftp = basic_ftp::BasicFtp::install()?;
    let clients: &[&dyn round::Client] = &[
        &ncftp::Ncftp,
        &line_mode::TNFTP,
        &line_mode::INETUTILS,
        &wget::Wget,
        &rclone::Rclone,
        &basic_ftp,
    ];
    for client in clients {
        round::run(*client, target, &samples, work, &mut report)?;
    }
    let mut directories = round::directories(clients);
    directories.push(fresh_name(mirror::NAME));
    lftp::clean_up(target, &work.join("lftp"), &directories);
    Ok(report)
}

/// The three clients that do most, with sample files that are there already.
///
/// # Errors
/// As for [`run`].
pub(crate) fn run_with(target: &Target, samples: &Samples, work: &Path) -> Result<Report> {
    let mut report = Report::default();
    curl::run(target, samples, &work.join("curl"), &mut report)?;
    lftp::run(target, samples, &work.join("lftp"), &mut report)?;
    ftplib::run(target, samples, &work.join("ftplib"), &mut report)?;
    lftp::clean_up(
        target,
        &work.join("lftp"),
        &["curl", "lftp", "ftplib"].map(fresh_name),
    );
    Ok(report)
}

/// Uploads every sample into the target's directory and leaves it there.
///
/// # Errors
/// If an upload fails.
pub(crate) fn leave_samples(target: &Target, samples: &Samples, work: &Path) -> Result<()> {
    curl::Curl::new(target, work)?.upload_all(samples)
}

/// Whether every sample is in the target's directory as it was uploaded.
///
/// # Errors
/// With the first one that is not.
pub(crate) fn expect_samples(target: &Target, samples: &Samples, work: &Path) -> Result<()> {
    curl::Curl::new(target, work)?.expect_all(samples)
}

/// Whether the account can log in and list its directory.
///
/// # Errors
/// If curl cannot be prepared.
pub(crate) fn can_log_in(target: &Target, work: &Path) -> Result<bool> {
    Ok(curl::Curl::new(target, work)?.can_list())
}

/// Runs a client within the time limit. Neither its messages nor the error hold the password.
fn run_client(target: &Target, command: &mut Command, input: &[u8]) -> Result<Finished> {
    let finished = process::run(command, input, CLIENT_LIMIT)
        .map_err(|error| anyhow!(target.redact(&format!("{error:#}"))))?;
    Ok(Finished {
        stderr: target.redact(&finished.stderr),
        ..finished
    })
}

/// A directory name on the server that no earlier, aborted run has left there.
fn fresh_name(client: &str) -> String {
    format!("suite-{client}-{}", std::process::id())
}

/// `text` in double quotes, as netrc files and lftp's scripts want it.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A path in the work directory where no file is.
fn vacant(work: &Path, name: &str) -> Result<PathBuf> {
    let path = work.join(name);
    if path.exists() {
        fs::remove_file(&path)?;
    }
    Ok(path)
}

/// Makes sure that a client kept its session; `command` is how its dialogue shows a log-in.
fn expect_one_login(dialogue: &str, command: &str) -> Result<()> {
    let logins = dialogue.matches(command).count();
    ensure!(logins == 1, "{logins} log-ins instead of one\n{dialogue}");
    Ok(())
}
