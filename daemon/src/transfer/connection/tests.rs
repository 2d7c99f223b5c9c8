use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt};
use rustls::version::{TLS12, TLS13};
use socket2::SockRef;

use super::*;
use crate::tests::{Tls, pair};

fn open(descriptor: OwnedFd, protection: Protection) -> Result<DataConnection, Failure> {
    DataConnection::open(descriptor, protection, TlsRules::default(), Task::default())
}

/// Bytes without a pattern that a lost or doubled block would keep.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Everything up to the end, in blocks that fit no record.
fn receive(connection: &mut DataConnection) -> (Vec<u8>, Result<(), Failure>) {
    let mut received = Vec::new();
    let mut block = vec![0; 40_000];
    loop {
        let mut filled = 0;
        let result = connection.fill(&mut block, &mut filled);
        received.extend_from_slice(&block[..filled]);
        if result.is_err() || filled < block.len() {
            return (received, result);
        }
    }
}

const LENGTHS: [usize; 7] = [0, 1, 16_384, 16_385, 40_000, 65_536, 3_000_001];

#[test]
fn bytes_go_both_ways_in_the_clear() {
    for length in LENGTHS {
        let expected = content(length);
        let (ours, mut client) = pair();
        let task = Task::default();
        let mut connection =
            DataConnection::open(ours, Protection::Clear, TlsRules::default(), task.clone())
                .unwrap();
        let sent = expected.clone();
        let sender = thread::spawn(move || {
            client.write_all(&sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut echo = Vec::new();
            client.read_to_end(&mut echo).unwrap();
            echo
        });
        assert_eq!(receive(&mut connection), (expected.clone(), Ok(())));
        assert_eq!(task.moved(), length as u64);
        connection.write_all(&expected).unwrap();
        connection.finish_sending().unwrap();
        assert_eq!(task.moved(), 2 * length as u64);
        assert!(sender.join().unwrap() == expected);
    }
}

#[test]
fn a_download_over_tls_is_whole_and_ended_cleanly() {
    for version in [&TLS12, &TLS13] {
        let tls = Tls::new(version);
        for length in LENGTHS {
            let expected = content(length);
            let (ours, client) = pair();
            let mut client = tls.connect(client);
            let receiver = thread::spawn(move || {
                let mut received = Vec::new();
                // rustls calls it an error if the end is not TLS's.
                let result = client.read_to_end(&mut received);
                result.map(|_| received)
            });
            let task = Task::default();
            let mut connection =
                DataConnection::open(ours, tls.protection(), TlsRules::default(), task.clone())
                    .unwrap();
            connection.write_all(&expected).unwrap();
            connection.finish_sending().unwrap();
            assert!(receiver.join().unwrap().unwrap() == expected);
            assert_eq!(task.moved(), length as u64);
        }
    }
}

#[test]
fn an_upload_over_tls_is_whole_and_its_end_is_answered() {
    for version in [&TLS12, &TLS13] {
        let tls = Tls::new(version);
        for length in LENGTHS {
            let expected = content(length);
            let (ours, client) = pair();
            let mut client = tls.connect(client);
            let sent = expected.clone();
            let sender = thread::spawn(move || {
                client.conn.complete_io(&mut client.sock)?;
                client.write_all(&sent)?;
                client.conn.send_close_notify();
                client.flush()?;
                // Ends without an error only at TLS's own end.
                client.read_to_end(&mut Vec::new())
            });
            let task = Task::default();
            let mut connection =
                DataConnection::open(ours, tls.protection(), TlsRules::default(), task.clone())
                    .unwrap();
            let (received, result) = receive(&mut connection);
            assert!(received == expected);
            assert_eq!(result, Ok(()));
            assert_eq!(connection.read(&mut [0; 8]), Ok(0), "it stays at the end");
            connection.finish_receiving();
            assert_eq!(task.moved(), length as u64);
            assert_eq!(sender.join().unwrap().unwrap(), 0);
        }
    }
}

#[test]
fn an_upload_over_tls_that_is_cut_off_is_not_taken_for_whole() {
    let tls = Tls::new(&TLS13);
    for accept_truncation in [false, true] {
        let (ours, client) = pair();
        let mut client = tls.connect(client);
        let sender = thread::spawn(move || {
            client.write_all(&content(100_000)).unwrap();
            client.flush().unwrap();
            client.sock.shutdown(Shutdown::Write).unwrap();
            client
        });
        let rules = TlsRules {
            accept_truncation,
            ..TlsRules::default()
        };
        let mut connection =
            DataConnection::open(ours, tls.protection(), rules, Task::default()).unwrap();
        let (received, result) = receive(&mut connection);
        assert!(received == content(100_000), "what came is kept");
        if accept_truncation {
            assert_eq!(result, Ok(()));
        } else {
            assert_eq!(result, Err(Failure::Truncated));
        }
        drop(sender.join().unwrap());
    }
}

#[test]
fn a_session_must_be_resumed_if_that_is_required() {
    for version in [&TLS12, &TLS13] {
        let tls = Tls::new(version);
        let rules = TlsRules {
            require_resumption: true,
            ..TlsRules::default()
        };
        let handshake = |rules| {
            let (ours, client) = pair();
            let mut client = tls.connect(client);
            let reader = thread::spawn(move || client.read_to_end(&mut Vec::new()));
            let result = DataConnection::open(ours, tls.protection(), rules, Task::default())
                .and_then(DataConnection::finish_sending);
            let _ended = reader.join().unwrap();
            result
        };
        assert_eq!(handshake(rules), Err(Failure::NotResumed));
        tls.control_connection();
        assert_eq!(handshake(rules), Ok(()));
    }
}

#[test]
fn garbage_instead_of_a_handshake_is_a_failed_handshake() {
    let tls = Tls::new(&TLS13);
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; 70_000],
        vec![0x16; 70_000],
    ] {
        let (ours, mut client) = pair();
        // The server may close before it has all of this.
        let sender = thread::spawn(move || client.write_all(&garbage).and(Ok(client)));
        let result = open(ours, tls.protection());
        assert_eq!(result.map(drop), Err(Failure::Handshake));
        let _sent = sender.join().unwrap();
    }
}

#[test]
fn a_client_that_leaves_in_the_handshake_is_a_failed_handshake() {
    let tls = Tls::new(&TLS13);
    let (ours, client) = pair();
    drop(client);
    assert_eq!(
        open(ours, tls.protection()).map(drop),
        Err(Failure::Handshake)
    );
}

/// Runs `job` and cancels it while it waits for the client.
fn cancelled(job: impl FnOnce(Task) -> Result<(), Failure> + Send + 'static) {
    let task = Task::default();
    let job = thread::spawn({
        let task = task.clone();
        move || job(task)
    });
    // It may not wait yet, and ends in the same way then.
    thread::sleep(Duration::from_millis(20));
    assert!(!job.is_finished());
    task.cancel();
    assert_eq!(job.join().unwrap(), Err(Failure::Cancelled));
}

#[test]
fn whatever_waits_for_the_client_can_be_cancelled() {
    let tls = Tls::new(&TLS13);
    let (ours, client) = pair();
    let protection = tls.protection();
    cancelled(move |task| {
        DataConnection::open(ours, protection, TlsRules::default(), task).map(drop)
    });
    drop(client);

    let (ours, client) = pair();
    cancelled(move |task| {
        let mut connection =
            DataConnection::open(ours, Protection::Clear, TlsRules::default(), task)?;
        connection.read(&mut [0; 8]).map(drop)
    });
    drop(client);

    // A client that reads nothing.
    let (ours, client) = pair();
    cancelled(move |task| {
        let mut connection =
            DataConnection::open(ours, Protection::Clear, TlsRules::default(), task)?;
        connection.write_all(&vec![0; 64 << 20])
    });
    drop(client);

    let (ours, client) = pair();
    let mut client = tls.connect(client);
    let protection = tls.protection();
    let reader = thread::spawn(move || client.read(&mut [0; 1]).map(|_| client));
    cancelled(move |task| {
        let mut connection = DataConnection::open(ours, protection, TlsRules::default(), task)?;
        connection.write_all(&vec![0; 64 << 20])
    });
    drop(reader.join().unwrap());
}

#[test]
fn a_reset_is_a_lost_connection() {
    for upload in [false, true] {
        let (ours, client) = pair();
        let mut connection = open(ours, Protection::Clear).unwrap();
        let linger = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(&client, sockopt::Linger, &linger).unwrap();
        drop(client);
        let result = if upload {
            connection.read(&mut [0; 8]).map(drop)
        } else {
            (0..2).try_for_each(|_| connection.write_all(&vec![0; 100_000]))
        };
        assert_eq!(result, Err(Failure::ConnectionLost));
    }
}

#[test]
fn a_slow_client_is_seen_to_move() {
    let (ours, mut client) = pair();
    let task = Task::default();
    let mut connection =
        DataConnection::open(ours, Protection::Clear, TlsRules::default(), task.clone()).unwrap();
    let sender = thread::spawn(move || connection.write_all(&vec![1; 32 << 20]));
    let mut taken = vec![0; 1 << 20];
    client.read_exact(&mut taken).unwrap();
    // It is counted after it has been sent.
    while task.moved() < taken.len() as u64 {
        thread::yield_now();
    }
    task.cancel();
    assert_eq!(sender.join().unwrap(), Err(Failure::Cancelled));
    assert!(task.moved() < 32 << 20, "it was cancelled in the middle");
}

#[test]
fn only_a_large_download_bounds_what_waits_in_the_kernel() {
    for (bytes, bounded) in [(10_000, false), (1 << 30, true)] {
        let (ours, _client) = pair();
        let seen = TcpStream::from(ours.try_clone().unwrap());
        let connection = open(ours, Protection::Clear).unwrap();
        connection.expect_to_send(bytes);
        let seen = SockRef::from(&seen);
        let unsent = seen.tcp_notsent_lowat().unwrap();
        // The kernel doubles it. On a busy machine, the way over loopback is long.
        let near = seen.send_buffer_size().unwrap() == 2 * (256 << 10);
        assert_eq!(near || unsent == socket::UNSENT_BYTES, bounded, "{unsent}");
    }
}
