//! A package on the host: unpacked, changed, upgraded and removed as the installer would do it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::{HostRoot, helper, utf8};

/// The bit by which a file says that it may be edited and has to be kept.
const STICKY: u32 = 0o1000;

/// A package whose files are on a host.
pub(crate) struct Package {
    /// The files as they were shipped.
    shipped: TempDir,
    /// Their paths, relative to the root.
    files: Vec<PathBuf>,
}

/// Files that were edited, with their content.
pub(crate) type Edits = Vec<(PathBuf, Vec<u8>)>;

impl Package {
    /// Unpacks the payload of a VIB into a fresh tree, with the system's `ar` and `tar`, and puts
    /// its files on the host.
    ///
    /// # Errors
    /// Also if the package cannot be split or holds anything but one payload.
    pub(crate) fn install(host: &HostRoot, vib: &Path) -> Result<Self> {
        let vib = vib
            .canonicalize()
            .with_context(|| format!("{}; `cargo xtask dist` writes it", vib.display()))?;
        let members = tempfile::tempdir()?;
        helper("ar", &["x", utf8(&vib)?], members.path())?;
        let payload = payload(members.path()).with_context(|| format!("{}", vib.display()))?;
        let shipped = tempfile::tempdir()?;
        let tree = utf8(shipped.path())?;
        helper(
            "tar",
            &["-xpzf", utf8(&payload)?, "-C", tree],
            members.path(),
        )?;
        let mut files = Vec::new();
        for entry in WalkDir::new(shipped.path()).sort_by_file_name() {
            let entry = entry?;
            if !entry.file_type().is_dir() {
                files.push(entry.path().strip_prefix(shipped.path())?.to_owned());
            }
        }
        let package = Self { shipped, files };
        package.put(host)?;
        Ok(package)
    }

    /// Puts the shipped files on the host: at the installation, and at every boot.
    ///
    /// # Errors
    /// If a file is there already, or cannot be written.
    pub(crate) fn put(&self, host: &HostRoot) -> Result<()> {
        for file in &self.files {
            let to = host.below(file);
            ensure!(
                fs::symlink_metadata(&to).is_err(),
                "/{} is there already",
                file.display()
            );
            fs::create_dir_all(to.parent().context("a file without a directory")?)?;
            fs::copy(self.shipped.path().join(file), &to)
                .with_context(|| format!("/{}", file.display()))?;
        }
        Ok(())
    }

    /// The sticky files that differ from what was shipped.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn edits(&self, host: &HostRoot) -> Result<Edits> {
        let mut edits = Vec::new();
        for file in self.files.iter().filter(|file| self.is_sticky(file)) {
            let content = fs::read(host.below(file))?;
            if content != fs::read(self.shipped.path().join(file))? {
                edits.push((file.clone(), content));
            }
        }
        Ok(edits)
    }

    /// Brings edits back, into files that this package ships sticky as well.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn restore(&self, host: &HostRoot, edits: &Edits) -> Result<()> {
        for (file, content) in edits {
            if self.files.contains(file) && self.is_sticky(file) {
                fs::write(host.below(file), content)?;
            }
        }
        Ok(())
    }

    /// Hosts do not let anybody change other files than sticky ones; here it is noticed afterwards.
    ///
    /// # Errors
    /// Names the first file that has another content or mode.
    pub(crate) fn check_untouched(&self, host: &HostRoot) -> Result<()> {
        for file in self.files.iter().filter(|file| !self.is_sticky(file)) {
            let (now, shipped) = (host.below(file), self.shipped.path().join(file));
            let of = |path: &Path| Ok::<_, std::io::Error>((fs::read(path)?, mode(path)?));
            let now = of(&now).with_context(|| format!("/{}", file.display()))?;
            ensure!(
                now == of(&shipped)?,
                "/{} was changed; a host keeps it read-only",
                file.display()
            );
        }
        Ok(())
    }

    /// Takes the files off the host, and the directories that are empty then.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn remove(&self, host: &HostRoot) -> Result<()> {
        for file in &self.files {
            let path = host.below(file);
            fs::remove_file(&path).with_context(|| format!("/{}", file.display()))?;
            let mut directory = file.parent();
            while let Some(dir) = directory.filter(|dir| !dir.as_os_str().is_empty()) {
                // Others have files there.
                if fs::remove_dir(host.below(dir)).is_err() {
                    break;
                }
                directory = dir.parent();
            }
        }
        Ok(())
    }

    fn is_sticky(&self, file: &Path) -> bool {
        mode(&self.shipped.path().join(file)).is_ok_and(|mode| mode & STICKY != 0)
    }
}

fn mode(path: &Path) -> std::io::Result<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o7777)
}

/// The only member of an unpacked VIB that is neither descriptor nor signature.
fn payload(members: &Path) -> Result<PathBuf> {
    let mut payloads = Vec::new();
    for entry in fs::read_dir(members)? {
        let entry = entry?;
        if entry.file_name() != "descriptor.xml" && entry.file_name() != "sig.pkcs7" {
            payloads.push(entry.path());
        }
    }
    match payloads.as_slice() {
        [payload] => Ok(payload.clone()),
        _ => bail!("expected one payload, found {}", payloads.len()),
    }
}
