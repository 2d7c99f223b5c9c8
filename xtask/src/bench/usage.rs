//! What a server uses: processor time and memory of all its processes.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::ClockId;

use crate::peers::{Process, Server};

/// Seconds of processor time that the server has used, ended sessions included.
pub(super) fn cpu_seconds(server: &Server) -> Result<f64> {
    let processes = server.processes()?;
    let times = processes.iter().map(Process::cpu_time);
    Ok(times.sum::<Duration>().as_secs_f64())
}

/// Seconds of processor time that this thread has used.
pub(super) fn own_cpu_seconds() -> Result<f64> {
    let time = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?;
    Ok(Duration::from(time).as_secs_f64())
}

/// How memory is counted.
#[derive(Clone, Copy)]
pub(crate) enum Memory {
    /// What no other process shares.
    Private,
    /// Shared pages count for each sharer in part.
    Proportional,
}

/// KiB that the server uses.
pub(crate) fn memory_kib(server: &Server, memory: Memory) -> Result<f64> {
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
