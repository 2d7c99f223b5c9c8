//! The conformance suite: what FTP servers must answer and do, as data, played against any server.
//!
//! The cases are in `xtask/conformance/*.toml`, a file for each topic. A case has an id, the section
//! of the document that decides, what lies on the disk before it, and a script (see [`script`]) of
//! what the client sends, what must come back, and what must lie on the disk then. The client is our
//! own and small, because it has to control every byte.

mod case;
mod compare;
mod data;
mod disk;
mod expected;
mod literal;
mod play;
mod report;
mod script;
mod session;
mod suite;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::clients::Target;
use crate::peers::Peer;

pub(crate) use compare::build as debug_daemon;
pub(crate) use data::Then;
pub(crate) use script::State;
pub(crate) use session::{Server, Session};
pub(crate) use tls::{Tls, TlsStream};

use suite::Arena;

use case::Topic;

/// The cases, below the root of the workspace.
const CASES: &str = "xtask/conformance";

/// Reads the cases.
///
/// # Errors
/// Names what is malformed.
fn cases(root: &Path) -> Result<Vec<Topic>> {
    case::load(&root.join(CASES))
}

/// What `cargo xtask conformance` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server and a directory on it, `ftp://USER[:PASSWORD]@HOST[:PORT]/DIR`; without a
    /// password, the variable `FTP_PASSWORD` is asked for it
    #[arg(
        required_unless_present = "peers",
        conflicts_with = "peers",
        requires = "root"
    )]
    url: Option<String>,
    /// The same directory on this machine's disk; the account must be able to write there
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The certificate (PEM) that signed the server's, for the cases with TLS
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Only the cases that have this in their id
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Start esxftpd and reference servers, and rewrite daemon/CONFORMANCE.md
    #[arg(long)]
    peers: bool,
    /// Only these servers; the table is left alone
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "peers")]
    servers: Vec<Peer>,
    /// The daemon to start; without it, a debug build is made
    #[arg(long, value_name = "FILE", requires = "peers")]
    daemon: Option<PathBuf>,
    /// Where to write the results for programs
    #[arg(long, value_name = "FILE", requires = "peers")]
    json: Option<PathBuf>,
}

/// Plays all cases against a debug build of our daemon, with each of its engines.
///
/// # Errors
/// If the native one does not pass every case, or the other one not those that it should.
pub(crate) fn ours(sh: &Shell, root: &Path) -> Result<()> {
    let options = Options {
        url: None,
        root: None,
        ca: None,
        only: None,
        peers: true,
        servers: vec![Peer::Esxftpd, Peer::Libunftp],
        daemon: None,
        json: None,
    };
    compare::run(sh, root, &options)
}

impl Options {
    /// Runs the suite against one server, or compares servers with it.
    ///
    /// # Errors
    /// If a case failed that must pass, or if a server cannot be used or started.
    pub(crate) fn run(&self, sh: &Shell, root: &Path) -> Result<()> {
        match (&self.url, &self.root) {
            (Some(url), Some(directory)) => self.judge(root, url, directory),
            _ => compare::run(sh, root, self),
        }
    }

    /// Prints what failed at one server.
    fn judge(&self, root: &Path, url: &str, directory: &Path) -> Result<()> {
        let topics = cases(root)?;
        let target = Target::parse(url)?;
        let tls = self.ca.as_deref().map(Tls::trusting).transpose()?;
        if tls.is_none() {
            println!("without --ca, the cases with TLS are left out");
        }
        let arena = Arena::enter(&target, directory.to_owned(), tls)?;
        let results = arena.run(&topics, self.only.as_deref())?;
        report::print_failures(&topics, &results);
        let counts = report::Counts::of(&results);
        println!("{counts} in {:.1} s", results.took.as_secs_f64());
        ensure!(counts.failed == 0, "{} cases failed", counts.failed);
        ensure!(counts.passed > 0, "no case passed");
        Ok(())
    }
}
