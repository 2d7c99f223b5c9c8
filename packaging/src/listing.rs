//! What an archive holds, for people to look at.

use std::fmt;

/// The lines of a listing, in the order of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing(Vec<Item>);

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Path inside the archive; directories end in a slash.
    pub path: String,
    /// Permission bits, where the archive has any.
    pub mode: Option<u32>,
    /// Size in bytes.
    pub size: u64,
}

impl Listing {
    pub(crate) fn new(items: impl IntoIterator<Item = Item>) -> Self {
        Self(items.into_iter().collect())
    }

    /// The lines.
    pub fn items(&self) -> &[Item] {
        &self.0
    }
}

/// One line per item: mode in octal or a dash, size in bytes, path.
impl fmt::Display for Listing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Item { path, mode, size } in &self.0 {
            let mode = mode.map_or_else(|| "-".to_owned(), |bits| format!("0{bits:03o}"));
            writeln!(out, "{mode:>5} {size:>10} {path}")?;
        }
        Ok(())
    }
}
