//! Names of modules (FORMAT.md H2, M7).

use std::collections::BTreeSet;

use super::MediaError;
use crate::inspect::Payload;
use crate::rules::{Finding, MODULE_NAME};

/// Numbers of one prefix.
const NUMBERS: usize = 256;

/// The base name of a payload's module, other than those that are `taken`.
pub(super) fn module_name(
    payload: &Payload,
    taken: &BTreeSet<String>,
) -> Result<String, MediaError> {
    if let Some(name) = &payload.vfat_name {
        let name = name.to_ascii_lowercase();
        if let Some(problem) = crate::rules::name::vfat_name("vfat-name", &name) {
            return Err(MediaError::Refused(vec![problem]));
        }
        if !taken.contains(&name) {
            return Ok(name);
        }
    }
    let prefix = prefix(&payload.name, &payload.kind);
    (0..NUMBERS)
        .map(|number| format!("{prefix}{number:02x}"))
        .find(|name| !taken.contains(name))
        .ok_or_else(|| {
            MediaError::one(
                MODULE_NAME,
                format!("payload {:?}", payload.name),
                format!("finds all {NUMBERS} names taken that begin with {prefix:?}"),
                "rename the payload and pack the package again",
            )
        })
}

/// What the name of a module begins with: up to the letter behind the dot.
fn prefix(payload: &str, kind: &str) -> String {
    let cut: String = payload.chars().take(8).collect();
    let stem = cut.replace('-', "_").to_ascii_lowercase();
    let letter: String = kind.chars().take(1).collect();
    format!("{stem}.{letter}")
}

/// Prefix and number of a name of that form.
fn split(name: &str) -> Option<(&str, usize)> {
    let (prefix, number) = name.split_at_checked(name.len().checked_sub(2)?)?;
    let (stem, letter) = prefix.split_once('.')?;
    let is_numbered = !stem.is_empty() && letter.len() == 1;
    is_numbered
        .then(|| usize::from_str_radix(number, 16).ok())
        .flatten()
        .map(|number| (prefix, number))
}

/// What the installers of 5.x would not find: they number the files of one prefix anew, without
/// gaps. Only prefixes that the edit touches are looked at.
pub(super) fn gaps(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Vec<Finding> {
    let touched = before.symmetric_difference(after);
    let prefixes: BTreeSet<_> = touched.filter_map(|name| Some(split(name)?.0)).collect();
    let mut findings = Vec::new();
    for prefix in prefixes {
        let numbers: BTreeSet<_> = after
            .iter()
            .filter_map(|name| split(name))
            .filter(|(of, _)| *of == prefix)
            .map(|(_, number)| number)
            .collect();
        if numbers
            .iter()
            .enumerate()
            .any(|(place, number)| place != *number)
        {
            findings.push(Finding::new(
                MODULE_NAME,
                format!("modules {prefix}NN"),
                "would have a gap in their numbers, and the installers of 5.x count without gaps",
                "use the vendor's Image Builder for this change",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_removed_module_in_the_middle_leaves_a_gap_and_the_last_one_does_not() {
        let before = set(&["net.v00", "net.v01", "net.v02", "k.b00", "imgdb.tgz"]);
        let middle = set(&["net.v00", "net.v02", "k.b00", "imgdb.tgz"]);
        let last = set(&["net.v00", "net.v01", "k.b00", "imgdb.tgz"]);
        assert_eq!(gaps(&before, &middle).len(), 1);
        assert!(gaps(&before, &last).is_empty());
        assert!(gaps(&middle, &middle).is_empty(), "not touched");
    }

    #[test]
    fn a_name_is_cut_and_put_into_lower_case() {
        assert_eq!(prefix("Net-Driver-A", "vgz"), "net_driv.v");
        assert_eq!(split("net_driv.v0a"), Some(("net_driv.v", 10)));
        assert_eq!(split("imgdb.tgz"), None);
        assert_eq!(split("é"), None);
    }
}
