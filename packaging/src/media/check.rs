//! What the installer checks about all packages of a profile together (FORMAT.md M8), so that it
//! does not fail at the machine.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::inspect::{Descriptor, Relation};
use crate::rules::{Finding, WHOLE_PROFILE};
use crate::version::compare_loosely;

/// What is wrong with the packages of a profile after an edit, as far as the edit is to blame:
/// `new` came, `before` were there.
pub(super) fn findings(
    before: &[&Descriptor],
    after: &[&Descriptor],
    new: &[&Descriptor],
) -> Vec<Finding> {
    let mut findings = files(after, new);
    let is_new = |one: &Descriptor| new.iter().any(|new| new.id == one.id);
    for vib in after {
        for relation in &vib.relationships.depends {
            let met = |vibs: &[&Descriptor]| vibs.iter().any(|one| meets(one, relation));
            if !met(after) && (is_new(vib) || met(before)) {
                findings.push(Finding::new(
                    WHOLE_PROFILE,
                    &vib.id,
                    format!("requires {relation}, which no package of the image provides"),
                    if is_new(vib) {
                        "add what it requires as well"
                    } else {
                        "remove this one as well, or leave what it requires"
                    },
                ));
            }
        }
    }
    for vib in after {
        for other in after.iter().filter(|other| other.id != vib.id) {
            if !is_new(vib) && !is_new(other) {
                continue;
            }
            for (word, relations) in [
                ("conflicts with", &vib.relationships.conflicts),
                ("replaces", &vib.relationships.replaces),
            ] {
                if let Some(relation) = relations.iter().find(|one| meets(other, one)) {
                    findings.push(Finding::new(
                        WHOLE_PROFILE,
                        &vib.id,
                        format!("{word} {relation}, which {} is", other.id),
                        "keep one of the two: remove the other from the image first",
                    ));
                }
            }
        }
    }
    findings
}

/// Paths that two packages bring.
fn files(after: &[&Descriptor], new: &[&Descriptor]) -> Vec<Finding> {
    const MOST_SHOWN: usize = 20;
    fn plain(path: &str) -> &str {
        path.trim_start_matches("./").trim_start_matches('/')
    }
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for vib in after {
        let is_new = new.iter().any(|new| new.id == vib.id);
        // Overlays are there to replace files of others.
        if !is_new && vib.overlay.as_deref() != Some("true") {
            owners.extend(vib.files.iter().map(|path| (plain(path), vib.id.as_str())));
        }
    }
    let mut findings = Vec::new();
    for vib in new {
        for path in vib.files.iter().map(|path| plain(path)) {
            if let Some(owner) = owners.insert(path, &vib.id)
                && owner != vib.id
                && findings.len() < MOST_SHOWN
            {
                findings.push(Finding::new(
                    WHOLE_PROFILE,
                    &vib.id,
                    format!("brings {path:?}, which belongs to {owner}"),
                    "keep one of the two, or pack the file under another path",
                ));
            }
        }
    }
    findings
}

/// Whether a package is what a relation names, by its own name or by one that it provides.
pub(super) fn meets(vib: &Descriptor, relation: &Relation) -> bool {
    let own = std::iter::once((vib.name.as_str(), Some(vib.version.as_str())));
    let provided = vib.relationships.provides.iter();
    let provided = provided.map(|one| (one.name.as_str(), one.version.as_deref()));
    own.chain(provided)
        .filter(|(name, _)| *name == relation.name)
        .any(|(_, version)| is_in_range(version, relation))
}

fn is_in_range(version: Option<&str>, relation: &Relation) -> bool {
    let (Some(symbol), Some(wanted)) = (&relation.relation, &relation.version) else {
        return true;
    };
    let Some(version) = version else {
        return false;
    };
    let order = compare_loosely(version, wanted);
    match symbol.as_str() {
        "<<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        "=" => order == Ordering::Equal,
        ">=" => order != Ordering::Less,
        ">>" => order == Ordering::Greater,
        _ => false,
    }
}
