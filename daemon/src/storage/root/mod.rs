//! The root directory of an account: every access to a user's file goes through it.
//!
//! It resolves paths itself, component by component, so that links work which stay inside, absolute
//! ones included, and links that leave are refused. There are two kinds, see [`RootKind`]. Nothing
//! is kept open between two operations, so a datastore can be unmounted while a session idles, and
//! a root that is missing at log-in may appear later.

pub(crate) mod entries;
mod links;
mod order;
mod place;
mod probe;
mod space;
mod stat;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    fs::File,
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, sys::stat::Mode, unistd::fsync};
use protocol::{
    request::{Failure, Timestamp},
    virtual_path::VirtualPath,
};
use tracing::warn;

pub(crate) use self::{
    entries::Entries,
    links::Link,
    probe::at_calls_work,
    space::RawSpace,
    stat::{Stat, What},
};
use self::{
    place::Place,
    space::space_at,
    walk::{Last, Target},
};
use crate::{
    storage::errno::{failure, open_failure},
    sys::uninterrupted,
};

/// How a root keeps a session inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RootKind {
    /// By directory handles: each component is opened relative to the handle of the one before and
    /// never followed by the kernel. Nothing leads out, whatever others do to the tree meanwhile.
    /// Needs the `*at` family of calls.
    Confined,
    /// By paths: each component is looked at before the next. Needs nothing but the old calls.
    /// Sessions cannot lead each other out, see [`order`]. A program on the host that replaces a
    /// directory by a link between two of the calls can lead a session out.
    Paths,
}

/// The root directory of an account. It holds no descriptor, unless it is [`Root::opened`].
#[derive(Debug, Clone)]
pub(crate) struct Root {
    directory: PathBuf,
    kind: RootKind,
    /// A directory that is reached already, and its path without links.
    opened: Option<(VirtualPath, Place)>,
}

/// What every open has: the kernel neither follows a last link, nor waits for a FIFO's other end.
const SAFELY: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

impl Root {
    /// The root at this directory of the host. Nothing is opened; the directory may be missing.
    ///
    /// # Errors
    /// If the path is not absolute.
    pub(crate) fn open(directory: &Path, kind: RootKind) -> io::Result<Self> {
        if !directory.is_absolute() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the root of an account must be an absolute path",
            ));
        }
        Ok(Self {
            directory: directory.to_owned(),
            kind,
            opened: None,
        })
    }

    /// The same root, with a directory open whose entries are then reached without going the way to
    /// them again; `directory` has no links. It is for a few operations in a row. By paths, each
    /// still goes the whole way, because looking at it is what keeps it inside.
    ///
    /// # Errors
    /// If it is no directory any more.
    pub(crate) fn opened(&self, directory: &VirtualPath) -> Result<Self, Failure> {
        let opened = match self.kind {
            RootKind::Confined => Some((directory.clone(), self.descend(directory)?)),
            RootKind::Paths => None,
        };
        Ok(Self {
            opened,
            ..self.clone()
        })
    }

    /// How it keeps a session inside.
    pub(crate) fn kind(&self) -> RootKind {
        self.kind
    }

    /// What a path leads to, links followed.
    ///
    /// # Errors
    /// If it leads nowhere or out of the root, or the host does not tell.
    pub(crate) fn stat(&self, path: &VirtualPath) -> Result<Stat, Failure> {
        let _looking = self.looking()?;
        self.walk(path, Last::Followed)?.existing()
    }

    /// What has this name, a last link not followed.
    ///
    /// # Errors
    /// If nothing has it, or the host does not tell.
    pub(crate) fn entry(&self, path: &VirtualPath) -> Result<Stat, Failure> {
        let _looking = self.looking()?;
        self.walk(path, Last::Kept)?.existing()
    }

    /// The path without links. Its last name need not exist, its parent must.
    ///
    /// # Errors
    /// If it leads out of the root, or the host does not tell.
    pub(crate) fn resolve(&self, path: &VirtualPath) -> Result<VirtualPath, Failure> {
        let _looking = self.looking()?;
        Ok(self.walk(path, Last::Followed)?.path)
    }

    /// Like [`Root::resolve`], for what is to be a file: with the root [`Root::opened`] in the
    /// directory that was reached, and what has the name there, if anything.
    ///
    /// # Errors
    /// Those of [`Root::resolve`]; [`Failure::IsADirectory`] for the root and for what a link to
    /// `.` leads to.
    pub(crate) fn resolve_opened(
        &self,
        path: &VirtualPath,
    ) -> Result<(VirtualPath, Self, Option<Stat>), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        let directory = target.path.parent().ok_or(Failure::IsADirectory)?;
        if target.name.as_c_str() == c"." {
            // A link to `.` or `..` led there.
            return Err(Failure::IsADirectory);
        }
        let opened = match self.kind {
            RootKind::Confined => Some((directory, target.parent)),
            RootKind::Paths => None,
        };
        let opened = Self {
            opened,
            ..self.clone()
        };
        Ok((target.path, opened, target.stat))
    }

    /// The path of an entry without links on the way, and what it is; a last link is not followed.
    ///
    /// # Errors
    /// If there is none, or it is the root.
    pub(crate) fn locate(&self, path: &VirtualPath) -> Result<(VirtualPath, Stat), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Kept)?.named()?;
        let stat = target.existing()?;
        Ok((target.path, stat))
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// [`Failure::Locked`] if another program has locked it; see the others.
    pub(crate) fn open_read(&self, path: &VirtualPath) -> Result<(File, Stat), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        open_regular(&target, OFlag::O_RDONLY)
    }

    /// Opens a regular file that exists for reading and writing.
    ///
    /// # Errors
    /// [`Failure::Locked`] if another program has locked it; see the others.
    pub(crate) fn open_write(&self, path: &VirtualPath) -> Result<(File, Stat), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        open_regular(&target, OFlag::O_RDWR)
    }

    /// Like [`Root::open_write`], for a name without links that was looked at just now.
    ///
    /// # Errors
    /// Those of [`Root::open_write`].
    pub(crate) fn open_seen(
        &self,
        path: &VirtualPath,
        stat: Stat,
    ) -> Result<(File, Stat), Failure> {
        let _looking = self.looking()?;
        open_regular(&self.seen(path, Some(stat))?, OFlag::O_RDWR)
    }

    /// Whether a name without links that was looked at just now is a regular file that nobody has
    /// locked.
    ///
    /// # Errors
    /// Those of [`Root::open_write`].
    pub(crate) fn check_writable(&self, path: &VirtualPath, stat: Stat) -> Result<(), Failure> {
        let _looking = self.looking()?;
        let target = self.seen(path, Some(stat))?;
        open_unchecked(&target, OFlag::O_RDWR).map(drop)
    }

    /// Makes a file and opens it for reading and writing. A link of this name counts as existing.
    /// The process has no umask of its own, so the file gets exactly this mode.
    ///
    /// # Errors
    /// [`Failure::Exists`] if the name is taken; see the others.
    pub(crate) fn create_new(&self, path: &VirtualPath, mode: u32) -> Result<File, Failure> {
        let _looking = self.looking()?;
        let target = self.seen(path, None)?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | SAFELY;
        let opened = uninterrupted(|| {
            target
                .parent
                .open(&target.name, flags, Mode::from_bits_truncate(mode))
        });
        opened.map(File::from).map_err(failure)
    }

    /// Renames or moves an entry, a link itself. An existing file or empty directory at `to` is
    /// replaced in one step, as the kernel does it.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] if the two are on different file systems; see the others.
    pub(crate) fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> Result<(), Failure> {
        self.move_into_place(|_from| true, from, to)
    }

    /// Gives a file its name, as [`Root::rename`] does.
    ///
    /// # Errors
    /// [`Failure::Displaced`] if what is found at `from` is not the file; those of [`Root::rename`].
    pub(crate) fn move_into_place(
        &self,
        is_the_file: impl FnOnce(&Stat) -> bool,
        from: &VirtualPath,
        to: &VirtualPath,
    ) -> Result<(), Failure> {
        let _changing = self.changing()?;
        let from = self.seen(from, None)?.named()?;
        // In an open directory nothing is looked up, and nothing else comes to the place.
        if from.stat.is_some_and(|found| !is_the_file(&found)) {
            return Err(Failure::Displaced);
        }
        let to = self.seen(to, None)?.named()?;
        let renamed = uninterrupted(|| from.parent.rename(&from.name, &to.parent, &to.name));
        renamed.map_err(failure)
    }

    /// Removes a file, link or special file.
    ///
    /// # Errors
    /// [`Failure::IsADirectory`] for a directory; see the others.
    pub(crate) fn remove_file(&self, path: &VirtualPath) -> Result<(), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Kept)?.named()?;
        if target.existing()?.what == What::Directory {
            return Err(Failure::IsADirectory);
        }
        uninterrupted(|| target.parent.remove_file(&target.name)).map_err(failure)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Failure::NotEmpty`] if it is not; [`Failure::IsALink`]; see the others.
    pub(crate) fn remove_dir(&self, path: &VirtualPath) -> Result<(), Failure> {
        let _changing = self.changing()?;
        let target = self.walk(path, Last::Kept)?.named()?;
        match target.existing()?.what {
            What::Directory => {}
            What::Link => return Err(Failure::IsALink),
            What::File | What::Special => return Err(Failure::NotADirectory),
        }
        match uninterrupted(|| target.parent.remove_dir(&target.name)) {
            // POSIX allows this for a directory that is not empty.
            Err(nix::errno::Errno::EEXIST) => Err(Failure::NotEmpty),
            result => result.map_err(failure),
        }
    }

    /// Makes a directory with exactly this mode.
    ///
    /// # Errors
    /// [`Failure::Exists`] if the name is taken; see the others.
    pub(crate) fn make_dir(&self, path: &VirtualPath, mode: u32) -> Result<(), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Kept)?;
        if target.stat.is_some() {
            return Err(Failure::Exists);
        }
        let mode = Mode::from_bits_truncate(mode);
        uninterrupted(|| target.parent.make_dir(&target.name, mode)).map_err(failure)
    }

    /// Sets the lowest nine permission bits of a file or directory, links followed.
    ///
    /// # Errors
    /// [`Failure::NotAFile`] for devices, FIFOs and sockets; see the others.
    pub(crate) fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        let stat = target.existing()?;
        if !matches!(stat.what, What::File | What::Directory) {
            return Err(Failure::NotAFile);
        }
        // By descriptor, so that a link put in place meanwhile is not followed.
        let flags = OFlag::O_RDONLY | SAFELY;
        let file = uninterrupted(|| target.parent.open(&target.name, flags, Mode::empty()));
        let file = file.map_err(open_failure)?;
        let mode = Mode::from_bits_truncate(stat.mode & !0o777 | mode & 0o777);
        uninterrupted(|| nix::sys::stat::fchmod(&file, mode)).map_err(failure)
    }

    /// Sets when the content of a file or directory was changed last, links followed.
    ///
    /// # Errors
    /// [`Failure::InvalidTime`] if the file system cannot hold it; see the others.
    pub(crate) fn set_modified(
        &self,
        path: &VirtualPath,
        modified: Timestamp,
    ) -> Result<(), Failure> {
        let _looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        let old = target.existing()?;
        if !matches!(old.what, What::File | What::Directory) {
            return Err(Failure::NotAFile);
        }
        target.set_modified(old, modified)
    }

    /// The entries of a directory.
    ///
    /// # Errors
    /// If it is no directory or cannot be opened.
    pub(crate) fn read_dir(&self, path: &VirtualPath) -> Result<Entries, Failure> {
        let looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        if target.existing()?.what != What::Directory {
            return Err(Failure::NotADirectory);
        }
        let path = target.path.clone();
        Ok(Entries::of(self, path, target.into_place()?, &looking))
    }

    /// The space of the file system that holds the path, or would hold it.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] if the kernel does not tell, or tells nonsense.
    pub(crate) fn space(&self, path: &VirtualPath) -> Result<RawSpace, Failure> {
        let looking = self.looking()?;
        let target = self.walk(path, Last::Followed)?;
        let is_directory = target.stat.is_some_and(|stat| stat.what == What::Directory);
        let place = if is_directory {
            target.into_place()?
        } else {
            target.parent
        };
        let handle = place.handle().map_err(failure)?;
        drop(looking);
        space_at(handle.as_fd())
    }

    /// The space of the file system that holds an open file.
    ///
    /// # Errors
    /// Those of [`Root::space`].
    pub(crate) fn space_of(file: &File) -> Result<RawSpace, Failure> {
        space_at(file.as_fd())
    }

    /// Makes what was renamed or made in a directory last through a power cut, where the file
    /// system can.
    ///
    /// # Errors
    /// [`Failure::Unsynced`] if the medium failed or the directory has gone. Clients are told:
    /// whoever removes what it has sent relies on it that success lasts, and to send it once more
    /// does no harm.
    pub(crate) fn sync_dir(&self, path: &VirtualPath) -> Result<(), Failure> {
        let synced = || {
            let looking = self.looking()?;
            let directory = match &self.opened {
                Some((opened, place)) if opened == path => place.clone(),
                _ => self.walk(path, Last::Followed)?.into_place()?,
            };
            let directory = directory.handle().map_err(failure)?;
            drop(looking);
            match uninterrupted(|| fsync(&directory)) {
                // Some kernels want a descriptor for writing, which directories have not.
                Err(nix::errno::Errno::EBADF) => Ok(()),
                result => result.map_err(failure),
            }
        };
        match synced() {
            // Not every file system can do that with a directory.
            Ok(()) | Err(Failure::Unsupported | Failure::InvalidName | Failure::ReadOnly) => Ok(()),
            Err(failure) => {
                warn!(?path, %failure, "not-synced: a directory");
                Err(Failure::Unsynced)
            }
        }
    }
}

fn open_regular(target: &Target, access: OFlag) -> Result<(File, Stat), Failure> {
    let file = open_unchecked(target, access)?;
    // Once more: it may have been replaced.
    let stat = uninterrupted(|| nix::sys::stat::fstat(&file)).map_err(failure)?;
    Ok((file, regular(Stat::from(&stat))?))
}

/// Opens what was a regular file when it was looked at.
fn open_unchecked(target: &Target, access: OFlag) -> Result<File, Failure> {
    // Before it is opened: opening a device can do things.
    regular(target.existing()?)?;
    let opened = uninterrupted(|| {
        target
            .parent
            .open(&target.name, access | SAFELY, Mode::empty())
    });
    Ok(File::from(opened.map_err(open_failure)?))
}

fn regular(stat: Stat) -> Result<Stat, Failure> {
    match stat.what {
        What::File => Ok(stat),
        What::Directory => Err(Failure::IsADirectory),
        What::Link => Err(Failure::LinkRefused),
        What::Special => Err(Failure::NotAFile),
    }
}
