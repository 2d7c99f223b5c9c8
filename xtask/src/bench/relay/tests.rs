//! Orders, numbers and lower bounds of times; a busy machine may take longer for anything.

use std::io::{Read as _, Write as _};
use std::sync::mpsc;

use super::held::MOST_BYTES;
use super::*;

/// Never the same in two places.
fn content(words: u64, seed: u64) -> Vec<u8> {
    let words = (1..=words).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed);
    words.flat_map(u64::to_le_bytes).collect()
}

/// What a connection through the relay meets.
fn serve<T: Send + 'static>(
    server: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (TcpStream, thread::JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || server(listener.accept().unwrap().0));
    let client = connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    (client, server)
}

#[test]
fn a_round_trip_takes_ten_milliseconds() {
    let (mut client, server) = serve(|mut stream| {
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() > 0 {
            stream.write_all(&byte).unwrap();
        }
    });
    client.set_nodelay(true).unwrap();
    for sent in 0..5 {
        let start = Instant::now();
        client.write_all(&[sent]).unwrap();
        let mut came = [0];
        client.read_exact(&mut came).unwrap();
        assert!(start.elapsed() >= 2 * ONE_WAY);
        assert_eq!(came, [sent]);
    }
    drop(client);
    server.join().unwrap();
}

#[test]
fn to_connect_takes_a_round_trip_and_to_be_greeted_another_one() {
    let start = Instant::now();
    let (mut client, server) = serve(|mut stream| stream.write_all(b"220 \r\n").unwrap());
    assert!(start.elapsed() >= 2 * ONE_WAY);
    let mut greeting = String::new();
    client.read_to_string(&mut greeting).unwrap();
    assert!(start.elapsed() >= 4 * ONE_WAY);
    assert_eq!(greeting, "220 \r\n");
    server.join().unwrap();
}

#[test]
fn bytes_are_the_same_in_both_directions_at_one_time() {
    let (up, down) = (content(3 << 20, 1), content(3 << 20, 2));
    let sent_back = down.clone();
    let (mut client, server) = serve(move |stream| {
        let mut writer = stream.try_clone().unwrap();
        let sender = thread::spawn(move || {
            writer.write_all(&sent_back).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut came = Vec::new();
        (&stream).read_to_end(&mut came).unwrap();
        sender.join().unwrap();
        came
    });
    let mut writer = client.try_clone().unwrap();
    let sent = up.clone();
    let sender = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut came = Vec::new();
    client.read_to_end(&mut came).unwrap();
    sender.join().unwrap();
    assert!(came == down);
    assert!(server.join().unwrap() == up);
}

#[test]
fn the_end_of_one_direction_leaves_the_other_one_open() {
    let (mut client, server) = serve(|mut stream| {
        let mut question = String::new();
        stream.read_to_string(&mut question).unwrap();
        stream
            .write_all(question.to_uppercase().as_bytes())
            .unwrap();
    });
    client.write_all(b"a question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "A QUESTION");
    server.join().unwrap();
}

#[test]
fn a_sender_waits_when_nobody_receives() {
    let (release, released) = mpsc::channel::<()>();
    let (client, server) = serve(move |mut stream| {
        released.recv().unwrap();
        let mut came = Vec::new();
        stream.read_to_end(&mut came).unwrap();
        came.len()
    });
    client.set_nonblocking(true).unwrap();
    let block = vec![7; 1 << 20];
    let deadline = Instant::now() + PATIENCE;
    let (mut sent, mut refused) = (0, 0);
    while sent < MOST_BYTES || refused < 100 {
        if let Ok(count) = (&client).write(&block) {
            (sent, refused) = (sent + count, 0);
        } else {
            refused += 1;
            thread::sleep(Duration::from_millis(2));
        }
        assert!(Instant::now() < deadline, "{sent} bytes are held");
    }
    client.shutdown(Shutdown::Write).unwrap();
    release.send(()).unwrap();
    assert_eq!(server.join().unwrap(), sent);
}

#[test]
fn a_server_that_is_not_there_ends_the_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut client = connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn a_client_that_leaves_ends_the_connection_of_the_server() {
    let (client, server) = serve(|mut stream| {
        let block = vec![0; 1 << 20];
        while stream.write_all(&block).is_ok() {}
    });
    drop(client);
    server.join().unwrap();
}
