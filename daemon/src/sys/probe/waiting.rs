//! Trials of what waits: epoll, poll, timers, and the sources of randomness.

use std::{
    io::Read as _,
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    libc::{self, c_int, c_long},
    sys::stat::Mode,
    unistd::pipe,
};

use super::{
    Arg::{Buffer, Number},
    call, close, memory,
};
use crate::sys::entropy;

pub(super) fn epoll_create1() -> nix::Result<()> {
    close(call(libc::SYS_epoll_create1, &[Number(0)])?)
}

pub(super) fn epoll_rdhup() -> nix::Result<()> {
    epoll_with(libc::EPOLLIN | libc::EPOLLRDHUP)
}

pub(super) fn epoll_et() -> nix::Result<()> {
    epoll_with(libc::EPOLLIN | libc::EPOLLET)
}

fn epoll_with(events: c_int) -> nix::Result<()> {
    let epoll = call(libc::SYS_epoll_create1, &[Number(0)])?;
    let added = pipe().and_then(|(reader, _writer)| {
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: 0,
        };
        let descriptor = c_int::try_from(epoll).map_err(|_large| Errno::EBADF)?;
        // SAFETY: both descriptors are open, and the event outlives the call.
        let result = unsafe {
            libc::epoll_ctl(
                descriptor,
                libc::EPOLL_CTL_ADD,
                reader.as_raw_fd(),
                &raw mut event,
            )
        };
        Errno::result(result).map(drop)
    });
    close(epoll)?;
    added
}

pub(super) fn eventfd2() -> nix::Result<()> {
    close(call(libc::SYS_eventfd2, &[Number(0), Number(0)])?)
}

pub(super) fn timerfd_create() -> nix::Result<()> {
    let clock = Number(libc::CLOCK_MONOTONIC.into());
    close(call(libc::SYS_timerfd_create, &[clock, Number(0)])?)
}

pub(super) fn signalfd4() -> nix::Result<()> {
    // A mask without signals.
    close(call(
        libc::SYS_signalfd4,
        &[Number(-1), Buffer, Number(8), Number(0)],
    )?)
}

pub(super) fn pipe2() -> nix::Result<()> {
    let mut ends = [0 as c_int; 2];
    // SAFETY: there is room for both descriptors.
    let result = unsafe { libc::syscall(libc::SYS_pipe2, ends.as_mut_ptr(), 0) };
    Errno::result(result)?;
    ends.iter().try_for_each(|end| close(c_long::from(*end)))
}

pub(super) fn poll() -> nix::Result<()> {
    poll_with(libc::POLLIN)
}

/// Whether poll(2) takes POLLRDHUP, which every socket of tokio asks for.
///
/// # Errors
/// What the kernel says to it.
pub(crate) fn poll_rdhup() -> nix::Result<()> {
    poll_with(libc::POLLIN | libc::POLLRDHUP)
}

/// Polls a socket without waiting. A kernel may refuse an event, or tell of it by POLLNVAL.
fn poll_with(events: i16) -> nix::Result<()> {
    let (socket, _peer) = super::sockets::unix_pair()?;
    let mut polled = libc::pollfd {
        fd: socket.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: there is one entry, and it outlives the call.
    let result = unsafe { libc::poll(&raw mut polled, 1, 0) };
    Errno::result(result)?;
    if polled.revents & libc::POLLNVAL != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

fn open_device(path: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

pub(super) fn dev_random() -> nix::Result<()> {
    entropy::wait_for_random(Duration::from_secs(1))
}

pub(super) fn dev_urandom() -> nix::Result<()> {
    let mut device = std::fs::File::from(open_device("/dev/urandom")?);
    let read = device.read_exact(&mut [0; 8]);
    read.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

pub(super) fn random_ioctl() -> nix::Result<()> {
    let device = open_device("/dev/urandom")?;
    // SAFETY: this request takes no argument.
    Errno::result(unsafe { libc::ioctl(device.as_raw_fd(), libc::FIOCLEX) }).map(drop)
}

pub(super) fn proc_is_there() -> nix::Result<()> {
    memory::exists(c"/proc/self")
}

pub(super) fn sys_is_there() -> nix::Result<()> {
    memory::exists(c"/sys/kernel")
}

pub(super) fn localtime_is_there() -> nix::Result<()> {
    memory::exists(c"/etc/localtime")
}
