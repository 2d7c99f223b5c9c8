//! A directory of results that is replaced as a whole, or left as it is.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::permissions::{publish_directory, publish_file};

/// The file that names what was made, in the form that `sha256sum --check` reads.
pub(crate) const CHECKSUMS: &str = "SHA256SUMS";

/// Results on their way into a directory.
pub(crate) struct Output {
    directory: PathBuf,
    /// Beside the directory, so that the results can be moved there.
    beside: TempDir,
    fresh: PathBuf,
    checksums: String,
}

impl Output {
    /// Prepares to replace `directory`.
    ///
    /// # Errors
    /// If it holds something that was not made by an earlier run, or if nothing can be written
    /// beside it.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        ensure_replaceable(directory)?;
        let parent = directory
            .parent()
            .context("the output directory has no parent")?;
        let beside = tempfile::tempdir_in(parent)
            .with_context(|| format!("no temporary directory in {}", parent.display()))?;
        let fresh = beside.path().join("fresh");
        fs::create_dir(&fresh)?;
        Ok(Self {
            directory: directory.to_owned(),
            beside,
            fresh,
            checksums: String::new(),
        })
    }

    /// A file without a name, for what is written before its place is known.
    pub(crate) fn spool(&self) -> Result<File> {
        tempfile::tempfile_in(self.beside.path()).context("no temporary file beside the output")
    }

    /// Makes a result.
    pub(crate) fn create(&self, name: &str) -> Result<File> {
        let path = self.fresh.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|file| {
                // Whatever the umask: what is built is for everybody.
                publish_file(&file)?;
                Ok(file)
            });
        file.with_context(|| path.display().to_string())
    }

    /// Opens a result, or gives it another name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.fresh.join(name)
    }

    /// Adds a line to the list of checksums.
    pub(crate) fn list(&mut self, name: &str, sha256: &str) {
        self.checksums.extend([sha256, "  ", name, "\n"]);
    }

    /// Puts the results in place of the directory.
    ///
    /// # Errors
    /// If that fails. The directory is then as it was.
    pub(crate) fn publish(self) -> Result<()> {
        use io::Write as _;
        let directory = &self.directory;
        self.create(CHECKSUMS)?
            .write_all(self.checksums.as_bytes())
            .context(CHECKSUMS)?;
        publish_directory(&self.fresh)?;
        // Packing took its time; something may have come in meanwhile.
        ensure_replaceable(directory)?;
        let old = self.beside.path().join("old");
        let named = || directory.display().to_string();
        if directory.exists() {
            fs::rename(directory, &old).with_context(named)?;
        }
        if let Err(error) = fs::rename(&self.fresh, directory) {
            let _back = fs::rename(&old, directory);
            return Err(error).with_context(named);
        }
        Ok(())
    }
}

/// Makes sure that nothing is lost when `directory` is replaced: it is not there, or holds nothing
/// but what its list of checksums names.
///
/// # Errors
/// If it holds anything else.
pub fn ensure_replaceable(directory: &Path) -> Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| directory.display().to_string()),
    };
    let checksums = fs::read_to_string(directory.join(CHECKSUMS)).unwrap_or_default();
    let ours: Vec<_> = checksums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .collect();
    for entry in entries {
        let name = entry?.file_name();
        let known = name == CHECKSUMS || ours.iter().any(|(_, listed)| name == *listed);
        ensure!(
            known,
            "{} holds {}, which is not of an earlier run; choose another directory with --out",
            directory.display(),
            name.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<()> {
        let mut output = Output::new(directory)?;
        output.create(name)?.write_all(bytes)?;
        output.list(name, "00");
        output.publish()
    }

    #[test]
    fn a_directory_with_foreign_files_is_not_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        replace(&out, "a", b"1").unwrap();
        replace(&out, "b", b"2").unwrap();
        assert!(!out.join("a").exists());

        fs::write(out.join("thesis"), "").unwrap();
        let error = replace(&out, "c", b"3").unwrap_err();
        assert!(error.to_string().contains("holds thesis"), "{error}");
        assert_eq!(fs::read(out.join("b")).unwrap(), b"2");
        assert_eq!(
            fs::read_dir(parent.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_came_in_while_packing_is_not_lost() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        let output = Output::new(&out).unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis"), "").unwrap();
        assert!(output.publish().is_err());
        assert!(out.join("thesis").exists());
    }
}
