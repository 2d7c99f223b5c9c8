//! What TCP knows of a connection.

#![expect(unsafe_code, reason = "neither std nor a crate wraps TCP_INFO")]

use std::{
    mem::{MaybeUninit, size_of},
    os::fd::{AsFd, AsRawFd as _},
    time::Duration,
};

use nix::libc;

/// How long bytes take to the other end and back, as the kernel has measured it; nothing where it
/// does not tell.
pub(crate) fn round_trip(socket: impl AsFd) -> Option<Duration> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: `info` has room for `length` bytes, and both outlive the call. The kernel writes
    // `length` bytes at the most.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: all fields are integers, for which every pattern of bits is a value, and what the kernel
    // did not write is zero.
    let info = unsafe { info.assume_init() };
    (info.tcpi_rtt > 0).then(|| Duration::from_micros(info.tcpi_rtt.into()))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream, UdpSocket},
    };

    use super::*;

    #[test]
    fn a_client_on_this_machine_is_near() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        drop(client);
        server.read_to_end(&mut Vec::new()).unwrap();
        assert!(round_trip(&server).unwrap() < Duration::from_secs(30));
    }

    #[test]
    fn what_is_no_tcp_has_none() {
        assert_eq!(round_trip(UdpSocket::bind("127.0.0.1:0").unwrap()), None);
    }
}
