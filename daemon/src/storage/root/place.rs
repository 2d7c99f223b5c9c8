//! A directory that has been reached, by handle or by path, and the calls relative to it.

use std::{
    ffi::{CStr, CString, OsStr, OsString},
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::Path,
    sync::Arc,
};

use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, open, openat, readlink, readlinkat, renameat},
    sys::{
        stat::{FileStat, Mode, UtimensatFlags, fstatat, lstat, mkdirat, utimensat, utimes},
        time::{TimeSpec, TimeVal},
    },
    unistd::{UnlinkatFlags, mkdir, unlink, unlinkat},
};

use super::{RootKind, Stat, Timestamp, uninterrupted};

/// Opens a directory and nothing else.
const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC);

/// A directory. Names given to its functions are single names, and never followed. Clones are the
/// same.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// By its handle.
    Handle(Arc<OwnedFd>),
    /// By its path on the host, which ends with a slash.
    Path(Vec<u8>),
}

impl Place {
    /// The directory at a path of the host, links followed.
    pub(super) fn root(directory: &Path, kind: RootKind) -> nix::Result<Self> {
        match kind {
            RootKind::Confined => {
                // Not open(2): musl would set the close-on-exec flag once more by fcntl(2).
                let handle =
                    uninterrupted(|| openat(AT_FDCWD, directory, DIRECTORY, Mode::empty()))?;
                Ok(Self::Handle(handle.into()))
            }
            RootKind::Paths => {
                let mut path = directory.as_os_str().as_bytes().to_vec();
                if path.last() != Some(&b'/') {
                    path.push(b'/');
                }
                Ok(Self::Path(path))
            }
        }
    }

    /// The directory of this name, which is known to be one.
    pub(super) fn enter(&self, name: &CStr) -> nix::Result<Self> {
        match self {
            Self::Handle(handle) => {
                let flags = DIRECTORY | OFlag::O_NOFOLLOW;
                let inner = uninterrupted(|| openat(handle, name, flags, Mode::empty()))?;
                Ok(Self::Handle(inner.into()))
            }
            Self::Path(directory) => {
                let mut path = directory.clone();
                path.extend_from_slice(name.to_bytes());
                path.push(b'/');
                Ok(Self::Path(path))
            }
        }
    }

    /// A descriptor of the directory itself.
    pub(super) fn handle(&self) -> nix::Result<Arc<OwnedFd>> {
        match self {
            Self::Handle(handle) => Ok(handle.clone()),
            Self::Path(path) => {
                let path = OsStr::from_bytes(path);
                uninterrupted(|| open(path, DIRECTORY, Mode::empty())).map(Arc::new)
            }
        }
    }

    /// The directory opened once more, to read its names from the first on.
    pub(super) fn read(&self) -> nix::Result<Dir> {
        match self {
            Self::Handle(handle) => Dir::openat(handle, c".", DIRECTORY, Mode::empty()),
            Self::Path(path) => Dir::open(OsStr::from_bytes(path), DIRECTORY, Mode::empty()),
        }
    }

    pub(super) fn stat(&self, name: &CStr) -> nix::Result<Stat> {
        let stat: FileStat = uninterrupted(|| match self {
            Self::Handle(handle) => fstatat(handle, name, AtFlags::AT_SYMLINK_NOFOLLOW),
            Self::Path(_) => lstat(self.path(name)?.as_c_str()),
        })?;
        Ok(Stat::from(&stat))
    }

    pub(super) fn read_link(&self, name: &CStr) -> nix::Result<Vec<u8>> {
        let target = uninterrupted(|| match self {
            Self::Handle(handle) => readlinkat(handle, name),
            Self::Path(_) => readlink(self.path(name)?.as_c_str()),
        });
        target.map(OsString::into_vec)
    }

    pub(super) fn open(&self, name: &CStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        match self {
            Self::Handle(handle) => openat(handle, name, flags, mode),
            Self::Path(_) => open(self.path(name)?.as_c_str(), flags, mode),
        }
    }

    pub(super) fn make_dir(&self, name: &CStr, mode: Mode) -> nix::Result<()> {
        match self {
            Self::Handle(handle) => mkdirat(handle, name, mode),
            Self::Path(_) => mkdir(self.path(name)?.as_c_str(), mode),
        }
    }

    pub(super) fn remove_file(&self, name: &CStr) -> nix::Result<()> {
        match self {
            Self::Handle(handle) => unlinkat(handle, name, UnlinkatFlags::NoRemoveDir),
            Self::Path(_) => unlink(self.path(name)?.as_c_str()),
        }
    }

    pub(super) fn remove_dir(&self, name: &CStr) -> nix::Result<()> {
        match self {
            Self::Handle(handle) => unlinkat(handle, name, UnlinkatFlags::RemoveDir),
            // std calls rmdir(2) for it, nix has no function.
            Self::Path(_) => by_std(std::fs::remove_dir(as_path(&self.path(name)?))),
        }
    }

    pub(super) fn rename(&self, name: &CStr, to: &Self, new_name: &CStr) -> nix::Result<()> {
        if let (Self::Handle(handle), Self::Handle(new)) = (self, to) {
            return renameat(handle, name, new, new_name);
        }
        let (from, to) = (self.path(name)?, to.path(new_name)?);
        by_std(std::fs::rename(as_path(&from), as_path(&to)))
    }

    pub(super) fn set_modified(&self, name: &CStr, modified: Timestamp) -> nix::Result<()> {
        match self {
            Self::Handle(handle) => {
                let time = TimeSpec::new(modified.seconds, modified.nanoseconds.into());
                let keep = TimeSpec::UTIME_OMIT;
                utimensat(handle, name, &keep, &time, UtimensatFlags::NoFollowSymlink)
            }
            Self::Path(_) => {
                // The old call sets both times. It follows links, but the caller has looked.
                let path = self.path(name)?;
                let accessed = lstat(path.as_c_str())?;
                let accessed = TimeVal::new(accessed.st_atime, accessed.st_atime_nsec / 1000);
                let microseconds = i64::from(modified.nanoseconds / 1000);
                let time = TimeVal::new(modified.seconds, microseconds);
                utimes(path.as_c_str(), &accessed, &time)
            }
        }
    }

    /// The path of an entry on the host. Handles have none.
    fn path(&self, name: &CStr) -> nix::Result<CString> {
        match self {
            Self::Handle(_) => Err(Errno::ENOTSUP),
            Self::Path(directory) => {
                let mut path = Vec::with_capacity(directory.len() + name.count_bytes() + 1);
                path.extend_from_slice(directory);
                path.extend_from_slice(name.to_bytes());
                CString::new(path).map_err(|_nul| Errno::EINVAL)
            }
        }
    }
}

fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// The errno of a result of std.
fn by_std(result: std::io::Result<()>) -> nix::Result<()> {
    result.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}
