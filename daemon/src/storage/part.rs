//! Part files: where an upload is kept until it is complete, and who writes one.

use std::{
    collections::BTreeSet,
    fs::File,
    os::unix::fs::MetadataExt as _,
    sync::{Mutex, OnceLock, PoisonError},
};

use nix::unistd::{getegid, geteuid};
use protocol::{request::Failure, virtual_path::VirtualPath};

use super::{
    errno::io_failure,
    root::{Root, Stat, What},
};

/// What the name of a part file ends with. It begins with a dot.
const SUFFIX: &[u8] = b".esxftpd-part";

/// The most bytes of a file's name that its part file repeats. VMFS is said to take names of 127
/// bytes.
const REPEATED: usize = 80;

/// Whether this is the name of a part file.
pub(super) fn is_part(name: &[u8]) -> bool {
    name.starts_with(b".") && name.ends_with(SUFFIX)
}

/// What there is of an interrupted upload to go on with, if the file itself is not there.
pub(super) fn resumable(root: &Root, path: &VirtualPath) -> Option<Stat> {
    let path = root.resolve(path).ok()?;
    let part = root.entry(&path_of(&path).ok()?).ok()?;
    (part.what == What::File).then_some(part)
}

/// The name for the part file of a copy, and a name whose part file is the same. There can be
/// several copies to one name, each with a number.
pub(super) fn copy_names(name: &[u8], number: u32) -> (Vec<u8>, Vec<u8>) {
    let front = name.get(..REPEATED).unwrap_or(name);
    let copy = [front, format!(".copy{number}").as_bytes()].concat();
    ([b".", copy.as_slice(), SUFFIX].concat(), copy)
}

/// The part file beside a file.
pub(super) fn path_of(file: &VirtualPath) -> Result<VirtualPath, Failure> {
    let directory = file.parent().ok_or(Failure::IsADirectory)?;
    let name = file.file_name().ok_or(Failure::IsADirectory)?;
    directory
        .join(&name_of(name))
        .map_err(|_too_long| Failure::InvalidName)
}

fn name_of(name: &[u8]) -> Vec<u8> {
    let mut part = b".".to_vec();
    match name.get(..REPEATED) {
        Some(front) if name.len() > REPEATED => {
            part.extend_from_slice(front);
            part.extend_from_slice(format!("~{:016x}", fnv(name)).as_bytes());
        }
        _ => part.extend_from_slice(name),
    }
    part.extend_from_slice(SUFFIX);
    part
}

/// FNV-1a (RFC 9923) of 64 bits. Names that collide share a part file and thereby a lock, so the
/// second upload is refused and nothing is mixed up.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What one upload writes and no other may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A directory by device and inode, and the name of a part file in it.
    Name(u64, u64, Vec<u8>),
    /// A file by device and inode: hard links, and names on file systems that take upper and lower
    /// case for the same, are several names of one file.
    File(u64, u64),
}

/// The set-group-ID bit: files in such a directory get its group.
const SET_GROUP: u32 = 0o2000;

fn key_of(root: &Root, file: &VirtualPath) -> Result<(Key, Stat), Failure> {
    let directory = file.parent().ok_or(Failure::IsADirectory)?;
    let name = file.file_name().ok_or(Failure::IsADirectory)?;
    let stat = root.stat(&directory)?;
    let part = if is_part(name) {
        name.to_vec()
    } else {
        name_of(name)
    };
    Ok((Key::Name(stat.device, stat.inode, part), stat))
}

/// Uploads under way in this process.
static WRITTEN: Mutex<BTreeSet<Key>> = Mutex::new(BTreeSet::new());

/// Device and inode of each file that a session writes.
pub(crate) fn written() -> Vec<(u64, u64)> {
    let written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let files = written.iter().filter_map(|key| match key {
        Key::File(device, inode) => Some((*device, *inode)),
        Key::Name(..) => None,
    });
    files.collect()
}

/// Whether somebody writes this open file, or what is to get its name, which is no link.
///
/// # Errors
/// If that cannot be found out.
pub(super) fn is_written(root: &Root, path: &VirtualPath, file: &File) -> Result<bool, Failure> {
    let (name, _directory) = key_of(root, path)?;
    let file = key_of_file(file)?;
    let written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(written.contains(&name) || written.contains(&file))
}

fn key_of_file(file: &File) -> Result<Key, Failure> {
    let found = file.metadata().map_err(|error| io_failure(&error))?;
    Ok(Key::File(found.dev(), found.ino()))
}

/// The right to write a file. Nobody else in this process has it until it is dropped.
#[derive(Debug)]
pub(super) struct Writing {
    key: Key,
    /// The file that is written, if that is known.
    file: Option<Key>,
    /// The file system.
    device: u64,
    /// Whether files that are made in the directory get its group.
    sets_group: bool,
}

impl Writing {
    /// Takes the right to write a file, whose last name is no link. That of its part file is the
    /// same.
    ///
    /// # Errors
    /// [`Failure::BeingWritten`] if somebody has it.
    pub(super) fn begin(root: &Root, file: &VirtualPath) -> Result<Self, Failure> {
        let (key, directory) = key_of(root, file)?;
        Self::take(key, directory)
    }

    /// Takes the right to write one more file, unless it is the same.
    ///
    /// # Errors
    /// [`Failure::BeingWritten`] if somebody else has it.
    pub(super) fn and(&self, root: &Root, file: &VirtualPath) -> Result<Option<Self>, Failure> {
        let (key, directory) = key_of(root, file)?;
        (key != self.key)
            .then(|| Self::take(key, directory))
            .transpose()
    }

    /// Takes the right to write an open file, whatever other names it has.
    ///
    /// # Errors
    /// [`Failure::BeingWritten`] if somebody else has it.
    pub(super) fn hold(&mut self, file: &File) -> Result<(), Failure> {
        let key = key_of_file(file)?;
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.insert(key.clone()) {
            return Err(Failure::BeingWritten);
        }
        self.file = Some(key);
        Ok(())
    }

    /// Whether this is the open file that is held.
    pub(super) fn is_of(&self, stat: &Stat) -> bool {
        self.file == Some(Key::File(stat.device, stat.inode))
    }

    /// The file system.
    pub(super) fn device(&self) -> u64 {
        self.device
    }

    /// Whether a file that this process makes here belongs to whom the file of `stat` belongs.
    pub(super) fn makes_files_of(&self, stat: &Stat) -> bool {
        static OURS: OnceLock<(u32, u32)> = OnceLock::new();
        let ours = OURS.get_or_init(|| (geteuid().as_raw(), getegid().as_raw()));
        !self.sets_group && *ours == (stat.owner, stat.group)
    }

    fn take(key: Key, directory: Stat) -> Result<Self, Failure> {
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        if written.insert(key.clone()) {
            let sets_group = directory.mode & SET_GROUP != 0;
            Ok(Self {
                key,
                file: None,
                device: directory.device,
                sets_group,
            })
        } else {
            Err(Failure::BeingWritten)
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        written.remove(&self.key);
        if let Some(file) = &self.file {
            written.remove(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::virtual_path::NAME_BYTES;

    use super::*;

    #[test]
    fn part_names_are_recognised() {
        assert_eq!(name_of(b"disk.vmdk"), b".disk.vmdk.esxftpd-part");
        assert!(is_part(b".disk.vmdk.esxftpd-part"));
        assert!(!is_part(b"disk.vmdk") && !is_part(b".esxftpd-part.vmdk"));
    }

    proptest! {
        #[test]
        fn part_names_are_short_and_differ(
            name in proptest::collection::vec(1_u8.., 1..NAME_BYTES),
            place in 0..NAME_BYTES,
        ) {
            let part = name_of(&name);
            prop_assert!(is_part(&part) && part.len() <= 127);
            let mut other = name.clone();
            let place = place % name.len();
            other[place] ^= 1;
            prop_assert_ne!(name_of(&other), part);
        }
    }
}
