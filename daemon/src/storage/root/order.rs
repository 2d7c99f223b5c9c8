//! Keeps names as they are while a root that goes by paths looks at them and uses them.
//!
//! A path is looked at component by component and then given to the kernel, which follows links. If
//! another session renames a link to the name of a directory between the two, the kernel leaves the
//! root. So whoever walks and calls does it under a lock that others share, and whoever renames or
//! removes a directory has the lock alone. Roots that go by handles need no lock.
//!
//! A call that hangs holds the lock. Nobody waits for it without a bound: those who look pass by
//! whoever waits to rename, renaming is given up, and so is looking while a renaming hangs.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use protocol::request::Failure;

use super::{Root, RootKind};

static NAMES: RwLock<()> = RwLock::new(());

/// How often names have been changed.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How long those who look let somebody go first who waits to rename.
const COURTESY: Duration = Duration::from_millis(200);

/// How long renaming waits for those who look, and they for a renaming.
const PATIENCE: Duration = Duration::from_secs(10);

/// While it is there, no session changes which directories the names on a path mean.
pub(super) struct Looking {
    _shared: Option<RwLockReadGuard<'static, ()>>,
}

/// While it is there, no other session walks a path.
pub(super) struct Changing {
    alone: Option<RwLockWriteGuard<'static, ()>>,
}

impl Root {
    /// Before a walk and the call that it is for.
    ///
    /// # Errors
    /// [`Failure::Resources`] if a renaming of another session hangs.
    pub(super) fn looking(&self) -> Result<Looking, Failure> {
        if self.kind != RootKind::Paths {
            return Ok(Looking { _shared: None });
        }
        let shared = NAMES.try_read_for(COURTESY);
        // Whoever waits to rename may wait for a call that hangs.
        let shared = shared.or_else(|| NAMES.try_read_recursive_for(PATIENCE));
        Ok(Looking {
            _shared: Some(shared.ok_or(Failure::Resources)?),
        })
    }

    /// Before a name is changed, the walks to it included.
    ///
    /// # Errors
    /// [`Failure::Resources`] if a call of another session hangs.
    pub(super) fn changing(&self) -> Result<Changing, Failure> {
        if self.kind != RootKind::Paths {
            return Ok(Changing { alone: None });
        }
        let alone = NAMES.try_write_for(PATIENCE).ok_or(Failure::Resources)?;
        Ok(Changing { alone: Some(alone) })
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        if self.alone.is_some() {
            CHANGES.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How often names have been changed; the same while [`Looking`] is there.
pub(super) fn changes() -> u64 {
    CHANGES.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, thread, time::Instant};

    use protocol::virtual_path::VirtualPath;

    use super::*;

    /// A call that hangs holds the lock.
    #[test]
    fn a_call_that_hangs_does_not_stop_those_who_look() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path(), RootKind::Paths).unwrap();
        let hanging = root.looking().unwrap();
        let began = Instant::now();
        thread::scope(|scope| {
            let renaming = scope.spawn(|| root.changing().map(drop));
            thread::sleep(Duration::from_millis(50));
            for _ in 0..3 {
                assert!(root.stat(&VirtualPath::root()).is_ok());
            }
            let looked = began.elapsed();
            assert!(looked < Duration::from_secs(5), "{looked:?}");
            drop(hanging);
            assert_eq!(renaming.join().unwrap(), Ok(()));
        });
        assert!(began.elapsed() < Duration::from_secs(9));
    }

    #[test]
    fn handles_need_no_order() {
        let root = Root::open(Path::new("/"), RootKind::Confined).unwrap();
        let _changing = root.changing().unwrap();
        assert!(root.stat(&VirtualPath::root()).is_ok());
    }
}
