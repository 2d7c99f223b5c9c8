//! Part files: where an upload is kept until it is complete, and who writes one.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{Failure, Root, Stat, What};
use crate::virtual_path::VirtualPath;

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

/// A directory by device and inode, and the name of a part file in it.
type Key = (u64, u64, Vec<u8>);

fn key_of(root: &Root, file: &VirtualPath) -> Result<Key, Failure> {
    let directory = file.parent().ok_or(Failure::IsADirectory)?;
    let name = file.file_name().ok_or(Failure::IsADirectory)?;
    let stat = root.stat(&directory)?;
    let part = if is_part(name) {
        name.to_vec()
    } else {
        name_of(name)
    };
    Ok((stat.device, stat.inode, part))
}

/// Uploads under way in this process.
static WRITTEN: Mutex<BTreeSet<Key>> = Mutex::new(BTreeSet::new());

/// The right to write a file. Nobody else in this process has it until it is dropped.
#[derive(Debug)]
pub(super) struct Writing(Key);

impl Writing {
    /// Takes the right to write a file, whose last name is no link. That of its part file is the
    /// same.
    ///
    /// # Errors
    /// [`Failure::BeingWritten`] if somebody has it.
    pub(super) fn begin(root: &Root, file: &VirtualPath) -> Result<Self, Failure> {
        Self::take(key_of(root, file)?)
    }

    /// Takes the right to write one more file, unless it is the same.
    ///
    /// # Errors
    /// [`Failure::BeingWritten`] if somebody else has it.
    pub(super) fn and(&self, root: &Root, file: &VirtualPath) -> Result<Option<Self>, Failure> {
        let key = key_of(root, file)?;
        (key != self.0).then(|| Self::take(key)).transpose()
    }

    /// The file system.
    pub(super) fn device(&self) -> u64 {
        self.0.0
    }

    fn take(key: Key) -> Result<Self, Failure> {
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        if written.insert(key.clone()) {
            Ok(Self(key))
        } else {
            Err(Failure::BeingWritten)
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        written.remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::virtual_path::NAME_BYTES;

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
