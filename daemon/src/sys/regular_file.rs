//! Regular files that somebody else chose: nothing else is opened, and no more is read than fits.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::fcntl::OFlag;

use super::uninterrupted;

/// Most bytes of a file that is read as a whole. Larger ones would only cost memory.
const MAX_BYTES: u64 = 1 << 20;

/// Opens a regular file for reading.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for what is no regular file; those of the file system.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    // Before it is opened, too: opening a device may set something off.
    is_regular(&uninterrupted(|| fs::metadata(path))?)?;
    let mut options = OpenOptions::new();
    // Opening a pipe that has come to the place would wait for its writer.
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path)?;
    is_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads an open file of at most 1 MiB.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`] for a larger one; those of the file system.
pub(crate) fn read_whole(file: &File) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(contents)
}

fn is_regular(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(
            ErrorKind::InvalidInput,
            "not a regular file",
        ))
    }
}
