//! Modes of files and directories, where the system has them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// Mode of what everybody may read, whatever the umask.
#[cfg(unix)]
const FILE: u32 = 0o644;
/// The same, for directories.
#[cfg(unix)]
const DIRECTORY: u32 = 0o755;

/// Lets everybody read a file.
#[cfg(unix)]
pub(crate) fn publish_file(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(FILE))
}

/// Lets everybody read a directory.
#[cfg(unix)]
pub(crate) fn publish_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY))
}

/// Makes a directory, and those that it is in.
#[cfg(unix)]
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY)
        .create(path)
}

/// Makes a file that must not be there.
#[cfg(unix)]
pub(crate) fn make_file(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// Whether its owner may run a file.
#[cfg(unix)]
pub(crate) fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
mod without_modes {
    use super::{DirBuilder, File, OpenOptions, Path, fs, io};

    #[expect(clippy::unnecessary_wraps, reason = "as where there are modes")]
    pub(crate) fn publish_file(_file: &File) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as where there are modes")]
    pub(crate) fn publish_directory(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).create(path)
    }

    pub(crate) fn make_file(path: &Path, _mode: u32) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    pub(crate) fn is_executable(_metadata: &fs::Metadata) -> bool {
        false
    }
}
#[cfg(not(unix))]
pub(crate) use without_modes::{
    is_executable, make_directory, make_file, publish_directory, publish_file,
};
