//! Memory that has been used before, for what servers store.
//!
//! A virtual machine may have to ask its host for memory that it has not used yet, and gives free
//! memory back after a while. The first use of such memory is ten times slower than any later one,
//! so whichever server stores first would lose, and one that stores eight gibibytes would wait for
//! the host most of the time. So memory is held in a file, and let go in the measure as fast as
//! the server stores: what it gets has just been in use.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nix::sys::statvfs::fstatvfs;

use super::subject::{GIB, MIB};

/// So much can be let go at once: the kernel's free lists keep it for the next who asks.
const AT_ONCE: u64 = GIB + 64 * MIB;
/// Of more, so much is let go in advance: more than any server stores between two looks. The less
/// there is, the surer it is what is taken next.
const AHEAD: u64 = 128 * MIB;
/// Not less is let go then.
const STEP: u64 = 32 * MIB;
/// Between two looks at what is stored.
const LOOK: Duration = Duration::from_millis(5);

/// Held memory.
pub(super) struct Ballast {
    file: File,
    bytes: u64,
    at_once: u64,
}

/// Tells the follower to end, whatever happens to the work.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Ballast {
    /// Will hold so many bytes in a file system that is in memory.
    pub(super) fn new(dir: &Path, bytes: u64) -> Result<Self> {
        let file = tempfile::tempfile_in(dir).with_context(|| dir.display().to_string())?;
        Ok(Self {
            file,
            bytes,
            at_once: AT_ONCE,
        })
    }

    /// Takes hold of what is missing, right after it has been used by somebody else.
    pub(super) fn fill(&self) -> Result<()> {
        let block = vec![1; usize::try_from(MIB)?];
        let mut file = &self.file;
        let mut held = file.seek(SeekFrom::End(0))?;
        while held < self.bytes {
            file.write_all(&block).context("holding memory")?;
            held += MIB;
        }
        Ok(file.set_len(self.bytes)?)
    }

    /// Lets go the memory for `bytes` that `work` makes a server store.
    pub(super) fn during<T>(&self, bytes: u64, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let before = self.used()?;
        let held = self.file.metadata()?.len();
        let ahead = if bytes <= self.at_once { bytes } else { AHEAD };
        let mut let_go = ahead.min(held);
        self.file.set_len(held - let_go)?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let follower = scope.spawn(|| -> Result<()> {
                while !done.load(Ordering::Relaxed) {
                    let stored = (self.used()? + let_go).saturating_sub(before);
                    let wanted = (stored + ahead).min(bytes).min(held);
                    if wanted >= let_go + STEP {
                        let_go = wanted;
                        self.file.set_len(held - let_go)?;
                    }
                    thread::sleep(LOOK);
                }
                Ok(())
            });
            let result = {
                let _done = Done(&done);
                work()
            };
            follower
                .join()
                .map_err(|_| anyhow!("letting memory go has panicked"))??;
            result
        })
    }

    /// Bytes in use in the file system.
    fn used(&self) -> Result<u64> {
        let space = fstatvfs(&self.file)?;
        Ok((space.blocks() - space.blocks_free()) * space.fragment_size())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn memory_is_let_go_as_it_is_needed() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let all = 3 * AHEAD;
        let mut ballast = Ballast::new(dir.path(), all).unwrap();
        ballast.at_once = AHEAD;
        ballast.fill().unwrap();
        let held = |ballast: &Ballast| ballast.file.metadata().unwrap().len();
        let stored = vec![1; usize::try_from(AHEAD).unwrap()];
        let store = || {
            assert_eq!(held(&ballast), all - AHEAD);
            fs::write(dir.path().join("stored"), &stored)?;
            thread::sleep(LOOK * 50);
            Ok(())
        };
        ballast.during(all, store).unwrap();
        // Others may use the file system meanwhile, and the last step is not a whole one.
        assert!(held(&ballast) < all - AHEAD, "{}", held(&ballast));

        ballast.fill().unwrap();
        assert_eq!(held(&ballast), all);
        ballast.during(AHEAD / 2, || Ok(())).unwrap();
        assert_eq!(held(&ballast), all - AHEAD / 2);
    }

    #[test]
    fn a_panic_does_not_wait_for_ever() {
        let ballast = Ballast::new(Path::new("/dev/shm"), 0).unwrap();
        let work = || ballast.during(0, || -> Result<()> { panic!("on purpose") });
        let work = std::panic::AssertUnwindSafe(work);
        assert!(std::panic::catch_unwind(work).is_err());
    }
}
