//! What an upload finds where it is to go.

use std::fs::File;

use crate::{
    storage::{Failure, Root, Stat, What, part},
    virtual_path::VirtualPath,
};

/// What there is at the path of an upload.
pub(super) struct Found {
    pub(super) old: Option<(File, Stat)>,
    pub(super) part_path: VirtualPath,
    pub(super) part: Option<Stat>,
}

impl Found {
    pub(super) fn look(root: &Root, path: &VirtualPath) -> Result<Self, Failure> {
        // Opened for writing, so that one which a virtual machine has locked is refused now and
        // not when the upload is complete.
        let old = match root.open_write(path) {
            Ok(old) => Some(old),
            Err(Failure::NotFound) => None,
            Err(failure) => return Err(failure),
        };
        let part_path = part::path_of(path)?;
        let part = match root.entry(&part_path) {
            Ok(stat) if stat.what == What::File => Some(stat),
            Ok(_other) => return Err(Failure::Exists),
            Err(Failure::NotFound) => None,
            Err(failure) => return Err(failure),
        };
        Ok(Self {
            old,
            part_path,
            part,
        })
    }

    /// The part file, if it is what a client has stored last and did not complete. One that is
    /// older than the file has nothing to do with it.
    pub(super) fn unfinished(&self) -> Option<Stat> {
        let newer = |part: &Stat| {
            let old = self.old.as_ref();
            old.is_none_or(|(_, old)| old.changed <= part.changed)
        };
        self.part.filter(newer)
    }
}
