//! One line of the log for each transfer.

use std::time::Instant;

use protocol::{request::Failure, virtual_path::VirtualPath};
use tracing::{info, warn};

use crate::task::Task;

/// Logs how a transfer ended, also when it is dropped in the middle; then it is cancelled, too.
pub(crate) struct TransferLog {
    what: &'static str,
    path: VirtualPath,
    start: Instant,
    task: Task,
    ended: bool,
}

impl TransferLog {
    pub(crate) fn begin(what: &'static str, path: VirtualPath, task: &Task) -> Self {
        Self {
            what,
            path,
            start: Instant::now(),
            task: task.clone(),
            ended: false,
        }
    }

    pub(crate) fn end(mut self, result: Result<u64, Failure>) {
        self.ended = true;
        // Clients choose paths: their `Debug` form cannot forge a line.
        let Self { what, path, .. } = &self;
        let milliseconds = self.start.elapsed().as_millis();
        let bytes = self.task.moved();
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
            self.task.cancel();
            let Self { what, path, .. } = self;
            let bytes = self.task.moved();
            let milliseconds = self.start.elapsed().as_millis();
            warn!(?path, bytes, milliseconds, "{what}: cut off");
        }
    }
}
