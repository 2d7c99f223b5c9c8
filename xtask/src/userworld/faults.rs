//! Faults of the medium and of the clock, while a file says so.
//!
//! A test writes the file when it wants a fault and removes it when that is over, so that a fault
//! begins in the middle of what a program does.

use std::{fs, io::ErrorKind, path::PathBuf};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use syscalls::Sysno;

/// The largest number of an error.
const LAST_ERRNO: i32 = 133;

/// The file.
#[derive(Debug)]
pub(super) struct Faults {
    path: PathBuf,
}

/// What it says at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Present {
    /// Calls that fail, and how.
    faults: Vec<Fault>,
    /// Seconds by which the clock of the day is wrong.
    pub(super) shift: i64,
}

/// A call that fails.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    call: Sysno,
    /// Only with a descriptor of a directory.
    directory: bool,
    end: End,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With this error.
    Error(Errno),
    /// It does not come back while the fault is there.
    Hang,
}

impl Faults {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// What is wrong now.
    ///
    /// # Errors
    /// If the file cannot be read or understood.
    pub(super) fn present(&self) -> Result<Present> {
        let read = match fs::read_to_string(&self.path) {
            Ok(text) => Present::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Present::default()),
            Err(error) => Err(error.into()),
        };
        read.with_context(|| self.path.display().to_string())
    }
}

impl Present {
    /// A line for each fault: `pwrite64 EIO`, `fsync@directory EIO` for descriptors of directories
    /// only, `fsync HANG`, or `realtime 3600`.
    fn parse(text: &str) -> Result<Self> {
        let mut present = Self::default();
        for line in text.lines() {
            let (what, how) = line
                .split_once(' ')
                .with_context(|| format!("{line:?} is neither CALL ERRNO nor realtime SECONDS"))?;
            if what == "realtime" {
                present.shift = how.parse().with_context(|| format!("{how:?} seconds"))?;
                continue;
            }
            let (what, directory) = match what.strip_suffix("@directory") {
                Some(what) => (what, true),
                None => (what, false),
            };
            let call = what.parse().ok();
            let call = call.with_context(|| format!("there is no system call {what}"))?;
            let end = match how {
                "HANG" => End::Hang,
                how => End::Error(errno(how)?),
            };
            present.faults.push(Fault {
                call,
                directory,
                end,
            });
        }
        Ok(present)
    }

    /// Whether calls hang.
    pub(super) fn hangs(&self) -> bool {
        self.faults.iter().any(|fault| fault.end == End::Hang)
    }

    /// How a call fails; `on_directory` tells whether it is about a directory.
    pub(super) fn of(&self, call: Sysno, on_directory: impl Fn() -> bool) -> Option<End> {
        let mut faults = self.faults.iter();
        let fault = faults.find(|one| one.call == call && (!one.directory || on_directory()));
        fault.map(|fault| fault.end)
    }
}

fn errno(name: &str) -> Result<Errno> {
    let errno = (1..=LAST_ERRNO)
        .map(Errno::from_raw)
        .find(|errno| format!("{errno:?}") == name);
    errno.with_context(|| format!("there is no error {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_there_as_long_as_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::new(dir.path().join("faults"));
        assert_eq!(faults.present().unwrap(), Present::default());
        let text = "pwrite64 EIO\nrename ESTALE\nfsync@directory EIO\nread HANG\nrealtime -60\n";
        fs::write(&faults.path, text).unwrap();
        let present = faults.present().unwrap();
        let of = |call| present.of(call, || false);
        assert_eq!(of(Sysno::pwrite64), Some(End::Error(Errno::EIO)));
        assert_eq!(of(Sysno::rename), Some(End::Error(Errno::ESTALE)));
        assert_eq!(of(Sysno::read), Some(End::Hang));
        assert_eq!(of(Sysno::pread64), None);
        assert_eq!(of(Sysno::fsync), None);
        let fsync = present.of(Sysno::fsync, || true);
        assert_eq!(fsync, Some(End::Error(Errno::EIO)));
        assert_eq!(present.shift, -60);
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for (text, part) in [
            ("pwrite64", "CALL ERRNO"),
            ("banana EIO", "no system call banana"),
            ("read EBANANA", "no error EBANANA"),
            ("realtime soon", "soon"),
        ] {
            let error = format!("{:#}", Present::parse(text).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
