//! The entries of a directory.

use std::ffi::CStr;

use nix::errno::Errno;
use protocol::request::Failure;

use super::{Place, Stat, failure, uninterrupted};

/// A directory whose names can be read and whose entries can be looked at, by several threads.
#[derive(Debug)]
pub(crate) struct Entries(Place);

impl Entries {
    pub(super) fn of(place: Place) -> Self {
        Self(place)
    }

    /// Hands over each name in the order of the file system; `.` and `..` are left out.
    ///
    /// # Errors
    /// If the directory cannot be read, or what `see` answers.
    pub(crate) fn names(
        &self,
        see: &mut dyn FnMut(&CStr) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut directory = uninterrupted(|| self.0.read()).map_err(failure)?;
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
        match self.0.stat(name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(failure(errno)),
        }
    }
}
