//! Stream sockets that never block, by the oldest calls that do.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd as _, OwnedFd},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, bind, connect,
        socket,
    },
    unistd::pipe,
};

/// A socket for connections to or from addresses of this kind, in non-blocking mode.
///
/// # Errors
/// If there is none to be had.
pub(crate) fn stream_socket(address: &SocketAddr) -> nix::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket(family, SockType::Stream, flags, None)
}

/// Binds a socket.
///
/// # Errors
/// Those of bind(2).
pub(crate) fn bind_socket(socket: &OwnedFd, address: SocketAddr) -> nix::Result<()> {
    with_address(address, |address| bind(socket.as_raw_fd(), address))
}

/// Begins to connect a socket. It stands when it can be written to.
///
/// # Errors
/// Those of connect(2), but for `EINPROGRESS` and `EINTR`, which are no errors here.
pub(crate) fn begin_connect(socket: &OwnedFd, address: SocketAddr) -> nix::Result<()> {
    match with_address(address, |address| connect(socket.as_raw_fd(), address)) {
        Err(nix::errno::Errno::EINPROGRESS | nix::errno::Errno::EINTR) => Ok(()),
        result => result,
    }
}

fn with_address(
    address: SocketAddr,
    call: impl FnOnce(&dyn SockaddrLike) -> nix::Result<()>,
) -> nix::Result<()> {
    match address {
        SocketAddr::V4(address) => call(&SockaddrIn::from(address)),
        SocketAddr::V6(address) => call(&SockaddrIn6::from(address)),
    }
}

/// Puts a descriptor into non-blocking mode. std would do it by ioctl(2), which is not sure to work
/// on the VMkernel.
///
/// # Errors
/// Those of fcntl(2).
pub(crate) fn set_nonblocking(descriptor: impl AsFd) -> io::Result<()> {
    fcntl(descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

/// A pipe in non-blocking mode: the end to read from, and the one to write to.
///
/// # Errors
/// If there is none to be had.
pub(crate) fn nonblocking_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    // Not pipe2(2): no report says that the VMkernel has it.
    let (reader, writer) = pipe()?;
    set_nonblocking(&reader)?;
    set_nonblocking(&writer)?;
    Ok((reader, writer))
}
