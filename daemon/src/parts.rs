//! `esxftpd parts`: what interrupted uploads have left, and its removal.
//!
//! Which part files are written is known to the daemon only, so it is asked, and it removes them. If
//! none runs, nobody writes them.

use std::{
    collections::HashSet,
    fmt::Write as _,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    admin::{self, Request},
    config::Config,
    storage::leftovers::{self, Part},
};

const HOUR: u64 = 60 * 60;

const DAY: u64 = 24 * HOUR;

/// A part file in the report.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// On the host.
    path: String,
    bytes: u64,
    /// Since the last change.
    seconds: u64,
    removed: bool,
}

/// What was found, and what went wrong.
#[derive(Debug)]
pub(crate) struct Report {
    /// Part files that nobody writes; with removal, those that were removed.
    pub(crate) rows: Vec<Row>,
    /// Sentences.
    pub(crate) problems: Vec<String>,
}

/// How the daemon is reached.
struct Daemon {
    socket: PathBuf,
    /// Whether it has answered.
    runs: bool,
}

impl Report {
    /// Looks below all roots of a configuration for part files that have not been changed for so
    /// many days, and removes them if that is wanted.
    pub(crate) fn new(config: &Config, remove: bool, days: u32) -> Self {
        let mut report = Self {
            rows: Vec::new(),
            problems: Vec::new(),
        };
        let parts = report.find(config);
        let socket = config.control_socket.as_deref();
        let mut daemon = Daemon {
            socket: socket.unwrap_or(Path::new(admin::DEFAULT_PATH)).to_owned(),
            runs: false,
        };
        // After they were found: what is written later is not among them.
        let written = match daemon.written() {
            Ok(written) => written,
            Err(problem) => {
                report.problems.push(problem);
                return report;
            }
        };
        for part in parts {
            let age = leftovers::now().saturating_sub(part.changed);
            let seconds = u64::try_from(age).unwrap_or(0);
            if written.contains(&part.file) || seconds < u64::from(days) * DAY {
                continue;
            }
            let path = host_path(&part).to_string_lossy().into_owned();
            if remove {
                match daemon.remove(&part, seconds) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(problem) => {
                        report.problems.push(format!("{path:?} stays: {problem}"));
                        continue;
                    }
                }
            }
            report.rows.push(Row {
                path,
                bytes: part.size,
                seconds,
                removed: remove,
            });
        }
        report.rows.sort_by(|one, other| one.path.cmp(&other.path));
        report
    }

    fn find(&mut self, config: &Config) -> Vec<Part> {
        let mut roots: Vec<_> = config
            .users
            .iter()
            .map(|user| user.rules.root.as_path())
            .collect();
        roots.extend(config.anonymous.iter().map(|it| it.root.as_path()));
        // A root comes before those in it, so that it is read as a whole.
        roots.sort_unstable();
        roots.dedup();
        let mut parts = Vec::new();
        let mut seen = HashSet::new();
        for root in roots {
            let problems = &mut self.problems;
            let read = leftovers::find(
                root,
                config.storage.root,
                &mut seen,
                &mut |part| parts.push(part),
                &mut |below, failure| {
                    problems.push(format!(
                        "{below:?} below {} is left out: {failure}",
                        root.display()
                    ));
                },
            );
            if let Err(failure) = read {
                self.problems.push(format!(
                    "the root {} cannot be read: {failure}; mount its datastore or correct the \
                     configuration",
                    root.display()
                ));
            }
        }
        parts
    }

    /// A line for each part file.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        let mut line = |age: &str, bytes: &str, path: &str| {
            // Writing to a string does not fail.
            let _written = writeln!(table, "{age:>9}  {bytes:>15}  {path}");
        };
        line("UNCHANGED", "BYTES", "PATH");
        for row in &self.rows {
            // Clients choose names: their `Debug` form cannot forge a line.
            line(
                &age(row.seconds),
                &row.bytes.to_string(),
                &format!("{:?}", row.path),
            );
        }
        table
    }
}

impl Daemon {
    /// Device and inode of each file that it writes; none if it does not run.
    fn written(&mut self) -> Result<HashSet<(u64, u64)>, String> {
        let answer = match admin::ask(&self.socket, &Request::Written) {
            Ok(answer) => answer,
            Err(admin::Failure::NotRunning { .. }) => return Ok(HashSet::new()),
            Err(failure) => return Err(failure.to_string()),
        };
        self.runs = true;
        let files = answer.lines().map(|line| {
            let (device, inode) = line.split_once(' ')?;
            Some((device.parse().ok()?, inode.parse().ok()?))
        });
        let files = files.collect::<Option<_>>();
        files.ok_or_else(|| "the daemon's answer cannot be read; was it updated?".to_owned())
    }

    /// Has it remove a part file. Returns whether it is gone.
    fn remove(&self, part: &Part, seconds: u64) -> Result<bool, String> {
        match admin::ask(&self.socket, &Request::RemovePart(part.clone())) {
            Ok(answer) => Ok(answer == "removed\n"),
            Err(admin::Failure::NotRunning { .. }) if seconds < HOUR => Err(
                "it was changed within the last hour, and no daemon answers that knows whether it \
                 is written; try again later"
                    .to_owned(),
            ),
            Err(admin::Failure::NotRunning { .. }) if !self.runs => {
                part.remove().map_err(|failure| failure.to_string())
            }
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// The path of a part file on the host.
fn host_path(part: &Part) -> PathBuf {
    let mut path = part.root.as_os_str().as_bytes().to_vec();
    while path.last() == Some(&b'/') {
        path.pop();
    }
    path.extend_from_slice(part.path.as_bytes());
    std::ffi::OsString::from_vec(path).into()
}

/// Seconds in the two units that tell most.
fn age(seconds: u64) -> String {
    match (seconds / DAY, seconds % DAY / HOUR, seconds % HOUR / 60) {
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        let shown = [59, 61, 3600, 90_000, 30 * DAY].map(age);
        assert_eq!(shown, ["0m", "1m", "1h 0m", "1d 1h", "30d 0h"]);
    }

    #[test]
    fn names_forge_no_line() {
        let report = Report {
            rows: vec![Row {
                path: "/a\n.b.esxftpd-part".to_owned(),
                bytes: 5,
                seconds: 61,
                removed: false,
            }],
            problems: Vec::new(),
        };
        let table = report.table();
        assert_eq!(table.lines().count(), 2, "{table}");
        assert!(
            table.ends_with("  5  \"/a\\n.b.esxftpd-part\"\n"),
            "{table}"
        );
    }
}
