//! `vib inspect`: what a file is and holds, for people or for programs.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use packaging::inspect::{Inspection, Limits, inspect};

use crate::{input::open, seen_enough};

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print JSON, for programs: an object, or a list of them for several files
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Prints what the files hold.
    ///
    /// # Errors
    /// If a file cannot be read, or is of no known kind; the others are shown nevertheless.
    pub(crate) fn run(&self) -> Result<()> {
        // Written as it is made: as one text, a hostile file's could be huge.
        let mut out = BufWriter::new(io::stdout().lock());
        let (several, mut shown, mut unread) = (self.files.len() > 1, 0, Vec::new());
        if self.json && several {
            seen_enough(writeln!(out, "["))?;
        }
        for file in &self.files {
            let inspection = match read(file) {
                Ok(inspection) => inspection,
                Err(error) => {
                    unread.push(format!("{error:#}"));
                    continue;
                }
            };
            let written = if self.json {
                let comma = if several && shown > 0 { ",\n" } else { "" };
                write!(out, "{comma}").and_then(|()| {
                    serde_json::to_writer_pretty(&mut out, &inspection).map_err(io::Error::from)
                })
            } else {
                let head = if several {
                    let gap = if shown > 0 { "\n" } else { "" };
                    format!("{gap}{}:\n", file.display())
                } else {
                    String::new()
                };
                write!(out, "{head}{inspection}")
            };
            seen_enough(written)?;
            if self.json && !several {
                seen_enough(writeln!(out))?;
            }
            shown += 1;
        }
        if self.json && several {
            seen_enough(writeln!(out, "{}]", if shown > 0 { "\n" } else { "" }))?;
        }
        seen_enough(out.flush())?;
        ensure!(unread.is_empty(), "{}", unread.join("\n"));
        Ok(())
    }
}

fn read(file: &Path) -> Result<Inspection> {
    inspect(open(file)?, &Limits::default()).with_context(|| file.display().to_string())
}
