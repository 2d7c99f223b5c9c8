//! What a server uses: processor time and memory of all its processes.

use std::fs;

use anyhow::{Context as _, Result};

use crate::peers::{Process, Server};

/// Seconds of processor time that the server has used, ended sessions included.
pub(super) fn cpu_seconds(server: &Server) -> Result<f64> {
    let ticks: u64 = server
        .processes()?
        .iter()
        .map(|process| process.ticks)
        .sum();
    // The kernel counts in hundredths of a second for user space, whatever its own clock is.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    Ok(ticks as f64 / 100.0)
}

/// How memory is counted.
#[derive(Clone, Copy)]
pub(super) enum Memory {
    /// What no other process shares.
    Private,
    /// Shared pages count for each sharer in part.
    Proportional,
}

/// KiB that the server uses.
pub(super) fn memory_kib(server: &Server, memory: Memory) -> Result<f64> {
    let wanted: &[&str] = match memory {
        Memory::Private => &["Private_Clean:", "Private_Dirty:"],
        Memory::Proportional => &["Pss:"],
    };
    sum_kib(&server.processes()?, "smaps_rollup", wanted)
}

/// Waits for the most memory that a server has.
///
/// The kernel keeps that figure, so nothing has to look at the server while it is being timed.
pub(super) struct Peak<'a> {
    server: &'a Server,
    before_kib: f64,
}

impl<'a> Peak<'a> {
    /// Begins with what the server has now.
    pub(super) fn of(server: &'a Server) -> Result<Self> {
        let processes = server.processes()?;
        for process in &processes {
            let path = format!("/proc/{}/clear_refs", process.pid);
            // 5: the highest use that has been seen becomes the present one (proc_pid_clear_refs).
            fs::write(&path, "5").context(path)?;
        }
        Ok(Self {
            server,
            before_kib: sum_kib(&processes, "status", &["VmRSS:"])?,
        })
    }

    /// MiB by which the use has been higher at most.
    pub(super) fn growth_mib(&self) -> Result<f64> {
        let most = sum_kib(&self.server.processes()?, "status", &["VmHWM:"])?;
        Ok((most - self.before_kib) / 1024.0)
    }
}

/// The sum of these lines of a file of each process.
fn sum_kib(processes: &[Process], file: &str, wanted: &[&str]) -> Result<f64> {
    let mut kib = 0.0;
    for process in processes {
        // It may have ended.
        let Ok(text) = fs::read_to_string(format!("/proc/{}/{file}", process.pid)) else {
            continue;
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|word| wanted.contains(&word)) {
                let value = words.next().unwrap_or_default();
                kib += value.parse::<f64>().context("KiB of a process")?;
            }
        }
    }
    Ok(kib)
}
