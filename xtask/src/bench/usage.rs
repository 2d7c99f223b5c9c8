//! What a server uses: processor time and memory of its whole process group.

use std::fs;

use anyhow::{Context as _, Result};

/// The processes of a group at this moment.
fn members(group: u32) -> Result<Vec<String>> {
    let mut stats = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc of this machine")? {
        let path = entry?.path();
        // Processes end while we look.
        let Ok(stat) = fs::read_to_string(path.join("stat")) else {
            continue;
        };
        if fields(&stat).get(2).and_then(|group| group.parse().ok()) == Some(group) {
            stats.push(stat);
        }
    }
    Ok(stats)
}

/// The fields of /proc/PID/stat behind the name of the program, which may hold anything: state,
/// parent, group, ..
fn fields(stat: &str) -> Vec<&str> {
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split_whitespace().collect()
}

/// Seconds of processor time that the group has used, ended children included.
pub(super) fn cpu_seconds(group: u32) -> Result<f64> {
    let mut ticks = 0.0;
    for stat in members(group)? {
        // utime, stime, cutime and cstime.
        for field in fields(&stat).iter().skip(11).take(4) {
            ticks += field.parse::<f64>().context("/proc/PID/stat")?;
        }
    }
    // The kernel counts in hundredths of a second for user space, whatever its own clock is.
    Ok(ticks / 100.0)
}

/// How memory is counted.
#[derive(Clone, Copy)]
pub(super) enum Memory {
    /// What no other process shares.
    Private,
    /// Shared pages count for each sharer in part.
    Proportional,
}

/// KiB that the group uses.
pub(super) fn memory_kib(group: u32, memory: Memory) -> Result<f64> {
    let mut kib = 0.0;
    for stat in members(group)? {
        let pid = stat.split(' ').next().unwrap_or_default();
        let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
            continue;
        };
        let wanted: &[&str] = match memory {
            Memory::Private => &["Private_Clean:", "Private_Dirty:"],
            Memory::Proportional => &["Pss:"],
        };
        for line in rollup.lines() {
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|word| wanted.contains(&word)) {
                kib += words.next().unwrap_or_default().parse::<f64>()?;
            }
        }
    }
    Ok(kib)
}
