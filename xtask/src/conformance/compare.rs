//! `cargo xtask conformance --peers`: the same cases against our daemon and four others.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use super::expected::{self, Expected};
use super::report::{self, Column, Counts};
use super::{Arena, Options, Tls, cases};
use crate::cargo::cargo;
use crate::compile::TARGET;
use crate::peers::{Bench, Caps, Peer};

/// The table of results, below the root of the workspace.
const TABLE: &str = "daemon/CONFORMANCE.md";

/// A case looks for the cap on one address.
const CAPS: Caps = Caps {
    sessions: 200,
    per_address: 40,
};

/// Starts the servers one after the other and plays the suite against each. The table is rewritten
/// if all servers and all cases took part.
///
/// # Errors
/// If our daemon fails a case, or if a server cannot be started.
pub(super) fn run(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    let topics = cases(root)?;
    let daemon = match &options.daemon {
        Some(daemon) => std::path::absolute(daemon)?,
        None => build(sh, root)?,
    };
    let work = tempfile::tempdir()?;
    let bench = Bench::prepare(root, work.path(), daemon, CAPS)?;
    let tls = Tls::trusting(&bench.certificate.ca)?;
    let all = options.servers.is_empty();
    let peers = if all {
        &Peer::ALL[..]
    } else {
        &options.servers
    };
    let mut columns = Vec::new();
    let mut surprises = Vec::new();
    for &peer in peers {
        let server = bench.start(peer)?;
        let arena = Arena::enter(&server.target, server.root.clone(), Some(tls.clone()))
            .with_context(|| peer.name().to_owned())?;
        let mut results = arena.run(&topics, options.only.as_deref())?;
        if peer == Peer::Libunftp {
            let expected = Expected::read(root, &topics)?;
            arena.repeat(&topics, &mut results, |case| !expected.fails(&case.id));
            surprises = expected.surprises(&results);
        }
        let column = Column {
            name: peer.name().to_owned(),
            version: server.version.clone(),
            ours: peer == Peer::Esxftpd,
            results,
        };
        if column.ours || (!all && peer != Peer::Libunftp) {
            report::print_failures(&topics, &column.results);
        }
        let seconds = column.results.took.as_secs_f64();
        println!(
            "{} {}: {} in {seconds:.1} s",
            column.name,
            column.version,
            Counts::of(&column.results)
        );
        columns.push(column);
    }
    if let Some(file) = &options.json {
        let text = format!("{:#}\n", report::json(&topics, &columns));
        fs::write(file, text).with_context(|| file.display().to_string())?;
    }
    if all && options.only.is_none() {
        fs::write(root.join(TABLE), report::markdown(&topics, &columns)).context(TABLE)?;
        println!("written: {TABLE}");
    }
    report::print_suspicious(&topics, &columns);
    if !surprises.is_empty() {
        bail!(
            "{} differs from {}:\n{}",
            Peer::Libunftp.name(),
            expected::LIST,
            surprises.join("\n")
        );
    }
    let ours = columns.iter().find(|column| column.ours);
    match ours.map(|column| Counts::of_column(column).failed) {
        Some(failed @ 1..) => bail!("esxftpd fails {failed} cases"),
        _ => Ok(()),
    }
}

/// The daemon for the host, unoptimised: the suite asks what it does, not how fast.
///
/// # Errors
/// If it does not compile.
pub(crate) fn build(sh: &Shell, root: &Path) -> Result<PathBuf> {
    let target_dir = root.join("target");
    let target_dir = target_dir
        .to_str()
        .context("the path of the workspace is not UTF-8")?;
    let build = [
        "build",
        "--locked",
        "--package",
        "esxftpd",
        "--target",
        TARGET,
    ];
    cargo(sh, &[&build[..], &["--target-dir", target_dir]].concat())
        .run()
        .context("the daemon cannot be built")?;
    Ok(root.join("target").join(TARGET).join("debug/esxftpd"))
}
