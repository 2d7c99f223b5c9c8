use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use nix::poll::{PollFd, PollTimeout, poll};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::tests::PATIENCE;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn local() -> SocketAddr {
    SocketAddr::new(CLIENT, 21)
}

/// A listener, its port, and since when it listens.
fn listening() -> (DataPath, u16, Instant) {
    let (mut path, now) = (DataPath::default(), Instant::now());
    let port = path.listen(local(), &(40_000..=59_999), now).unwrap();
    (path, port, now)
}

fn connect_from(address: impl Into<IpAddr>, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::new(address.into(), 0);
    socket.bind(&from.into()).unwrap();
    let to = SocketAddr::new(CLIENT, port);
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Waits for what the path waits for, as at this time, and lets it do what it can.
fn advance(path: &mut DataPath, now: Instant) -> DataEvent {
    let (descriptor, interest) = path.interest(now).expect("it waits for nothing");
    let patience = PollTimeout::try_from(PATIENCE).unwrap();
    let seen = poll(&mut [PollFd::new(descriptor, interest)], patience);
    assert_eq!(seen, Ok(1), "nothing happens");
    path.advance(CLIENT, &Task::default())
}

fn assert_closed(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let _reset_or_end = stream.read_to_end(&mut heard);
    assert!(heard.is_empty());
}

/// Whether the two are ends of the same connection.
fn assert_joined(ours: OwnedFd, mut client: TcpStream) {
    TcpStream::from(ours).write_all(b"file").unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"file");
}

#[test]
fn a_stranger_at_the_passive_port_is_closed_and_the_client_is_taken_later() {
    for early in [true, false] {
        let (mut path, port, now) = listening();
        let stranger = early.then(|| connect_from(STRANGER, port));
        assert!(path.take(CLIENT).is_none(), "the client has still to come");
        let stranger = stranger.unwrap_or_else(|| {
            let stranger = connect_from(STRANGER, port);
            let event = advance(&mut path, now);
            assert!(matches!(event, DataEvent::Nothing), "{event:?}");
            stranger
        });
        assert_closed(stranger);
        let client = connect_from(CLIENT, port);
        match advance(&mut path, now) {
            DataEvent::Arrived(Ok(ours)) => assert_joined(ours, client),
            other => panic!("{other:?}"),
        }
        assert!(matches!(path, DataPath::Closed));
    }
}

#[test]
fn a_client_that_came_before_the_transfer_command_is_taken_at_once() {
    for strangers in [0, 1] {
        let (mut path, port, _) = listening();
        let strangers: Vec<_> = (0..strangers)
            .map(|_| connect_from(STRANGER, port))
            .collect();
        let client = connect_from(CLIENT, port);
        let ours = path.take(CLIENT).expect("it has come").unwrap();
        assert_joined(ours, client);
        strangers.into_iter().for_each(assert_closed);
    }
}

/// The queue of a listener is short: strangers who fill it would keep the client out.
#[test]
fn strangers_who_come_before_the_transfer_command_do_not_stay() {
    let (mut path, port, now) = listening();
    assert!(path.interest(now).is_none(), "mostly the command comes");
    assert_eq!(path.watched_from(now), Some(now + UNWATCHED));
    let later = now + UNWATCHED;
    assert_eq!(path.watched_from(later), None);
    for _ in 0..20 {
        let stranger = connect_from(STRANGER, port);
        let event = advance(&mut path, later);
        assert!(matches!(event, DataEvent::Nothing), "{event:?}");
        assert_closed(stranger);
    }
    let client = connect_from(CLIENT, port);
    let event = advance(&mut path, later);
    assert!(matches!(event, DataEvent::Nothing), "{event:?}");
    assert!(path.interest(later).is_none(), "the client has come");
    let ours = path.take(CLIENT).unwrap().unwrap();
    assert_joined(ours, client);
}

#[test]
fn the_only_port_that_is_in_use_is_no_port_and_ones_own_is_free() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = other.local_addr().unwrap().port();
    let mut path = DataPath::default();
    for _ in 0..2 {
        let none = path.listen(local(), &(taken..=taken), Instant::now());
        assert_eq!(none, Err(DataFailure::NoPort));
        assert!(matches!(path, DataPath::Closed));
    }
    let (mut path, port, now) = listening();
    // Also after a connection: its port would rest for a minute.
    let client = connect_from(CLIENT, port);
    let ours = path.take(CLIENT).unwrap().unwrap();
    assert_joined(ours, client);
    for _ in 0..3 {
        assert_eq!(path.listen(local(), &(port..=port), now), Ok(port));
    }
}

#[test]
fn a_connection_that_is_replaced_is_closed() {
    let (mut path, port, now) = listening();
    let client = connect_from(CLIENT, port);
    assert!(matches!(
        advance(&mut path, now + UNWATCHED),
        DataEvent::Nothing
    ));
    path.listen(local(), &(40_000..=59_999), now).unwrap();
    assert_closed(client);
}

#[test]
fn a_client_that_cannot_be_reached_is_told_as_such() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap();
    let mut path = DataPath::default();
    path.connect(local(), target).unwrap();
    let event = advance(&mut path, Instant::now());
    assert!(matches!(event, DataEvent::Connected(Ok(()))), "{event:?}");
    let ours = path.take(CLIENT).unwrap().unwrap();
    assert_joined(ours, listener.accept().unwrap().0);
    drop(listener);
    // This may fail at once.
    if path.connect(local(), target).is_ok() {
        let event = advance(&mut path, Instant::now());
        let refused = Err(DataFailure::Unreachable);
        assert!(matches!(event, DataEvent::Connected(it) if it == refused));
    }
    let nothing = path.take(CLIENT).unwrap();
    assert_eq!(nothing.map(drop), Err(Failure::NoConnection));
}
