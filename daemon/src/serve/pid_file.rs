//! The pid file: how the init script finds the daemon.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process,
};

use tracing::warn;

/// A file with our process id; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file. That it cannot be written is logged and no reason not to serve.
    pub(super) fn create(path: PathBuf) -> Self {
        if let Err(error) = write(&path) {
            warn!(path = %path.display(), %error, "cannot write the pid file; the init script may not find this process");
        }
        Self(path)
    }
}

fn write(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o644);
    writeln!(options.open(path)?, "{}", process::id())
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
