//! `cargo xtask inspect`: what a file is and holds, for people or for programs.

use std::{
    io::{self, BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use packaging::inspect::{Limits, inspect};

use crate::input::open;

/// Prints what the file holds.
///
/// # Errors
/// If it cannot be read, or is of no known kind.
pub(crate) fn run(file: &Path, json: bool) -> Result<()> {
    let inspection =
        inspect(open(file)?, &Limits::default()).with_context(|| file.display().to_string())?;
    // Written as it is made: as one text, a hostile file's could be huge.
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if json {
        serde_json::to_writer_pretty(&mut out, &inspection)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        write!(out, "{inspection}")
    };
    seen_enough(written.and_then(|()| out.flush()))
}

/// Writes to stdout; `| head` may have seen enough.
pub(crate) fn print(text: &str) -> Result<()> {
    seen_enough(io::stdout().write_all(text.as_bytes()))
}

fn seen_enough(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output"),
    }
}
