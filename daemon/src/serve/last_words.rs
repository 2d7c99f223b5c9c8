//! Why the daemon has ended, in a file for the init script: whoever starts the daemon reads neither
//! its stderr nor, at once, the log.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tracing::warn;

use super::pid_file;

/// The file, beside the pid file.
#[derive(Debug)]
pub(super) struct LastWords(PathBuf);

impl LastWords {
    /// Beside this pid file, whose path is absolute: the directory is left later.
    pub(super) fn beside(pid_file: &Path) -> Self {
        Self(pid_file.with_extension("error"))
    }

    /// Leaves one line. That it cannot be left is logged.
    pub(super) fn leave(&self, line: &str) {
        let line = line.replace(char::is_control, " ");
        if let Err(error) = pid_file::write(&self.0, &line) {
            warn!(
                "{}: cannot be written: {error}; the init script will not tell why there is no \
                 daemon; look at its directory",
                self.0.display()
            );
        }
    }

    /// Removes what an earlier start has left.
    pub(super) fn forget(&self) {
        // Mostly there is nothing.
        let _removed = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_left_beside_the_pid_file_of_the_init_script() {
        let script = include_str!("../../../init.d/esxftpd");
        let value = |name: &str| script.lines().find_map(|line| line.strip_prefix(name));
        let LastWords(path) = LastWords::beside(Path::new(value("PID_FILE=").unwrap()));
        assert_eq!(path, Path::new(value("ERROR_FILE=").unwrap()));
    }

    #[test]
    fn it_is_one_line_and_goes_when_the_daemon_runs() {
        let directory = tempfile::tempdir().unwrap();
        let last_words = LastWords::beside(&directory.path().join("d.pid"));
        last_words.leave("ended: \u{1b}[2J\nnot a second line");
        let text = fs::read_to_string(directory.path().join("d.error")).unwrap();
        assert_eq!(text, "ended:  [2J not a second line\n");
        last_words.forget();
        last_words.forget();
        assert!(!directory.path().join("d.error").exists());
    }
}
