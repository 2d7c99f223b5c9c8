//! The end of the control connection.

use std::{
    io,
    time::{Duration, Instant},
};

use protocol::Ending;
use tracing::{debug, warn};

use super::{CLIENT_BYTES, EventLoop, Next};
use crate::{
    session::{admission::Refusal, control_connection::Received},
    task::Canceller,
};

/// How long the client gets to take our last words and to close its side.
const FAREWELL: Duration = Duration::from_millis(500);

impl EventLoop {
    /// Ends a session that got memory from the reserve: others are not to end with it.
    pub(super) fn out_of_memory(&mut self) -> Next {
        self.ending = Some(Ending::Stalled);
        warn!(
            "out-of-memory: the host gives no more memory; lower limits.sessions or transfers.buffers"
        );
        let refusal = Refusal::Resources;
        self.control.send(format!("421 {refusal}\r\n").into_bytes());
        Next::End
    }

    /// The control connection is of no more use.
    pub(super) fn lost(&mut self, error: &io::Error) -> Next {
        debug!(%error, "connection-lost");
        self.ending = Some(Ending::Lost);
        self.canceller = Canceller::ClientLeft;
        Next::End
    }

    /// Sends the rest, says that nothing follows, and reads for as long as the client sends, so that
    /// the kernel does not throw away our last words together with the client's.
    pub(super) fn farewell(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        let mut ended = false;
        loop {
            let flushed = self.control.flush();
            if flushed.is_err() {
                return;
            }
            if self.control.is_flushed() && !ended {
                ended = true;
                if self.control.end().is_err() {
                    return;
                }
            }
            let mut rest = [0; CLIENT_BYTES];
            match self.control.receive(&mut rest) {
                Ok(Received::Bytes(_)) => {}
                Ok(Received::End) if ended => return,
                Ok(nothing) => match self.wait(nothing == Received::Nothing, Some(deadline)) {
                    // A worker that was given up wakes us once more.
                    Ok(seen) if seen.wakeup => self.status.waker.seen(&self.wakeups),
                    Ok(_) => {}
                    Err(_) => return,
                },
                Err(_lost) => return,
            }
            if Instant::now() >= deadline {
                return debug!("the client did not take our last words");
            }
        }
    }
}
