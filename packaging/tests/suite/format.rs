//! FORMAT.md and the code speak of the same rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use packaging::rules;

const FORMAT: &str = include_str!("../../FORMAT.md");

/// Numbers of the rules that FORMAT.md lists.
fn listed() -> BTreeSet<&'static str> {
    let rows = FORMAT
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let numbers: Vec<_> = rows
        .map(|(number, _)| number)
        .filter(|number| number.ends_with(char::is_numeric))
        .collect();
    let set: BTreeSet<_> = numbers.iter().copied().collect();
    assert_eq!(set.len(), numbers.len(), "a number is used twice");
    set
}

fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_rule_of_a_finding_is_in_the_format() {
    let listed = listed();
    for rule in rules::ALL {
        assert!(listed.contains(rule.number()), "{rule} is not in FORMAT.md");
    }
}

#[test]
fn every_number_that_the_code_cites_is_in_the_format() {
    let listed = listed();
    let mut texts = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut texts,
    );
    let mut cited = 0;
    for citation in texts
        .iter()
        .flat_map(|text| text.split("FORMAT.md ").skip(1))
    {
        // "(FORMAT.md A1 to A3)": the words up to the closing bracket that look like a number of a
        // rule.
        let citation = citation.split([')', '\n']).next().unwrap();
        let numbers = citation.split([' ', ',', '.', ':']).filter(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .is_some_and(|first| first.is_ascii_uppercase())
                && word.len() > 1
                && letters.all(char::is_numeric)
        });
        for number in numbers {
            assert!(
                listed.contains(number),
                "{number} is cited as {citation:?} and not in FORMAT.md"
            );
            cited += 1;
        }
    }
    assert!(cited > 40, "only {cited} citations found");
}

#[test]
fn every_rule_has_a_label() {
    for line in FORMAT.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| Rule") && !line.starts_with("| -")
    }) {
        let label = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(
            ["verified", "claimed", "inferred", "ours", "POSIX"]
                .iter()
                .any(|word| label.starts_with(word)),
            "{line}"
        );
    }
}

#[test]
fn the_community_locations_are_those_of_the_format() {
    let rule = FORMAT
        .lines()
        .find(|line| line.starts_with("| L3 "))
        .unwrap();
    for location in rules::path::COMMUNITY_LOCATIONS {
        // Written in full, or as a tail behind its common head.
        let tail = ["etc/vmware/", "usr/lib/"]
            .iter()
            .find_map(|head| location.strip_prefix(head))
            .unwrap_or(location);
        assert!(
            rule.contains(location) || rule.contains(tail),
            "{location} is not in rule L3"
        );
    }
}

#[test]
fn the_code_does_not_know_the_name_of_the_product() {
    let mut texts = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut texts,
    );
    assert!(texts.iter().all(|text| !text.contains("esxftpd")));
}
