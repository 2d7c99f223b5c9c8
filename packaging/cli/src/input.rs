//! Files that somebody names on the command line: they may be anything.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read as _},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};

use crate::progress::{Progress, Reading};

/// Most bytes of a description, a key or a list of certificates.
const MOST_BYTES: u64 = 1 << 20;

/// Opens a package or an archive; how much of it was read is shown at a terminal.
///
/// # Errors
/// If it cannot be opened, or is no file with a size: a pipe would be waited for without end.
pub(crate) fn open(path: &Path) -> Result<Reading<BufReader<File>>> {
    let named = || path.display().to_string();
    let opened = open_regular(path).with_context(named)?;
    let size = opened.metadata().with_context(named)?.len();
    Ok(Progress::new(named(), size).reading(BufReader::new(opened)))
}

/// As [`open`], for callers that say themselves which file it is.
///
/// # Errors
/// See [`open`].
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    // Asked first: opening a pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        let problem = "it is not a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    File::open(path)
}

/// Reads a small file whole. It may come through a pipe, as keys do that lie encrypted on disk.
///
/// # Errors
/// If it cannot be read, or is no small file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let named = || path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .with_context(named)?;
    ensure!(
        bytes.len() as u64 <= MOST_BYTES,
        "{} has more than {MOST_BYTES} bytes, which no description, key or certificate needs",
        named()
    );
    Ok(bytes)
}

/// As [`read`], for text.
///
/// # Errors
/// See [`read`]; and if it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8 text", path.display()))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn a_pipe_that_nobody_writes_to_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for path in [pipe.as_path(), folder.path()] {
            let error = format!("{:#}", open(path).unwrap_err());
            assert!(error.contains("it is not a regular file"), "{error}");
        }
    }

    #[test]
    fn what_is_read_whole_is_small() {
        let error = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), vec![b'a'; 1 << 20]).unwrap();
        assert_eq!(read(file.path()).unwrap().len(), 1 << 20);
        fs::write(file.path(), b"\xff").unwrap();
        let error = read_text(file.path()).unwrap_err().to_string();
        assert!(error.contains("is not UTF-8 text"), "{error}");
    }
}
