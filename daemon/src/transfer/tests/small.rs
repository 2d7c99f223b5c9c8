//! Small transfers, which the session's own thread moves.

use std::os::{fd::AsFd as _, unix::net::UnixStream};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{setsockopt, sockopt::SndBuf},
};

use super::*;
use crate::transfer::small::{Progress, Receiving, send_now};

const PART: &str = ".f.esxftpd-part";

/// The most that an upload may have without being handed over.
const SMALL: usize = 32 * 1024;

impl Session {
    fn bytes(&mut self) -> Vec<u8> {
        match self.content() {
            Content::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    /// Begins an upload on the session's own thread.
    fn begin(&mut self, connection: OwnedFd) -> Receiving {
        match self.content() {
            Content::Upload(upload) => Receiving::begin(connection, upload).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// Goes on with an upload as the session does, until it is no longer the session's.
fn receive(mut receiving: Receiving, task: &Task) -> Progress {
    loop {
        let mut descriptors = [PollFd::new(receiving.socket().as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut descriptors, patience), Ok(1), "nothing comes");
        match receiving.receive(task) {
            Progress::Waiting(rest) => receiving = rest,
            progress => return progress,
        }
    }
}

fn ended(progress: Progress) -> Result<(), Failure> {
    match progress {
        Progress::Ended(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_file_is_read_when_it_is_prepared_and_sent_at_once() {
    for length in [0, 1, 10_240, SMALL] {
        let expected = content(length);
        let mut session = Session::new();
        fs::write(session.path("f"), &expected).unwrap();
        session.prepare(download(0, None)).unwrap();
        // It has been read already.
        fs::write(session.path("f"), "new").unwrap();
        let (ours, client) = pair();
        let bytes = session.bytes();
        assert_eq!(send_now(&ours, &bytes, &session.task), Ok(length));
        assert_eq!(session.task.moved(), length as u64);
        drop(ours);
        assert!(receiver(client).join().unwrap() == expected);
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
    assert_eq!(session.run(ours), Ok(100));
    assert!(client.join().unwrap() == expected[500_000..500_100]);
}

#[test]
fn what_the_kernel_does_not_take_of_a_small_file_is_left_to_a_worker() {
    let mut session = Session::new();
    let expected = content(SMALL);
    fs::write(session.path("f"), &expected).unwrap();
    session.prepare(download(0, None)).unwrap();
    // Over TCP, the kernel of this machine takes pieces of this size whole or not at all.
    let (ours, client) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    setsockopt(&ours, SndBuf, &4096).unwrap();
    let (ours, client) = (OwnedFd::from(ours), TcpStream::from(OwnedFd::from(client)));
    let bytes = session.bytes();
    let mut sent = 0;
    while let Ok(some @ 1..) = send_now(&ours, &bytes[sent..], &session.task) {
        sent += some;
    }
    assert!(sent < SMALL, "it does not fit");
    assert_eq!(session.task.moved(), sent as u64);
    let client = receiver(client);
    let rest = run(Job::Rest(bytes, sent), ours, &session.context());
    assert_eq!(rest, Ok(()));
    assert!(client.join().unwrap() == expected);
    assert_eq!(session.task.moved(), SMALL as u64);
}

#[test]
fn a_small_file_that_was_given_up_is_not_sent() {
    let mut session = Session::new();
    fs::write(session.path("f"), "secret").unwrap();
    session.prepare(download(0, None)).unwrap();
    session.task.cancel();
    let (ours, client) = pair();
    let client = receiver(client);
    assert_eq!(session.run(ours), Err(Failure::Cancelled));
    assert_eq!(client.join().unwrap(), b"");
}

#[test]
fn a_client_that_has_gone_is_a_lost_connection() {
    let (ours, client) = pair();
    drop(client);
    let task = Task::default();
    // The first bytes are answered with a reset.
    wait_until("the reset comes", || {
        send_now(&ours, b"x", &task) == Err(Failure::ConnectionLost)
    });
}

#[test]
fn a_small_upload_is_stored_however_it_comes() {
    for (length, piece) in [(0, 1), (1, 1), (300, 1), (10_240, 1000), (SMALL - 1, SMALL)] {
        let expected = content(length);
        let mut session = Session::new();
        fs::write(session.path("f"), "old").unwrap();
        session.prepare(upload(UploadStart::Replace)).unwrap();
        let (ours, mut client) = pair();
        client.set_nodelay(true).unwrap();
        let sent = expected.clone();
        let client = thread::spawn(move || {
            for piece in sent.chunks(piece) {
                client.write_all(piece).unwrap();
            }
        });
        let receiving = session.begin(ours);
        let result = ended(receive(receiving, &session.task));
        assert_eq!(result, Ok(()));
        client.join().unwrap();
        assert!(fs::read(session.path("f")).unwrap() == expected);
        assert!(!session.path(PART).exists());
        assert_eq!(session.task.moved(), length as u64);
    }
}

#[test]
fn an_upload_that_is_not_small_is_handed_over_without_a_loss() {
    for length in [SMALL, SMALL + 1, 3_000_000] {
        let mut session = Session::new();
        session.prepare(upload(UploadStart::Replace)).unwrap();
        let (ours, client) = pair();
        let client = sender(client, content(length));
        let receiving = session.begin(ours);
        let Progress::Large(socket, upload) = receive(receiving, &session.task) else {
            panic!("{length} bytes are small");
        };
        let received = session.task.moved();
        assert!((SMALL as u64..2 * SMALL as u64).contains(&received));
        let rest = run(Job::Upload(upload), socket, &session.context());
        assert_eq!(rest, Ok(()));
        client.join().unwrap();
        assert!(fs::read(session.path("f")).unwrap() == content(length));
        assert_eq!(session.task.moved(), length as u64);
    }
}

#[test]
fn a_small_upload_that_is_given_up_keeps_what_has_come() {
    let mut session = Session::new();
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, mut client) = pair();
    client.write_all(&content(1000)).unwrap();
    let mut receiving = session.begin(ours);
    while session.task.moved() < 1000 {
        match receiving.receive(&session.task) {
            Progress::Waiting(rest) => receiving = rest,
            other => panic!("{other:?}"),
        }
    }
    drop(receiving);
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    assert!(fs::read(session.path(PART)).unwrap() == content(1000));

    session.prepare(upload(UploadStart::At(1000))).unwrap();
    let (ours, client) = pair();
    let client = sender(client, content(1500)[1000..].to_vec());
    let receiving = session.begin(ours);
    assert_eq!(ended(receive(receiving, &session.task)), Ok(()));
    client.join().unwrap();
    assert!(fs::read(session.path("f")).unwrap() == content(1500));
}

#[test]
fn a_small_upload_that_ends_after_it_was_cancelled_replaces_nothing() {
    let mut session = Session::new();
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, mut client) = pair();
    client.write_all(b"new").unwrap();
    drop(client);
    session.task.cancel();
    let receiving = session.begin(ours);
    let result = ended(receive(receiving, &session.task));
    assert_eq!(result, Err(Failure::Cancelled));
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
}

#[test]
fn a_small_upload_that_is_reset_replaces_nothing() {
    let mut session = Session::new();
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, mut client) = pair();
    client.write_all(b"new").unwrap();
    socket2::SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    let receiving = session.begin(ours);
    let result = ended(receive(receiving, &session.task));
    assert_eq!(result, Err(Failure::ConnectionLost));
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
}

#[test]
fn a_small_upload_to_a_full_disk_is_no_success() {
    let mut session = Session::new();
    let Some(disk) = SmallDisk::mount(session.directory.path()) else {
        eprintln!("NOT TESTED: mounting a small file system needs root");
        return;
    };
    fs::write(session.path("f"), "old").unwrap();
    session.prepare(upload(UploadStart::Replace)).unwrap();
    let (ours, client) = pair();
    let client = sender(client, content(30_000));
    let receiving = session.begin(ours);
    // It was not full when the upload began.
    let _full = fs::write(session.path("other"), content(4 << 20));
    let result = ended(receive(receiving, &session.task));
    assert_eq!(result, Err(Failure::NoSpaceRemoved));
    let _reset_or_end = client.join();
    assert_eq!(fs::read(session.path("f")).unwrap(), b"old");
    drop(disk);
}
