//! What the kernel tells of a directory entry.

use nix::sys::stat::{FileStat, SFlag};
use protocol::request::Timestamp;

/// What is known of a directory entry, links not followed unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// What it is.
    pub(crate) what: What,
    /// Permission bits, the lowest twelve.
    pub(crate) mode: u32,
    /// The owner's number.
    pub(crate) owner: u32,
    /// The group's number.
    pub(crate) group: u32,
    /// In bytes.
    pub(crate) size: u64,
    /// When the content was changed last.
    pub(crate) modified: Timestamp,
    /// When it got its content, name or permissions last; nobody can set this time.
    pub(crate) changed: Timestamp,
    /// Hard links.
    pub(crate) links: u64,
    /// The file system; with the inode it tells whether two names are one file.
    pub(crate) device: u64,
    /// The number on the file system.
    pub(crate) inode: u64,
}

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, FIFO or socket.
    Special,
}

/// The number of hard links, which is 32 bits wide on some architectures.
fn links(number: impl Into<u64>) -> u64 {
    number.into()
}

impl From<&FileStat> for Stat {
    fn from(stat: &FileStat) -> Self {
        let what = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => What::File,
            SFlag::S_IFDIR => What::Directory,
            SFlag::S_IFLNK => What::Link,
            _ => What::Special,
        };
        let time = |seconds, nanoseconds| Timestamp {
            seconds,
            nanoseconds: u32::try_from(nanoseconds).unwrap_or(0).min(999_999_999),
        };
        Self {
            what,
            mode: stat.st_mode & 0o7777,
            owner: stat.st_uid,
            group: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            links: links(stat.st_nlink),
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}
