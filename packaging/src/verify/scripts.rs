//! Scripts and XML files: whether a host can start and parse them (FORMAT.md H5, H6).

use std::collections::BTreeSet;

use super::Severity::{Error, Warning};
use super::report::Report;
use crate::inspect::{Entry, EntryKind, Script, is_started};
use crate::rules;

const EXECUTABLE: u32 = 0o111;
/// Interpreters that no release has, by the last part of their paths.
const MISSING: [&str; 12] = [
    "bash", "csh", "dash", "expect", "ksh", "node", "perl", "php", "ruby", "tclsh", "tcsh", "zsh",
];
/// Directories of the host's own programs. Elsewhere, another package may have put one.
const OWN: [&str; 5] = [
    "/bin/",
    "/sbin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/local/bin/",
];
/// Shells, which take a carriage return for a part of the last word of its line.
const SHELLS: [&str; 2] = ["sh", "ash"];
const START_FAILS: &str =
    "[LiveInstallationError] Error in running ['/etc/init.d/..', 'start', 'install']";

/// `files` are the paths of the archive.
pub(super) fn check(place: &str, entry: &Entry, files: &BTreeSet<&str>, report: &mut Report) {
    if let Some(fault) = &entry.xml_fault {
        report.add(
            Error,
            rules::PARSED_XML,
            place,
            format!("is not well-formed XML, {fault}"),
            "fix it: hosts parse it (xmllint --noout shows more)",
        );
    }
    let is_started = is_started(&entry.path);
    let counts = is_started || entry.mode & EXECUTABLE != 0;
    if let Some(script) = entry.script.as_ref().filter(|_| counts) {
        check_script(place, is_started, script, files, report);
    }
    debug_assert!(entry.script.is_none() || entry.kind == EntryKind::File);
}

fn check_script(
    place: &str,
    is_started: bool,
    script: &Script,
    files: &BTreeSet<&str>,
    report: &mut Report,
) {
    // Hosts start these; of others, who starts them and how is not known.
    let severity = if is_started { Error } else { Warning };
    let mut found = |severity, problem: String, remedy: &str| {
        let reported = report.add(severity, rules::SCRIPT, place, problem, remedy);
        if is_started && severity == Error {
            reported.says(START_FAILS);
        }
    };
    let Some(line) = &script.interpreter else {
        if script.byte_order_mark {
            let problem = "begins with a byte order mark, behind which no host looks for \"#!\"";
            found(severity, problem.to_owned(), "save it without");
        } else {
            let problem = "does not begin with \"#!\" and an interpreter";
            found(severity, problem.to_owned(), "begin it with #!/bin/sh");
        }
        return;
    };
    let interpreter = interpreter(line);
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    match script.carriage_return {
        Some(1) => {
            let problem = format!(
                "ends its first line with a carriage return, so that its interpreter is looked for as \"{line}\\r\""
            );
            let remedy = "save it with the line ends of Unix";
            found(severity, problem, remedy);
        }
        Some(number) if SHELLS.contains(&name) => {
            let problem = format!(
                "ends line {number} with a carriage return, which a shell takes for a part of the command"
            );
            let remedy = "save it with the line ends of Unix";
            found(Warning, problem, remedy);
        }
        _ => {}
    }
    if lacks(interpreter) && !files.contains(interpreter.trim_start_matches('/')) {
        let problem = format!("is a script for {interpreter}, which hosts do not have");
        found(
            severity,
            problem,
            "write it for /bin/sh, which is that of busybox",
        );
    }
}

/// The program that runs a script: the first word, or what `env` is to look for.
fn interpreter(line: &str) -> &str {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    if first.rsplit('/').next() != Some("env") {
        return first;
    }
    words.find(|word| !word.starts_with('-')).unwrap_or(first)
}

/// Whether hosts are known to lack it.
fn lacks(interpreter: &str) -> bool {
    let own = OWN
        .iter()
        .find_map(|folder| interpreter.strip_prefix(folder));
    MISSING.contains(&own.unwrap_or(interpreter))
}
