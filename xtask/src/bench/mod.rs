//! `cargo xtask bench`: our daemon beside other FTP servers, driven by one client in one run.
//!
//! Rounds are interleaved, so that what else the machine does meets all servers alike. Figures hold
//! for this machine and run; ratios are what to look at.

mod ballast;
mod calls;
pub(crate) mod client;
mod groups;
pub(crate) mod interrupt;
mod listings;
mod machine;
mod measures;
mod plot;
mod relay;
mod report;
mod sessions;
mod subject;
mod tickets;
mod transfers;
pub(crate) mod usage;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use nix::sys::statvfs::statvfs;
use xshell::Shell;

use self::interrupt::Interrupt;
use self::machine::Machine;
use self::measures::{MEASURES, Measure};
use self::report::Table;
use self::subject::{GIB, Subject};
use self::tickets::Tickets;
use crate::compile;
use crate::conformance::Tls;
use crate::peers::{Bench, Caps, Peer};
use crate::process;

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
        default_value = "libunftp,proftpd,vsftpd,pure-ftpd,pyftpdlib"
    )]
    servers: Vec<Peer>,
    /// The daemon to measure; without it, the release build is made
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Where to write the results for programs
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where to draw the results as bars, an SVG
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

/// What the measures need beside what they store: files to retrieve, and the servers.
const OTHER_BYTES: u64 = 2 * GIB;

/// Measures and prints the table.
///
/// # Errors
/// If memory does not suffice, if a server cannot be started, or if ours fails in a measure. Where
/// another one fails, the table says so.
pub(crate) fn run(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    ensure!(options.rounds > 0, "--rounds must be at least 1");
    let measures = chosen(&options.only)?;
    let stores = measures.iter().map(|measure| measure.stores).max();
    let memory = stores.unwrap_or_default() + OTHER_BYTES;
    ensure_memory(memory + ballast::held(memory))?;
    let daemon = if let Some(daemon) = &options.daemon {
        std::path::absolute(daemon)?
    } else {
        compile::daemon(sh, root, compile::Build::default())?;
        root.join(compile::DAEMON)
    };
    let work = tempfile::Builder::new()
        .prefix("esxftpd-bench")
        .tempdir_in(MEMORY)
        .with_context(|| format!("{MEMORY}: files must be in memory to be no bottleneck"))?;
    let bench = Bench::prepare(root, work.path(), daemon, CAPS)?;
    let tickets = Tickets::new();
    let tls = Tls::aes_256_only(&bench.certificate.ca, tickets.clone())?;
    let files = work.path().join("root");
    let mut peers = vec![Peer::Esxftpd];
    peers.extend(&options.servers);
    let mut servers = Vec::new();
    for &peer in &peers {
        servers.push((peer, bench.start_in(peer, &files)?.version.clone()));
    }
    let mut table = Table::new(Machine::here()?, servers, &measures);
    eprintln!("using {} MiB of memory once", memory >> 20);
    let ballast = ballast::warm(work.path(), memory)?;
    let block = noise();
    let interrupt = Interrupt::watch()?;
    let mut ours_failed = 0;
    'measures: for measure in measures {
        for round in 0..options.rounds {
            // Nobody is always the first, or always behind the same one.
            let first = round % peers.len();
            for &peer in peers.iter().cycle().skip(first).take(peers.len()) {
                if interrupt.asked() {
                    break 'measures;
                }
                let (name, rounds) = (measure.name(), options.rounds);
                eprintln!("{name} {}/{rounds}: {}", round + 1, peer.name());
                // A server of its own: what earlier measures have left in its memory would count.
                let server = bench.start_in(peer, &files)?;
                server.wait_until_idle()?;
                let subject = Subject {
                    server: &server,
                    tls: &tls,
                    tickets: &tickets,
                    block: &block,
                };
                match measure.run(&subject) {
                    Ok(values) => table.add(measure, peer, &values),
                    Err(error) => {
                        eprintln!("  failed: {error:#}");
                        table.fail(peer, &error);
                        ours_failed += usize::from(peer == Peer::Esxftpd);
                    }
                }
            }
        }
        eprint!("{}", table.rows(measure));
        if let Some(path) = &options.json {
            table.write_json(path)?;
        }
        if let Some(path) = &options.plot {
            table.write_plot(path)?;
        }
    }
    print!("{table}");
    drop(ballast);
    ensure!(!interrupt.asked(), "interrupted: the table is not complete");
    ensure!(ours_failed == 0, "esxftpd has failed {ours_failed} times");
    Ok(())
}

/// The measures that have one of `parts` in their names.
fn chosen(parts: &[String]) -> Result<Vec<&'static Measure>> {
    let named = |measure: &&Measure| {
        let name = measure.name();
        parts.is_empty() || parts.iter().any(|part| name.contains(part.as_str()))
    };
    let can_be_had = |measure: &&Measure| match measure.needs() {
        Some(program) if process::find(program).is_none() => {
            eprintln!("left out for want of {program}: {}", measure.name());
            false
        }
        _ => true,
    };
    let measures = MEASURES.iter().filter(named).filter(can_be_had);
    let measures: Vec<_> = measures.collect();
    ensure!(
        !measures.is_empty(),
        "no measure is called like that; their names are: {}",
        MEASURES
            .iter()
            .map(Measure::name)
            .collect::<Vec<_>>()
            .join("; ")
    );
    Ok(measures)
}

/// Refuses what would take more memory than there is.
fn ensure_memory(bytes: u64) -> Result<()> {
    let space = statvfs(MEMORY).context(MEMORY)?;
    let space = space.blocks_available() * space.fragment_size();
    let free = space.min(machine::available_memory()?);
    ensure!(
        free >= bytes,
        "{} MiB are free in {MEMORY} and in memory, these measures need {} MiB; take fewer of them \
         with --only, for example --only RETR,LIST",
        free >> 20,
        bytes >> 20
    );
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
