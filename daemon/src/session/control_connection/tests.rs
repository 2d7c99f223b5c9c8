use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollTimeout, poll};
use rustls::version::{TLS12, TLS13};
use socket2::SockRef;

use super::*;
use crate::tests::{PATIENCE, Tls, TlsStream, pair};

fn connection() -> (ControlConnection, TcpStream) {
    let (ours, client) = pair();
    client.set_nodelay(true).unwrap();
    (ControlConnection::new(Arc::new(ours.into())), client)
}

/// A connection whose handshake has begun.
fn begun(tls: &Tls) -> (ControlConnection, TcpStream) {
    let (mut control, client) = connection();
    control.start_tls(tls.server.clone()).unwrap();
    assert!(control.is_handshaking() && !control.is_protected());
    (control, client)
}

/// A connection under TLS.
fn protected(tls: &Tls) -> (ControlConnection, TlsStream) {
    let (mut control, client) = begun(tls);
    let mut client = tls.connect(client);
    let client = thread::spawn(move || {
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock).unwrap();
        }
        client
    });
    shake_hands(&mut control).unwrap();
    assert!(control.is_protected());
    (control, client.join().unwrap())
}

fn wait(control: &mut ControlConnection, wanted: bool) {
    if wanted && control.has_input() {
        return;
    }
    let mut descriptors = [PollFd::new(control.as_fd(), control.interest(wanted))];
    let patience = PollTimeout::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut descriptors, patience), Ok(1), "nothing happens");
}

fn shake_hands(control: &mut ControlConnection) -> io::Result<()> {
    while control.is_handshaking() {
        wait(control, true);
        control.shake_hands()?;
    }
    Ok(())
}

/// What comes next, in buffers of this size.
fn receive(control: &mut ControlConnection, size: usize) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; size];
    loop {
        wait(control, true);
        match control.receive(&mut buffer)? {
            Received::Nothing => {}
            Received::End => return Ok(None),
            Received::Bytes(count) => {
                buffer.truncate(count);
                return Ok(Some(buffer));
            }
        }
    }
}

/// Sends back what comes, until nothing more comes, and ends.
fn echo(mut control: ControlConnection) -> JoinHandle<()> {
    thread::spawn(move || {
        while let Some(bytes) = receive(&mut control, 7).unwrap() {
            control.send(bytes);
            control.flush().unwrap();
            while !control.is_flushed() {
                wait(&mut control, false);
                control.flush().unwrap();
            }
        }
        control.end().unwrap();
    })
}

#[test]
fn bytes_come_and_go_in_the_smallest_pieces() {
    fn talk(mut client: impl io::Read + io::Write) {
        for byte in 0..=255 {
            client.write_all(&[byte]).unwrap();
            client.flush().unwrap();
            let mut echo = [0];
            client.read_exact(&mut echo).unwrap();
            assert_eq!(echo, [byte]);
        }
    }
    let (control, mut client) = connection();
    let echoing = echo(control);
    talk(&client);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
    echoing.join().unwrap();
    for version in [&TLS12, &TLS13] {
        let (control, mut client) = protected(&Tls::new(version));
        let echoing = echo(control);
        talk(&mut client);
        client.conn.send_close_notify();
        client.flush().unwrap();
        // Ends without an error only at TLS's own end.
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
        echoing.join().unwrap();
    }
}

#[test]
fn more_than_fits_a_record_or_the_buffer_comes_whole() {
    let (mut control, mut client) = protected(&Tls::new(&TLS13));
    let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let expected = sent.clone();
    let client = thread::spawn(move || {
        client.write_all(&sent).unwrap();
        client.conn.send_close_notify();
        client.flush().unwrap();
        client
    });
    let mut received = Vec::new();
    while let Some(bytes) = receive(&mut control, 1024).unwrap() {
        received.extend(bytes);
    }
    assert!(received == expected);
    drop(client.join().unwrap());
}

/// Whoever sends commands without end and reads no reply must not cost memory without end: the
/// session looks at how much waits.
#[test]
fn a_client_that_does_not_read_blocks_nothing_and_its_replies_are_counted() {
    fn fill(control: &mut ControlConnection) -> usize {
        let mut sent = 0;
        while control.waiting() < 100_000 {
            control.send(vec![7; 10_000]);
            sent += 10_000;
            control.flush().unwrap();
            assert!(sent < 100 << 20, "it is not seen to wait");
        }
        assert!(!control.is_flushed());
        assert!(control.interest(false).contains(PollFlags::POLLOUT));
        sent
    }
    fn drain(mut control: ControlConnection, client: impl io::Read + Send, sent: usize) {
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut client = client;
                let mut received = Vec::new();
                client.read_to_end(&mut received).unwrap();
                assert!(received == vec![7; sent], "{} bytes", received.len());
            });
            while !control.is_flushed() {
                wait(&mut control, false);
                control.flush().unwrap();
            }
            assert_eq!(control.waiting(), 0);
            assert!(control.interest(false).is_empty());
            control.end().unwrap();
        });
    }
    let (mut control, client) = connection();
    let sent = fill(&mut control);
    drain(control, &client, sent);
    for version in [&TLS12, &TLS13] {
        let (mut control, client) = protected(&Tls::new(version));
        let sent = fill(&mut control);
        drain(control, client, sent);
    }
}

#[test]
fn what_comes_before_the_end_of_tls_is_received_first() {
    for version in [&TLS12, &TLS13] {
        let (mut control, mut client) = protected(&Tls::new(version));
        client.write_all(b"QUIT\r\n").unwrap();
        client.conn.send_close_notify();
        client.flush().unwrap();
        let quit = receive(&mut control, 1024).unwrap();
        assert_eq!(quit.as_deref(), Some(&b"QUIT\r\n"[..]));
        assert_eq!(receive(&mut control, 1024).unwrap(), None);
        assert_eq!(receive(&mut control, 1024).unwrap(), None, "it stays");
    }
}

#[test]
fn the_end_of_the_connection_is_an_end_under_tls_too() {
    let (mut control, client) = protected(&Tls::new(&TLS13));
    client.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(receive(&mut control, 1024).unwrap(), None);
}

#[test]
fn a_broken_record_is_answered_with_an_alert_and_ends_the_connection() {
    for version in [&TLS12, &TLS13] {
        let (mut control, mut client) = protected(&Tls::new(version));
        let mut record = vec![0x17, 3, 3, 0, 40];
        record.extend([1; 40]);
        client.sock.write_all(&record).unwrap();
        let broken = receive(&mut control, 1024).unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::InvalidData);
        let alert = client.read_to_end(&mut Vec::new()).unwrap_err();
        let alert = alert.get_ref().and_then(|error| error.downcast_ref());
        assert!(
            matches!(alert, Some(rustls::Error::AlertReceived(_))),
            "{alert:?}"
        );
    }
}

#[test]
fn what_is_no_handshake_is_answered_with_an_alert() {
    let (mut control, mut client) = begun(&Tls::new(&TLS13));
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let refused = shake_hands(&mut control).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData);
    let mut record = [0; 5];
    client.read_exact(&mut record).unwrap();
    assert_eq!(record[0], 0x15);
}

#[test]
fn a_client_that_leaves_in_the_handshake_is_an_error() {
    let (mut control, mut client) = begun(&Tls::new(&TLS13));
    client.write_all(&[0x16, 3, 1]).unwrap();
    drop(client);
    let left = shake_hands(&mut control).unwrap_err();
    assert_eq!(left.kind(), ErrorKind::UnexpectedEof);
}

/// Clients that need not wait for a greeting send their first command at once.
#[test]
fn what_comes_with_the_last_message_of_the_handshake_is_not_lost() {
    let tls = Tls::new(&TLS13);
    for front in [0, 1, 40, 70, 80, 90, 100, 1000] {
        let (mut control, mut stream) = begun(&tls);
        let mut client = tls.client();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        stream.write_all(&hello).unwrap();
        wait(&mut control, true);
        control.shake_hands().unwrap();
        while client.is_handshaking() {
            client.read_tls(&mut stream).unwrap();
            client.process_new_packets().unwrap();
        }
        client.writer().write_all(b"USER alice\r\n").unwrap();
        let mut last = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut last).unwrap();
        }
        let (front, rest) = last.split_at(front.min(last.len()));
        stream.write_all(front).unwrap();
        let rest = rest.to_owned();
        let (sent, may_send) = std::sync::mpsc::channel();
        let sender = thread::spawn(move || {
            may_send.recv().unwrap();
            stream.write_all(&rest).unwrap();
            stream
        });
        if !front.is_empty() {
            wait(&mut control, true);
            control.shake_hands().unwrap();
        }
        sent.send(()).unwrap();
        shake_hands(&mut control).unwrap();
        let line = receive(&mut control, 1024).unwrap();
        assert_eq!(line.as_deref(), Some(&b"USER alice\r\n"[..]));
        drop(sender.join().unwrap());
    }
}

#[test]
fn a_reset_is_an_error_and_no_end() {
    let (mut control, client) = connection();
    SockRef::from(&client)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    let lost = receive(&mut control, 1024).unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::ConnectionReset);
    control.send(b"221 \r\n".to_vec());
    assert!(control.flush().is_err());
}
