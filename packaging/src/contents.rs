//! The contents table: from the rows of `package.toml` to the entries of the payloads.

use std::collections::BTreeMap;
use std::io;

use crate::manifest::{AcceptanceLevel, Content, ContentType, Manifest};
use crate::rules::constraint::Stated;
use crate::rules::{CONTENT, Finding, MODE, ONE_ENTRY_PER_PATH, PAYLOAD_CONTENT, Releases, path};
use crate::source::Sources;

/// Mode of directories that no row describes.
const DIRECTORY_MODE: u32 = 0o755;
/// By this bit the host knows a file that users edit and that it must save (FORMAT.md L5).
const STICKY: u32 = 0o1000;
/// Written by others than the owner, which is always root.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const EXECUTABLE: u32 = 0o111;

/// A file or directory of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path without leading slash; directories end in a slash.
    pub path: String,
    /// Permission bits, with the sticky bit for files that users edit.
    pub mode: u32,
    /// Where the bytes of a file are; directories have none.
    pub file: Option<File>,
}

/// The bytes of an entry, which are read when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Name for [`Sources::open`].
    pub source: String,
    /// Size in bytes.
    pub size: u64,
}

impl Entry {
    /// Whether this is a directory.
    pub fn is_directory(&self) -> bool {
        self.file.is_none()
    }

    /// Size in bytes; 0 for directories.
    pub fn size(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.size)
    }
}

/// What the rows describe, by path, each with the place of its payload in the manifest.
type Tree = BTreeMap<String, (usize, Entry)>;

/// Turns the manifest's rows into the entries of each payload, in the order of
/// [`Manifest::payloads`]. Entries are sorted by path, every directory before what it holds
/// (FORMAT.md T3).
///
/// What is wrong goes to `findings`; the entries are of use only if nothing was added there.
pub(crate) fn resolve(
    manifest: &Manifest,
    sources: &dyn Sources,
    findings: &mut Vec<Finding>,
) -> Vec<Vec<Entry>> {
    let tree = tree(manifest, sources, findings);
    findings.extend(check_tree(&tree));
    for (index, payload) in manifest.payloads.iter().enumerate() {
        let goes_there = |row: &Content| match &row.payload {
            Some(name) => *name == payload.name,
            None => index == 0,
        };
        let mut rows = manifest.contents.iter();
        if !rows.any(|row| row.kind != ContentType::Dir && goes_there(row)) {
            let place = format!("payloads {:?}", payload.name);
            let remedy = format!(
                "add a row with source, destination and payload = {:?}, or remove the payload",
                payload.name
            );
            findings.push(Finding::new(
                PAYLOAD_CONTENT,
                place,
                "holds no file",
                remedy,
            ));
        }
    }
    (0..manifest.payloads.len())
        .map(|index| entries(&tree, index))
        .collect()
}

fn tree(manifest: &Manifest, sources: &dyn Sources, findings: &mut Vec<Finding>) -> Tree {
    let mut tree = Tree::new();
    for (number, row) in manifest.contents.iter().enumerate() {
        let place = format!("contents row {} {:?}", number + 1, row.destination);
        findings.extend(check_mode(&place, row));
        let payload = payload_of(&place, row, manifest)
            .map_err(|finding| findings.push(finding))
            .unwrap_or_default();
        let file = file(&place, row, sources).map_err(|finding| findings.push(finding));
        let path = if row.kind == ContentType::Dir {
            format!("{}/", row.destination)
        } else {
            row.destination.clone()
        };
        let form = path::form(&place, &row.destination).or_else(|| path::length(&place, &path));
        if let Some(finding) = form {
            // Nothing more can be said of a path that is not spelt out.
            findings.push(finding);
            continue;
        }
        findings.extend(check_location(&place, row, manifest));
        // A source that is missing was reported, so that its stand-in is never packed.
        let entry = Entry {
            path: path.clone(),
            mode: row.mode.bits()
                | if row.kind == ContentType::Config {
                    STICKY
                } else {
                    0
                },
            file: file.unwrap_or_default(),
        };
        if tree.insert(path, (payload, entry)).is_some() {
            let problem = "is the destination of an earlier row, too";
            findings.push(Finding::new(
                ONE_ENTRY_PER_PATH,
                place,
                problem,
                "keep one of them",
            ));
        }
    }
    tree
}

/// The place of a row's payload in the manifest (FORMAT.md L8).
fn payload_of(place: &str, row: &Content, manifest: &Manifest) -> Result<usize, Finding> {
    let Some(name) = &row.payload else {
        return Ok(0);
    };
    let names = || manifest.payloads.iter().map(|payload| &payload.name);
    names().position(|known| known == name).ok_or_else(|| {
        let known: Vec<_> = names().map(|name| format!("{name:?}")).collect();
        Finding::new(
            PAYLOAD_CONTENT,
            place,
            format!("goes to the payload {name:?}, which payloads does not list"),
            format!("add it there or use one of {}", known.join(", ")),
        )
    })
}

fn check_location(place: &str, row: &Content, manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    if manifest.acceptance_level == AcceptanceLevel::Community {
        let hosts = manifest.relationships.hosts();
        let hosts = hosts.map(|stated| stated.map_or(Releases::CURRENT, Stated::judged));
        let on_old_hosts = path::old_community_location(place, &row.destination)
            .filter(|finding| {
                hosts.is_ok_and(|hosts| !(finding.rule.releases() & hosts).is_empty())
            })
            // Directories are in no file list.
            .filter(|_| row.kind != ContentType::Dir);
        findings.extend(path::community_location(place, &row.destination).or(on_old_hosts));
    }
    if row.kind == ContentType::Config {
        findings.extend(path::config_location(place, &row.destination));
    }
    findings
}

fn check_mode(place: &str, row: &Content) -> Option<Finding> {
    let mode = row.mode.bits();
    let found = |problem: &str, remedy: &str| {
        let problem = format!("has mode {mode:04o}{problem}");
        Some(Finding::new(MODE, place, problem, remedy))
    };
    if mode & WRITABLE_BY_OTHERS != 0 {
        return found(
            ", by which others than root may write",
            "take the write bits of group and others away",
        );
    }
    let is_script = row.kind != ContentType::Dir && row.destination.starts_with("etc/init.d/");
    if is_script && mode & EXECUTABLE == 0 {
        return found(" and cannot be started", "set it to 0755");
    }
    None
}

/// The file of a row; directories have none.
fn file(place: &str, row: &Content, sources: &dyn Sources) -> Result<Option<File>, Finding> {
    let found = |problem: &str, remedy: &str| Err(Finding::new(CONTENT, place, problem, remedy));
    let source = match (row.kind, &row.source) {
        (ContentType::Dir, None) => return Ok(None),
        (ContentType::Dir, Some(_)) => {
            return found("is a directory with a source", "remove the source");
        }
        (_, None) => return found("has no source", "name the file to pack"),
        (_, Some(source)) => source,
    };
    match sources.open(source) {
        Ok(opened) => Ok(Some(File {
            source: source.clone(),
            size: opened.size,
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => found(
            &format!("has the source {source:?}, which does not exist"),
            "build or write that file, or mend its path, which starts at the folder of package.toml",
        ),
        Err(error) => found(
            &format!("has the source {source:?}, which cannot be read: {error}"),
            "make it a file that you may read",
        ),
    }
}

/// No file stands where another path needs a directory (FORMAT.md L4), in whichever payloads the
/// two are.
fn check_tree(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |path: &str, problem: String, remedy: &str| {
        let place = format!("contents {path:?}");
        findings.push(Finding::new(ONE_ENTRY_PER_PATH, place, problem, remedy));
    };
    for path in tree.keys() {
        for parent in parents(path) {
            let file = parent.trim_end_matches('/');
            if tree.contains_key(file) {
                let problem = format!("lies below {file:?}, which is a file");
                found(path, problem, "give one of them another destination");
            }
        }
        // A directory's row and a file's row of the same path differ by the slash only.
        if let Some(file) = path
            .strip_suffix('/')
            .filter(|file| tree.contains_key(*file))
        {
            let problem = "is both a file and a directory".to_owned();
            found(file, problem, "keep one of the two rows");
        }
    }
    findings
}

/// The entries of one payload, with every directory on the way (FORMAT.md T3). One that has a row
/// looks the same in each payload that needs it.
fn entries(tree: &Tree, payload: usize) -> Vec<Entry> {
    let mut entries = BTreeMap::new();
    for (path, (_, entry)) in tree.iter().filter(|(_, (owner, _))| *owner == payload) {
        for parent in parents(path) {
            entries.entry(parent).or_insert_with(|| Entry {
                path: parent.to_owned(),
                mode: tree.get(parent).map_or(DIRECTORY_MODE, |(_, row)| row.mode),
                file: None,
            });
        }
        entries.insert(path, entry.clone());
    }
    entries.into_values().collect()
}

/// The directories above a path, each with its slash.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.trim_end_matches('/');
    inner
        .match_indices('/')
        .map(|(end, _)| path.split_at(end + 1).0)
}
