//! Space for an upload: asked for before, and given back where there was too little.

use std::{fs::File, os::unix::fs::MetadataExt as _};

use protocol::{request::Failure, virtual_path::VirtualPath};
use tracing::warn;

use super::{State, Upload};
use crate::storage::{download::STAT_BLOCK, root::Root, space};

impl Upload {
    /// Looks whether a file of this size fits.
    ///
    /// # Errors
    /// [`Failure::NoSpace`].
    pub(crate) fn reserve_space(&mut self, expected: Option<u64>) -> Result<(), Failure> {
        let needed = expected.unwrap_or(0).saturating_sub(self.start).max(1);
        let cleared = self.cleared();
        let device = self.reservation.device();
        let mut free = 0;
        self.reservation.reserve(1, || {
            free = free_space(device, &self.file, &self.root, &self.path, self.reserve);
            free = free.saturating_add(cleared);
            free
        })?;
        if needed > free {
            return Err(Failure::NoSpace);
        }
        Ok(())
    }

    /// Space that [`Upload::begin`] makes free.
    fn cleared(&self) -> u64 {
        if self.is_new {
            return 0;
        }
        self.file.metadata().map_or(0, |file| {
            let behind = file.len().saturating_sub(self.start);
            behind.min(file.blocks().saturating_mul(STAT_BLOCK))
        })
    }

    /// What an upload for which there is no space has stored would keep the datastore full, and
    /// listings need not show it. What was there before it stays, and a file that is written in
    /// place, which everybody sees.
    pub(super) fn give_space_back(&mut self, failure: Failure) -> Failure {
        let is_visible = self.part.is_none() && !self.is_new;
        if !matches!(failure, Failure::NoSpace | Failure::Quota) || is_visible {
            return failure;
        }
        self.position = self.start;
        // By the descriptor, wherever its name is now.
        if let Err(error) = self.cut() {
            warn!(path = ?self.path, %error, "part-file-left: an upload had no space");
            return failure;
        }
        let place = self.part.as_ref().unwrap_or(&self.path);
        if self.start == 0 {
            let ours = self.check_place(&self.near);
            let removed = ours.and_then(|()| self.near.remove_file(place));
            if let Err(failure) = removed {
                warn!(path = ?place, %failure, "part-file-left: it is empty");
            }
        }
        warn!(path = ?place, "no space left: what the upload has stored is removed");
        self.state = State::Complete;
        match failure {
            Failure::NoSpace => Failure::NoSpaceRemoved,
            failure => failure,
        }
    }
}

/// Space that may be used beside a file, as far as the kernel tells.
pub(super) fn free_space(
    device: u64,
    file: &File,
    root: &Root,
    path: &VirtualPath,
    reserve: u64,
) -> u64 {
    space::free(device, reserve, || {
        let directory = || path.parent().unwrap_or_else(VirtualPath::root);
        // Not every kernel tells it of files.
        let space = Root::space_of(file).or_else(|_untold| root.space(&directory()));
        space.map_or(u64::MAX, |space| space.available)
    })
}
