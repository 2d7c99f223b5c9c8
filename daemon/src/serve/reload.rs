//! Reading the configuration again, when whoever writes it has finished.
//!
//! A file that is read while it is written may be complete in form and lack its last lines, such as
//! the one that makes an account read-only.

use std::{future::pending, path::Path, time::Duration};

use thiserror::Error;
use tokio::time::{Instant, sleep_until};

use crate::config::{self, Config, Findings, Stamp};

/// How long the file must not have changed before it counts as complete.
const REST: Duration = Duration::from_secs(1);

/// How often a file is looked at that keeps changing.
const MOST_LOOKS: u32 = 15;

/// What was read.
pub(super) type Read = Result<(Option<Config>, Findings), Changing>;

/// The file was never at rest.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("the file changes again and again; reload when it is complete")]
pub(super) struct Changing;

/// A request to read the configuration again.
#[derive(Debug)]
pub(super) struct Reloading<'p> {
    path: &'p Path,
    wait: Option<Wait>,
    /// Whether another request came during the wait.
    again: bool,
}

#[derive(Debug)]
struct Wait {
    /// How the file looked when it was looked at last.
    before: Option<Stamp>,
    until: Instant,
    looks: u32,
}

impl Wait {
    fn begin(path: &Path) -> Self {
        Self {
            before: Stamp::of_file(path),
            until: Instant::now() + REST,
            looks: 0,
        }
    }
}

impl<'p> Reloading<'p> {
    pub(super) fn new(path: &'p Path) -> Self {
        Self {
            path,
            wait: None,
            again: false,
        }
    }

    /// The file is to be read.
    pub(super) fn begin(&mut self) {
        if self.wait.is_some() {
            self.again = true;
        } else {
            self.wait = Some(Wait::begin(self.path));
        }
    }

    /// Waits until the file has been read. This may be dropped and called again.
    pub(super) async fn done(&mut self) -> Read {
        loop {
            let Some(wait) = &self.wait else {
                pending::<()>().await;
                continue;
            };
            sleep_until(wait.until).await;
            if let Some(read) = self.look() {
                return read;
            }
        }
    }

    /// Reads the file; nothing if it has changed since the last look.
    fn look(&mut self) -> Option<Read> {
        let wait = self.wait.as_mut()?;
        let loaded = config::load(self.path);
        let after = Stamp::of_file(self.path);
        let read = if after == wait.before {
            Ok(loaded)
        } else {
            wait.looks += 1;
            if wait.looks < MOST_LOOKS {
                wait.before = after;
                wait.until = Instant::now() + REST;
                return None;
            }
            Err(Changing)
        };
        let again = std::mem::take(&mut self.again);
        self.wait = again.then(|| Wait::begin(self.path));
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A file that grows before each of the first `changes` looks, and how many looks it takes.
    fn looks(changes: u32) -> (u32, Read) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("esxftpd.toml");
        fs::write(&path, "greeting = \"old\"\n").unwrap();
        let mut reloading = Reloading::new(&path);
        reloading.begin();
        for look in 0.. {
            if look < changes {
                let text = format!("greeting = \"{}\"\n", "x".repeat(look as usize + 10));
                fs::write(&path, text).unwrap();
            }
            if let Some(read) = reloading.look() {
                assert!(reloading.wait.is_none());
                return (look, read);
            }
        }
        unreachable!("it looks without end");
    }

    #[test]
    fn a_file_that_is_still_written_is_not_taken() {
        for changes in 0..5 {
            let (looks, read) = looks(changes);
            assert_eq!(looks, changes);
            let greeting = read.unwrap().0.unwrap().greeting;
            assert_eq!(greeting.starts_with('x'), changes > 0, "{greeting}");
        }
        let (looks, read) = looks(u32::MAX);
        assert_eq!(looks, MOST_LOOKS - 1);
        assert_eq!(read.map(drop), Err(Changing));
    }

    #[test]
    fn a_request_during_the_wait_has_the_file_read_once_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent.toml");
        let mut reloading = Reloading::new(&path);
        for _ in 0..3 {
            reloading.begin();
        }
        for waits in [true, false] {
            let (config, findings) = reloading.look().unwrap().unwrap();
            assert!(config.is_none() && findings.has_errors());
            assert_eq!(reloading.wait.is_some(), waits);
        }
        assert!(reloading.look().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_after_a_second_without_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("esxftpd.toml");
        fs::write(&path, "").unwrap();
        let mut reloading = Reloading::new(&path);
        let start = Instant::now();
        reloading.begin();
        // As in a loop that also waits for other things.
        let early = tokio::time::timeout(REST / 2, reloading.done()).await;
        assert!(early.is_err());
        assert!(reloading.done().await.unwrap().0.is_some());
        assert_eq!(start.elapsed(), REST);
    }
}
