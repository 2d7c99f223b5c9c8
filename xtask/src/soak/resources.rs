//! What the daemon holds.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::bench::usage::{Memory, memory_kib};
use crate::peers::Server;

/// For sessions to leave, and for whatever waits for a client that is gone.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(200);

/// At one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Resources {
    pub(super) threads: usize,
    pub(super) descriptors: usize,
    /// KiB of memory that no other process shares.
    pub(super) private_kib: f64,
}

impl Resources {
    /// # Errors
    /// If the daemon has ended.
    pub(super) fn of(server: &Server) -> Result<Self> {
        let processes = server.processes()?;
        let daemon = processes.first().context("the daemon has ended")?;
        let count = |what: &str| {
            let path = format!("/proc/{}/{what}", daemon.pid);
            Ok::<_, anyhow::Error>(fs::read_dir(&path).context(path)?.count())
        };
        Ok(Self {
            threads: count("task")?,
            descriptors: count("fd")?,
            private_kib: memory_kib(server, Memory::Private)?,
        })
    }

    /// Waits until threads and descriptors are those of `wanted`, in vain if they are not in time;
    /// returns what there is then.
    ///
    /// # Errors
    /// If the daemon has ended.
    pub(super) fn back_at(server: &Server, wanted: Self) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::of(server)?;
            if now.counts() == wanted.counts() || Instant::now() >= deadline {
                return Ok(now);
            }
            thread::sleep(POLL);
        }
    }

    /// When nothing has changed for a while.
    ///
    /// # Errors
    /// If the daemon has ended.
    pub(super) fn settled(server: &Server) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Self::of(server)?;
        let mut same = 0;
        while same < 5 && Instant::now() < deadline {
            thread::sleep(POLL);
            let now = Self::of(server)?;
            same = if now.counts() == last.counts() {
                same + 1
            } else {
                0
            };
            last = now;
        }
        Ok(last)
    }

    /// The higher one of each.
    pub(super) fn most(self, other: Self) -> Self {
        Self {
            threads: self.threads.max(other.threads),
            descriptors: self.descriptors.max(other.descriptors),
            private_kib: self.private_kib.max(other.private_kib),
        }
    }

    pub(super) fn counts(self) -> (usize, usize) {
        (self.threads, self.descriptors)
    }
}
