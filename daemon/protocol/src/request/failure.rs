//! Why something could not be done.

use std::fmt;

/// Why something failed, as far as a client may know. The protocol has the reply for each.
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
    /// The name is one of part files, which are for uploads only.
    PartName,
    /// A link leads to something that does not exist.
    TargetMissing,
    /// A directory is to be removed and a link to one is there.
    IsALink,
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
    /// Like [`Failure::NoSpace`], and what the upload has stored is removed.
    NoSpaceRemoved,
    /// The file system's quota is used up.
    Quota,
    /// The file would be larger than the file system takes.
    TooLarge,
    /// The medium or its connection failed.
    Device,
    /// A file that is read became shorter than it was at the beginning.
    Shortened,
    /// The directory of an upload was moved, or its file system unmounted, while it ran. Nothing
    /// was replaced.
    Displaced,
    /// The file is whole and has its name, but the medium did not confirm the name. A power cut may
    /// bring the old file back.
    Unsynced,
    /// The file system cannot hold this time.
    InvalidTime,
    /// The kernel or the file system cannot do it.
    Unsupported,
    /// There were too many entries, names or bytes for this kind of answer.
    TooMuch,
    /// Other listings use the memory that all of them share.
    ListingsFull,
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

/// Which path of an operation a failure is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathRole {
    /// The only path, or the new one of a rename or copy.
    #[default]
    Target,
    /// What is renamed or copied.
    Source,
}

/// A failure, and the path that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathFailure {
    /// Why it could not be done.
    pub failure: Failure,
    /// Which path.
    pub role: PathRole,
}

impl PathFailure {
    /// A failure of what is renamed or copied.
    pub fn source(failure: Failure) -> Self {
        let role = PathRole::Source;
        Self { failure, role }
    }
}

impl From<Failure> for PathFailure {
    fn from(failure: Failure) -> Self {
        let role = PathRole::Target;
        Self { failure, role }
    }
}

impl Failure {
    /// Whether rights, space, a lock or the storage stand in the way, and not what the client
    /// believes to be there.
    pub fn is_denial(self) -> bool {
        match self {
            Self::PartName
            | Self::LinkRefused
            | Self::PermissionDenied
            | Self::ReadOnly
            | Self::AccountForbids
            | Self::Unfinished
            | Self::BeingWritten
            | Self::Locked
            | Self::NoSpace
            | Self::NoSpaceRemoved
            | Self::Quota
            | Self::TooLarge
            | Self::Device
            | Self::Shortened
            | Self::Displaced
            | Self::Unsynced
            | Self::ListingsFull
            | Self::Unsupported
            | Self::Resources
            | Self::Internal => true,
            Self::NotFound
            | Self::Exists
            | Self::NotADirectory
            | Self::IsADirectory
            | Self::NotAFile
            | Self::NotEmpty
            | Self::InvalidName
            | Self::TargetMissing
            | Self::IsALink
            | Self::BehindEnd
            | Self::InvalidTime
            | Self::TooMuch
            | Self::ConnectionLost
            | Self::Handshake
            | Self::NotResumed
            | Self::Truncated
            | Self::Cancelled
            | Self::NoConnection => false,
        }
    }

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotFound => "no such file or directory",
            Self::Exists => "the name is taken",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::NotAFile => "neither a file nor a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::InvalidName => "the file system does not take this name",
            Self::PartName => {
                "this server refuses names of part files, which begin with a dot and end with .esxftpd-part"
            }
            Self::TargetMissing => "the target of this link does not exist",
            Self::IsALink => "this is a link, not a directory; DELE removes the link",
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
            Self::NoSpaceRemoved => {
                "no space left on the datastore, what this upload has stored is removed"
            }
            Self::Quota => "quota exceeded",
            Self::TooLarge => "the file is too large for the file system",
            Self::Device => "the storage reports an error",
            Self::Shortened => "the file became shorter while it was read",
            Self::Displaced => {
                "its directory was moved or its datastore has gone, nothing was replaced, store it again"
            }
            Self::Unsynced => {
                "the new file is in place, but the storage does not confirm that it lasts, store it again"
            }
            Self::InvalidTime => "the file system cannot hold this time",
            Self::Unsupported => "the host does not support this",
            Self::TooMuch => "too many entries",
            Self::ListingsFull => {
                "other listings use all memory for listings, try again when they have ended"
            }
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
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
