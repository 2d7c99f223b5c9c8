//! What a session asks of its storage, and what it gets back: plain values, without I/O.
//!
//! The gate makes the requests. They reach the storage through the session's context, not in lines
//! of the engine, so that names never have to survive the engine's parser.

use std::fmt;

use crate::virtual_path::VirtualPath;

/// Something that is answered on the control connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The facts of a file or directory. A link is followed.
    Facts(VirtualPath),
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
    /// A new file with a name of our choice (STOU).
    Unique,
}

/// A listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The directory, the file or, with `pattern`, the directory to look in.
    pub path: VirtualPath,
    /// Only entries that match this glob, as bytes of names; with it, directories are not opened.
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
    /// Names only, as paths relative to the directory that the client named (NLST).
    Names {
        /// Names that begin with a dot, too (`-a`).
        all: bool,
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

/// What an operation that succeeded gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// The answer to [`Operation::Facts`].
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

/// What is known of a file or directory. A fact that the storage does not know is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// In bytes; of files only.
    pub size: Option<u64>,
    /// When the content was changed last.
    pub modified: Option<Timestamp>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Permission bits, the lowest twelve.
    pub mode: u32,
    /// The owner's number.
    pub owner: u32,
    /// The group's number.
    pub group: u32,
    /// Hard links.
    pub links: u64,
    /// Device and inode, which together tell whether two names are one file.
    pub unique: (u64, u64),
    /// What this account may do with it.
    pub permissions: Permissions,
}

/// What a directory entry is, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link that leads nowhere, or out of the root.
    BrokenLink,
    /// A device, FIFO or socket; it can be listed and removed, not transferred.
    Special,
}

/// What an account may do, one letter of the `perm` fact each (RFC 3659, section 7.5.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the fact is a set of ten independent letters"
)]
pub struct Permissions {
    /// `a`: append to the file.
    pub append: bool,
    /// `c`: make files in the directory.
    pub create: bool,
    /// `d`: delete it.
    pub delete: bool,
    /// `e`: change into the directory.
    pub enter: bool,
    /// `f`: rename it.
    pub rename: bool,
    /// `l`: list the directory.
    pub list: bool,
    /// `m`: make directories in the directory.
    pub make: bool,
    /// `p`: delete what is in the directory.
    pub purge: bool,
    /// `r`: retrieve the file.
    pub retrieve: bool,
    /// `w`: store to the file.
    pub write: bool,
}

/// A point in time: seconds since 1970 in UTC and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// The space on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// What uploads may still take, after the configured reserve.
    pub available: u64,
}

/// How to compute a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32 as zip and Ethernet use it.
    Crc32,
    /// MD5 (RFC 1321); it finds damage, not malice.
    Md5,
    /// SHA-1 (FIPS 180-4); it finds damage, not malice.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

/// The facts that a client wants (RFC 3659, section 7.9). All of them unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactSet(u16);

/// A fact of RFC 3659, section 7.5, or of the registry that it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// `type`
    Type,
    /// `size`
    Size,
    /// `modify`
    Modify,
    /// `create`
    Create,
    /// `perm`
    Perm,
    /// `unique`
    Unique,
    /// `UNIX.mode`
    Mode,
    /// `UNIX.owner`
    Owner,
    /// `UNIX.group`
    Group,
}

impl Fact {
    /// Every fact, in the order in which they are sent.
    pub const ALL: [Self; 9] = [
        Self::Type,
        Self::Size,
        Self::Modify,
        Self::Create,
        Self::Perm,
        Self::Unique,
        Self::Mode,
        Self::Owner,
        Self::Group,
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Modify => "modify",
            Self::Create => "create",
            Self::Perm => "perm",
            Self::Unique => "unique",
            Self::Mode => "UNIX.mode",
            Self::Owner => "UNIX.owner",
            Self::Group => "UNIX.group",
        }
    }
}

impl FactSet {
    /// No facts; a listing then has names only.
    pub const NONE: Self = Self(0);
    /// Every fact.
    pub const ALL: Self = Self((1 << Fact::ALL.len()) - 1);

    /// The set with one more fact.
    #[must_use]
    pub fn with(self, fact: Fact) -> Self {
        Self(self.0 | 1 << fact as u16)
    }

    /// Whether the client wants this fact.
    pub fn contains(self, fact: Fact) -> bool {
        self.0 & (1 << fact as u16) != 0
    }
}

/// Why something failed, as far as a client may know. The gate has the reply for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing has this path.
    NotFound,
    /// Something has this path already.
    Exists,
    /// A directory is needed and something else is there.
    NotADirectory,
    /// A file is needed and a directory is there.
    IsADirectory,
    /// A file is needed and a device, FIFO or socket is there.
    NotAFile,
    /// The directory is not empty.
    NotEmpty,
    /// The file system does not take the name.
    InvalidName,
    /// A link leads out of the root, or in a circle.
    LinkRefused,
    /// The host's permissions do not allow it.
    PermissionDenied,
    /// The file system is mounted read-only, perhaps after an error.
    ReadOnly,
    /// The account may not do it: it is read-only, upload-only, or may not delete or overwrite.
    AccountForbids,
    /// REST or RANG lies behind the end of the file.
    BehindEnd,
    /// An upload of this file broke off later than the file was made.
    Unfinished,
    /// Another session writes this file.
    BeingWritten,
    /// Another program has locked the file; on a host that is a running virtual machine.
    Locked,
    /// The file system is full, or would be below its reserve.
    NoSpace,
    /// The file system's quota is used up.
    Quota,
    /// The file would be larger than the file system takes.
    TooLarge,
    /// The medium or its connection failed.
    Device,
    /// The directory of an upload was moved, or its file system unmounted, while it ran. Nothing
    /// was replaced.
    Displaced,
    /// The file is whole and has its name, but the medium did not confirm the name. A power cut may
    /// bring the old file back.
    Unsynced,
    /// The kernel or the file system cannot do it.
    Unsupported,
    /// There were too many entries, names or bytes for this kind of answer.
    TooMuch,
    /// The data connection failed before the end.
    ConnectionLost,
    /// The data connection's TLS handshake failed.
    Handshake,
    /// The data connection's TLS session is not one of the control connection, and has to be.
    NotResumed,
    /// An upload over TLS ended without TLS's own end: it may be cut off.
    Truncated,
    /// It was cancelled.
    Cancelled,
    /// No data connection was there.
    NoConnection,
    /// Threads, descriptors or memory ran out.
    Resources,
    /// A fault of ours.
    Internal,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::Exists => "the name is taken",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::NotAFile => "neither a file nor a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::InvalidName => "the file system does not take this name",
            Self::LinkRefused => "a link leads out of your root or in a circle",
            Self::PermissionDenied => "permission denied",
            Self::ReadOnly => "the datastore is read-only",
            Self::AccountForbids => "your account may not do this",
            Self::BehindEnd => "the position is behind the end of the file",
            Self::Unfinished => {
                "an upload of this file broke off, store it from the first byte or delete its part file"
            }
            Self::BeingWritten => "another session is writing this file, try again later",
            Self::Locked => "the file is locked, perhaps by a running virtual machine",
            Self::NoSpace => "no space left on the datastore",
            Self::Quota => "quota exceeded",
            Self::TooLarge => "the file is too large for the file system",
            Self::Device => "the storage reports an error",
            Self::Displaced => {
                "its directory was moved or its datastore has gone, nothing was replaced, store it again"
            }
            Self::Unsynced => {
                "the new file is in place, but the storage does not confirm that it lasts, store it again"
            }
            Self::Unsupported => "the host does not support this",
            Self::TooMuch => "too many entries",
            Self::ConnectionLost => "the data connection broke",
            Self::Handshake => "the TLS handshake of the data connection failed",
            Self::NotResumed => {
                "the data connection must resume the control connection's TLS session"
            }
            Self::Truncated => {
                "the data connection ended without a TLS close, the file may be cut off"
            }
            Self::Cancelled => "cancelled",
            Self::NoConnection => "no data connection",
            Self::Resources => "the server is out of resources, try again later",
            Self::Internal => "internal error",
        })
    }
}
