//! The entries of a directory.

use std::ffi::CStr;

use nix::{
    dir::{Dir, OwningIter},
    errno::Errno,
};

use super::{Place, Stat, failure};
use crate::storage::Failure;

/// A name in a directory and what has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name as the file system has it.
    pub(crate) name: Vec<u8>,
    /// What is known of it; a link is not followed.
    pub(crate) stat: Stat,
}

/// The entries of a directory. One that vanishes meanwhile is left out.
#[derive(Debug)]
pub(crate) struct Entries {
    names: OwningIter,
    place: Place,
}

impl Entries {
    pub(super) fn open(place: Place) -> Result<Self, Failure> {
        let handle = place.handle().map_err(failure)?;
        let handle = handle.try_clone().map_err(|_error| Failure::Resources)?;
        let directory = Dir::from_fd(handle).map_err(failure)?;
        Ok(Self {
            names: directory.into_iter(),
            place,
        })
    }

    /// Goes to the next entry: puts its name in place of what `name` holds, and returns what is
    /// known of it. Long listings need no new memory for each name that way.
    pub(crate) fn advance(&mut self, name: &mut Vec<u8>) -> Option<Result<Stat, Failure>> {
        self.next_name(|place, found| match place.stat(found) {
            Ok(stat) => {
                name.clear();
                name.extend_from_slice(found.to_bytes());
                Some(Ok(stat))
            }
            Err(Errno::ENOENT) => None,
            Err(errno) => Some(Err(failure(errno))),
        })
    }

    /// The names alone, without a look at what has them.
    pub(crate) fn names(&mut self) -> impl Iterator<Item = Result<Vec<u8>, Failure>> {
        std::iter::from_fn(|| self.next_name(|_place, name| Some(Ok(name.to_bytes().to_vec()))))
    }

    /// The first of the names left for which `look` finds something.
    fn next_name<T>(
        &mut self,
        mut look: impl FnMut(&Place, &CStr) -> Option<Result<T, Failure>>,
    ) -> Option<Result<T, Failure>> {
        loop {
            let entry = match self.names.next()? {
                Ok(entry) => entry,
                // What was removed while it was read has no more entries.
                Err(Errno::ENOENT) => return None,
                Err(errno) => return Some(Err(failure(errno))),
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if let Some(found) = look(&self.place, name) {
                return Some(found);
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut name = Vec::new();
        let stat = self.advance(&mut name)?;
        Some(stat.map(|stat| Entry { name, stat }))
    }
}
