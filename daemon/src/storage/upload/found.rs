//! What an upload finds where it is to go.

use protocol::{request::Failure, virtual_path::VirtualPath};

use crate::storage::{
    part,
    root::{Root, Stat, What},
};

/// What there is at the path of an upload.
pub(super) struct Found {
    pub(super) old: Option<Stat>,
    pub(super) part_path: VirtualPath,
}

impl Found {
    /// Looks, where `seen` has the name already.
    pub(super) fn look(
        root: &Root,
        path: &VirtualPath,
        seen: Option<Stat>,
    ) -> Result<Self, Failure> {
        let old = match seen.map(|stat| root.check_writable(path, stat)) {
            // It has gone meanwhile.
            None | Some(Err(Failure::NotFound)) => None,
            // One which a virtual machine has locked is refused now and not when the upload is
            // complete.
            Some(Err(failure)) => return Err(failure),
            Some(Ok(())) => seen,
        };
        Ok(Self {
            old,
            part_path: part::path_of(path)?,
        })
    }

    /// The part file that has been left by an upload before.
    pub(super) fn part(&self, root: &Root) -> Result<Option<Stat>, Failure> {
        match root.entry(&self.part_path) {
            Ok(stat) if stat.what == What::File => Ok(Some(stat)),
            Ok(_other) => Err(Failure::Exists),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The part file, if it is what a client has stored last and did not complete. One that is
    /// older than the file has nothing to do with it.
    pub(super) fn unfinished(&self, root: &Root) -> Result<Option<Stat>, Failure> {
        let newer = |part: &Stat| self.old.is_none_or(|old| old.changed <= part.changed);
        Ok(self.part(root)?.filter(newer))
    }
}
