//! The copy of a medium: written beside its place, and moved there when it is whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

/// Where the copy goes.
pub(super) struct Target {
    out: PathBuf,
    parent: PathBuf,
    force: bool,
}

impl Target {
    /// Prepares to write `out`, a copy of `source`.
    ///
    /// # Errors
    /// If something would be lost.
    pub(super) fn new(source: &Path, out: &Path, force: bool) -> Result<Self> {
        let named = || out.display().to_string();
        let absolute = std::path::absolute(out).with_context(named)?;
        let parent = absolute.parent().with_context(named)?.to_owned();
        let parent = fs::canonicalize(&parent)
            .with_context(|| format!("{}: make the folder first", parent.display()))?;
        let name = absolute.file_name().with_context(named)?;
        let target = Self {
            out: parent.join(name),
            parent,
            force,
        };
        let source = fs::canonicalize(source).with_context(|| source.display().to_string())?;
        ensure!(
            !target.out.starts_with(&source) && !source.starts_with(&target.out),
            "{} is the medium itself, or one lies in the other; choose another place with --out",
            out.display()
        );
        target.ensure_free()?;
        Ok(target)
    }

    fn ensure_free(&self) -> Result<()> {
        let out = self.out.display();
        let found = match fs::symlink_metadata(&self.out) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.with_context(|| out.to_string())?,
        };
        ensure!(self.force, "{out} is there already; --force replaces it");
        if found.is_dir() {
            let names = fs::read_dir(&self.out)?.collect::<Result<Vec<_>, _>>()?;
            let is_medium = names
                .iter()
                .any(|entry| entry.file_name().eq_ignore_ascii_case("boot.cfg"));
            ensure!(
                names.is_empty() || is_medium,
                "{out} is a folder that holds no medium; choose another one with --out"
            );
        } else {
            ensure!(
                found.is_file(),
                "{out} is no file; choose another place with --out"
            );
        }
        Ok(())
    }

    /// Writes the copy and puts it in its place.
    ///
    /// # Errors
    /// If that fails. What was there is then as it was.
    pub(super) fn write(self, write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let beside = tempfile::Builder::new()
            .prefix(".image-")
            .tempdir_in(&self.parent)
            .with_context(|| format!("no temporary folder in {}", self.parent.display()))?;
        let (fresh, old) = (beside.path().join("fresh"), beside.path().join("old"));
        write(&fresh)?;
        // Copying took its time; something may have come in meanwhile.
        self.ensure_free()?;
        let named = || self.out.display().to_string();
        let had = fs::symlink_metadata(&self.out).is_ok();
        if had {
            fs::rename(&self.out, &old).with_context(named)?;
        }
        if let Err(error) = fs::rename(&fresh, &self.out) {
            if had {
                let _back = fs::rename(&old, &self.out);
            }
            return Err(error).with_context(named);
        }
        Ok(self.out)
    }
}
