//! Lines to stderr, which may be a pipe that nobody reads.

use std::{
    io::{self, Write as _},
    os::fd::AsFd as _,
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::Mutex;

use super::{Severity, now};

/// Longest line in bytes. A pipe that has room at all takes this much at once (POSIX, `PIPE_BUF`).
const MAX_LINE_BYTES: usize = 4096;

/// How long a line waits for those of other threads. They take no time, unless one of them is held
/// by what stderr is.
const PATIENCE: Duration = Duration::from_millis(100);

/// Stderr, one line at a time.
#[derive(Debug, Default)]
pub(super) struct Stderr(Mutex<()>);

impl Stderr {
    /// Writes one line, if there is room for it.
    ///
    /// # Errors
    /// If there is none, or nobody will ever read.
    pub(super) fn write(&self, severity: Severity, text: &str) -> io::Result<()> {
        let line = line(severity, text);
        let Some(_alone) = self.0.try_lock_for(PATIENCE) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let mut stderr = io::stderr().lock();
        let ready = {
            let mut descriptors = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
            poll(&mut descriptors, PollTimeout::ZERO)
        };
        // Where poll(2) cannot tell, as for a kind of device, writing does not wait.
        if ready == Ok(0) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        stderr.write_all(line.as_bytes())
    }
}

fn line(severity: Severity, text: &str) -> String {
    let now = now().format("%Y-%m-%dT%H:%M:%SZ");
    let mut line = format!("{now} {:<7} {text}", severity.name());
    line.truncate(line.floor_char_boundary(MAX_LINE_BYTES - 1));
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_into_what_a_pipe_takes_at_once() {
        let line = line(Severity::Error, &"ü".repeat(5000));
        assert!(line.len() <= MAX_LINE_BYTES && line.ends_with("ü\n"));
        assert!(super::line(Severity::Info, "short").ends_with(" info    short\n"));
    }
}
