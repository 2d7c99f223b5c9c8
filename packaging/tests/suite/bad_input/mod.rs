//! Every bad input gets a message that says what is wrong, where, and what to do.

mod at_once;
mod identity;
mod locations;
mod manifest;
mod payloads;

use std::collections::BTreeMap;

use packaging::{Error, Manifest, Package};

use crate::support::{SAMPLE, sources};

/// The destination of the sample's program.
const BIN: &str = "\"opt/hello/bin/hello\"";

/// The sample with one text replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(SAMPLE.contains(from), "the sample has no {from:?}");
    SAMPLE.replacen(from, to, 1)
}

fn refusal_of(toml: &str, version: &str, sources: &BTreeMap<String, Vec<u8>>) -> String {
    let manifest = Manifest::parse(toml)
        .expect("only values are wrong")
        .with_version(version);
    let epoch = manifest.release_date;
    match Package::new(manifest, sources, epoch) {
        Err(error @ Error::Refused(_)) => error.to_string(),
        other => panic!("accepted or failed otherwise: {other:?}"),
    }
}

/// Asserts that the changed sample is refused with exactly one finding that contains all parts.
fn refuses(from: &str, to: &str, parts: &[&str]) {
    let text = refusal_of(&changed(from, to), "1.2.0", &sources());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_contains(&text, parts);
}

fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

fn parse_error(toml: &str) -> String {
    Manifest::parse(toml).unwrap_err().to_string()
}

/// Line of the first occurrence, counted from 1.
fn line_of(toml: &str, part: &str) -> usize {
    toml.lines().position(|line| line.contains(part)).unwrap() + 1
}
