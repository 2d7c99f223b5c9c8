//! Says on stderr how far a long task is.

use std::{
    cell::Cell,
    io::{self, Read},
    time::{Duration, Instant},
};

/// Between two lines; short tasks end without any.
const EVERY: Duration = Duration::from_secs(2);

/// Counts bytes against a known total.
pub(crate) struct Progress {
    what: String,
    total: u64,
    done: Cell<u64>,
    said: Cell<Instant>,
}

impl Progress {
    /// Begins a task of so many bytes.
    pub(crate) fn new(what: impl Into<String>, total: u64) -> Self {
        Self {
            what: what.into(),
            total,
            done: Cell::new(0),
            said: Cell::new(Instant::now()),
        }
    }

    /// Counts what is read.
    pub(crate) fn reading<R>(&self, inner: R) -> Reading<'_, R> {
        Reading {
            progress: self,
            inner,
        }
    }

    fn add(&self, bytes: usize) {
        self.done.set(self.done.get() + bytes as u64);
        if self.said.get().elapsed() < EVERY {
            return;
        }
        self.said.set(Instant::now());
        let (done, total) = (self.done.get() >> 20, self.total >> 20);
        eprintln!("{}: {done} of {total} MiB", self.what);
    }
}

/// Passes bytes on and counts them.
pub(crate) struct Reading<'p, R> {
    progress: &'p Progress,
    inner: R,
}

impl<R: Read> Read for Reading<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.progress.add(count);
        Ok(count)
    }
}
