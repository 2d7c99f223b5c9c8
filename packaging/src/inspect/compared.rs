//! Whether a bundle describes a VIB as the VIB describes itself (FORMAT.md B5, D2, D8).

use std::collections::{BTreeMap, BTreeSet};

use super::xml::Node;
use crate::rules::value;

/// What the metadata adds to a descriptor, and what a host's database does (FORMAT.md B5).
const NOT_COMPARED: [&str; 4] = ["relative-path", "packed-size", "checksum", "installdate"];
/// Elements whose children are a set, not a sequence.
const UNORDERED: [&str; 3] = ["relationships", "file-list", "software-tags"];
const REQUIRES: &str = "system-requires";
const MODE: &str = "maintenance-mode";
/// A part of [`REQUIRES`] that hosts do not compare.
const PLATFORM: &str = "softwarePlatform";

/// Names of the elements that are not the same in both. An empty one is as good as none.
pub(crate) fn differences(described: &Node, own: &Node) -> Vec<String> {
    // Of several with one name, the first is taken, here and everywhere.
    fn by_name(root: &Node) -> BTreeMap<&str, &Node> {
        let said = root.children.iter().rev().filter(|child| !child.is_empty());
        let compared = said.filter(|child| !NOT_COMPARED.contains(&child.name.as_str()));
        compared.map(|child| (child.name.as_str(), child)).collect()
    }
    let nothing = Node::default();
    let (described, own) = (by_name(described), by_name(own));
    let names: BTreeSet<_> = described.keys().chain(own.keys()).copied().collect();
    let mut differences = Vec::new();
    for name in names {
        let (one, two) = (described.get(name), own.get(name));
        if name == REQUIRES {
            let [one, two] = [one, two].map(|node| node.copied().unwrap_or(&nothing));
            let platforms = |node: &Node| only(node, |name| name == PLATFORM);
            if !requires(one).means(&requires(two), &[]) {
                differences.push(name.to_owned());
            }
            if !platforms(one).means(&platforms(two), &[]) {
                differences.push(PLATFORM.to_owned());
            }
            continue;
        }
        let same = one.zip(two).is_some_and(|(one, two)| {
            one.means(two, &UNORDERED) || name == "release-date" && is_one_instant(one, two)
        });
        if !same {
            differences.push(name.to_owned());
        }
    }
    differences
}

fn is_one_instant(one: &Node, two: &Node) -> bool {
    let instants = [one, two].map(|node| value::instant(node.text()));
    instants[0].is_some() && instants[0] == instants[1]
}

/// Requirements in a form of which there is one for each meaning: maintenance mode spelt out, and
/// without what hosts do not know or do not compare.
fn requires(node: &Node) -> Node {
    let mut compared = only(node, |name| name == "hwplatform");
    let (install, remove) = (mode(node, "on-install"), mode(node, "on-remove"));
    compared.attributes = vec![
        ("install".to_owned(), install),
        ("remove".to_owned(), remove),
    ];
    compared
}

/// Maintenance mode that is not spoken of is needed.
fn mode(requires: &Node, attribute: &str) -> String {
    let node = requires.child(MODE);
    let said = node.and_then(|node| node.attribute(attribute).or_else(|| Some(node.text())));
    let said = said.filter(|text| !text.is_empty()).unwrap_or("true");
    match value::truth(said) {
        Some(truth) => truth.to_string(),
        None => said.to_owned(),
    }
}

fn only(node: &Node, wanted: impl Fn(&str) -> bool) -> Node {
    let mut part = Node::default();
    let children = node.children.iter().filter(|child| wanted(&child.name));
    part.children = children.cloned().collect();
    part
}
