//! A medium whose files lie in a folder.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use packaging::media::{Changes, Medium, MediumFile};
use walkdir::WalkDir;

use super::packages::Packages;

/// The files of a folder.
pub(super) struct Tree {
    root: PathBuf,
    /// Folders, relative to the root.
    folders: Vec<PathBuf>,
    files: BTreeMap<String, u64>,
}

impl Tree {
    /// Lists a folder.
    ///
    /// # Errors
    /// If it is none, or holds something other than files and folders.
    pub(super) fn new(root: &Path) -> Result<Self> {
        let named = || root.display().to_string();
        let (mut folders, mut files) = (Vec::new(), BTreeMap::new());
        for entry in WalkDir::new(root).min_depth(1).sort_by_file_name() {
            let entry = entry.with_context(named)?;
            let path = entry.path();
            let relative = path.strip_prefix(root)?;
            if entry.file_type().is_dir() {
                folders.push(relative.to_owned());
                continue;
            }
            ensure!(
                entry.file_type().is_file(),
                "{} is neither file nor folder; media hold nothing else",
                path.display()
            );
            let parts = relative.iter().map(|part| part.to_str());
            let parts: Option<Vec<_>> = parts.collect();
            let name = parts
                .with_context(|| format!("{} is no name in UTF-8", path.display()))?
                .join("/");
            files.insert(name, entry.metadata()?.len());
        }
        Ok(Self {
            root: root.to_owned(),
            folders,
            files,
        })
    }

    /// Makes the folder `fresh`, with the files as they become.
    pub(super) fn copy(&self, fresh: &Path, changes: &Changes, packages: &Packages) -> Result<()> {
        fs::create_dir(fresh)?;
        for folder in &self.folders {
            fs::create_dir(fresh.join(folder))?;
        }
        let stays = |path: &&String| {
            !changes.remove.contains(path) && !changes.write.iter().any(|one| one.path == **path)
        };
        for path in self.files.keys().filter(stays) {
            fs::copy(self.root.join(path), fresh.join(path))
                .with_context(|| self.root.join(path).display().to_string())?;
        }
        for change in &changes.write {
            let path = fresh.join(&change.path);
            let named = || path.display().to_string();
            let mut file = File::create_new(&path).with_context(named)?;
            packages
                .write(&change.content, &mut file)
                .with_context(named)?;
        }
        Ok(())
    }
}

impl Medium for Tree {
    fn files(&self) -> io::Result<Vec<MediumFile>> {
        let files = self.files.iter();
        Ok(files
            .map(|(path, size)| MediumFile {
                path: path.clone(),
                size: *size,
            })
            .collect())
    }

    fn open<'m>(&'m self, path: &str) -> io::Result<Box<dyn Read + 'm>> {
        Ok(Box::new(File::open(self.root.join(path))?))
    }
}
