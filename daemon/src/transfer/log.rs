//! One line of the log for each transfer.

use std::time::Instant;

use protocol::{request::Failure, virtual_path::VirtualPath};
use tracing::{info, warn};

use crate::task::{Canceller, Task};

/// What uploads are called when they have ended. A client that ends one early leaves a file that is
/// not complete.
const STORED: &str = "stored";

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
        let cancelled = || self.task.cancelled_by().unwrap_or(Canceller::Session);
        match result {
            Ok(_bytes) => info!(?path, bytes, milliseconds, "{what}"),
            // Clients that want the front of a file only, or to go on later, do it on purpose.
            Err(Failure::ConnectionLost) if *what != STORED => {
                info!(
                    ?path,
                    bytes, milliseconds, "{what}: the client ended the transfer early"
                );
            }
            Err(failure @ Failure::Cancelled) => {
                let by = cancelled();
                if *what != STORED && by.is_client() {
                    let by = by.in_words();
                    info!(?path, bytes, milliseconds, %failure, by, "{what}: ended early");
                } else {
                    let by = by.in_words();
                    warn!(?path, bytes, milliseconds, %failure, by, "{what}: failed");
                }
            }
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
