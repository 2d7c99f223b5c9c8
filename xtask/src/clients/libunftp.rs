//! The suite against our daemon with its other engine, as far as that carries.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::peers::{Bench, Caps, Peer};

/// What does not work with the library, or not each time; `daemon/LIBUNFTP.md` says why.
pub(crate) const KNOWN: &[(&str, &str)] = &[
    ("lftp", "mirror to the server, 5 parallel"),
    ("lftp", "mirror from the server, 5 parallel"),
    ("ncftp", "LIST"),
    // It lists while it uploads, and a listing fails if a name goes between two looks.
    ("rclone", "STOR"),
    ("basic-ftp", "STOR"),
    ("basic-ftp", "RETR"),
    ("basic-ftp", "LIST"),
];

/// More than the clients open.
const CAPS: Caps = Caps {
    sessions: 100,
    per_address: 100,
};

/// Runs every client against this daemon, without TLS: with it, the library loses handshakes.
///
/// # Errors
/// If a case fails that is not known to.
pub(crate) fn run(root: &Path, daemon: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let bench = Bench::prepare(root, work.path(), daemon.to_owned(), CAPS)?;
    let server = bench.start(Peer::Libunftp)?;
    fs::create_dir(server.root.join("clients"))?;
    let target = server.target.below("clients");
    let files = tempfile::tempdir()?;
    super::run(&target, files.path())?.check_but(KNOWN)
}
