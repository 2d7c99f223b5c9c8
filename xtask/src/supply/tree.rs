//! The crates that the daemon is built from, with the features of that build.
//!
//! `cargo metadata` joins the features of all crates of the workspace, so that it names more than
//! is built; `cargo tree` answers for the daemon alone. The one tells which crates there are, the
//! other what they say about themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use spdx::{Expression, ParseMode};
use xshell::Shell;

use crate::{cargo::cargo, compile::Build};

/// The crate whose tree it is.
const DAEMON: &str = "esxftpd";

/// Name and version.
pub(super) type Id = (String, String);

/// The daemon and everything below it.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) daemon: Id,
    /// Without the daemon, sorted.
    pub(super) crates: BTreeMap<Id, Crate>,
    /// What each needs, the daemon included.
    pub(super) needs: BTreeMap<Id, BTreeSet<Id>>,
}

/// A crate of somebody else.
#[derive(Debug)]
pub(super) struct Crate {
    /// Licence as an SPDX expression.
    pub(super) licence: Expression,
    /// The file that holds a licence of its own, if the crate names one.
    pub(super) licence_file: Option<PathBuf>,
    pub(super) repository: Option<String>,
    pub(super) folder: PathBuf,
    /// SHA-256 of the crate's archive in the registry, in hexadecimal digits.
    pub(super) checksum: String,
    /// Whether its code is in the program; macros run while it is compiled.
    pub(super) is_linked: bool,
}

impl Tree {
    /// Asks cargo.
    pub(super) fn read(sh: &Shell, root: &Path, build: Build) -> Result<Self> {
        let mut needs = parse(&cargo_tree(sh, build, "normal")?)?;
        let linked = parse(&cargo_tree(sh, build, "normal,no-proc-macro")?)?;
        let metadata = [
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            build.target(),
        ];
        let metadata = MetadataCommand::parse(cargo(sh, &metadata).quiet().read()?)?;
        let checksums = checksums(&fs::read_to_string(root.join("Cargo.lock"))?)?;
        let daemon = needs
            .keys()
            .find(|(name, _)| name == DAEMON)
            .with_context(|| format!("cargo tree does not name {DAEMON}"))?
            .clone();
        for id in needs.keys().cloned().collect::<Vec<_>>() {
            // Our own crates are the daemon, in parts.
            if id != daemon && package(&metadata, &id)?.source.is_none() {
                join(&mut needs, &id);
            }
        }
        let mut crates = BTreeMap::new();
        for id in needs.keys().filter(|id| **id != daemon) {
            let package = package(&metadata, id)?;
            crates.insert(
                id.clone(),
                Crate::new(package, &checksums, linked.contains_key(id))?,
            );
        }
        Ok(Self {
            daemon,
            crates,
            needs,
        })
    }
}

impl Crate {
    fn new(package: &Package, checksums: &BTreeMap<Id, String>, is_linked: bool) -> Result<Self> {
        let id = (package.name.to_string(), package.version.to_string());
        let (name, version) = &id;
        let text = package.license.as_deref().with_context(|| {
            format!(
                "the crate {name} {version} names no licence; ask its authors, or do without it"
            )
        })?;
        // Older crates write `MIT/Apache-2.0`.
        let canonical = Expression::canonicalize(text).unwrap_or_default();
        let licence =
            Expression::parse_mode(canonical.as_deref().unwrap_or(text), ParseMode::STRICT)
                .with_context(|| {
                    format!("the crate {name} {version} names the licence {text:?}")
                })?;
        let folder = package
            .manifest_path
            .parent()
            .with_context(|| format!("the crate {name} {version} has no folder"))?;
        let checksum = checksums.get(&id).with_context(|| {
            format!(
                "Cargo.lock has no checksum for the crate {name} {version}; take it from a registry"
            )
        })?;
        Ok(Self {
            licence,
            licence_file: package.license_file().map(PathBuf::from),
            repository: package.repository.clone(),
            folder: folder.into(),
            checksum: checksum.clone(),
            is_linked,
        })
    }
}

/// Puts what a crate needs in the place of the crate.
fn join(needs: &mut BTreeMap<Id, BTreeSet<Id>>, part: &Id) {
    let below = needs.remove(part).unwrap_or_default();
    for others in needs.values_mut() {
        if others.remove(part) {
            others.extend(below.iter().cloned());
        }
    }
}

fn cargo_tree(sh: &Shell, build: Build, edges: &str) -> Result<String> {
    let tree = [
        "tree",
        "--locked",
        "--package",
        DAEMON,
        "--target",
        build.target(),
        "--edges",
        edges,
        "--prefix",
        "depth",
        "--format",
        "{p}",
    ];
    let tree = [&tree[..], build.features()].concat();
    cargo(sh, &tree).quiet().read().context("cargo tree")
}

/// Reads lines such as `2libc v0.2.1 (*)`: the depth, then the crate. Repeated crates come without
/// what is below them.
fn parse(text: &str) -> Result<BTreeMap<Id, BTreeSet<Id>>> {
    let mut needs: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    let mut path: Vec<Id> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let not_understood =
            || format!("cargo tree prints a line that is not understood: {line:?}");
        let digits = line.chars().take_while(char::is_ascii_digit).count();
        let (depth, rest) = line.split_at(digits);
        let depth: usize = depth.parse().with_context(not_understood)?;
        let mut words = rest.split(' ');
        let id = words
            .next()
            .zip(words.next().and_then(|word| word.strip_prefix('v')))
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .with_context(not_understood)?;
        ensure!(depth <= path.len(), "{}", not_understood());
        path.truncate(depth);
        if let Some(parent) = path.last() {
            needs.entry(parent.clone()).or_default().insert(id.clone());
        }
        needs.entry(id.clone()).or_default();
        path.push(id);
    }
    Ok(needs)
}

fn package<'m>(metadata: &'m Metadata, (name, version): &Id) -> Result<&'m Package> {
    metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == name && package.version.to_string() == *version)
        .with_context(|| format!("cargo metadata does not know the crate {name} {version}"))
}

/// Checksums of a lock file.
fn checksums(lock: &str) -> Result<BTreeMap<Id, String>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let text = |package: &toml::Value, key| Some(package.get(key)?.as_str()?.to_owned());
    Ok(packages
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let id = (text(package, "name")?, text(package, "version")?);
            Some((id, text(package, "checksum")?))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_follow_from_depths() {
        let text = "0a v1.0.0 (/somewhere)\n1b v2.0.0\n2c v3.0.0 (proc-macro)\n1c v3.0.0 (proc-macro) (*)\n";
        let needs = parse(text).unwrap();
        let names = |id: &str, version: &str| {
            let of = &needs[&(id.to_owned(), version.to_owned())];
            of.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(names("a", "1.0.0"), ["b", "c"]);
        assert_eq!(names("b", "2.0.0"), ["c"]);
        assert!(names("c", "3.0.0").is_empty());
    }

    #[test]
    fn other_output_is_an_error() {
        for text in [
            "a v1.0.0",
            "0a",
            "0a 1.0.0",
            "1a v1.0.0",
            "0a v1.0.0\n2b v1.0.0",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
