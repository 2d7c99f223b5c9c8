//! Data connections.

use std::{
    fs,
    io::{self, Read as _},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    ops::RangeInclusive,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use libunftp::{ServerBuilder, options::Binder};
use tokio::{net::TcpSocket, runtime::Builder};
use unftp_core::auth::DefaultUser;
use unftp_sbe_fs::Filesystem;

use crate::{LITTLE_WHILE, bare::Bare, ftp::Ftp};

/// The files of a new certificate and its key. They stay until the machine cleans up.
pub(crate) fn certificate() -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap().keep();
    let files = ["certificate.pem", "key.pem"].map(|name| directory.join(name));
    fs::write(&files[0], made.cert.pem()).unwrap();
    fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
    let [certificate, key] = files;
    (certificate, key)
}

/// Nothing comes for a little while.
pub(crate) fn is_silent(ftp: &mut Ftp) -> bool {
    crate::set_patience(ftp, LITTLE_WHILE);
    ftp.reply().is_empty()
}

/// The port in a reply to PASV.
pub(crate) fn pasv_port(reply: &str) -> u16 {
    let numbers = reply.split(['(', ')']).nth(1).unwrap();
    let numbers: Vec<u8> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
    u16::from_be_bytes([numbers[4], numbers[5]])
}

fn passive_port(ftp: &mut Ftp) -> u16 {
    let reply = ftp.expect("EPSV", "229");
    reply.split('|').nth(3).unwrap().parse().unwrap()
}

/// Work-around: the gate answers 425 itself and replaces the engine.
#[test]
fn d1_a_data_connection_that_does_not_come_is_not_answered_slow() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut ftp = bare.session();
    ftp.expect("EPSV", "229");
    ftp.expect("RETR f", "150");
    crate::set_patience(&ftp, Duration::from_secs(18));
    assert_eq!(ftp.reply(), "");
}

/// Work-around: as for D1.
#[test]
fn d2_a_stranger_at_the_port_takes_the_transfer_away() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut ftp = bare.session();
    let port = passive_port(&mut ftp);
    let stranger =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    stranger
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 2], 0)).into())
        .unwrap();
    stranger
        .connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into())
        .unwrap();
    ftp.expect("RETR f", "150");
    assert!(is_silent(&mut ftp));
}

/// Work-around: the session ends the listener before when it makes the next.
#[test]
fn d3_every_pasv_keeps_its_listener() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    let ports: Vec<u16> = (0..20).map(|_| passive_port(&mut ftp)).collect();
    let open = ports
        .iter()
        .filter(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, **port)).is_ok());
    assert!(open.count() > 10);
}

/// Work-around: the gate lets PORT name the client's own address and unprivileged ports only.
#[test]
fn d7_port_connects_to_anybody() {
    let third_party = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 3), 0)).unwrap();
    let port = third_party.local_addr().unwrap().port();
    let bare = Bare::start_with(|options| {
        options.active_passive_mode(libunftp::options::ActivePassiveMode::ActiveAndPassive)
    });
    let mut ftp = bare.session();
    ftp.expect(
        &format!("PORT 127,0,0,3,{},{}", port >> 8, port & 255),
        "200",
    );
    third_party.accept().unwrap();
}

/// Work-around: the session's storage lists with `RETR`, which answers when the client breaks off.
#[test]
fn d12_a_listing_that_the_client_breaks_off_is_not_answered() {
    let bare = Bare::start();
    for number in 0..20_000 {
        fs::write(bare.root().join(format!("{number:0200}")), "").unwrap();
    }
    let mut ftp = bare.session();
    let mut data = ftp.passive();
    ftp.expect("LIST", "150");
    data.read_exact(&mut [0; 1024]).unwrap();
    drop(data);
    assert!(is_silent(&mut ftp));
}

/// Work-around: the session sets `TCP_NODELAY`.
#[test]
fn d18_small_files_wait_for_delayed_acknowledgements() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "x").unwrap();
    let mut ftp = bare.session();
    let start = Instant::now();
    for _ in 0..20 {
        ftp.download("RETR f");
    }
    // The only bound on time in our tests; it is a lower one.
    assert!(start.elapsed() > Duration::from_millis(400));
}

/// Work-around: the session ends the listener before when it makes the next.
#[test]
fn d4_the_port_before_serves_the_transfer() {
    let bare = Bare::start();
    fs::write(bare.root().join("f"), "content").unwrap();
    let mut ftp = bare.session();
    let before = passive_port(&mut ftp);
    passive_port(&mut ftp);
    let mut data = TcpStream::connect((Ipv4Addr::LOCALHOST, before)).unwrap();
    ftp.expect("RETR f", "150");
    let mut content = String::new();
    data.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
}

/// Work-around: the session tells an engine that it gives up to let go of its data connection.
#[test]
fn d5_a_data_connection_outlives_its_session() {
    let bare = Bare::start();
    let mut ftp = bare.session();
    let mut data = ftp.passive();
    ftp.expect("QUIT", "221");
    assert_eq!(ftp.reply(), "");
    data.set_read_timeout(Some(LITTLE_WHILE)).unwrap();
    let silence = data.read(&mut [0]).unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
}

/// Work-around: the shim shows an IPv4 client as one, also on a socket for both.
#[test]
fn d6_an_ipv4_client_of_an_ipv6_socket_is_dropped_by_pasv() {
    let bare = Bare::start_at("[::]:0".parse().unwrap(), |options| options);
    let mut ftp = Ftp::connect((Ipv4Addr::LOCALHOST, bare.address.port()).into());
    ftp.log_in("anyone", "x");
    assert_eq!(ftp.command("PASV"), "", "the connection is closed");
}

/// Work-around: the session has limits on stalled transfers.
#[test]
fn d16_a_stalled_transfer_has_no_end_slow() {
    let bare = Bare::start_with(|options| options.idle_session_timeout(1));
    let file = fs::File::create(bare.root().join("f")).unwrap();
    file.set_len(64 << 20).unwrap();
    let mut ftp = bare.session();
    let _data = ftp.passive();
    ftp.expect("RETR f", "150");
    crate::set_patience(&ftp, Duration::from_secs(6));
    let heard = ftp.tcp().read(&mut [0]);
    assert_eq!(heard.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

/// Gives out a socket on which nobody can listen, because somebody else does at its port.
#[derive(Debug)]
struct Taken(Vec<tokio::net::TcpListener>);

#[async_trait]
impl Binder for Taken {
    async fn bind(
        &mut self,
        _address: IpAddr,
        _ports: RangeInclusive<u16>,
    ) -> io::Result<TcpSocket> {
        let [one, other] = [TcpSocket::new_v4()?, TcpSocket::new_v4()?];
        one.set_reuseaddr(true)?;
        other.set_reuseaddr(true)?;
        one.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        other.bind(one.local_addr()?)?;
        self.0.push(one.listen(1)?);
        Ok(other)
    }
}

/// Work-around: our Binder listens before it gives a socket out.
#[test]
fn d17_a_port_that_cannot_be_listened_at_drops_the_client() {
    // `listen` gives the Binder to its first client only, which is our look whether it listens.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        client.set_nonblocking(true).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = tokio::net::TcpStream::from_std(client).unwrap();
            let storage = Box::new(move || Filesystem::new(&root).unwrap());
            let options = ServerBuilder::<Filesystem, DefaultUser>::new(storage);
            let server = options.binder(Taken(Vec::new())).build().unwrap();
            server.service(client).await
        })
    });
    let mut ftp = Ftp::connect(address);
    ftp.log_in("anyone", "x");
    assert_eq!(ftp.command("EPSV"), "", "the connection is closed");
}

/// Work-around: our Binder tries every port of the range.
#[test]
fn d19_a_range_with_a_free_port_is_said_to_be_full() {
    const FIRST: u16 = 41_000;
    const LAST: u16 = 41_099;
    // One is left free.
    let _taken: Vec<_> = (FIRST..LAST)
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .collect();
    let bare = Bare::start_with(|options| options.passive_ports(FIRST..=LAST));
    let mut ftp = bare.session();
    let full = (0..5).any(|_| !ftp.command("EPSV").starts_with("229"));
    assert!(full);
}
