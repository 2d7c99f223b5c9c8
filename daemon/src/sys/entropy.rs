//! Whether there is randomness, found out with a time limit.
//!
//! Without the call getrandom, the libraries wait for `/dev/random` to become readable, and they
//! wait for ever.
#![expect(unsafe_code, reason = "one raw call with a pointer to a buffer")]

use std::{
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::stat::Mode,
};

/// How often `/dev/random` is asked, and how long each time.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns when there is randomness for sure.
///
/// # Errors
/// ETIMEDOUT if there is none; or why `/dev/random` cannot be asked.
pub(crate) fn wait() -> nix::Result<()> {
    match try_getrandom() {
        Ok(()) => return Ok(()),
        // It would say EAGAIN before the kernel has any.
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EAGAIN | Errno::EINTR) => {}
        // std panics at any other answer.
        Err(errno) => return Err(errno),
    }
    let mut result = Err(Errno::ETIMEDOUT);
    for _ in 0..TRIES {
        result = wait_for_random(PATIENCE);
        if result != Err(Errno::ETIMEDOUT) {
            break;
        }
    }
    result
}

fn try_getrandom() -> nix::Result<()> {
    let mut bytes = [0_u8; 8];
    // SAFETY: there is room for as many bytes as are asked for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_getrandom,
            bytes.as_mut_ptr(),
            bytes.len(),
            libc::GRND_NONBLOCK,
        )
    };
    Errno::result(result).map(drop)
}

/// Returns when `/dev/random` has something to read.
///
/// # Errors
/// ETIMEDOUT if that takes longer; or why it cannot be asked.
pub(super) fn wait_for_random(patience: Duration) -> nix::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let device = open("/dev/random", flags, Mode::empty())?;
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).map_err(|_large| Errno::EINVAL)?;
        let mut polled = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, left) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_randomness() {
        assert_eq!(wait(), Ok(()));
        assert_eq!(wait_for_random(Duration::from_secs(1)), Ok(()));
    }
}
