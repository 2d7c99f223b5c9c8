//! Small transfers in the clear, which the session moves itself: waking a worker takes longer than
//! sending ten kilobytes. Nothing here waits.

use std::{
    io::{self, ErrorKind},
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv, send},
};
use protocol::request::Failure;

use super::incoming::complete;
use crate::{storage::upload::Upload, task::Task};

/// The most bytes of an upload that are received before a worker takes over.
const SMALL_BYTES: u64 = 32 * 1024;

/// What is received at once, on the session's stack.
const PIECE_BYTES: usize = 16 * 1024;

/// Sends what the kernel takes at once, and returns how much that was.
///
/// # Errors
/// [`Failure::ConnectionLost`].
pub(crate) fn send_now(socket: &OwnedFd, bytes: &[u8], task: &Task) -> Result<usize, Failure> {
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    match send(socket.as_raw_fd(), bytes, flags) {
        Ok(sent) => {
            task.add(sent as u64);
            Ok(sent)
        }
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
        Err(errno) => Err(failure_of(errno)),
    }
}

/// An upload whose first bytes are being received.
#[derive(Debug)]
pub(crate) struct Receiving {
    socket: OwnedFd,
    upload: Box<Upload>,
}

/// How far receiving has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// More has to come from the client.
    Waiting(Receiving),
    /// It has ended.
    Ended(Result<(), Failure>),
    /// The file is not small: the rest is for a worker.
    Large(OwnedFd, Box<Upload>),
}

impl Receiving {
    /// An upload that begins now.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn begin(socket: OwnedFd, mut upload: Box<Upload>) -> Result<Self, Failure> {
        upload.begin()?;
        Ok(Self { socket, upload })
    }

    /// The data connection.
    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Receives and stores what has come.
    pub(crate) fn receive(mut self, task: &Task) -> Progress {
        let mut piece = [0; PIECE_BYTES];
        loop {
            if task.moved() >= SMALL_BYTES {
                return Progress::Large(self.socket, self.upload);
            }
            match recv(self.socket.as_raw_fd(), &mut piece, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Progress::Ended(complete(self.upload, task)),
                Ok(received) => {
                    task.add(received as u64);
                    let bytes = piece.get(..received).unwrap_or_default();
                    if let Err(failure) = self.upload.write(bytes) {
                        return Progress::Ended(Err(failure));
                    }
                }
                Err(Errno::EAGAIN) => return Progress::Waiting(self),
                Err(Errno::EINTR) => {}
                Err(errno) => return Progress::Ended(Err(failure_of(errno))),
            }
        }
    }
}

fn failure_of(errno: Errno) -> Failure {
    match io::Error::from(errno).kind() {
        ErrorKind::OutOfMemory => Failure::Resources,
        _ => Failure::ConnectionLost,
    }
}
