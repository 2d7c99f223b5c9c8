//! `esxftpd probe`: what this host's kernel offers, and what the daemon makes of it.
//!
//! It needs no configuration, changes nothing and takes less than five seconds. Its output is what
//! is known of releases that nobody could try.

mod consequence;
#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::{
        resource::{Resource, getrlimit},
        statfs::statfs,
        utsname::uname,
    },
};
use serde::Serialize;

use self::consequence::consequence;
use crate::{
    storage::root::RootKind,
    sys::probe::{Trial, trials},
};

/// Where ESXi has its datastores.
const DATASTORES: &str = "/vmfs/volumes";

/// The most file systems that are told.
const MOST_FILE_SYSTEMS: usize = 64;

/// Everything that was found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What `uname` says.
    kernel: String,
    /// The version of this program.
    esxftpd: &'static str,
    /// How sessions would be kept inside their roots.
    root: String,
    calls: Vec<Row>,
    limits: Vec<Limit>,
    file_systems: Vec<FileSystem>,
}

/// One system call, or one flag of it.
#[derive(Debug, Serialize)]
struct Row {
    /// The call, and after a blank the flag, if any.
    id: String,
    call: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<&'static str>,
    /// `ok`, or the name of the error.
    result: String,
    /// What the daemon does about it.
    means: &'static str,
}

/// A limit of this process.
#[derive(Debug, Serialize)]
struct Limit {
    name: &'static str,
    /// Absent if there is none, or it cannot be asked for.
    soft: Option<u64>,
    hard: Option<u64>,
}

/// A file system.
#[derive(Debug, Serialize)]
struct FileSystem {
    path: PathBuf,
    /// `ok`, or the name of the error.
    result: String,
    /// What `statfs` tells of it.
    #[serde(flatten)]
    told: Option<Told>,
}

#[derive(Debug, Serialize)]
struct Told {
    /// The number of its kind, in hexadecimal digits.
    kind: String,
    /// In bytes.
    block_size: u64,
    blocks: u64,
    blocks_available: u64,
}

impl Report {
    /// Tries everything. Tells the file systems at `paths`, or without any those of the datastores.
    pub fn new(paths: &[PathBuf]) -> Self {
        let calls = trials().map(Row::of).collect();
        let limits = [
            ("open files", Resource::RLIMIT_NOFILE),
            ("address space, bytes", Resource::RLIMIT_AS),
            ("stack, bytes", Resource::RLIMIT_STACK),
            ("file size, bytes", Resource::RLIMIT_FSIZE),
            ("processes and threads", Resource::RLIMIT_NPROC),
        ];
        let limits = limits.map(|(name, resource)| Limit::of(name, resource));
        let datastores;
        let paths = if paths.is_empty() {
            datastores = datastores_of(Path::new(DATASTORES));
            &datastores
        } else {
            paths
        };
        Self {
            kernel: kernel(),
            esxftpd: env!("CARGO_PKG_VERSION"),
            root: RootKind::chosen(crate::config::RootChoice::Auto).to_string(),
            calls,
            limits: limits.into(),
            file_systems: paths
                .iter()
                .take(MOST_FILE_SYSTEMS)
                .map(FileSystem::at)
                .collect(),
        }
    }
}

/// What `uname` says: system, release, version and machine.
pub(crate) fn kernel() -> String {
    let Ok(names) = uname() else {
        return "unknown".to_owned();
    };
    let names = [
        names.sysname(),
        names.release(),
        names.version(),
        names.machine(),
    ];
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.join(" ")
}

/// The directories of datastores, each once: their labels are links.
fn datastores_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// `ok`, or the name of an error.
fn told<T>(result: &nix::Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Errno::UnknownErrno) => "unknown".to_owned(),
        // Its `Debug` form is the name.
        Err(errno) => format!("{errno:?}"),
    }
}

impl Row {
    fn of(trial: &Trial) -> Self {
        let result = loop {
            match trial.run() {
                Err(Errno::EINTR) => {}
                result => break result,
            }
        };
        let id = match trial.flag {
            Some(flag) => format!("{} {flag}", trial.call),
            None => trial.call.to_owned(),
        };
        Self {
            means: consequence(trial.call, trial.flag, result.is_ok()),
            id,
            call: trial.call,
            flag: trial.flag,
            result: told(&result),
        }
    }
}

impl Limit {
    fn of(name: &'static str, resource: Resource) -> Self {
        let finite = |limit: u64| (limit != nix::libc::RLIM_INFINITY).then_some(limit);
        match getrlimit(resource) {
            Ok((soft, hard)) => Self {
                name,
                soft: finite(soft),
                hard: finite(hard),
            },
            Err(_) => Self {
                name,
                soft: None,
                hard: None,
            },
        }
    }
}

impl FileSystem {
    fn at(path: &PathBuf) -> Self {
        let result = loop {
            match statfs(path) {
                Err(Errno::EINTR) => {}
                result => break result,
            }
        };
        Self {
            path: path.clone(),
            result: told(&result),
            told: result.ok().map(|told| Told {
                kind: format!("{:x}", told.filesystem_type().0),
                // Unsigned with musl, signed with glibc.
                block_size: u64::try_from(i128::from(told.block_size())).unwrap_or_default(),
                blocks: told.blocks(),
                blocks_available: told.blocks_available(),
            }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "esxftpd {} on {}", self.esxftpd, self.kernel)?;
        writeln!(f, "sessions would be {}", self.root)?;
        writeln!(
            f,
            "\nsystem calls: call, result, what the daemon does about it"
        )?;
        for row in &self.calls {
            writeln!(f, "{:<38} {:<12} {}", row.id, row.result, row.means)?;
        }
        writeln!(f, "\nlimits of this process: soft, hard")?;
        for limit in &self.limits {
            let told =
                |limit: Option<u64>| limit.map_or("none".to_owned(), |limit| limit.to_string());
            writeln!(
                f,
                "{:<38} {:<12} {}",
                limit.name,
                told(limit.soft),
                told(limit.hard)
            )?;
        }
        writeln!(
            f,
            "\nfile systems: path, result, kind, bytes in all, bytes available"
        )?;
        if self.file_systems.is_empty() {
            writeln!(f, "none below {DATASTORES}")?;
        }
        for system in &self.file_systems {
            // Names of datastores are not ours: this form cannot forge a line.
            let path = system.path.as_os_str().as_encoded_bytes().escape_ascii();
            write!(f, "{path} {}", system.result)?;
            if let Some(told) = &system.told {
                let bytes = |blocks: u64| u128::from(blocks) * u128::from(told.block_size);
                let (all, available) = (bytes(told.blocks), bytes(told.blocks_available));
                write!(f, " {} {all} {available}", told.kind)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
