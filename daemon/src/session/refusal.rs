//! The reply to a client that gets no session.

use std::os::fd::{AsFd, AsRawFd as _};

use nix::sys::socket::{MsgFlags, send};
use tracing::debug;

/// Sends a 421 reply (RFC 959, section 4.2). A client that cannot take one line at once does not
/// get it.
pub(crate) fn refuse(stream: &impl AsFd, reason: &str) {
    let reply = format!("421 {reason}\r\n");
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    if let Err(error) = send(stream.as_fd().as_raw_fd(), reply.as_bytes(), flags) {
        debug!(%error, "a client could not be told that it is refused");
    }
}
