//! What is known of a file or directory.

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

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that is listed as a link. What an account may do with it is what it may do
    /// with what the link leads to, if that can be reached; deleting and renaming are for the link.
    Link,
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
