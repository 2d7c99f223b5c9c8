//! What shows that a file has changed.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::sys::uninterrupted;

/// The identity, size and times of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// How the file at `path` looks; nothing if it cannot be looked at.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        let metadata = uninterrupted(|| fs::metadata(path)).ok()?;
        Some(Self::of(&metadata))
    }

    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
