//! Copies within the storage.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
};

use nix::{
    errno::Errno,
    unistd::{Whence, lseek},
};
use protocol::{
    request::{Failure, PathFailure},
    virtual_path::VirtualPath,
};

use super::{
    errno::io_failure,
    files::Files,
    part::{Writing, copy_names, is_written},
    perform::{allowed, not_for_part},
    root::{Root, What},
    space::SpaceReservation,
};
use crate::{
    sys::{memory, uninterrupted},
    task::Task,
};

/// Bytes that are copied at a time; a cancel is noticed after each.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Names that are tried for the part file.
const MOST_NAMES: u32 = 100;

/// Copies a file, its holes and permissions included. The data goes to a hidden file beside the
/// target, which gets its name when everything is there.
///
/// # Errors
/// Why it could not be done; the target is then as it was.
pub(super) fn copy(
    files: &Files,
    task: &Task,
    from: &VirtualPath,
    to: &VirtualPath,
) -> Result<(), PathFailure> {
    let (root, rights) = (files.root(), files.rights());
    allowed(rights.retrieve() && rights.store())?;
    let (source, stat) = root.open_read(from).map_err(PathFailure::source)?;
    let named = root.resolve(from).map_err(PathFailure::source)?;
    if is_written(root, &named, &source).map_err(PathFailure::source)? {
        return Err(PathFailure::source(Failure::BeingWritten));
    }
    let to = root.resolve(to)?;
    not_for_part(&to)?;
    allowed(!rights.protects_path(&to))?;
    let _writing = Writing::begin(root, &to)?;
    match root.entry(&to) {
        Err(Failure::NotFound) => {}
        Ok(target) if (target.device, target.inode) == (stat.device, stat.inode) => {
            return Err(Failure::Exists.into());
        }
        Ok(target) => match target.what {
            What::File => allowed(rights.overwrite())?,
            What::Directory => return Err(Failure::IsADirectory.into()),
            What::Link => return Err(Failure::LinkRefused.into()),
            What::Special => return Err(Failure::NotAFile.into()),
        },
        Err(failure) => return Err(failure.into()),
    }
    let part = Part::create(root, &to, rights.masked(stat.mode & 0o777))?;
    let mut job = Job {
        files,
        task,
        source: &source,
        part: &part,
        reservation: SpaceReservation::on(part.writing.device()),
    };
    job.copy(stat.size)?;
    done(part.file.sync_all())?;
    Ok(part.rename(&to)?)
}

/// The file that a copy is written to. It is removed unless it gets its name.
struct Part<'r> {
    root: &'r Root,
    path: Option<VirtualPath>,
    file: File,
    /// Its name may be that of the part file of an upload, too.
    writing: Writing,
}

impl<'r> Part<'r> {
    fn create(root: &'r Root, to: &VirtualPath, mode: u32) -> Result<Self, Failure> {
        let name = to.file_name().ok_or(Failure::IsADirectory)?;
        let directory = to.parent().ok_or(Failure::IsADirectory)?;
        for number in 0..MOST_NAMES {
            let (name, copy) = copy_names(name, number);
            let [copy, path] = [copy, name].map(|name| directory.join(&name));
            let path = path.map_err(|_invalid| Failure::InvalidName)?;
            let copy = copy.map_err(|_invalid| Failure::InvalidName)?;
            let mut writing = match Writing::begin(root, &copy) {
                Err(Failure::BeingWritten) => continue,
                writing => writing?,
            };
            match root.create_new(&path, mode) {
                Err(Failure::Exists) => {}
                Err(failure) => return Err(failure),
                Ok(file) => {
                    writing.hold(&file)?;
                    return Ok(Self {
                        root,
                        path: Some(path),
                        file,
                        writing,
                    });
                }
            }
        }
        Err(Failure::BeingWritten)
    }

    fn rename(mut self, to: &VirtualPath) -> Result<(), Failure> {
        if let Some(path) = &self.path {
            if !self.is_at(path) {
                return Err(Failure::Displaced);
            }
            self.root
                .move_into_place(|found| self.writing.is_of(found), path, to)?;
        }
        self.path = None;
        let directory = to.parent().unwrap_or_else(VirtualPath::root);
        self.root.sync_dir(&directory)
    }

    /// Whether the file still has this name: its directory may have been moved, and another one may
    /// have come to the place.
    fn is_at(&self, path: &VirtualPath) -> bool {
        let found = self.root.entry(path);
        found.is_ok_and(|found| self.writing.is_of(&found))
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.path.as_ref().filter(|path| self.is_at(path)) {
            // Nothing is left to do if even that fails.
            let _removed = self.root.remove_file(path);
        }
    }
}

struct Job<'a> {
    files: &'a Files,
    task: &'a Task,
    source: &'a File,
    part: &'a Part<'a>,
    reservation: SpaceReservation,
}

impl Job<'_> {
    fn copy(&mut self, size: u64) -> Result<(), PathFailure> {
        let mut buffer = memory::zeroed(BLOCK_BYTES).ok_or(Failure::Resources)?;
        let mut position = 0;
        while position < size {
            let data = data_after(self.source, position, size).map_err(PathFailure::source)?;
            let Some((start, end)) = data else {
                break;
            };
            position = start;
            while position < end {
                self.task.check()?;
                let wanted = usize::try_from(end - position).unwrap_or(BLOCK_BYTES);
                let wanted = wanted.min(BLOCK_BYTES);
                let (block, _) = buffer.split_at_mut(wanted);
                let read = match self.source.read_at(block, position) {
                    // What there was is not a complete copy.
                    Ok(0) => return Err(PathFailure::source(Failure::Shortened)),
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(PathFailure::source(io_failure(&error))),
                };
                self.write(block.get(..read).unwrap_or_default(), position)?;
                position += read as u64;
            }
        }
        // Holes are not read, so the size alone tells whether they are still there.
        let found = self.source.metadata();
        let found = found.map_err(|error| PathFailure::source(io_failure(&error)))?;
        if found.len() < size {
            return Err(PathFailure::source(Failure::Shortened));
        }
        Ok(done(self.part.file.set_len(size))?)
    }

    fn write(&mut self, block: &[u8], position: u64) -> Result<(), Failure> {
        let length = block.len() as u64;
        let (files, part) = (self.files, self.part);
        self.reservation.reserve(length, || {
            let space = part.path.as_ref().map(|path| files.space(path));
            // Where the kernel does not tell, there is enough.
            space.map_or(u64::MAX, |space| {
                space.map_or(u64::MAX, |space| space.available)
            })
        })?;
        done(part.file.write_all_at(block, position))?;
        self.reservation.commit(length);
        self.task.add(length);
        Ok(())
    }
}

fn done(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| io_failure(&error))
}

/// The next part of a file that is no hole, from `position` on. Where the file system does not
/// tell holes, it is the rest of the file.
fn data_after(file: &File, position: u64, size: u64) -> Result<Option<(u64, u64)>, Failure> {
    let seek = |offset: u64, whence| {
        let offset = i64::try_from(offset).map_err(|_large| Errno::EOVERFLOW)?;
        let found = uninterrupted(|| lseek(file, offset, whence))?;
        u64::try_from(found).map_err(|_negative| Errno::EINVAL)
    };
    let start = match seek(position, Whence::SeekData) {
        Ok(start) => start,
        // No data behind the position.
        Err(Errno::ENXIO) => return Ok(None),
        Err(Errno::EIO) => return Err(Failure::Device),
        Err(_cannot) => return Ok(Some((position, size))),
    };
    let end = seek(start, Whence::SeekHole).unwrap_or(size);
    Ok((start < size).then_some((start, end.clamp(start + 1, size))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        accounts::Rights,
        storage::sample::{BOTH, Sample, path},
    };

    #[test]
    fn no_upload_takes_the_part_file_of_a_copy_for_its_own() {
        for choice in BOTH {
            let sample = Sample::new(choice, Rights::default());
            let root = sample.files.root();
            let begin = || Writing::begin(root, &path("/f.copy0")).map(drop);
            let part = Part::create(root, &path("/f"), 0o600).unwrap();
            assert_eq!(begin(), Err(Failure::BeingWritten));
            drop(part);
            assert_eq!(begin(), Ok(()));
        }
    }

    #[test]
    fn a_copy_whose_directory_is_moved_touches_nothing_elsewhere() {
        for choice in BOTH {
            let sample = Sample::new(choice, Rights::default());
            let part = ".f.copy0.esxftpd-part";
            for named in [false, true] {
                std::fs::create_dir(sample.path("d")).unwrap();
                let copy = Part::create(sample.files.root(), &path("/d/f"), 0o600).unwrap();
                std::fs::rename(sample.path("d"), sample.path("away")).unwrap();
                std::fs::create_dir(sample.path("d")).unwrap();
                sample.write(&format!("d/{part}"), "theirs");
                if named {
                    assert_eq!(copy.rename(&path("/d/f")), Err(Failure::Displaced));
                } else {
                    drop(copy);
                }
                assert_eq!(sample.read(&format!("d/{part}")), b"theirs");
                for directory in ["d", "away"] {
                    std::fs::remove_dir_all(sample.path(directory)).unwrap();
                }
            }
        }
    }
}
