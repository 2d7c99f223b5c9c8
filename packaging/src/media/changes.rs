//! What an edit of a medium is given, and what it gives.

use crate::Epoch;
use crate::rules::Level;

/// What to change besides the packages. Unless said, everything is as the packages want it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Time of what is written. Unless said: when the newest of the packages was released; for a
    /// removal the times stay.
    pub epoch: Option<Epoch>,
    /// Name of the profile. Unless said: the old one with the names of the packages.
    pub name: Option<String>,
    /// Creator of the profile. Unless said: the vendor of the first package.
    pub creator: Option<String>,
    /// Options for the boot line of the medium.
    pub kernelopt: Option<String>,
    /// Level of the profile after a removal. Unless said, it stays.
    pub level: Option<Level>,
}

/// What a file of the medium becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A part of one of the packages.
    Payload {
        /// Which of them.
        addition: usize,
        /// Where the part begins, in bytes from the start of the VIB.
        offset: u64,
        /// Size in bytes.
        size: u64,
        /// SHA-256 in lower-case hexadecimal digits.
        sha256: String,
    },
}

/// A file that is written, new or instead of the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Path from the root of the medium, in its spelling.
    pub path: String,
    /// What it becomes.
    pub content: Content,
}

/// What becomes of a medium.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that go.
    pub remove: Vec<String>,
    /// Files that come or change, in the order of writing.
    pub write: Vec<Change>,
    /// What whoever makes media should know, one sentence each.
    pub messages: Vec<String>,
}

impl Changes {
    /// Whether the medium stays as it is.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.write.is_empty()
    }
}
