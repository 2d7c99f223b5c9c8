//! Clients that read commands from their standard input: tnftp and that of GNU inetutils.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::round::{Client, Place};
use super::samples::Sample;
use super::{listing, quote, run_client};
use crate::process::{self, Finished};

/// One of the two.
pub(super) struct LineMode {
    pub(super) program: &'static str,
    /// No log-in by itself, no questions, passive mode, and every reply shown.
    pub(super) options: &'static [&'static str],
}

pub(super) const TNFTP: LineMode = LineMode {
    program: "tnftp",
    options: &["-n", "-i", "-p", "-v"],
};

pub(super) const INETUTILS: LineMode = LineMode {
    program: "inetutils-ftp",
    options: &["-n", "-i", "-p", "-v"],
};

impl LineMode {
    /// Runs commands that hold `transfers` transfers.
    pub(super) fn run(&self, at: &Place<'_>, commands: &str, transfers: usize) -> Result<Finished> {
        let target = at.target;
        let go_home = match target.directory.as_str() {
            "" => String::new(),
            directory => format!("cd {}\n", quote(directory)),
        };
        let script = format!(
            "open {} {}\nuser {} {}\nbinary\n{go_home}{commands}quit\n",
            target.host,
            target.port,
            quote(&target.user),
            quote(&target.password)
        );
        let mut command: Command = process::command(self.program);
        command
            .args(self.options)
            .current_dir(&at.work)
            .env("HOME", &at.work)
            .env("LC_ALL", "C.UTF-8");
        let finished = run_client(target, &mut command, script.as_bytes())?;
        // Neither of them tells failures by its exit code.
        let complete = finished
            .stdout
            .lines()
            .filter(|line| line.starts_with("226 "));
        let complete = complete.count();
        ensure!(
            complete == transfers,
            "{}: {complete} of {transfers} transfers are complete; {finished}",
            self.program
        );
        Ok(finished)
    }
}

impl Client for LineMode {
    fn name(&self) -> &'static str {
        self.program
    }

    fn knows_tls(&self) -> bool {
        false
    }

    fn upload(&self, at: &Place<'_>, samples: &[&Sample]) -> Option<Result<()>> {
        let put = |sample: &&Sample| {
            let local = quote(&sample.path.display().to_string());
            format!("put {local} {}\n", quote(sample.name))
        };
        let commands: Vec<_> = samples.iter().map(put).collect();
        Some(self.run(at, &commands.concat(), samples.len()).map(drop))
    }

    fn download(&self, at: &Place<'_>, names: &[&str], into: &Path) -> Result<()> {
        let get = |name: &&str| {
            let local = quote(&into.join(name).display().to_string());
            format!("get {} {local}\n", quote(name))
        };
        let commands: Vec<_> = names.iter().map(get).collect();
        self.run(at, &commands.concat(), names.len()).map(drop)
    }

    fn list(&self, at: &Place<'_>) -> Result<Vec<String>> {
        let shown = self.run(at, "dir\n", 1)?.stdout;
        // The replies stand between the lines of the listing.
        let entry = |line: &&str| line.starts_with(['-', 'd', 'l']) && line.len() > 40;
        let lines: Vec<_> = shown.lines().filter(entry).collect();
        listing::list(&lines.join("\n"))
    }
}
