//! Stats at the entries of a directory, slice by slice in the order of their names.
//!
//! A look is a call to the kernel, and on a datastore it can take its time. Where they are many, a
//! second thread shares them: each takes the next slice that nobody has taken, but not many more
//! than are handed out, so that memory is bounded and the first lines leave early. If no thread is
//! free for it, the first does everything.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use protocol::{request::Failure, virtual_path::VirtualPath};

use super::{
    budget::{Budget, Charge},
    names::{Name, Names},
};
use crate::{
    storage::{
        files::Files,
        links::{Shown, ShownLink},
        root::{Root, Stat, What, entries::Entries},
    },
    task::{CHECK_INTERVAL, Task, second_thread},
};

/// Entries of a slice.
const SLICE: usize = 64;

/// Slices that are taken and not handed out.
const AHEAD: usize = 32;

/// Bytes of links' targets in slices that are not handed out, with which no more are taken.
const AHEAD_LINKS: usize = 256 * 1024;

/// What is taken from the budget for slices that are not handed out: [`AHEAD`] slices of entries,
/// [`AHEAD_LINKS`], and two slices of the longest targets.
const AHEAD_BYTES: usize = 1280 * 1024;

/// Entries that are worth a second thread.
const MANY: usize = 4096;

/// An entry as it is shown.
#[derive(Debug)]
pub(super) struct Row {
    /// Where its name stands.
    pub(super) name: Name,
    /// What it is.
    pub(super) shown: Shown,
}

/// Bytes of the targets of links that rows have.
pub(super) fn link_bytes(rows: &[Row]) -> usize {
    let links = rows.iter().filter_map(|row| row.shown.link.as_ref());
    links
        .map(|link| size_of::<ShownLink>() + link.text.capacity())
        .sum()
}

/// The entries of a directory in slices, without those that have vanished. No more are looked at
/// when it is dropped.
#[derive(Debug)]
pub(super) struct Stats(Arc<Shared>);

/// What the threads share. Locks and waits are `parking_lot`'s, see `relay.rs`.
#[derive(Debug)]
struct Shared {
    files: Files,
    path: VirtualPath,
    /// The root, open in the directory, and the path of the directory without links: for links.
    /// Nothing if it has gone.
    near: OnceLock<Option<(Root, VirtualPath)>>,
    entries: Arc<Entries>,
    names: Names,
    task: Task,
    /// For slices that are not handed out.
    _charge: Charge,
    /// Whether nobody wants any more.
    over: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Slices that threads have taken, in all.
    taken: usize,
    /// The last of them, which are not handed out; nothing for those being looked at.
    ahead: VecDeque<Option<Result<Vec<Row>, Failure>>>,
    /// Bytes of links' targets in them.
    linked: usize,
    /// Whether the second thread has gone.
    gone: bool,
}

impl Stats {
    /// Stats at the entries of these names in the directory at `path`.
    pub(super) fn new(
        files: &Files,
        path: &VirtualPath,
        entries: &Arc<Entries>,
        names: Names,
        task: &Task,
        budget: Budget,
    ) -> Self {
        let mut charge = budget.nothing();
        let helped = names.places().len() >= MANY && charge.grow(AHEAD_BYTES);
        let shared = Arc::new(Shared {
            files: files.clone(),
            path: path.clone(),
            near: OnceLock::new(),
            entries: entries.clone(),
            names,
            task: task.clone(),
            _charge: charge,
            over: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        if helped {
            let second = shared.clone();
            second_thread(move || second.help());
        }
        Self(shared)
    }

    /// The next slice in the order of the names.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        self.0.next()
    }

    /// The names of the rows.
    pub(super) fn names(&self) -> &Names {
        &self.0.names
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Shared {
    /// The next slice in order, which this thread stats at itself if nobody has.
    fn next(&self) -> Result<Option<Vec<Row>>, Failure> {
        let mut state = self.state.lock();
        loop {
            self.task.check()?;
            if let Some(rows) = state.ahead.front_mut().and_then(Option::take) {
                state.ahead.pop_front();
                if let Ok(rows) = &rows {
                    state.linked -= link_bytes(rows);
                }
                self.changed.notify_one();
                return rows.map(Some);
            }
            // Also if the other thread has the first of them: there is more to do than to wait.
            if self.take(&mut state) {
                continue;
            }
            if state.ahead.is_empty() {
                return Ok(None);
            }
            if state.gone {
                return Err(Failure::Internal);
            }
            self.changed.wait_for(&mut state, CHECK_INTERVAL);
        }
    }

    /// Takes slices until there are none left, or nobody wants them.
    fn help(&self) {
        let _gone = Gone(self);
        let mut state = self.state.lock();
        while self.check().is_ok() && state.taken * SLICE < self.names.places().len() {
            if self.take(&mut state) {
                self.changed.notify_one();
            } else {
                self.changed.wait_for(&mut state, CHECK_INTERVAL);
            }
        }
    }

    /// Stats at the next slice that nobody has taken, unless there is none or enough is done.
    fn take(&self, state: &mut MutexGuard<'_, State>) -> bool {
        let names = self.names.places().chunks(SLICE).nth(state.taken);
        let Some(names) = names.filter(|_| state.ahead.len() < AHEAD && state.linked < AHEAD_LINKS)
        else {
            return false;
        };
        let number = state.taken;
        state.taken += 1;
        state.ahead.push_back(None);
        let rows = MutexGuard::unlocked(state, || self.look(names));
        let handed_out = state.taken - state.ahead.len();
        if let Ok(rows) = &rows {
            state.linked += link_bytes(rows);
        }
        if let Some(place) = state.ahead.get_mut(number - handed_out) {
            *place = Some(rows);
        }
        true
    }

    /// Stats at entries.
    fn look(&self, names: &[Name]) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::with_capacity(names.len());
        for name in names {
            // Each time: a look can be slow.
            self.check()?;
            let Some(stat) = self.entries.look(self.names.for_kernel(*name))? else {
                continue;
            };
            rows.push(Row {
                name: *name,
                shown: self.shown(self.names.bytes(*name), stat),
            });
        }
        Ok(rows)
    }

    fn shown(&self, name: &[u8], stat: Stat) -> Shown {
        let near = (stat.what == What::Link).then(|| {
            self.near.get_or_init(|| {
                let root = self.files.root();
                let path = root.resolve(&self.path).ok()?;
                Some((root.opened(&path).ok()?, path))
            })
        });
        match near {
            Some(Some((root, path))) => self.files.shown(root, path, name, stat),
            _ => self.files.shown(self.files.root(), &self.path, name, stat),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.over.load(Ordering::Relaxed) {
            return Err(Failure::Cancelled);
        }
        self.task.check()
    }
}

/// Tells that the second thread has gone, also if it panics: the first must not wait for ever.
struct Gone<'s>(&'s Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.state.lock().gone = true;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;
    use crate::{
        accounts::Rights,
        storage::sample::{BOTH, Sample},
        tests::wait_until,
    };

    fn stats(sample: &Sample) -> Stats {
        let (root, task) = (sample.files.root(), Task::default());
        let entries = Arc::new(root.read_dir(&VirtualPath::root()).unwrap());
        let budget = Budget::uncounted();
        let mut names = Names::new(budget);
        let read = entries.names(&mut |name| names.keep(name).map(|kept| assert!(kept)));
        read.unwrap();
        names.sort(false);
        let path = VirtualPath::root();
        Stats::new(&sample.files, &path, &entries, names, &task, budget)
    }

    #[test]
    fn the_second_thread_is_not_far_ahead_and_ends() {
        for choice in BOTH {
            let sample = Sample::new(choice, Rights::default());
            for number in 0..MANY {
                sample.write(&format!("{number:05}"), "");
            }
            let mut stats = stats(&sample);
            let taken = |stats: &Stats| stats.0.state.lock().taken;
            wait_until("the second thread stats", || taken(&stats) == AHEAD);
            sleep(CHECK_INTERVAL * 2);
            assert_eq!(taken(&stats), AHEAD);
            for slice in 0..2 {
                let rows = stats.next().unwrap().unwrap();
                let first = rows.first().map(|row| stats.names().bytes(row.name));
                let expected = format!("{:05}", slice * SLICE);
                assert_eq!((first, rows.len()), (Some(expected.as_bytes()), SLICE));
            }
            let left = Arc::downgrade(&stats.0);
            drop(stats);
            wait_until("the second thread ends", || left.strong_count() == 0);
        }
    }

    #[test]
    fn a_second_thread_that_panics_is_not_waited_for() {
        let sample = Sample::new(BOTH[0], Rights::default());
        sample.write("f", "");
        let mut stats = stats(&sample);
        // As it leaves things: a slice is taken, and nothing comes of it.
        stats.0.state.lock().taken = 1;
        stats.0.state.lock().ahead.push_back(None);
        drop(Gone(&stats.0));
        assert_eq!(stats.next().unwrap_err(), Failure::Internal);
    }
}
