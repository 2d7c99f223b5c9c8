//! The addresses that the engine sees, and the descriptors of its data connections.
//!
//! libunftp serves a TCP stream and asks it for both addresses: to bind passive ports to the one,
//! and to refuse data connections that come from anywhere but the other. Ours is one end of a pair
//! of local sockets, which has no such addresses. So this module stands in for the C library's
//! `getpeername` and `getsockname`: for that one descriptor, on the thread of its session, they give
//! the addresses of the real control connection. Every other call goes to the kernel.
//!
//! libunftp takes one connection at each port that it opens and gives up if that is a stranger's.
//! Hence `accept4` is ours, too: on the thread of a session it closes connections that come from
//! elsewhere than the client and goes on waiting for the client's.
//!
//! libunftp also asks for the peer of each data connection before it uses it. That is where we get
//! a descriptor of our own for the connection, on which TLS and the transfer are done. One that
//! leads elsewhere than to the client is not taken; libunftp closes it.
#![expect(
    unsafe_code,
    reason = "replaces three functions of the C library, whose arguments are raw pointers"
)]

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd},
    ptr,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    libc::{self, c_int, sockaddr, socklen_t},
    sys::socket::{SockaddrLike as _, SockaddrStorage},
};

/// What the engine is to see on this thread. It ends when this is dropped.
///
/// It is about the thread that made it, and has no meaning on another. A session's runtime has one
/// thread for its tasks.
#[derive(Debug)]
pub(crate) struct Disguise(());

struct Worn {
    /// The engine's end of the control connection, until it has been asked for its addresses.
    control: Option<RawFd>,
    client: SocketAddr,
    local: SocketAddr,
    keep: Box<dyn Fn(OwnedFd)>,
}

thread_local! {
    static WORN: RefCell<Option<Worn>> = const { RefCell::new(None) };
}

impl Disguise {
    /// From now on, `control` seems to be connected from `local` to `client`, and `keep` gets a
    /// descriptor of each data connection that comes from the client's address. In both addresses,
    /// IPv4 in IPv6 must be unwrapped.
    pub(crate) fn put_on(
        control: BorrowedFd<'_>,
        client: SocketAddr,
        local: SocketAddr,
        keep: impl Fn(OwnedFd) + 'static,
    ) -> Self {
        // Without a mention of them, a linker may take those of the C library.
        std::hint::black_box((
            accept4 as unsafe extern "C" fn(_, _, _, _) -> _,
            getpeername as unsafe extern "C" fn(_, _, _) -> _,
            getsockname as unsafe extern "C" fn(_, _, _) -> _,
        ));
        WORN.set(Some(Worn {
            control: Some(control.as_raw_fd()),
            client,
            local,
            keep: Box::new(keep),
        }));
        Self(())
    }

    /// Ends it for the control connection only. The engine asks once, and the number of a closed
    /// descriptor is used again.
    #[expect(
        clippy::unused_self,
        reason = "only whoever has put it on takes it off"
    )]
    pub(crate) fn reveal_control(&self) {
        WORN.with_borrow_mut(|worn| {
            if let Some(worn) = worn {
                worn.control = None;
            }
        });
    }
}

impl Drop for Disguise {
    fn drop(&mut self) {
        WORN.set(None);
    }
}

/// The C library's function of this name, see the module.
///
/// # Safety
/// As there: `length` points to the size of the buffer at `address`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getpeername(
    socket: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    if let Some(client) = seen_at(socket, |worn| worn.client) {
        // SAFETY: the caller's promise is ours.
        return unsafe { hand_over(client, address, length) };
    }
    // SAFETY: the call has the caller's arguments, and the kernel checks them.
    let result = unsafe { libc::syscall(libc::SYS_getpeername, socket, address, length) };
    if result == 0 {
        // SAFETY: the kernel has just written an address of this length there. `keep_from` looks
        // at no more than that.
        unsafe { keep_from(socket, address, length) };
    }
    c_int::try_from(result).unwrap_or(-1)
}

/// The C library's function of this name, see the module.
///
/// # Safety
/// As there: `length` points to the size of the buffer at `address`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(
    socket: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> c_int {
    if let Some(local) = seen_at(socket, |worn| worn.local) {
        // SAFETY: the caller's promise is ours.
        return unsafe { hand_over(local, address, length) };
    }
    // SAFETY: the call has the caller's arguments, and the kernel checks them.
    let result = unsafe { libc::syscall(libc::SYS_getsockname, socket, address, length) };
    c_int::try_from(result).unwrap_or(-1)
}

/// The C library's function of this name, see the module. It is made of older calls, which every
/// kernel has.
///
/// # Safety
/// As there: `length` points to the size of the buffer at `address`, or both are null.
#[unsafe(no_mangle)]
unsafe extern "C" fn accept4(
    socket: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let room = unsafe { length.as_ref() }.copied().unwrap_or(0);
    loop {
        // SAFETY: the call has the caller's arguments, and the kernel checks them.
        let number = unsafe { libc::accept(socket, address, length) };
        if number < 0 {
            return number;
        }
        // SAFETY: the kernel has just made it for us, and nobody else knows it.
        let accepted = unsafe { OwnedFd::from_raw_fd(number) };
        // SAFETY: the kernel has just written an address there, as much of it as there is room.
        if unsafe { is_strange(address, length, room) } {
            // SAFETY: the caller's promise, and it is not null if there is an address.
            unsafe { *length = room };
            continue;
        }
        let close_on_exec = flags & libc::SOCK_CLOEXEC != 0;
        let non_blocking = flags & libc::SOCK_NONBLOCK != 0;
        let failed = (close_on_exec
            && fcntl(&accepted, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).is_err())
            || (non_blocking && fcntl(&accepted, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_err());
        // To be told by errno, which closing leaves as it is.
        return if failed { -1 } else { accepted.into_raw_fd() };
    }
}

/// Whether a connection that was accepted on this thread is somebody else's than the client's.
///
/// # Safety
/// Unless `address` is null, it must point to `room` bytes that have been written to, and `length`
/// to the size of the address there.
unsafe fn is_strange(address: *const sockaddr, length: *const socklen_t, room: socklen_t) -> bool {
    let client = WORN.try_with(|worn| Some(worn.try_borrow().ok()?.as_ref()?.client.ip()));
    let Ok(Some(client)) = client else {
        return false;
    };
    // SAFETY: the caller's promise.
    let length = unsafe { length.as_ref() }.copied().unwrap_or(0);
    if address.is_null() || length > room {
        return false;
    }
    // SAFETY: so many bytes are there; another family than the two of IP gives nothing.
    let peer = unsafe { SockaddrStorage::from_raw(address, Some(length)) };
    peer.as_ref()
        .and_then(ip_of)
        .is_some_and(|peer| peer != client)
}

/// The address that the engine's end of the control connection shows.
fn seen_at(socket: RawFd, side: impl Fn(&Worn) -> SocketAddr) -> Option<SocketAddr> {
    // Threads that end, and calls from within `keep`, see nothing.
    WORN.try_with(|worn| {
        let worn = worn.try_borrow().ok()?;
        let worn = worn.as_ref()?;
        (worn.control == Some(socket)).then(|| side(worn))
    })
    .ok()
    .flatten()
}

/// Writes an address as the two functions do: as much of it as fits, and its whole length.
///
/// # Safety
/// `length` must point to a number, and `address` to so many writable bytes.
unsafe fn hand_over(seen: SocketAddr, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    let seen = SockaddrStorage::from(seen);
    // SAFETY: the caller promises that `length` can be read.
    let room = unsafe { *length };
    let bytes = usize::try_from(room.min(seen.len())).unwrap_or(0);
    // SAFETY: `bytes` is at most the size of `seen`, which lives on our stack, and of the caller's
    // buffer, hence both ranges are valid, and they cannot overlap. `length` can be written.
    unsafe {
        ptr::copy_nonoverlapping(seen.as_ptr().cast::<u8>(), address.cast::<u8>(), bytes);
        *length = seen.len();
    }
    0
}

/// Keeps a descriptor of a socket whose peer is the client.
///
/// # Safety
/// `address` must point to an address of `*length` bytes.
unsafe fn keep_from(socket: RawFd, address: *const sockaddr, length: *const socklen_t) {
    // SAFETY: both are the caller's promise; the length limits what is read, and another family
    // than the two of IP gives nothing.
    let peer = unsafe { SockaddrStorage::from_raw(address, Some(*length)) };
    let Some(peer) = peer.as_ref().and_then(ip_of) else {
        return;
    };
    // Without a descriptor, the transfer goes through the engine's stream.
    let _kept = WORN.try_with(|worn| {
        let worn = worn.try_borrow().ok()?;
        let worn = worn.as_ref().filter(|worn| worn.client.ip() == peer)?;
        // SAFETY: the kernel has just told the peer of this descriptor, so it is open; it is used
        // for this call only.
        let borrowed = unsafe { BorrowedFd::borrow_raw(socket) };
        let number = fcntl(borrowed, FcntlArg::F_DUPFD_CLOEXEC(0)).ok()?;
        // SAFETY: the kernel has just made it for us, and nobody else knows it.
        let ours = unsafe { OwnedFd::from_raw_fd(number) };
        (worn.keep)(ours);
        Some(())
    });
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    let v6 = || address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip()));
    Some(v4.or_else(v6)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, TcpListener, TcpStream},
        os::fd::AsFd as _,
        rc::Rc,
    };

    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::sys::stream_pair;

    const LOCAL: &str = "198.51.100.1:21";

    fn disguised(client: &str, kept: &Rc<RefCell<Vec<OwnedFd>>>) -> (TcpStream, Disguise) {
        let (ours, _theirs) = stream_pair().unwrap();
        let control = TcpStream::from(OwnedFd::from(ours));
        let kept = kept.clone();
        let disguise = Disguise::put_on(
            control.as_fd(),
            client.parse().unwrap(),
            LOCAL.parse().unwrap(),
            move |data| kept.borrow_mut().push(data),
        );
        (control, disguise)
    }

    fn data_connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn the_control_connection_shows_the_addresses_of_the_real_one() {
        for client in ["203.0.113.7:40000", "[2001:db8::7]:40000"] {
            let (control, disguise) = disguised(client, &Rc::default());
            assert_eq!(control.peer_addr().unwrap(), client.parse().unwrap());
            assert_eq!(control.local_addr().unwrap(), LOCAL.parse().unwrap());
            disguise.reveal_control();
            assert!(control.peer_addr().is_err());
        }
    }

    #[test]
    fn a_data_connection_of_the_client_is_kept() {
        let kept = Rc::default();
        let (_control, disguise) = disguised("127.0.0.1:40000", &kept);
        let (mut client, server) = data_connection();
        server.peer_addr().unwrap();
        let ours = kept.borrow_mut().pop().unwrap();
        TcpStream::from(ours).write_all(b"hello").unwrap();
        let mut bytes = [0; 5];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"hello");
        drop(disguise);
        server.peer_addr().unwrap();
        assert!(kept.borrow().is_empty(), "nothing is kept afterwards");
    }

    #[test]
    fn a_data_connection_from_elsewhere_is_not_kept() {
        let kept = Rc::default();
        // It would not be accepted any more afterwards.
        let (_client, server) = data_connection();
        let (_control, _disguise) = disguised("203.0.113.7:40000", &kept);
        server.peer_addr().unwrap();
        assert!(kept.borrow().is_empty());
    }

    /// A connection from this address of the loopback network, and whether it is still open.
    fn connect_from(address: [u8; 4], listener: &TcpListener) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        socket
            .connect(&listener.local_addr().unwrap().into())
            .unwrap();
        socket.into()
    }

    #[test]
    fn strangers_at_the_listener_are_closed_and_the_client_is_awaited() {
        let (_control, disguise) = disguised("127.0.0.9:40000", &Rc::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        fcntl(&listener, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let strangers = [(); 5].map(|()| connect_from([127, 0, 0, 2], &listener));
        let nobody = listener.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
        for mut stranger in strangers {
            assert_eq!(stranger.read(&mut [0]).unwrap(), 0, "it is closed");
        }
        let _stranger = connect_from([127, 0, 0, 2], &listener);
        let client = connect_from([127, 0, 0, 9], &listener);
        let (accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        let flags = fcntl(&accepted, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);

        // Without a disguise, everybody is welcome.
        let stranger = connect_from([127, 0, 0, 2], &listener);
        drop(disguise);
        let (_accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer, stranger.local_addr().unwrap());
    }

    #[test]
    fn a_caller_that_wants_no_address_gets_its_connection() {
        let (_control, _disguise) = disguised("127.0.0.9:40000", &Rc::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _client = connect_from([127, 0, 0, 9], &listener);
        // SAFETY: both pointers are null.
        let number = unsafe {
            accept4(
                listener.as_raw_fd(),
                ptr::null_mut(),
                ptr::null_mut(),
                libc::SOCK_NONBLOCK,
            )
        };
        assert!(number >= 0);
        // SAFETY: it is ours alone.
        let accepted = unsafe { OwnedFd::from_raw_fd(number) };
        let flags = OFlag::from_bits_retain(fcntl(&accepted, FcntlArg::F_GETFL).unwrap());
        assert!(flags.contains(OFlag::O_NONBLOCK));
    }

    #[test]
    fn other_threads_see_the_kernels_answers() {
        let (control, _disguise) = disguised("203.0.113.7:40000", &Rc::default());
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| control.peer_addr().is_err());
            assert!(seen.join().unwrap());
        });
    }
}
