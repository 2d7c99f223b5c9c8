//! What the figures were measured on.

use std::fmt;
use std::fs;
use std::thread;

use anyhow::{Context as _, Result};

use super::subject::{GIB, MIB};

/// The machine.
#[derive(Debug)]
pub(super) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    memory: u64,
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
        let model = processors
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == "model name")
            .map_or_else(|| std::env::consts::ARCH, |(_, name)| name.trim());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("osrelease")?;
        Ok(Self {
            processor: model.to_owned(),
            cores: thread::available_parallelism()?.get(),
            kernel: kernel.trim().to_owned(),
            memory: meminfo("MemTotal")?,
        })
    }
}

impl fmt::Display for Machine {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            cores,
            kernel,
            ..
        } = self;
        let memory = self.memory as f64 / GIB as f64;
        write!(
            f,
            "{processor}, {cores} cores, {memory:.1} GiB of memory, Linux {kernel}"
        )
    }
}

/// Bytes of memory that can be had without harm.
pub(super) fn available_memory() -> Result<u64> {
    meminfo("MemAvailable")
}

/// Bytes of /proc/meminfo.
fn meminfo(key: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let kib = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| *found == key)
        .and_then(|(_, value)| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("/proc/meminfo has no {key}"))? * (MIB >> 10))
}
