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

use anyhow::{Result, bail, ensure};

use crate::clients::Target;

pub(crate) use compare::{Comparison, run as compare};

use suite::Arena;
use tls::Tls;

use case::Topic;

/// The cases, below the root of the workspace.
const CASES: &str = "xtask/conformance";

/// Reads the cases.
///
/// # Errors
/// Names what is malformed.
pub(crate) fn cases(root: &Path) -> Result<Vec<Topic>> {
    case::load(&root.join(CASES))
}

/// Runs the suite against one server and prints what failed.
///
/// # Errors
/// If a case failed, or if the server cannot be used.
pub(crate) fn run(
    root: &Path,
    target: &Target,
    directory: PathBuf,
    ca: Option<&Path>,
    only: Option<&str>,
) -> Result<()> {
    let topics = cases(root)?;
    let tls = ca.map(Tls::trusting).transpose()?;
    if tls.is_none() {
        println!("without --ca, the cases with TLS are left out");
    }
    let results = Arena::enter(target, directory, tls)?.run(&topics, only)?;
    report::print_failures(&topics, &results);
    let counts = report::Counts::of(&results);
    println!("{counts} in {:.1} s", results.took.as_secs_f64());
    if counts.failed > 0 {
        bail!("{} cases failed", counts.failed);
    }
    ensure!(counts.passed > 0, "no case passed");
    Ok(())
}
