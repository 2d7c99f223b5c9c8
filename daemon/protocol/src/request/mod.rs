//! What a session asks of its storage and of the accounts, and what it gets back: plain values,
//! without I/O.

mod facts;
mod failure;
mod listing;
mod log_in;

pub use self::{
    facts::{Algorithm, Fact, FactSet, Facts, Kind, Permissions, Space, Timestamp},
    failure::{Failure, PathFailure, PathRole},
    listing::{ListForm, Listing, Order, OrderBy},
    log_in::{Access, Denied, Password},
};
use crate::virtual_path::VirtualPath;

/// Something that is answered on the control connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The facts of a file or directory. A link is followed.
    Facts(VirtualPath),
    /// The facts of what has this path, as listings show it: a link that is listed as a link has
    /// its own.
    Entry(VirtualPath),
    /// The facts of a file, or, if only the part file of an interrupted upload is there, of that:
    /// its size is where to resume.
    Size(VirtualPath),
    /// Looks whether a transfer can be done and gets everything ready for it. The transfer that is
    /// started next is this one; what was prepared before is given up.
    Prepare(Transfer),
    /// Makes a directory.
    MakeDirectory(VirtualPath),
    /// Removes an empty directory.
    RemoveDirectory(VirtualPath),
    /// Removes a file or link.
    RemoveFile(VirtualPath),
    /// Renames or moves a file, link or directory.
    Rename {
        /// What is renamed.
        from: VirtualPath,
        /// Its new path.
        to: VirtualPath,
    },
    /// Copies a file within the storage (SITE CPFR and CPTO).
    Copy {
        /// The file.
        from: VirtualPath,
        /// The path of the copy.
        to: VirtualPath,
    },
    /// Sets the permission bits, which are the lowest nine bits (SITE CHMOD, MFF UNIX.mode).
    SetMode {
        /// The file or directory.
        path: VirtualPath,
        /// The bits.
        mode: u32,
    },
    /// Sets when the content was changed last (MFMT, MDTM with a time, SITE UTIME, MFF modify).
    SetModified {
        /// The file or directory.
        path: VirtualPath,
        /// The time.
        modified: Timestamp,
    },
    /// The digest of a part of a file.
    Digest {
        /// The file.
        path: VirtualPath,
        /// How to compute it.
        algorithm: Algorithm,
        /// The first byte.
        start: u64,
        /// The byte behind the last one; the end of the file if absent.
        end: Option<u64>,
    },
    /// The space on the file system that holds the path.
    Space(VirtualPath),
    /// A listing that is sent on the control connection (STAT with a path), so it is bounded.
    Lines(Listing),
}

/// Something that moves bytes over a data connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// RETR.
    Download {
        /// The file.
        path: VirtualPath,
        /// The first byte (REST).
        start: u64,
        /// The byte behind the last one (RANG); the end of the file if absent.
        end: Option<u64>,
        /// Whether LF is sent as CRLF (TYPE A, if that is configured).
        ascii: bool,
    },
    /// STOR, APPE and STOU.
    Upload {
        /// The file, or for [`UploadStart::Unique`] the directory.
        path: VirtualPath,
        /// Where the first byte goes.
        start: UploadStart,
        /// The size that the client announced (ALLO), in bytes.
        expected: Option<u64>,
        /// Whether CRLF is stored as LF (TYPE A, if that is configured).
        ascii: bool,
    },
    /// LIST, NLST and MLSD.
    List(Listing),
}

/// Where an upload begins to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadStart {
    /// The file is new, or replaced when the upload is complete (STOR).
    Replace,
    /// Bytes before this one are kept (REST and STOR).
    At(u64),
    /// Behind the last byte (APPE).
    End,
    /// A new file in this directory with a name of our choice (STOU).
    Unique,
    /// A new file of this name if nothing has it, else one with a name of our choice beside it (STOU
    /// with a name).
    Suggested,
}

/// What an operation that succeeded gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// The answer to [`Operation::Facts`], [`Operation::Entry`] and [`Operation::Size`].
    Facts(Facts),
    /// The answer to [`Operation::Prepare`].
    Ready {
        /// The bytes that a download will send; unknown for listings, uploads and converted text.
        size: Option<u64>,
        /// The file of an upload; STOU lets the storage choose its name.
        path: VirtualPath,
    },
    /// The digest in lower-case hexadecimal digits, and the first byte and the byte behind the
    /// last one that it covers.
    Digest {
        /// The digest.
        hex: String,
        /// The first byte.
        start: u64,
        /// The byte behind the last one.
        end: u64,
    },
    /// The answer to [`Operation::Space`].
    Space(Space),
    /// The answer to [`Operation::Lines`], without line ends.
    Lines {
        /// The lines, names encoded for the wire.
        lines: Vec<String>,
        /// Whether there were more than are told.
        cut: bool,
    },
}
