//! Small files, which are read when they are prepared.

use std::{
    os::unix::net::UnixStream,
    sync::{Mutex, mpsc},
};

use nix::sys::socket::{setsockopt, sockopt::SndBuf};

use super::*;

/// Threads that may block are for what may: the kernel may hold them for long.
#[test]
fn a_small_file_is_sent_while_the_threads_are_stuck() {
    for length in [0, 10_240, 32 * 1024] {
        let expected = content(length);
        let mut session = Session::new();
        fs::write(session.path("f"), &expected).unwrap();
        session.prepare(download(0, None)).unwrap();
        // It has been read already.
        fs::write(session.path("f"), "new").unwrap();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        for _ in 0..2 {
            let released = released.clone();
            session.runtime.spawn_blocking(move || {
                let _released = released.lock().unwrap().recv();
            });
        }
        let (ours, client) = pair();
        let client = receiver(client);
        assert_eq!(session.send(Some(ours)).0, Ok(length as u64));
        assert_eq!(session.context.run().moved(), length as u64);
        assert!(client.join().unwrap() == expected);
        drop(release);
    }
}

#[test]
fn a_small_part_of_a_large_file_is_that_part() {
    let mut session = Session::new();
    let expected = content(1 << 20);
    fs::write(session.path("f"), &expected).unwrap();
    session.prepare(download(500_000, Some(500_100))).unwrap();
    let (ours, client) = pair();
    let client = receiver(client);
    assert_eq!(session.send(Some(ours)).0, Ok(100));
    assert!(client.join().unwrap() == expected[500_000..500_100]);
}

/// The session's own thread goes on meanwhile.
#[test]
fn what_the_kernel_does_not_take_of_a_small_file_waits_elsewhere() {
    let mut session = Session::new();
    let expected = content(32 * 1024);
    fs::write(session.path("f"), &expected).unwrap();
    session.prepare(download(0, None)).unwrap();
    // Over TCP, the kernel of this machine takes pieces of this size whole or not at all.
    let (ours, client) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    setsockopt(&ours, SndBuf, &4096).unwrap();
    let client = TcpStream::from(OwnedFd::from(client));
    session.connect(Some(ours.into()));
    let mut output = Vec::new();
    let run = session.context.run();
    let sent = session.runtime.block_on(async {
        let sending = session
            .storage
            .get_into(&session.account, "/t", 0, &mut output);
        let reading = async {
            assert!(run.moved() < expected.len() as u64, "it does not fit");
            receiver(client)
        };
        tokio::join!(sending, reading)
    });
    assert_eq!(session.ended(sent.0.is_ok()), Ok(expected.len() as u64));
    assert!(sent.1.join().unwrap() == expected);
    assert_eq!(run.moved(), expected.len() as u64);
}

#[test]
fn a_small_file_that_was_given_up_is_not_sent() {
    let mut session = Session::new();
    fs::write(session.path("f"), "secret").unwrap();
    session.prepare(download(0, None)).unwrap();
    session.context.run().cancel();
    let (ours, client) = pair();
    let client = receiver(client);
    assert_eq!(session.send(Some(ours)).0, Err(Failure::Cancelled));
    assert_eq!(client.join().unwrap(), b"");
}
