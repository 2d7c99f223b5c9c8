//! A directory that is listed, and what the client calls it.

use protocol::{
    request::{Failure, ListForm, Listing},
    virtual_path::VirtualPath,
};

use super::budget::{Budget, Charge, Charged};

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

    /// Bytes that it takes beside its own size.
    pub(super) fn text_bytes(&self) -> usize {
        self.path.as_bytes().len() + self.prefix.len()
    }

    /// The glob that entries have to match: it is for the directory that was asked for.
    pub(super) fn pattern<'l>(&self, listing: &'l Listing) -> Option<&'l [u8]> {
        let pattern = listing.pattern.as_deref();
        pattern.filter(|_| self.depth == 0)
    }
}

/// Directories that a recursive listing has still to list; the next one is the last.
#[derive(Debug)]
pub(super) struct Pending {
    directories: Charged<Directory>,
    /// For their paths.
    texts: Charge,
}

impl Pending {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            directories: Charged::new(budget, 0),
            texts: budget.nothing(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.directories.len()
    }

    /// Has those behind the first so many come in the order in which they were pushed.
    pub(super) fn reverse_from(&mut self, first: usize) {
        let behind = self.directories.as_mut_slice().get_mut(first..);
        behind.unwrap_or_default().reverse();
    }

    /// Adds one.
    ///
    /// # Errors
    /// [`Failure::ListingsFull`].
    pub(super) fn push(&mut self, directory: Directory) -> Result<(), Failure> {
        let has_room = self.texts.grow(directory.text_bytes()) && self.directories.push(directory);
        has_room.then_some(()).ok_or(Failure::ListingsFull)
    }

    /// Takes the next one.
    pub(super) fn pop(&mut self) -> Option<Directory> {
        let directory = self.directories.pop()?;
        self.texts.shrink(directory.text_bytes());
        Some(directory)
    }
}
