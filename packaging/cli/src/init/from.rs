//! Rows of a description for the files of a directory that looks like the root of a host.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::row;
use crate::{permissions::is_executable, style};

/// Directory of what users edit.
const CONFIG: &str = "etc/config/";
/// More files are not what somebody describes row by row.
const MOST: usize = 10_000;

/// Rows for all files below `root`, with sources as seen from `dir`.
///
/// # Errors
/// If it cannot be read, holds no file, or a name that is not UTF-8.
pub(super) fn rows(root: &Path, dir: &Path) -> Result<String> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    let shown = root.display();
    ensure!(
        !files.is_empty(),
        "{shown} holds no file; lay the files out as they lie on the host, such as {}",
        root.join("opt/hello/hello").display()
    );
    let base = relative(&std::path::absolute(root)?, dir);
    let mut rows = String::new();
    for (path, executable) in files {
        let source = base.join(&path);
        let source = source
            .to_str()
            .with_context(|| format!("{} is not UTF-8", source.display()))?
            .replace('\\', "/");
        if path.starts_with(CONFIG) {
            rows += "\n# Users edit it, and the host saves that.";
            rows += &row(&source, &path, false).replace("0444\"\n", "0644\"\ntype = \"config\"\n");
        } else {
            rows += &row(&source, &path, executable);
        }
    }
    Ok(rows)
}

/// Finds the files below a directory, in the order of their names. Links are left out: a package
/// of these payloads cannot be described with any.
fn walk(root: &Path, below: &str, files: &mut Vec<(String, bool)>) -> Result<()> {
    let folder = root.join(below);
    let named = || folder.display().to_string();
    let mut entries = fs::read_dir(&folder)
        .with_context(named)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(named)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            bail!("{} is not UTF-8; give it another name", path.display());
        };
        let inside = format!("{below}{name}");
        let kind = entry.file_type().with_context(named)?;
        if kind.is_dir() {
            walk(root, &format!("{inside}/"), files)?;
        } else if kind.is_file() {
            let metadata = entry.metadata().with_context(named)?;
            files.push((inside, is_executable(&metadata)));
            ensure!(
                files.len() <= MOST,
                "{} holds too many files",
                root.display()
            );
        } else {
            style::warn(&format!(
                "{} is neither a file nor a directory, and is left out",
                path.display()
            ));
        }
    }
    Ok(())
}

/// The way from a directory to a path; both are absolute.
fn relative(path: &Path, from: &Path) -> PathBuf {
    let (path, from) = (plain(path), plain(from));
    let common = path
        .components()
        .zip(from.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(path.components().skip(common)).collect()
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_up_and_down() {
        let way = |path: &str, from: &str| relative(Path::new(path), Path::new(from));
        assert_eq!(way("/a/b/c", "/a/d"), Path::new("../b/c"));
        assert_eq!(way("/a/./b/../c", "/a"), Path::new("c"));
        assert_eq!(way("/a", "/b/c"), Path::new("../../a"));
    }
}
