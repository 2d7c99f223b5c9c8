//! Pairs of connected sockets.

use std::{io, os::unix::net::UnixStream};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::socket::{AddressFamily, SockFlag, SockType, socketpair},
};

/// Two connected stream sockets in non-blocking mode.
///
/// # Errors
/// If the kernel has none to give.
pub(crate) fn stream_pair() -> io::Result<(UnixStream, UnixStream)> {
    // std would set the mode by ioctl, which is not sure to work on the VMkernel.
    let (one, other) = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    for socket in [&one, &other] {
        fcntl(socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    Ok((one.into(), other.into()))
}
