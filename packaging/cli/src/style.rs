//! Colour, for people: only at a terminal, and not where `NO_COLOR` is set.

use std::io::{self, IsTerminal as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use packaging::verify::Severity;

/// Whether standard output is coloured.
pub(crate) fn stdout_is_coloured() -> bool {
    let stdout = io::stdout();
    stdout.is_terminal() && AutoStream::choice(&stdout) != ColorChoice::Never
}

fn stderr_is_coloured() -> bool {
    let stderr = io::stderr();
    stderr.is_terminal() && AutoStream::choice(&stderr) != ColorChoice::Never
}

fn style(severity: Severity) -> Style {
    let colour = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

/// A text whose first word, up to the colon, says how much it weighs: that word is coloured.
pub(crate) fn weighed(severity: Severity, text: &str) -> String {
    let (word, rest) = text.split_at(text.find(':').unwrap_or(0));
    let style = style(severity);
    format!("{style}{word}{style:#}{rest}")
}

fn say(severity: Severity, text: &str) {
    // Messages quote files of strangers: only line breaks are let through to a terminal.
    let text = text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
    if stderr_is_coloured() {
        anstream::eprintln!("{}", weighed(severity, &text));
    } else {
        eprintln!("{text}");
    }
}

/// Prints a note to stderr.
pub(crate) fn note(text: &str) {
    say(Severity::Note, &format!("note: {text}"));
}

/// Prints a warning to stderr.
pub(crate) fn warn(text: &str) {
    say(Severity::Warning, &format!("warning: {text}"));
}

/// Prints an error to stderr.
pub(crate) fn fail(text: &str) {
    say(Severity::Error, &format!("error: {text}"));
}
