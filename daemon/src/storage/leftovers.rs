//! Part files that interrupted uploads have left.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{request::Failure, virtual_path::VirtualPath};
use tracing::info;

use super::{
    files::Files,
    part::{Writing, is_part},
    root::What,
};

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
    let removed = remove(files, &path, |changed| changed < oldest)?;
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
        if !remove(files, &path, |_changed| true)? {
            return Err(Failure::NotEmpty);
        }
        info!(?path, "part-file-removed: with its directory");
    }
    Ok(())
}

/// Removes a part file, a file indeed, that fits. Whoever writes it keeps it.
fn remove(
    files: &Files,
    path: &VirtualPath,
    fits: impl FnOnce(i64) -> bool,
) -> Result<bool, Failure> {
    let root = files.root();
    let (path, _stat) = root.locate(path)?;
    let _writing = Writing::begin(root, &path)?;
    let stat = root.entry(&path)?;
    if stat.what != What::File || !fits(stat.changed.seconds) {
        return Ok(false);
    }
    root.remove_file(&path)?;
    Ok(true)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the file system tells by the clock when a part file was changed"
)]
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}
