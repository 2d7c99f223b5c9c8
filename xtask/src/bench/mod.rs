//! `cargo xtask bench`: our daemon beside other FTP servers, driven by one client in one run.
//!
//! Rounds are interleaved, so that what else the machine does meets all servers alike. Figures hold
//! for this machine and run; ratios are what to look at.

mod client;
mod measure;
mod report;
mod usage;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::Shell;

use self::measure::{MEASURES, Subject};
use self::report::Table;
use crate::compile;
use crate::conformance::Tls;
use crate::peers::{Bench, Caps, Peer};

/// Where files are kept in memory, so that the servers are measured and not the disk.
const MEMORY: &str = "/dev/shm";

/// More than any measure opens.
const CAPS: Caps = Caps {
    sessions: 500,
    per_address: 500,
};

/// What to measure, and where to write it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure each so many times and take the median
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only the measures that have one of these in their names
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<String>,
    /// Only these servers beside ours
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "proftpd,vsftpd,pure-ftpd,pyftpdlib"
    )]
    servers: Vec<Peer>,
    /// The daemon to measure; without it, the release build is made
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Where to write the results for programs
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures and prints the table.
///
/// # Errors
/// If a server cannot be started. A measure that fails is reported in the table.
pub(crate) fn run(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    ensure!(options.rounds > 0, "--rounds must be at least 1");
    let measures: Vec<_> = MEASURES
        .iter()
        .filter(|measure| {
            let named = |part: &String| measure.name.contains(part.as_str());
            options.only.is_empty() || options.only.iter().any(named)
        })
        .collect();
    ensure!(
        !measures.is_empty(),
        "no measure is called like that; their names are: {}",
        MEASURES
            .iter()
            .map(|measure| measure.name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    let daemon = if let Some(daemon) = &options.daemon {
        std::path::absolute(daemon)?
    } else {
        compile::daemon(sh, root)?;
        root.join(compile::DAEMON)
    };
    let work = tempfile::Builder::new()
        .prefix("esxftpd-bench")
        .tempdir_in(MEMORY)
        .with_context(|| format!("{MEMORY}: files must be in memory to be no bottleneck"))?;
    let bench = Bench::prepare(root, work.path(), daemon, CAPS)?;
    let tls = Tls::trusting(&bench.certificate.ca)?;
    let servers: Result<Vec<_>> = std::iter::once(Peer::Esxftpd)
        .chain(options.servers.iter().copied())
        .map(|peer| bench.start(peer))
        .collect();
    let servers = servers?;
    let block = noise();
    let mut table = Table::new(&servers);
    for measure in measures {
        for round in 1..=options.rounds {
            for server in &servers {
                eprintln!(
                    "{} {round}/{}: {}",
                    measure.name,
                    options.rounds,
                    server.peer.name()
                );
                let subject = Subject {
                    server,
                    tls: &tls,
                    block: &block,
                };
                match measure.run(&subject) {
                    Ok(values) => table.add(measure, server.peer, &values),
                    Err(error) => eprintln!("  failed: {error:#}"),
                }
            }
        }
    }
    print!("{table}");
    if let Some(path) = &options.json {
        let json = serde_json::to_string_pretty(&table.to_json())?;
        std::fs::write(path, json + "\n").with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// A block without runs of zeros, which servers could skip: bytes of a simple generator (Knuth's
/// MMIX constants).
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut block = Vec::with_capacity(client::BLOCK_BYTES);
    while block.len() < client::BLOCK_BYTES {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        block.extend_from_slice(&state.to_le_bytes());
    }
    block
}

/// The middle value, or the mean of the two middle ones.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(&value), 1) => value,
        (Some(&above), _) => values
            .get(middle.wrapping_sub(1))
            .map_or(above, |&below| f64::midpoint(below, above)),
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle_value() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&mut [4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
