//! What is around a program on a host, apart from system calls.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        resource::{Resource, setrlimit},
        stat::Mode,
    },
    unistd::{Uid, chdir, chroot, mkfifo},
};
use tempfile::TempDir;

/// Bytes of stack for the first thread, as for services that are started at boot.
const STACK: u64 = 512 * 1024;
/// Descriptors of a process.
const DESCRIPTORS: u64 = 4096;
/// Bytes of address space of a process.
const ADDRESS_SPACE: u64 = 1 << 30;

/// What the kernel says about its filters, and the action that is needed.
const ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";
const ACTION: &str = "trace";

/// Refuses to go on where this cannot work.
///
/// # Errors
/// If this process is not root, or if the kernel has no seccomp filters with a tracer.
pub(super) fn ensure_possible() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "the simulated VMkernel needs root, for chroot and mounts; run: sudo env PATH=\"$PATH\" cargo xtask ..."
    );
    let actions = fs::read_to_string(ACTIONS).with_context(|| {
        format!(
            "{ACTIONS}: the simulated VMkernel needs a kernel with CONFIG_SECCOMP_FILTER and /proc"
        )
    })?;
    ensure_action(&actions)
}

fn ensure_action(actions: &str) -> Result<()> {
    ensure!(
        actions.split_whitespace().any(|action| action == ACTION),
        "{ACTIONS} does not name {ACTION:?}; the simulated VMkernel needs Linux 4.14 or newer with seccomp filters"
    );
    Ok(())
}

/// A device from which nobody ever gets a byte.
pub(super) struct SilentDevice {
    path: PathBuf,
    /// Without a writer, opening it would wait and reading it would report its end.
    _writer: File,
    _dir: TempDir,
}

impl SilentDevice {
    /// Makes one, outside of every host.
    ///
    /// # Errors
    /// If the directory for temporary files cannot hold it.
    pub(super) fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("silent");
        mkfifo(&path, Mode::from_bits_truncate(0o666)).context("mkfifo")?;
        let writer = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self {
            path,
            _writer: writer,
            _dir: dir,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the root of the host the root of this process, which must have one thread. `random` is put
/// in the place of `/dev/random`, for this process and its children alone.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn enter(root: Option<&Path>, random: Option<&Path>) -> Result<()> {
    let none = None::<&str>;
    if let Some(random) = random {
        unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace for /dev/random")?;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
            .context("making mounts private")?;
        let device = root.unwrap_or(Path::new("/")).join("dev/random");
        mount(Some(random), &device, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("mounting over {}", device.display()))?;
    }
    if let Some(root) = root {
        chroot(root).with_context(|| format!("chroot {}", root.display()))?;
        chdir("/")?;
    }
    Ok(())
}

/// The limits of a service.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn limit() -> Result<()> {
    for (resource, limit) in [
        (Resource::RLIMIT_STACK, STACK),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS),
        (Resource::RLIMIT_AS, ADDRESS_SPACE),
    ] {
        setrlimit(resource, limit, limit)
            .map_err(io::Error::from)
            .with_context(|| format!("{resource:?}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_without_the_action_is_refused_with_the_reason() {
        ensure_action("kill_process trap errno trace log allow\n").unwrap();
        let error = ensure_action("kill_process trap errno log allow\n").unwrap_err();
        assert!(error.to_string().contains("4.14"), "{error}");
    }
}
