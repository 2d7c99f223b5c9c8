//! What a listing is to show.

use super::facts::FactSet;
use crate::virtual_path::VirtualPath;

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The directory, the file or, with `pattern`, the directory to look in.
    pub path: VirtualPath,
    /// What the client called `path`, empty for the working directory. NLST and the headings of a
    /// recursive LIST put it before each name, so that a line can be used as an argument.
    pub named: Vec<u8>,
    /// Only entries that match this glob, as bytes of names; with it, directories are not opened,
    /// unless the listing is recursive.
    pub pattern: Option<Vec<u8>>,
    /// What to tell of each entry.
    pub form: ListForm,
}

/// What a listing tells of each entry, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListForm {
    /// In the manner of `ls -l` (LIST, STAT).
    Long {
        /// Names that begin with a dot, too (`-a`).
        all: bool,
        /// Directories below, too (`-R`).
        recursive: bool,
        /// The order.
        order: Order,
        /// The entry of a directory itself instead of what is in it (`-d`).
        itself: bool,
    },
    /// Names only, each after what the client called its directory (NLST).
    Names {
        /// Names that begin with a dot, too (`-a`).
        all: bool,
        /// Directories below, too (`-R`).
        recursive: bool,
        /// The order.
        order: Order,
    },
    /// Facts (MLSD, RFC 3659, section 7).
    Machine(FactSet),
}

/// The order of a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// The other way round (`-r`).
    pub reversed: bool,
}

/// What a listing is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OrderBy {
    /// Bytes of the names.
    #[default]
    Name,
    /// Newest first (`-t`).
    Modified,
    /// Largest first (`-S`).
    Size,
}
