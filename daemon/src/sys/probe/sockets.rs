//! Trials about sockets.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::net::UnixDatagram,
    },
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc::{self, c_int, c_void, socklen_t},
    sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socketpair, sockopt},
    unistd::pipe,
};

/// A new socket. musl repeats a call that was refused for its flags without them; this does not.
fn socket(family: c_int, kind: c_int) -> nix::Result<OwnedFd> {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_socket, family, kind, 0) };
    let descriptor = c_int::try_from(Errno::result(result)?).map_err(|_large| Errno::EBADF)?;
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn tcp() -> nix::Result<OwnedFd> {
    socket(libc::AF_INET, libc::SOCK_STREAM)
}

pub(super) fn unix_pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::empty(),
    )
}

pub(super) fn close_on_exec() -> nix::Result<()> {
    socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC).map(drop)
}

pub(super) fn non_blocking() -> nix::Result<()> {
    socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK).map(drop)
}

pub(super) fn inet6() -> nix::Result<()> {
    socket(libc::AF_INET6, libc::SOCK_STREAM).map(drop)
}

pub(super) fn unix_stream() -> nix::Result<()> {
    socket(libc::AF_UNIX, libc::SOCK_STREAM).map(drop)
}

pub(super) fn netlink() -> nix::Result<()> {
    socket(libc::AF_NETLINK, libc::SOCK_RAW).map(drop)
}

pub(super) fn pair() -> nix::Result<()> {
    unix_pair().map(drop)
}

pub(super) fn dup_close_on_exec() -> nix::Result<()> {
    let socket = tcp()?;
    // Past musl, which repeats it as F_DUPFD.
    // SAFETY: no pointers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_fcntl,
            socket.as_raw_fd(),
            libc::F_DUPFD_CLOEXEC,
            3,
        )
    };
    super::close(Errno::result(result)?)
}

fn set_non_blocking(descriptor: &OwnedFd) -> nix::Result<()> {
    let mut on: c_int = 1;
    // SAFETY: the request reads one int, which outlives the call.
    let result = unsafe { libc::ioctl(descriptor.as_raw_fd(), libc::FIONBIO, &raw mut on) };
    Errno::result(result).map(drop)
}

pub(super) fn fionbio_on_socket() -> nix::Result<()> {
    set_non_blocking(&tcp()?)
}

pub(super) fn fionbio_on_pipe() -> nix::Result<()> {
    set_non_blocking(&pipe()?.0)
}

pub(super) fn fioclex_on_pipe() -> nix::Result<()> {
    let (reader, _writer) = pipe()?;
    // SAFETY: this request takes no argument.
    Errno::result(unsafe { libc::ioctl(reader.as_raw_fd(), libc::FIOCLEX) }).map(drop)
}

fn set(socket: &OwnedFd, level: c_int, option: c_int) -> nix::Result<()> {
    let value: c_int = if option == libc::SO_SNDBUF { 65536 } else { 1 };
    // SAFETY: the value is one int, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast::<c_void>(),
            socklen_t::try_from(size_of::<c_int>()).unwrap_or(0),
        )
    };
    Errno::result(result).map(drop)
}

pub(super) fn reuse_address() -> nix::Result<()> {
    set(&tcp()?, libc::SOL_SOCKET, libc::SO_REUSEADDR)
}

pub(super) fn reuse_port() -> nix::Result<()> {
    set(&tcp()?, libc::SOL_SOCKET, libc::SO_REUSEPORT)
}

pub(super) fn no_delay() -> nix::Result<()> {
    set(&tcp()?, libc::IPPROTO_TCP, libc::TCP_NODELAY)
}

pub(super) fn cork() -> nix::Result<()> {
    set(&tcp()?, libc::IPPROTO_TCP, libc::TCP_CORK)
}

pub(super) fn user_timeout() -> nix::Result<()> {
    set(&tcp()?, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT)
}

pub(super) fn type_of_service() -> nix::Result<()> {
    set(&tcp()?, libc::IPPROTO_IP, libc::IP_TOS)
}

pub(super) fn keep_alive() -> nix::Result<()> {
    set(&tcp()?, libc::SOL_SOCKET, libc::SO_KEEPALIVE)
}

pub(super) fn send_buffer() -> nix::Result<()> {
    set(&tcp()?, libc::SOL_SOCKET, libc::SO_SNDBUF)
}

pub(super) fn receive_buffer() -> nix::Result<()> {
    set(&tcp()?, libc::SOL_SOCKET, libc::SO_RCVBUF)
}

pub(super) fn v6_only() -> nix::Result<()> {
    let socket = socket(libc::AF_INET6, libc::SOCK_STREAM)?;
    set(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)
}

pub(super) fn peer_credentials() -> nix::Result<()> {
    getsockopt(&unix_pair()?.0, sockopt::PeerCredentials).map(drop)
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Whether what a listener accepts has its options. If not, there is no error of a call to tell, so
/// it is ENOPROTOOPT.
pub(super) fn inherited() -> nix::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| errno(&error))?;
    let descriptor = OwnedFd::from(listener.try_clone().map_err(|error| errno(&error))?);
    set(&descriptor, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    // Nobody has to connect for the accept not to wait.
    fcntl(
        &descriptor,
        FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK),
    )?;
    let address = listener.local_addr().map_err(|error| errno(&error))?;
    let _client = TcpStream::connect(address).map_err(|error| errno(&error))?;
    let (accepted, _) = listener.accept().map_err(|error| errno(&error))?;
    if accepted.nodelay().map_err(|error| errno(&error))? {
        return Ok(());
    }
    Err(Errno::ENOPROTOOPT)
}

pub(super) fn dev_log() -> nix::Result<()> {
    let socket = UnixDatagram::unbound().map_err(|error| errno(&error))?;
    socket.connect("/dev/log").map_err(|error| errno(&error))
}
