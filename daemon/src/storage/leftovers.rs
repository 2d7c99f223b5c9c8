//! Part files that interrupted uploads have left.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{request::Failure, virtual_path::VirtualPath};
use tracing::info;

pub(crate) use super::part::written;
use super::{
    files::Files,
    part::{Writing, is_part},
    root::{Root, RootKind, What},
};
use crate::config::RootChoice;

const DAY: i64 = 24 * 60 * 60;

/// Removes a part file that no session writes and that nobody has changed for as long as the
/// configuration says, if the account may delete. Returns whether it is gone.
pub(super) fn remove_old(files: &Files, directory: &VirtualPath, name: &[u8]) -> bool {
    let days = i64::from(files.settings().part_file_days);
    if days == 0 || !is_part(name) {
        return false;
    }
    let oldest = now().saturating_sub(days.saturating_mul(DAY));
    remove_older(files, directory, name, oldest) == Ok(true)
}

/// Removes a part file that was last changed before `oldest`, in seconds since 1970.
///
/// # Errors
/// [`Failure::BeingWritten`] if a session writes it; see the others.
pub(super) fn remove_older(
    files: &Files,
    directory: &VirtualPath,
    name: &[u8],
    oldest: i64,
) -> Result<bool, Failure> {
    if !files.rights().delete() || files.rights().protects(name) || !is_part(name) {
        return Ok(false);
    }
    let path = directory
        .join(name)
        .map_err(|_invalid| Failure::InvalidName)?;
    let removed = remove(files.root(), &path, |changed| changed < oldest)?;
    if removed {
        info!(?path, "part-file-removed: it was old");
    }
    Ok(removed)
}

/// Removes all part files in a directory, if nothing else is in it.
///
/// # Errors
/// [`Failure::NotEmpty`] if something else is in it; [`Failure::BeingWritten`] if a session writes
/// one; see the others.
pub(super) fn clear(files: &Files, directory: &VirtualPath) -> Result<(), Failure> {
    let root = files.root();
    let (directory, _stat) = root.locate(directory)?;
    let mut names = Vec::new();
    root.read_dir(&directory)?.names(&mut |name| {
        if !is_part(name.to_bytes()) {
            return Err(Failure::NotEmpty);
        }
        names.push(name.to_bytes().to_vec());
        Ok(())
    })?;
    let paths = names.iter().map(|name| {
        let path = directory.join(name);
        path.map_err(|_invalid| Failure::InvalidName)
    });
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    for path in &paths {
        if root.entry(path)?.what != What::File || files.rights().protects_path(path) {
            return Err(Failure::NotEmpty);
        }
    }
    for path in paths {
        if !remove(root, &path, |_changed| true)? {
            return Err(Failure::NotEmpty);
        }
        info!(?path, "part-file-removed: with its directory");
    }
    Ok(())
}

/// Removes a part file, a file indeed, that fits. Whoever writes it keeps it.
fn remove(
    root: &Root,
    path: &VirtualPath,
    fits: impl FnOnce(i64) -> bool,
) -> Result<bool, Failure> {
    let (path, _stat) = root.locate(path)?;
    let _writing = Writing::begin(root, &path)?;
    let stat = root.entry(&path)?;
    if stat.what != What::File || !fits(stat.changed.seconds) {
        return Ok(false);
    }
    root.remove_file(&path)?;
    Ok(true)
}

/// A part file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The root of an account, on the host.
    pub(crate) root: PathBuf,
    /// The path below it.
    pub(crate) path: VirtualPath,
    /// In bytes.
    pub(crate) size: u64,
    /// When it was changed last, in seconds since 1970.
    pub(crate) changed: i64,
    /// Device and inode.
    pub(crate) file: (u64, u64),
}

/// Finds the part files below a root, those that are written included. Links are not followed.
/// Directories in `seen` are left out, and those that are read are added to it.
///
/// # Errors
/// If the root itself cannot be read. `unread` hears of directories below it that cannot.
pub(crate) fn find(
    directory: &Path,
    choice: RootChoice,
    seen: &mut HashSet<(u64, u64)>,
    found: &mut dyn FnMut(Part),
    unread: &mut dyn FnMut(&VirtualPath, Failure),
) -> Result<(), Failure> {
    let kind = RootKind::chosen(choice);
    let root = Root::open(directory, kind).map_err(|_relative| Failure::Internal)?;
    let top = root.stat(&VirtualPath::root())?;
    let mut pending = vec![(VirtualPath::root(), (top.device, top.inode))];
    while let Some((path, file)) = pending.pop() {
        if !seen.insert(file) {
            continue;
        }
        let mut see = |name: &[u8], stat: &super::root::Stat| {
            let file = (stat.device, stat.inode);
            match (stat.what, path.join(name)) {
                (What::Directory, Ok(below)) => pending.push((below, file)),
                (What::Directory, Err(_too_long)) => unread(&path, Failure::InvalidName),
                (What::File, Ok(part)) if is_part(name) => found(Part {
                    root: directory.to_owned(),
                    path: part,
                    size: stat.size,
                    changed: stat.changed.seconds,
                    file,
                }),
                _ => {}
            }
        };
        match read(&root, &path, &mut see) {
            Err(failure) if path.is_root() => return Err(failure),
            Err(failure) => unread(&path, failure),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Hands over each entry of a directory.
fn read(
    root: &Root,
    path: &VirtualPath,
    see: &mut dyn FnMut(&[u8], &super::root::Stat),
) -> Result<(), Failure> {
    let entries = root.read_dir(path)?;
    entries.names(&mut |name| {
        if let Some(stat) = entries.look(name)? {
            see(name.to_bytes(), &stat);
        }
        Ok(())
    })
}

impl Part {
    /// Removes it, unless somebody has changed it since. Returns whether it is gone.
    ///
    /// # Errors
    /// [`Failure::BeingWritten`] if a session of this process writes it; see the others.
    pub(crate) fn remove(&self) -> Result<bool, Failure> {
        if !self.path.file_name().is_some_and(is_part) {
            return Err(Failure::InvalidName);
        }
        let kind = RootKind::chosen(RootChoice::Auto);
        let root = Root::open(&self.root, kind).map_err(|_relative| Failure::Internal)?;
        let removed = remove(&root, &self.path, |changed| changed <= self.changed)?;
        if removed {
            info!(path = ?self.path, root = %self.root.display(), "a part file is removed");
        }
        Ok(removed)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the file system tells by the clock when a part file was changed"
)]
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
