//! The pid file: how the init script finds the daemon.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

use nix::fcntl::OFlag;
use tracing::warn;

use crate::sys::uninterrupted;

/// A file with our process id; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file. That it cannot be written is logged and no reason not to serve.
    pub(super) fn create(path: PathBuf) -> Self {
        if let Err(error) = write(&path, &process::id().to_string()) {
            warn!(
                "--pid-file {}: cannot be written: {error}; the init script may not find this \
                 process; look at its directory",
                path.display()
            );
        }
        Self(path)
    }
}

/// Writes a line. A link at the path is replaced: what it leads to is not ours to overwrite.
///
/// # Errors
/// If the file cannot be made.
pub(super) fn write(path: &Path, line: &str) -> io::Result<()> {
    if uninterrupted(|| fs::symlink_metadata(path)).is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(path)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644);
    // To open a pipe would wait for its reader.
    options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    writeln!(options.open(path)?, "{line}")
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A daemon that was started after us has written its own id.
        let ours =
            fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == process::id().to_string());
        if ours && let Err(error) = fs::remove_file(&self.0) {
            warn!(path = %self.0.display(), %error, "cannot remove the pid file");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_the_place_of_the_pid_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let [path, precious] = ["pid", "precious"].map(|name| directory.path().join(name));
        fs::write(&precious, "precious").unwrap();
        for target in [precious.as_path(), Path::new("nowhere")] {
            symlink(target, &path).unwrap();
            let pid_file = PidFile::create(path.clone());
            assert_eq!(fs::read(&precious).unwrap(), b"precious");
            assert!(fs::symlink_metadata(&path).unwrap().is_file());
            assert!(!directory.path().join("nowhere").exists());
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("{}\n", process::id()));
            drop(pid_file);
            assert!(fs::symlink_metadata(&path).is_err(), "it was not removed");
        }
    }
}
