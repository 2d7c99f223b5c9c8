//! A medium in an ISO image, which is edited in place in its copy.

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use packaging::media::{Changes, Content, Iso, Medium};

use super::packages::Packages;
use crate::{input::open_regular, permissions::publish_file};

/// An ISO image.
pub(super) struct IsoFile {
    path: PathBuf,
    iso: Iso<File>,
}

impl IsoFile {
    /// Opens an image.
    ///
    /// # Errors
    /// If it is none, or damaged.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let named = || path.display().to_string();
        Ok(Self {
            path: path.to_owned(),
            iso: Iso::read(open_regular(path).with_context(named)?).with_context(named)?,
        })
    }

    pub(super) fn medium(&self) -> &dyn Medium {
        &self.iso
    }

    /// Copies the image and edits the copy.
    pub(super) fn copy(&self, fresh: &Path, changes: &Changes, packages: &Packages) -> Result<()> {
        let sizes: Vec<_> = changes
            .write
            .iter()
            .map(|change| (change.path.clone(), size(&change.content)))
            .collect();
        let plan = if changes.is_empty() {
            None
        } else {
            Some(self.iso.plan(&changes.remove, &sizes)?)
        };
        // Shares the blocks where the file system can. Of a medium that nobody may write to, too.
        fs::copy(&self.path, fresh).with_context(|| self.path.display().to_string())?;
        publish_file(&File::open(fresh)?)?;
        let Some(plan) = plan else {
            return Ok(());
        };
        let mut file = OpenOptions::new().write(true).open(fresh)?;
        file.set_len(plan.keep)?;
        for patch in &plan.patches {
            file.seek(SeekFrom::Start(patch.offset))?;
            file.write_all(&patch.bytes)?;
        }
        for (change, place) in changes.write.iter().zip(&plan.places) {
            file.seek(SeekFrom::Start(*place))?;
            packages
                .write(&change.content, &mut file)
                .with_context(|| change.path.clone())?;
        }
        file.set_len(plan.length)?;
        file.sync_all()?;
        Ok(())
    }
}

fn size(content: &Content) -> u64 {
    match content {
        Content::Bytes(bytes) => bytes.len() as u64,
        Content::Payload { size, .. } => *size,
    }
}
