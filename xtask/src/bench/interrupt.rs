//! A run that is ended early leaves no server and no file behind, and what it has measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use nix::sys::signal::{SigSet, Signal};

/// Whether somebody wants the run to end.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the first SIGINT or SIGTERM is noted; the second one ends the process.
    pub(super) fn watch() -> Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        // Threads inherit it; servers do not.
        signals.thread_block()?;
        let asked = Arc::new(AtomicBool::new(false));
        let noted = asked.clone();
        thread::spawn(move || {
            if signals.wait().is_ok() {
                noted.store(true, Ordering::Relaxed);
                eprintln!("ending after this server; once more ends at once and leaves it running");
                // This thread takes the second one, as if nobody had ever waited.
                let _cannot_fail = signals.thread_unblock();
            }
            loop {
                thread::park();
            }
        });
        Ok(Self(asked))
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
