//! A server's processes: the first one and all that descend from it.
//!
//! Not its process group: vsftpd's sessions leave it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// A process at the moment of the look.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    parent: u32,
    /// Clock ticks that it has run.
    ticks: u64,
    /// Those of its children that it has waited for.
    waited_ticks: u64,
    /// In clock ticks since the machine's start; tells a process from another one with its number.
    started: u64,
}

/// The kernel counts for user space in hundredths of a second, whatever its own clock is.
const TICK: Duration = Duration::from_millis(10);

impl Process {
    /// Processor time, that of its children that it has waited for included; exact to a tick only
    /// for those.
    pub(crate) fn cpu_time(&self) -> Duration {
        let ticks = |ticks: u64| TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX));
        let clock = i32::try_from(self.pid).ok().map(Pid::from_raw);
        let exact = clock.and_then(|pid| clock_getcpuclockid(pid).ok()?.now().ok());
        // It may have ended.
        exact.map_or(ticks(self.ticks), Duration::from) + ticks(self.waited_ticks)
    }
}

/// The process `first` and its descendants, also those that have ended and were not waited for.
///
/// # Errors
/// If /proc cannot be read.
pub(crate) fn members(first: u32) -> Result<Vec<Process>> {
    let mut others = Vec::new();
    let mut family = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc of this machine")? {
        // Processes end while we look.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        if let Some(process) = parse(&stat) {
            if process.pid == first {
                family.push(process);
            } else {
                others.push(process);
            }
        }
    }
    let mut next = 0;
    while let Some(parent) = family.get(next).map(|process| process.pid) {
        family.extend(others.extract_if(.., |process| process.parent == parent));
        next += 1;
    }
    Ok(family)
}

/// Kills what is left of these.
pub(super) fn kill_rest(members: &[Process]) {
    for process in members {
        let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid));
        let now = stat.ok().and_then(|stat| parse(&stat));
        if now.is_some_and(|now| now.started == process.started)
            && let Ok(pid) = i32::try_from(process.pid)
        {
            // It may have ended by now.
            let _gone_already = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Reads /proc/PID/stat. The name of the program, in brackets, may hold anything.
fn parse(stat: &str) -> Option<Process> {
    let (before, behind) = stat.rsplit_once(')')?;
    let pid = before.split(' ').next()?.parse().ok()?;
    let fields: Vec<_> = behind.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse().ok();
    // Behind the name: state, parent, .. utime, stime, cutime, cstime, .. start time.
    let ticks = |own: usize| Some(number(own)? + number(own + 1)?);
    Some(Process {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        ticks: ticks(11)?,
        waited_ticks: ticks(13)?,
        started: number(19)?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Stdio};

    use super::*;
    use crate::process;

    /// A shell that has written its first line.
    fn started(script: &str) -> Child {
        let mut child = process::command("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        child
    }

    #[test]
    fn a_name_with_brackets_and_blanks_is_skipped() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 4194560 100 0 0 0 11 12 13 14 20 0 1 0 999 0 0";
        let process = parse(stat).unwrap();
        assert_eq!((process.pid, process.parent), (7, 3));
        assert_eq!((process.ticks, process.waited_ticks), (23, 27));
        assert_eq!(process.started, 999);
        assert!(parse("7 (short) S 3").is_none());
    }

    #[test]
    fn processor_time_is_told_of_those_that_run_and_those_that_ran() {
        let script = "i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done";
        let script = format!("({script}); {script}; echo done; read line");
        let mut child = started(&script);
        let process = members(child.id()).unwrap().remove(0);
        child.kill().unwrap();
        child.wait().unwrap();
        let own = Process {
            waited_ticks: 0,
            ..process.clone()
        };
        let gone = Process {
            pid: u32::MAX,
            ..own.clone()
        };
        assert!(own.ticks > 0 && process.waited_ticks > 0, "{process:?}");
        assert!(process.cpu_time() > own.cpu_time());
        assert!(gone.cpu_time() > Duration::ZERO);
    }

    #[test]
    fn children_that_lead_a_session_of_their_own_belong_to_it() {
        let script = "setsid sh -c 'echo child; exec sleep 60' & wait";
        let mut child = started(script);
        let family = members(child.id()).unwrap();
        let others: Vec<_> = family[1..].to_vec();
        kill_rest(&members(child.id()).unwrap());
        child.wait().unwrap();
        assert!(!others.is_empty(), "{family:?}");
        assert_eq!(others[0].parent, child.id(), "{family:?}");
    }
}
