//! Trials about threads, processes and users.

use std::{
    io::{self, Read as _, pipe},
    ptr, thread,
};

use nix::{
    errno::Errno,
    libc::{self, c_int, c_long},
};

use super::{Arg::Number, call, close};

/// What a session has.
const STACK_BYTES: usize = 512 * 1024;

/// musl asks for `CLONE_DETACHED` with every thread; a refusal becomes EAGAIN there.
pub(super) fn one() -> nix::Result<()> {
    spawn(1)
}

pub(super) fn sixteen() -> nix::Result<()> {
    spawn(16)
}

/// Has so many threads at one time. They wait in read(2): std's own waiting spins where futexes know
/// no bit sets.
fn spawn(count: usize) -> nix::Result<()> {
    let (ended, end) = pipe().map_err(|error| errno_of(&error))?;
    let mut threads = Vec::new();
    for _ in 0..count {
        let mut ended = ended.try_clone().map_err(|error| errno_of(&error))?;
        let spawned = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || ended.read(&mut [0]).map(drop));
        threads.push(spawned.map_err(|error| errno_of(&error))?);
    }
    drop(end);
    for thread in threads {
        let _at_the_end = thread.join().map_err(|_panic| Errno::EIO)?;
    }
    Ok(())
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EAGAIN, Errno::from_raw)
}

fn futex(operation: c_int) -> nix::Result<()> {
    let word = 0_u32;
    // It does not wait, because the word is not the one that is expected.
    // SAFETY: the word outlives the call, and there is no time-out.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            &raw const word,
            operation | libc::FUTEX_PRIVATE_FLAG,
            1,
            ptr::null::<libc::timespec>(),
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    match Errno::result(result) {
        Ok(_) | Err(Errno::EAGAIN) => Ok(()),
        Err(errno) => Err(errno),
    }
}

pub(super) fn futex_wait() -> nix::Result<()> {
    futex(libc::FUTEX_WAIT)
}

pub(super) fn futex_wait_bitset() -> nix::Result<()> {
    futex(libc::FUTEX_WAIT_BITSET)
}

pub(super) fn pidfd_open() -> nix::Result<()> {
    let process = call(libc::SYS_getpid, &[])?;
    close(call(libc::SYS_pidfd_open, &[Number(process), Number(0)])?)
}

#[cfg(target_arch = "x86_64")]
pub(super) fn fork() -> nix::Result<()> {
    // SAFETY: the child does nothing but end, by a call that runs no handlers.
    let child = Errno::result(unsafe { libc::syscall(libc::SYS_fork) })?;
    if child == 0 {
        loop {
            // SAFETY: no pointers, and it does not return.
            unsafe { libc::syscall(libc::SYS_exit_group, 0) };
        }
    }
    loop {
        match call(
            libc::SYS_wait4,
            &[Number(child), super::Arg::Buffer, Number(0), Number(0)],
        ) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop),
        }
    }
}

pub(super) fn same_user() -> nix::Result<()> {
    let user = call(libc::SYS_geteuid, &[])?;
    call(libc::SYS_setuid, &[Number(user)]).map(drop)
}

pub(super) fn same_groups() -> nix::Result<()> {
    let mut groups = [0_u32; 64];
    // SAFETY: there is room for as many groups as are asked for.
    let count = unsafe { libc::syscall(libc::SYS_getgroups, 64, groups.as_mut_ptr()) };
    let count: c_long = Errno::result(count)?;
    // SAFETY: the first `count` groups have just been written.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, count, groups.as_ptr()) };
    Errno::result(result).map(drop)
}
