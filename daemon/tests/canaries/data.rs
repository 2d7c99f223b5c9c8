//! Data connections.

use std::{
    fs,
    io::Read as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    time::{Duration, Instant},
};

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
fn is_silent(ftp: &mut Ftp) -> bool {
    crate::set_patience(ftp, LITTLE_WHILE);
    ftp.reply().is_empty()
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
