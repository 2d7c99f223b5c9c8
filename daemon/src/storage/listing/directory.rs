//! A directory that is listed, and what the client calls it.

use protocol::{
    request::{ListForm, Listing},
    virtual_path::VirtualPath,
};

/// A directory that is to be listed.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: VirtualPath,
    /// What stands before a name so that both together are an argument that leads to the entry:
    /// what the client called the directory and a slash, or nothing for the working directory.
    pub(super) prefix: Vec<u8>,
    /// Directories between this one and the one that was asked for.
    pub(super) depth: usize,
}

impl Directory {
    /// The one that was asked for.
    pub(super) fn first(listing: &Listing) -> Self {
        let mut prefix = listing.named.clone();
        let is_long = matches!(listing.form, ListForm::Long { .. });
        if listing.pattern.is_none() && (prefix == b"." || prefix.is_empty()) {
            // `ls -R` heads the directories below the working directory so.
            prefix = if is_long { b"./".to_vec() } else { Vec::new() };
        } else if !prefix.is_empty() && !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        Self {
            path: listing.path.clone(),
            prefix,
            depth: 0,
        }
    }

    /// One in this directory. Nothing if its path is too long.
    pub(super) fn below(&self, name: &[u8]) -> Option<Self> {
        Some(Self {
            path: self.path.join(name).ok()?,
            prefix: [self.prefix.as_slice(), name, b"/"].concat(),
            depth: self.depth + 1,
        })
    }

    /// The glob that entries have to match: it is for the directory that was asked for.
    pub(super) fn pattern<'l>(&self, listing: &'l Listing) -> Option<&'l [u8]> {
        let pattern = listing.pattern.as_deref();
        pattern.filter(|_| self.depth == 0)
    }
}
