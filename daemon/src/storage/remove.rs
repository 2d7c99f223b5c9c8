//! Removals below a confined root. unftp-sbe-fs does them well: by handles, without a way out.

use std::{ffi::OsStr, future::Future, os::unix::ffi::OsStrExt as _, pin::pin, time::Duration};

use nix::errno::Errno;
use tokio::time::sleep;
use unftp_core::storage::{Error, StorageBackend as _};
use unftp_sbe_fs::Filesystem;

use super::{
    Failure, Files, Operation, Outcome, What,
    errno::{failure, io_failure},
    part::Writing,
    perform::allowed,
};
use crate::{
    session::{Context, blocking},
    virtual_path::VirtualPath,
};

/// How often to look whether a job is done. Its thread wakes the runtime, but mio's poll(2)
/// selector loses wake-ups from other threads now and then (mio issue 1874).
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is to be removed.
#[derive(Debug, Clone)]
pub(super) enum Removal {
    /// A file, link or special file.
    File(VirtualPath),
    /// An empty directory.
    Directory(VirtualPath),
}

impl Removal {
    /// The removal that an operation asks for.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        match operation {
            Operation::RemoveFile(path) => Some(Self::File(path.clone())),
            Operation::RemoveDirectory(path) => Some(Self::Directory(path.clone())),
            _ => None,
        }
    }
}

/// Removes something by unftp-sbe-fs. Links on the way are resolved before, because it refuses
/// those that are absolute.
///
/// # Errors
/// Why it could not be removed.
pub(super) async fn by_engine(
    context: &Context,
    files: Files,
    removal: Removal,
) -> Result<Outcome, Failure> {
    allowed(files.rights().delete())?;
    let account = context.account().ok_or(Failure::PermissionDenied)?;
    let (filesystem, removal, _writing) = blocking(move || prepare(&files, &removal)).await?;
    let path = |path: &VirtualPath| OsStr::from_bytes(path.as_bytes()).to_owned();
    let removed = match &removal {
        Removal::File(file) => looked_at(filesystem.del(&*account, path(file))).await,
        Removal::Directory(directory) => {
            looked_at(filesystem.rmd(&*account, path(directory))).await
        }
    };
    match removed.map_err(|error| errno(&error)) {
        Ok(()) => Ok(Outcome::Done),
        // POSIX allows this for a directory that is not empty.
        Err(Some(Errno::EEXIST)) => Err(Failure::NotEmpty),
        Err(Some(errno)) => Err(failure(errno)),
        Err(None) => Err(Failure::Device),
    }
}

/// Opens the root, finds the path without links and keeps uploads away from a file.
fn prepare(
    files: &Files,
    removal: &Removal,
) -> Result<(Filesystem, Removal, Option<Writing>), Failure> {
    let root = files.root();
    let (removal, writing) = match removal {
        Removal::File(path) => match root.locate(path)? {
            (_, stat) if stat.what == What::Directory => return Err(Failure::IsADirectory),
            (path, _) => {
                let writing = Writing::begin(root, &path)?;
                (Removal::File(path), Some(writing))
            }
        },
        Removal::Directory(path) => match root.locate(path)? {
            (_, stat) if stat.what != What::Directory => return Err(Failure::NotADirectory),
            (path, _) => (Removal::Directory(path), None),
        },
    };
    let filesystem = Filesystem::new(root.directory()).map_err(|error| io_failure(&error))?;
    Ok((filesystem, removal, writing))
}

fn errno(error: &Error) -> Option<Errno> {
    let number = error.get_io_error()?.raw_os_error()?;
    Some(Errno::from_raw(number))
}

/// The result of a job on another thread, looked for also when nothing has woken the runtime.
pub(super) async fn looked_at<T>(job: impl Future<Output = T>) -> T {
    let mut job = pin!(job);
    loop {
        tokio::select! {
            result = &mut job => return result,
            () = sleep(LOOK_EVERY) => {}
        }
    }
}
