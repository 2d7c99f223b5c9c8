//! One line of the log for each transfer.

use std::time::{Duration, Instant};

use protocol::{request::Failure, virtual_path::VirtualPath};
use tracing::{debug, info, warn};

use crate::{
    storage::changes::seconds,
    task::{Canceller, Task},
};

/// Logs how a transfer ended, also when it is dropped in the middle; then it is cancelled, too.
pub(crate) struct TransferLog {
    /// What it is called when it has ended: `stored`, `appended`, `sent` or `listed`.
    what: &'static str,
    path: VirtualPath,
    start: Instant,
    task: Task,
    /// Whether it began behind the first byte.
    resumed: bool,
    /// What protects the data connection, if that is known.
    data: Option<&'static str>,
    ended: bool,
}

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client.
    In,
    /// To the client: a file.
    Out,
    /// To the client: a listing.
    Listing,
}

impl TransferLog {
    pub(crate) fn begin(what: &'static str, path: VirtualPath, task: &Task) -> Self {
        Self {
            what,
            path,
            start: Instant::now(),
            task: task.clone(),
            resumed: false,
            data: None,
            ended: false,
        }
    }

    /// The same, of a transfer that goes on with a file or begins anew, on a data connection under
    /// TLS or in the clear.
    pub(crate) fn with(mut self, resumed: bool, protected: bool) -> Self {
        self.resumed = resumed;
        self.data = Some(if protected { "TLS" } else { "clear" });
        self
    }

    /// Which way it goes.
    pub(crate) fn direction(&self) -> Direction {
        match self.what {
            "stored" | "appended" => Direction::In,
            "sent" => Direction::Out,
            _ => Direction::Listing,
        }
    }

    /// What it is called if it has failed.
    fn failed(&self) -> &'static str {
        match self.direction() {
            Direction::In => "upload-failed",
            Direction::Out => "download-failed",
            Direction::Listing => "listing-failed",
        }
    }

    pub(crate) fn end(mut self, result: Result<u64, Failure>) {
        self.ended = true;
        let by = self.task.cancelled_by().unwrap_or(Canceller::Session);
        let is_upload = self.direction() == Direction::In;
        match result {
            Ok(_bytes) => {
                let result = if self.resumed { "resumed" } else { "whole" };
                self.tell(self.what, result, None, None);
            }
            // Clients that want the front of a file only, or to go on later, do it on purpose.
            Err(failure @ Failure::ConnectionLost) if !is_upload => {
                self.tell(self.what, "part", Some(failure), None);
            }
            Err(failure @ Failure::Cancelled) if !is_upload && by.is_client() => {
                self.tell(self.what, "part", Some(failure), Some(by));
            }
            Err(failure) => {
                let by = (failure == Failure::Cancelled).then_some(by);
                self.tell(self.failed(), "failed", Some(failure), by);
            }
        }
    }

    fn tell(
        &self,
        verb: &'static str,
        result: &str,
        failure: Option<Failure>,
        by: Option<Canceller>,
    ) {
        // Clients choose paths: their `Debug` form cannot forge a line.
        let path = &self.path;
        let (bytes, data) = (self.task.moved(), self.data);
        let elapsed = self.start.elapsed();
        let rate = rate(bytes, elapsed);
        let seconds = seconds(elapsed);
        let cause = failure.map(Failure::text);
        let by = by.map(Canceller::in_words);
        if result == "failed" {
            warn!(?path, bytes, %seconds, rate, result, data, cause, by, "{verb}");
        } else if self.direction() == Direction::Listing {
            debug!(?path, bytes, %seconds, rate, result, data, cause, by, "{verb}");
        } else {
            info!(?path, bytes, %seconds, rate, result, data, cause, by, "{verb}");
        }
    }
}

impl Drop for TransferLog {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody waits for the threads any more.
            self.task.cancel();
            let failure = Failure::Cancelled;
            self.tell(
                self.failed(),
                "failed",
                Some(failure),
                self.task.cancelled_by(),
            );
        }
    }
}

/// Bytes in a second.
fn rate(bytes: u64, elapsed: Duration) -> u64 {
    let milliseconds = elapsed.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
}
