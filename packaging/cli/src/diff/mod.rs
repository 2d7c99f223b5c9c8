//! `vib diff`: where two packages differ, down to the field and the file.

mod compare;
mod facts;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result};
use serde_json::json;

pub use self::compare::{Comparison, First, compare};
pub use self::facts::{Difference, Kind};
use crate::{input::open, print, report, style::stdout_is_coloured};

/// They differ.
const DIFFERENT: u8 = 1;
/// They could not be compared; the parser of the command line exits so, too.
const TROUBLE: u8 = 2;
/// Number of the JSON layout.
const LAYOUT: u32 = 1;

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// One file
    a: PathBuf,
    /// The other file
    b: PathBuf,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Prints every difference, and tells by the exit status whether there is one, as `diff` and
    /// `cmp` do.
    pub(crate) fn run(&self) -> ExitCode {
        match run(&self.a, &self.b, self.json) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => DIFFERENT.into(),
            Err(error) => {
                report(&error);
                TROUBLE.into()
            }
        }
    }
}

/// Whether the files are the same.
fn run(a: &Path, b: &Path, as_json: bool) -> Result<bool> {
    let named = || format!("{} and {}", a.display(), b.display());
    let comparison = compare(&mut open(a)?, &mut open(b)?).with_context(named)?;
    let text = if as_json {
        let object = json!({
            "format": LAYOUT,
            "a": a.display().to_string(),
            "b": b.display().to_string(),
            "same": comparison.is_same(),
            "first": comparison.first,
            "differences": comparison.differences,
            "notes": comparison.notes,
        });
        format!("{object:#}\n")
    } else {
        text(a, b, &comparison, stdout_is_coloured())
    };
    print(&text)?;
    Ok(comparison.is_same())
}

/// In the manner of `diff`: what is behind `-` is of `a`, what is behind `+` of `b`.
fn text(a: &Path, b: &Path, comparison: &Comparison, coloured: bool) -> String {
    let Some(first) = &comparison.first else {
        return format!("{} and {} are the same\n", a.display(), b.display());
    };
    let paint = |colour: AnsiColor, line: String| {
        let style = if coloured {
            colour.on_default()
        } else {
            Style::new()
        };
        // Values quote the files: no control character may reach a terminal.
        let line = line.replace(char::is_control, "\u{fffd}");
        format!("{style}{line}{style:#}\n")
    };
    let mut text = paint(AnsiColor::Red, format!("--- {}", a.display()));
    text += &paint(AnsiColor::Green, format!("+++ {}", b.display()));
    text.extend([first.to_string().as_str(), "\n"]);
    for difference in &comparison.differences {
        let place = format!("{} {}", difference.kind, difference.place);
        text += &paint(AnsiColor::Cyan, place);
        if let Some(value) = &difference.a {
            text += &paint(AnsiColor::Red, format!("  - {value}"));
        }
        if let Some(value) = &difference.b {
            text += &paint(AnsiColor::Green, format!("  + {value}"));
        }
    }
    for note in &comparison.notes {
        text += &paint(AnsiColor::Yellow, format!("note: {note}"));
    }
    text
}
