//! What `image` reads: an ISO image or a folder.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use packaging::media::{Changes, Medium};

use super::{iso::IsoFile, packages::Packages, tree::Tree};

/// A medium.
pub(super) enum Source {
    Tree(Tree),
    Iso(Box<IsoFile>),
}

impl Source {
    /// Opens a medium.
    ///
    /// # Errors
    /// If it is neither folder nor image.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let is_folder = fs::metadata(path)
            .with_context(|| path.display().to_string())?
            .is_dir();
        if is_folder {
            Tree::new(path).map(Self::Tree)
        } else {
            IsoFile::open(path).map(|iso| Self::Iso(Box::new(iso)))
        }
    }

    pub(super) fn medium(&self) -> &dyn Medium {
        match self {
            Self::Tree(tree) => tree,
            Self::Iso(iso) => iso.medium(),
        }
    }

    /// Writes the medium as it becomes.
    pub(super) fn copy(&self, fresh: &Path, changes: &Changes, packages: &Packages) -> Result<()> {
        match self {
            Self::Tree(tree) => tree.copy(fresh, changes, packages),
            Self::Iso(iso) => iso.copy(fresh, changes, packages),
        }
    }
}
