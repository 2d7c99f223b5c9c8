//! Whether the kernel has what a confined root needs.

use std::sync::OnceLock;

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, open, openat, readlinkat},
    sys::stat::{Mode, fstatat},
};

use super::uninterrupted;

/// Whether the `*at` family works, `O_PATH` included, which the engine libunftp needs. Found out
/// once; every unexpected error means no.
pub(crate) fn at_calls_work() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| try_at_calls().is_ok())
}

fn try_at_calls() -> nix::Result<()> {
    let directory = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = uninterrupted(|| open("/", directory, Mode::empty()))?;
    uninterrupted(|| fstatat(&root, ".", AtFlags::AT_SYMLINK_NOFOLLOW))?;
    let flags = directory | OFlag::O_NOFOLLOW;
    uninterrupted(|| openat(&root, ".", flags, Mode::empty()))?;
    let flags = OFlag::O_PATH | flags;
    uninterrupted(|| openat(&root, ".", flags, Mode::empty()))?;
    // A directory is no link; a kernel that knows the call says so.
    match uninterrupted(|| readlinkat(&root, ".")) {
        Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(errno),
        Ok(_) => Err(Errno::ENOSYS),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_probe_finds_what_linux_has() {
        assert!(super::at_calls_work());
    }
}
