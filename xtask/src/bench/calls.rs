//! System calls of a small transfer, counted by strace: what the kernel is asked for explains the
//! times, and does not depend on what else the machine does.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::BLOCK_BYTES;
use super::subject::{Link, Subject};
use super::transfers::SMALL_BYTES;
use crate::peers::Process;
use crate::process;

pub(super) const PROGRAM: &str = "strace";

const FILES: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// Calls for each RETR, and for each STOR.
pub(super) fn of_small_files(subject: &Subject<'_>) -> Result<Vec<f64>> {
    subject.file("small", SMALL_BYTES as u64)?;
    let content = subject.block.get(..SMALL_BYTES).unwrap_or_default();
    let mut client = subject.client(Link::NEAR)?;
    let mut buffer = vec![0; BLOCK_BYTES];
    // What is done only once is not counted.
    client.download("RETR small", &mut buffer)?;
    let retrieved = counted(subject, || {
        for _ in 0..FILES {
            client.download("RETR small", &mut buffer)?;
        }
        Ok(())
    })?;
    let stored = counted(subject, || {
        for _ in 0..FILES {
            client.upload("STOR counted", std::iter::once(content))?;
        }
        Ok(())
    })?;
    subject.remove("counted")?;
    Ok(vec![retrieved, stored])
}

/// The calls of the whole server during `work`, divided by the number of files.
fn counted(subject: &Subject<'_>, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let report = tempfile::NamedTempFile::new()?;
    let processes = subject.server.processes()?;
    let mut command = process::command(PROGRAM);
    command.args(["-c", "-f", "-o"]).arg(report.path());
    for process in &processes {
        command.arg("-p").arg(process.pid.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.stderr(Stdio::null()).spawn().context(PROGRAM)?;
    let mut tracer = Tracer(child);
    tracer.wait_for(&processes)?;
    work()?;
    tracer.end()?;
    let text = fs::read_to_string(report.path())?;
    let calls = total(&text).with_context(|| format!("{PROGRAM} counted nothing:\n{text}"))?;
    Ok(calls / f64::from(FILES))
}

/// The column `calls` of the last line.
fn total(report: &str) -> Option<f64> {
    let line = report.lines().find(|line| line.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

struct Tracer(Child);

impl Tracer {
    /// Until every thread is traced.
    fn wait_for(&mut self, processes: &[Process]) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !processes.iter().all(is_traced) {
            if let Some(status) = self.0.try_wait()? {
                bail!("{PROGRAM} ended at once: {status}; tracing may be forbidden here");
            }
            ensure!(Instant::now() < deadline, "{PROGRAM} does not attach");
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Detaches; the report is complete then.
    fn end(&mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGINT)?;
        let deadline = Instant::now() + PATIENCE;
        while self.0.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "{PROGRAM} does not end");
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Mostly it has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether all threads of a process are traced; those that have ended need not be.
fn is_traced(process: &Process) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", process.pid)) else {
        return true;
    };
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("status"));
        status.map_or(true, |status| {
            !status.lines().any(|line| line == "TracerPid:\t0")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_is_found_with_and_without_errors() {
        let with = "% time     seconds  usecs/call     calls    errors syscall\n\
                    100.00    0.107701           2     38491     15386 total\n";
        let without = "100.00    0.000100           1       400           total\n";
        assert_eq!(total(with), Some(38491.0));
        assert_eq!(total(without), Some(400.0));
        assert_eq!(total(""), None);
    }
}
