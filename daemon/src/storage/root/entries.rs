//! The entries of a directory.

use std::{
    ffi::CStr,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::errno::Errno;
use protocol::{request::Failure, virtual_path::VirtualPath};

use super::{
    Place, Root, RootKind, Stat, What, failure,
    order::{Looking, changes},
    uninterrupted,
    walk::Last,
};

/// A directory whose names can be read and whose entries can be looked at, by several threads.
#[derive(Debug)]
pub(crate) struct Entries {
    place: Place,
    root: Root,
    /// Without links.
    path: VirtualPath,
    /// How often names had been changed when the path was looked at last.
    looked: AtomicU64,
}

impl Entries {
    pub(super) fn of(root: &Root, path: VirtualPath, place: Place, _looking: &Looking) -> Self {
        Self {
            place,
            root: root.clone(),
            path,
            looked: AtomicU64::new(changes()),
        }
    }

    /// The directory. By paths, whether its path still has no links is looked at again after names
    /// have been changed.
    fn place(&self, _looking: &Looking) -> Result<&Place, Failure> {
        let now = changes();
        if self.root.kind() == RootKind::Paths && self.looked.load(Ordering::Relaxed) != now {
            let found = self.root.walk(&self.path, Last::Kept)?;
            if found.path != self.path || found.existing()?.what != What::Directory {
                return Err(Failure::NotFound);
            }
            self.looked.store(now, Ordering::Relaxed);
        }
        Ok(&self.place)
    }

    /// Hands over each name in the order of the file system; `.` and `..` are left out.
    ///
    /// # Errors
    /// If the directory cannot be read, or what `see` answers.
    pub(crate) fn names(
        &self,
        see: &mut dyn FnMut(&CStr) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let looking = self.root.looking()?;
        let place = self.place(&looking)?;
        let mut directory = uninterrupted(|| place.read()).map_err(failure)?;
        drop(looking);
        for entry in directory.iter() {
            let entry = match entry {
                Ok(entry) => entry,
                // What was removed while it was read has no more entries.
                Err(Errno::ENOENT) => break,
                Err(errno) => return Err(failure(errno)),
            };
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                see(name)?;
            }
        }
        Ok(())
    }

    /// What has a name, a link not followed; nothing if it has vanished.
    ///
    /// # Errors
    /// If the host does not tell.
    pub(crate) fn look(&self, name: &CStr) -> Result<Option<Stat>, Failure> {
        let looking = self.root.looking()?;
        let place = match self.place(&looking) {
            Ok(place) => place,
            // It has been moved with its directory.
            Err(Failure::NotFound | Failure::NotADirectory | Failure::TargetMissing) => {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        match place.stat(name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(failure(errno)),
        }
    }
}
