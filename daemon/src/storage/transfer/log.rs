//! One line of the log for each transfer.

use std::time::Instant;

use tracing::{info, warn};

use crate::{session::Run, storage::Failure, virtual_path::VirtualPath};

/// Logs how a transfer ended, also when it is dropped in the middle; then it is cancelled, too.
pub(super) struct TransferLog {
    what: &'static str,
    path: VirtualPath,
    start: Instant,
    run: Run,
    ended: bool,
}

impl TransferLog {
    pub(super) fn begin(what: &'static str, path: VirtualPath, run: &Run) -> Self {
        Self {
            what,
            path,
            start: Instant::now(),
            run: run.clone(),
            ended: false,
        }
    }

    pub(super) fn end(mut self, result: Result<u64, Failure>) {
        self.ended = true;
        // Clients choose paths: their `Debug` form cannot forge a line.
        let Self { what, path, .. } = &self;
        let milliseconds = self.start.elapsed().as_millis();
        let bytes = self.run.moved();
        match result {
            Ok(_bytes) => info!(?path, bytes, milliseconds, "{what}"),
            Err(failure) => warn!(?path, bytes, milliseconds, %failure, "{what}: failed"),
        }
    }
}

impl Drop for TransferLog {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody waits for the threads any more.
            self.run.cancel();
            let Self { what, path, .. } = self;
            let bytes = self.run.moved();
            let milliseconds = self.start.elapsed().as_millis();
            warn!(?path, bytes, milliseconds, "{what}: cut off");
        }
    }
}
