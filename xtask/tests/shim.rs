//! The daemon's address shim, on the C library of this machine.
//!
//! The shim replaces functions of the C library by their names, and whether that works is up to the
//! linker. The daemon's own tests try it in the static build that ships. Here the same files are
//! built with the libc that this machine shares, so that the shim is not true of musl only; it
//! takes seconds, because the rest of the daemon is not needed.

use std::fs;

#[path = "../../daemon/src/sys"]
mod sys {
    mod peer;
    mod sockets;

    pub(crate) use sockets::stream_pair;
}

#[test]
fn the_c_library_is_a_shared_one() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains("/libc.so"), "{maps}");
}
