//! What macOS leaves behind in archives, and owners of other systems: a word for each archive, not for
//! each entry.

use std::collections::BTreeMap;

use super::Severity::{Error, Warning};
use super::report::Report;
use crate::inspect::{Archive, Bundle, Extension, is_leftover};
use crate::rules;

/// Most owners that are named.
const MOST_OWNERS: usize = 4;

pub(super) fn check(archive: &Archive, report: &mut Report) {
    let paths = archive.entries.iter().map(|entry| entry.path.as_str());
    if let Some(problem) = left_behind(paths) {
        report.add(
            Warning,
            rules::ENTRY_KIND,
            "entries",
            problem,
            "remove them, and pack with COPYFILE_DISABLE=1 tar --no-xattrs --no-mac-metadata",
        );
    }
    let entries = archive.entries.iter();
    let count = entries
        .filter(|entry| entry.extension == Some(Extension::PaxOfMacos))
        .count();
    if count > 0 {
        report.add(
            Error,
            rules::TAR_FLAVOUR,
            "entries",
            format!(
                "{count} have pax records with attributes of macOS in front, which hosts are not known to read"
            ),
            "pack with COPYFILE_DISABLE=1 tar --no-xattrs --no-mac-metadata --format=gnu",
        );
    }
    check_owners(archive, report);
}

/// The same about a bundle.
pub(super) fn check_zip(bundle: &Bundle, report: &mut Report) {
    let paths = bundle.entries.iter().map(|entry| entry.path.as_str());
    if let Some(problem) = left_behind(paths) {
        let remedy = "remove them: zip -d BUNDLE.zip '__MACOSX/*' '*.DS_Store'";
        let problem = problem.replacen(" are", " entries are", 1);
        report.add(Warning, rules::DEPOT_PATHS, "zip", problem, remedy);
    }
}

fn left_behind<'p>(paths: impl Iterator<Item = &'p str>) -> Option<String> {
    let mut left = paths.filter(|path| is_leftover(path));
    let first = left.next()?;
    let count = left.count() + 1;
    Some(format!(
        "{count} are left behind by macOS, the first is {first:?}"
    ))
}

fn check_owners(archive: &Archive, report: &mut Report) {
    let mut owners: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for entry in &archive.entries {
        if (entry.uid, entry.gid) != (0, 0) {
            *owners.entry((entry.uid, entry.gid)).or_default() += 1;
        }
    }
    let count: usize = owners.values().sum();
    if count == 0 {
        return;
    }
    let names = owners.iter().take(MOST_OWNERS);
    let mut names: Vec<_> = if owners.len() == 1 {
        names
            .map(|((uid, gid), _)| format!("{uid}:{gid}"))
            .collect()
    } else {
        names
            .map(|((uid, gid), count)| format!("{uid}:{gid} ({count})"))
            .collect()
    };
    if owners.len() > MOST_OWNERS {
        names.push(format!("and {} others", owners.len() - MOST_OWNERS));
    }
    report.add(
        Warning,
        rules::OWNER,
        "entries",
        format!(
            "{count} of {} belong to {}, not to 0:0",
            archive.entries.len(),
            names.join(", ")
        ),
        "set the owner to 0:0, as with tar --owner=0 --group=0",
    );
}
