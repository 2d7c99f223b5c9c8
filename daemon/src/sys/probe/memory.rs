//! Trials about files that are open, and about memory.

use std::{ffi::CStr, fs::File, os::fd::AsRawFd as _, ptr};

use nix::{
    errno::Errno,
    libc::{self, c_int, c_long, c_void},
};

use super::{
    Arg::{Buffer, Number, Root},
    call, close,
};

/// Bytes of a page, on this architecture.
const PAGE: usize = 4096;

const DIRECTORY: i64 = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as i64;
const O_PATH: i64 = libc::O_PATH as i64;

#[cfg(target_arch = "x86_64")]
fn open_root(flags: i64) -> nix::Result<c_long> {
    call(libc::SYS_open, &[Root, Number(flags)])
}

#[cfg(not(target_arch = "x86_64"))]
fn open_root(flags: i64) -> nix::Result<c_long> {
    let here = Number(libc::AT_FDCWD.into());
    call(libc::SYS_openat, &[here, Root, Number(flags)])
}

/// Relative to a descriptor, which is what roots need.
pub(super) fn openat() -> nix::Result<()> {
    let directory = open_root(DIRECTORY)?;
    let opened = call(
        libc::SYS_openat,
        &[Number(directory), Root, Number(DIRECTORY)],
    );
    close(directory)?;
    close(opened?)
}

pub(super) fn openat_path() -> nix::Result<()> {
    let here = Number(libc::AT_FDCWD.into());
    let flags = Number(DIRECTORY | O_PATH);
    close(call(libc::SYS_openat, &[here, Root, flags])?)
}

#[cfg(target_arch = "x86_64")]
pub(super) fn open_path() -> nix::Result<()> {
    close(open_root(DIRECTORY | O_PATH)?)
}

pub(super) fn openat2() -> nix::Result<()> {
    let here = Number(libc::AT_FDCWD.into());
    // An `open_how` of zeros opens for reading.
    close(call(libc::SYS_openat2, &[here, Root, Buffer, Number(24)])?)
}

pub(super) fn memfd_create() -> nix::Result<()> {
    close(call(libc::SYS_memfd_create, &[Buffer, Number(0)])?)
}

pub(super) fn inotify_init1() -> nix::Result<()> {
    close(call(libc::SYS_inotify_init1, &[Number(0)])?)
}

/// A regular file of some length that every host has.
fn some_file() -> nix::Result<File> {
    let file = File::open("/etc/passwd").or_else(|_error| File::open("/bin/sh"));
    file.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

pub(super) fn seek_hole() -> nix::Result<()> {
    let file = some_file()?;
    let descriptor = Number(file.as_raw_fd().into());
    let whence = Number(libc::SEEK_HOLE.into());
    call(libc::SYS_lseek, &[descriptor, Number(0), whence]).map(drop)
}

pub(super) fn map_shared() -> nix::Result<()> {
    let file = some_file()?;
    let map = Map::new(libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd());
    map.map(drop)
}

pub(super) fn madvise() -> nix::Result<()> {
    let map = anonymous()?;
    // SAFETY: the range is the mapping, and the advice changes nothing.
    let result = unsafe { libc::madvise(map.0, PAGE, libc::MADV_NORMAL) };
    Errno::result(result).map(drop)
}

pub(super) fn mincore() -> nix::Result<()> {
    let map = anonymous()?;
    let mut resident = [0_u8; 1];
    // SAFETY: the range is the mapping of one page, and there is a byte for it.
    let result = unsafe { libc::syscall(libc::SYS_mincore, map.0, PAGE, resident.as_mut_ptr()) };
    Errno::result(result).map(drop)
}

pub(super) fn mprotect() -> nix::Result<()> {
    let map = anonymous()?;
    // SAFETY: the range is the mapping, and nothing looks into it.
    let result = unsafe { libc::mprotect(map.0, PAGE, libc::PROT_NONE) };
    Errno::result(result).map(drop)
}

fn anonymous() -> nix::Result<Map> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    Map::new(protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
}

/// A mapping of one page.
struct Map(*mut c_void);

impl Map {
    fn new(protection: c_int, flags: c_int, descriptor: c_int) -> nix::Result<Self> {
        // SAFETY: the kernel chooses an address that nothing else uses.
        let address =
            unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, descriptor, 0) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(Self(address))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing refers to it any more.
        let _unmapped = unsafe { libc::munmap(self.0, PAGE) };
    }
}

/// Whether something has this path.
pub(super) fn exists(path: &CStr) -> nix::Result<()> {
    // SAFETY: the path ends with NUL.
    let result = unsafe { libc::access(path.as_ptr(), libc::F_OK) };
    Errno::result(result).map(drop)
}
