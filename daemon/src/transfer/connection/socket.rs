//! The bare connection: non-blocking calls made to wait, in slices.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::sendfile::sendfile64,
};
use protocol::request::Failure;
use socket2::SockRef;

use crate::{
    sys::{round_trip, set_nonblocking},
    task::{CHECK_INTERVAL, Task},
};

/// How long to wait for the client to end a connection that we have ended, in milliseconds.
const LINGER_MS: u8 = 5;

/// Bytes that wait in the kernel until the network takes them; the kernel's own limit is mostly
/// some MiB. With fewer, what is sent is still in the processor's cache, a transfer that is
/// cancelled has less to follow it, and many transfers need less memory of the kernel. What has been
/// sent and is not acknowledged does not count, so a long way is no slower.
pub(super) const UNSENT_BYTES: u32 = 256 * 1024;

/// A client that is as near as this gets everything through a small buffer, which bounds what has
/// been sent and is not acknowledged, too: measured on loopback, half the processor time a byte. Such
/// a buffer would slow a client down that is far.
const NEAR: Duration = Duration::from_millis(1);

/// The size of that buffer in bytes. The kernel doubles it, for what it needs itself.
const NEAR_BUFFER_BYTES: usize = 256 * 1024;

/// A connected socket in non-blocking mode.
#[derive(Debug)]
pub(super) struct Socket {
    /// Works for every kind of stream socket: std only calls recv(2), send(2) and shutdown(2).
    stream: TcpStream,
    task: Task,
}

impl Socket {
    /// Takes a connection over, and puts it into non-blocking mode.
    pub(super) fn new(descriptor: OwnedFd, task: Task) -> io::Result<Self> {
        set_nonblocking(&descriptor)?;
        Ok(Self {
            stream: descriptor.into(),
            task,
        })
    }

    /// Counts bytes of a file that were moved.
    pub(super) fn count(&self, bytes: usize) {
        self.task.add(bytes as u64);
    }

    /// Has the kernel send what it takes without waiting for more: in a handshake, every message is
    /// waited for.
    pub(super) fn send_at_once(&self) {
        // Best effort: not every kernel knows it.
        let _set = self.stream.set_nodelay(true);
    }

    /// Has the kernel take no more than it can soon send.
    pub(super) fn bound_unsent(&self) {
        let socket = SockRef::from(&self.stream);
        let near = round_trip(&self.stream).is_some_and(|time| time < NEAR);
        // Best effort: not every kernel knows it.
        let _set = if near {
            socket.set_send_buffer_size(NEAR_BUFFER_BYTES)
        } else {
            socket.set_tcp_notsent_lowat(UNSENT_BYTES)
        };
    }

    /// Reads what is there; waits if nothing is. Zero bytes are the end.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            self.task.check()?;
            match (&self.stream).read(buffer) {
                Ok(read) => return Ok(read),
                Err(error) => self.wait_or_fail(&error, PollFlags::POLLIN)?,
            }
        }
    }

    /// Writes all bytes. They count as `worth` bytes of the file.
    pub(super) fn write_all(&self, bytes: &[u8], worth: usize) -> Result<(), Failure> {
        let (mut written, mut counted) = (0, 0);
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            self.task.check()?;
            match (&self.stream).write(rest) {
                Ok(0) => return Err(Failure::ConnectionLost),
                Ok(some) => {
                    written += some;
                    // Counted as it goes: a slow client is not a stalled one.
                    let share = worth as u128 * written as u128 / bytes.len() as u128;
                    let share = usize::try_from(share).unwrap_or(worth);
                    self.count(share - counted);
                    counted = share;
                }
                Err(error) => self.wait_or_fail(&error, PollFlags::POLLOUT)?,
            }
        }
        Ok(())
    }

    /// Has the kernel send a part of a file: what it takes at once, waiting if that is nothing.
    /// Nothing if it refuses; why it cannot read, reading tells.
    pub(super) fn send_file(
        &self,
        file: &File,
        position: u64,
        length: usize,
    ) -> Result<Option<usize>, Failure> {
        let Ok(mut position) = i64::try_from(position) else {
            return Ok(None);
        };
        loop {
            self.task.check()?;
            match sendfile64(&self.stream, file, Some(&mut position), length) {
                Ok(sent) => return Ok(Some(sent)),
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLOUT)?,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN | Errno::ETIMEDOUT) => {
                    return Err(Failure::ConnectionLost);
                }
                Err(_refused) => return Ok(None),
            }
        }
    }

    /// Tells the client that nothing more will come.
    pub(super) fn end(&self) {
        // It fails when the client has closed the connection, and then there is nobody to tell.
        let _ended = self.stream.shutdown(Shutdown::Write);
    }

    /// Gives the client a moment to end the connection, and throws away what it sends. Some clients
    /// only do so after the reply on the control connection, which waits for this.
    pub(super) fn await_end(&self) {
        let mut descriptors = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        if matches!(
            poll(&mut descriptors, PollTimeout::from(LINGER_MS)),
            Ok(1..)
        ) {
            let _wasted = (&self.stream).read(&mut [0; 512]);
        }
    }

    /// Waits for one slice if that is what the kernel wants.
    fn wait_or_fail(&self, error: &io::Error, what: PollFlags) -> Result<(), Failure> {
        match error.kind() {
            ErrorKind::Interrupted => Ok(()),
            ErrorKind::WouldBlock => self.wait(what),
            _ => Err(failure_of(error)),
        }
    }

    /// Waits for one slice.
    fn wait(&self, what: PollFlags) -> Result<(), Failure> {
        let mut descriptors = [PollFd::new(self.stream.as_fd(), what)];
        match poll(
            &mut descriptors,
            PollTimeout::try_from(CHECK_INTERVAL).unwrap_or(PollTimeout::MAX),
        ) {
            Ok(_ready) => Ok(()),
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(()),
            Err(_broken) => Err(Failure::ConnectionLost),
        }
    }
}

/// What an error means that does not pass.
fn failure_of(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::OutOfMemory => Failure::Resources,
        _ => Failure::ConnectionLost,
    }
}
