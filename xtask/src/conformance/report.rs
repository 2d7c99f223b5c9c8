//! What the suite found: for a terminal, as a table, and for programs.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use super::case::Topic;
use super::play::{Outcome, Without};
use super::suite::Results;
use crate::peers::Peer;

/// One server of a comparison.
pub(crate) struct Column {
    /// How the server is called.
    pub(crate) name: String,
    pub(crate) version: String,
    /// Whether the project's own: it has to offer everything.
    pub(crate) ours: bool,
    pub(crate) results: Results,
}

impl Column {
    /// `pass`, `fail`, `n/a`, or nothing if the case did not run.
    fn word(&self, id: &str) -> &'static str {
        match self.results.outcomes.get(id) {
            None => "",
            Some(Outcome::Passed) => "pass",
            Some(Outcome::NotOffered(_)) if !self.ours => "n/a",
            Some(Outcome::NoIpv6(without)) if !self.ours || *without == Without::Machine => NO_IPV6,
            Some(_) => "fail",
        }
    }
}

/// The result of a case over IPv6 where there is none.
const NO_IPV6: &str = "no IPv6";

/// How many cases ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_offered: usize,
    /// Over IPv6, where there is none.
    pub(crate) no_ipv6: usize,
}

impl Counts {
    pub(crate) fn of(results: &Results) -> Self {
        let mut counts = Self::default();
        for outcome in results.outcomes.values() {
            match outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Failed(_) => counts.failed += 1,
                Outcome::NotOffered(_) => counts.not_offered += 1,
                Outcome::NoIpv6(_) => counts.no_ipv6 += 1,
            }
        }
        counts
    }

    /// The same for a column of a table.
    pub(crate) fn of_column(column: &Column) -> Self {
        let mut counts = Self::of(&column.results);
        if column.ours {
            counts.failed += std::mem::take(&mut counts.not_offered);
            let listens = |outcome: &&Outcome| **outcome == Outcome::NoIpv6(Without::Server);
            let deaf = column.results.outcomes.values().filter(listens).count();
            counts.failed += deaf;
            counts.no_ipv6 -= deaf;
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            not_offered,
            no_ipv6,
        } = self;
        write!(
            f,
            "{passed} passed, {failed} failed, {not_offered} not offered, {no_ipv6} without IPv6"
        )
    }
}

/// Prints every case that did not pass, with its source and its dialogue.
pub(crate) fn print_failures(topics: &[Topic], results: &Results) {
    for case in topics.iter().flat_map(|topic| &topic.cases) {
        let (word, message) = match results.outcomes.get(&case.id) {
            Some(Outcome::Failed(message)) => ("FAILED", message),
            Some(Outcome::NotOffered(message)) => ("not offered", message),
            Some(Outcome::NoIpv6(Without::Machine)) => {
                println!("no IPv6 {}: this machine has no [::1]", case.id);
                continue;
            }
            Some(Outcome::NoIpv6(Without::Server)) => {
                println!("no IPv6 {}: the server does not listen at [::1]", case.id);
                continue;
            }
            _ => continue,
        };
        println!("{word} {} ({}): {message}", case.id, case.source);
    }
}

/// The results as `{"server": {"passed": n, "failed": n, "cases": {"id": "pass|fail|n/a"}}}`.
pub(crate) fn json(topics: &[Topic], columns: &[Column]) -> Value {
    let server = |column: &Column| {
        let counts = Counts::of_column(column);
        let cases = topics.iter().flat_map(|topic| &topic.cases);
        let cases: Map<String, Value> = cases
            .map(|case| (case.id.clone(), column.word(&case.id)))
            .filter(|(_, word)| !word.is_empty())
            .map(|(id, word)| (id, word.into()))
            .collect();
        let mut server = Map::new();
        server.insert("passed".to_owned(), counts.passed.into());
        server.insert("failed".to_owned(), counts.failed.into());
        server.insert("cases".to_owned(), cases.into());
        (column.name.clone(), Value::Object(server))
    };
    Value::Object(columns.iter().map(server).collect())
}

/// The table of results: case by server, a table for each topic.
pub(crate) fn markdown(topics: &[Topic], columns: &[Column]) -> String {
    let mut text = String::from(HEAD);
    let count = topics.iter().map(|topic| topic.cases.len()).sum::<usize>();
    line(&mut text, format_args!("\n{count} cases.\n"));
    line(
        &mut text,
        format_args!("| server | version | passed | failed | n/a | no IPv6 |"),
    );
    line(
        &mut text,
        format_args!("| --- | --- | ---: | ---: | ---: | ---: |"),
    );
    for column in columns {
        let Counts {
            passed,
            failed,
            not_offered,
            no_ipv6,
        } = Counts::of_column(column);
        let (name, version) = (&column.name, &column.version);
        line(
            &mut text,
            format_args!(
                "| {name} | {version} | {passed} | {failed} | {not_offered} | {no_ipv6} |"
            ),
        );
    }
    alone(&mut text, topics, columns);
    for topic in topics {
        line(&mut text, format_args!("\n## {}\n", topic.title));
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        line(
            &mut text,
            format_args!("| case | decides | {} |", names.join(" | ")),
        );
        line(
            &mut text,
            format_args!("| --- | --- |{}", " --- |".repeat(columns.len())),
        );
        for case in &topic.cases {
            let words: Vec<_> = columns.iter().map(|column| column.word(&case.id)).collect();
            let words = words.join(" | ");
            line(
                &mut text,
                format_args!("| {} | {} | {words} |", case.id, case.source),
            );
        }
    }
    text
}

const HEAD: &str = "\
# Conformance

Written by `cargo xtask conformance --peers`, which starts every server on the loopback interface with equivalent settings
and plays the same cases against all of them. The cases are in [`xtask/conformance`](../xtask/conformance); each names the
section that decides. *n/a*: the server says (500, 502, 504) that it lacks an extension which it need not have. esxftpd has
to offer everything: for it there is no *n/a*. *no IPv6*: the case is over IPv6, and the server does not listen there, or the
machine has none; the first is a failure of esxftpd. *esxftpd with libunftp* is the same daemon with its other engine; what
that does not pass is a list that is checked, and [`LIBUNFTP.md`](LIBUNFTP.md) says why.
";

/// Where ours and all others part.
fn alone(text: &mut String, topics: &[Topic], columns: &[Column]) {
    let others = columns
        .iter()
        .filter(|column| column.name != Peer::Libunftp.name());
    let (ours, peers): (Vec<_>, Vec<_>) = others.partition(|column| column.ours);
    let (Some(ours), false) = (ours.first(), peers.is_empty()) else {
        return;
    };
    let cases = || topics.iter().flat_map(|topic| &topic.cases);
    let differs = |id: &str| {
        let peers = || peers.iter().map(|peer| peer.word(id));
        ours.word(id) == "pass"
            && peers().all(|word| word != "pass")
            && peers().any(|word| word == "fail")
    };
    let mut rows: Vec<_> = cases().filter(|case| differs(&case.id)).collect();
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    line(
        text,
        format_args!("\n## Where {} differs from all others\n", ours.name),
    );
    if rows.is_empty() {
        line(text, format_args!("Nowhere."));
        return;
    }
    line(
        text,
        format_args!("In these cases it does what the section says, and no peer passes.\n"),
    );
    line(text, format_args!("| case | the section that decides |"));
    line(text, format_args!("| --- | --- |"));
    for case in rows {
        line(text, format_args!("| {} | {} |", case.id, case.source));
    }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    let _cannot_fail = writeln!(text, "{line}");
}

/// Prints the cases that no server passes: their expectation may be wrong.
pub(crate) fn print_suspicious(topics: &[Topic], columns: &[Column]) {
    if columns.len() < 2 {
        return;
    }
    for case in topics.iter().flat_map(|topic| &topic.cases) {
        let mut words = columns.iter().map(|column| column.word(&case.id));
        if words.all(|word| word != "pass" && !word.is_empty()) {
            println!("passed by no server: {} ({})", case.id, case.source);
        }
    }
}
