//! File descriptors: those that the daemon was started with, and how many it may have.

use std::os::fd::RawFd;

use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::close,
};

/// The first descriptor after stdin, stdout and stderr.
const FIRST: RawFd = 3;

/// How far to look when the limit is higher or unknown. Shells and installers hand down low
/// numbers.
const MOST: RawFd = 4096;

/// Closes every descriptor above stderr that the caller of the program left open.
///
/// Whoever starts the daemon may hold a pipe open at any number, and waits for its end: the VIB
/// installer reads the output of init scripts until every holder of the pipe is gone. Must run
/// before the program opens anything itself. The VMkernel has neither `close_range` nor
/// `/proc/self/fd`, so this tries each number up to the limit.
pub(crate) fn close_inherited() {
    let limit = getrlimit(Resource::RLIMIT_NOFILE)
        .ok()
        .and_then(|(soft, _)| RawFd::try_from(soft).ok())
        .unwrap_or(MOST);
    for descriptor in FIRST..limit.min(MOST) {
        // Most numbers are not open; there is nothing to do about an error of the others.
        let _closed = close(descriptor);
    }
}

/// Raises the number of descriptors that the process may have open to what it may ask for, and
/// returns it.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return u64::MAX;
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}
