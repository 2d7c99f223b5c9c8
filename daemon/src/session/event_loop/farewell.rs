//! The end of the control connection.

use std::time::{Duration, Instant};

use tracing::debug;

use super::{CLIENT_BYTES, EventLoop};
use crate::session::control_connection::Received;

/// How long the client gets to take our last words and to close its side.
const FAREWELL: Duration = Duration::from_millis(500);

impl EventLoop {
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
