//! From the rows of `[[contents]]` to the entries of a payload.

use std::collections::BTreeMap;

use crate::manifest::{Content, ContentType, Manifest};
use crate::rules::{CONTENT, Finding, MODE, ONE_ENTRY_PER_PATH, path};

/// Mode of directories that no row describes.
const DIRECTORY_MODE: u32 = 0o755;
/// By this bit the host knows a file that users edit and that it must save (FORMAT.md L5).
const STICKY: u32 = 0o1000;
/// Written by others than the owner, which is always root.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A file or directory of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path without leading slash; directories end in a slash.
    pub path: String,
    /// Permission bits, with the sticky bit for files that users edit.
    pub mode: u32,
    /// The bytes of a file; directories have none.
    pub data: Option<Vec<u8>>,
}

impl Entry {
    /// Whether this is a directory.
    pub fn is_directory(&self) -> bool {
        self.data.is_none()
    }

    /// Size in bytes; 0 for directories.
    pub fn size(&self) -> u64 {
        self.data.as_ref().map_or(0, |data| data.len() as u64)
    }
}

/// Turns the manifest's rows into entries, sorted by path, every directory before what it holds
/// (FORMAT.md T3).
///
/// What is wrong goes to `findings`; the entries are of use only if nothing was added there.
pub(crate) fn resolve(
    manifest: &Manifest,
    sources: &BTreeMap<String, Vec<u8>>,
    findings: &mut Vec<Finding>,
) -> Vec<Entry> {
    if manifest
        .contents
        .iter()
        .all(|row| row.kind == ContentType::Dir)
    {
        let remedy = "add a row with source and destination";
        findings.push(Finding::new(CONTENT, "contents", "holds no file", remedy));
    }
    let mut tree = BTreeMap::new();
    for (number, row) in manifest.contents.iter().enumerate() {
        let place = format!("contents row {} {:?}", number + 1, row.destination);
        findings.extend(check_mode(&place, row));
        findings.extend(check_source(&place, row, sources));
        if let Some(finding) = path::form(&place, &row.destination) {
            // Nothing more can be said of a path that is not spelt out.
            findings.push(finding);
            continue;
        }
        findings.extend(check_location(&place, row));
        let entry = entry(row, sources);
        if tree.insert(entry.path.clone(), entry).is_some() {
            let problem = "is the destination of an earlier row, too";
            findings.push(Finding::new(
                ONE_ENTRY_PER_PATH,
                place,
                problem,
                "keep one of them",
            ));
        }
    }
    add_parents(&mut tree, findings);
    findings.extend(
        tree.keys()
            .filter_map(|path| path::length(&format!("contents {path:?}"), path)),
    );
    tree.into_values().collect()
}

fn check_location(place: &str, row: &Content) -> Vec<Finding> {
    let mut findings = Vec::from_iter(path::community_location(place, &row.destination));
    if row.kind == ContentType::Config {
        findings.extend(path::config_location(place, &row.destination));
    }
    findings
}

fn check_mode(place: &str, row: &Content) -> Option<Finding> {
    (row.mode.bits() & WRITABLE_BY_OTHERS != 0).then(|| {
        Finding::new(
            MODE,
            place,
            format!(
                "has mode {:04o}, by which others than root may write",
                row.mode.bits()
            ),
            "take the write bits of group and others away",
        )
    })
}

fn check_source(
    place: &str,
    row: &Content,
    sources: &BTreeMap<String, Vec<u8>>,
) -> Option<Finding> {
    let found = |problem: &str, remedy: &str| Some(Finding::new(CONTENT, place, problem, remedy));
    match (row.kind, &row.source) {
        (ContentType::Dir, None) => None,
        (ContentType::Dir, Some(_)) => found("is a directory with a source", "remove the source"),
        (_, None) => found("has no source", "name the file to pack"),
        (_, Some(source)) if sources.contains_key(source) => None,
        (_, Some(source)) => found(
            &format!("has the source {source:?}, which does not exist"),
            "build or write that file, or mend its path, which starts at the folder of package.toml",
        ),
    }
}

fn entry(row: &Content, sources: &BTreeMap<String, Vec<u8>>) -> Entry {
    let (path, mode) = (row.destination.clone(), row.mode.bits());
    // A source that is missing was reported, so that its stand-in is never packed.
    let source = row.source.as_ref().and_then(|source| sources.get(source));
    let data = || Some(source.cloned().unwrap_or_default());
    match row.kind {
        ContentType::File => Entry {
            path,
            mode,
            data: data(),
        },
        ContentType::Config => Entry {
            path,
            mode: mode | STICKY,
            data: data(),
        },
        ContentType::Dir => Entry {
            path: path + "/",
            mode,
            data: None,
        },
    }
}

/// Adds every directory that is missing (FORMAT.md T3). A file in a directory's place is a finding.
fn add_parents(tree: &mut BTreeMap<String, Entry>, findings: &mut Vec<Finding>) {
    let paths: Vec<String> = tree.keys().cloned().collect();
    for path in &paths {
        let inner = path.trim_end_matches('/');
        for (end, _) in inner.match_indices('/') {
            let (parent, _) = inner.split_at(end);
            if tree.contains_key(parent) {
                findings.push(Finding::new(
                    ONE_ENTRY_PER_PATH,
                    format!("contents {path:?}"),
                    format!("lies below {parent:?}, which is a file"),
                    "give one of them another destination",
                ));
            }
            let directory = format!("{parent}/");
            tree.entry(directory.clone()).or_insert(Entry {
                path: directory,
                mode: DIRECTORY_MODE,
                data: None,
            });
        }
        // A directory's row and a file's row of the same path differ by the slash only.
        if path.ends_with('/') && tree.contains_key(inner) {
            findings.push(Finding::new(
                ONE_ENTRY_PER_PATH,
                format!("contents {inner:?}"),
                "is both a file and a directory",
                "keep one of the two rows",
            ));
        }
    }
}
