//! Clients that mean harm. Each test bounds what they can do; afterwards, others are served and
//! nothing is left of them.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    PATIENCE,
    ftp::Ftp,
    harness::{Daemon, PASSWORD, eventually, free_ports, user},
};

/// A daemon with these lines in its table of limits.
fn with_limits(limits: &str) -> Daemon {
    Daemon::start_with("", |root| {
        format!("[limits]\n{limits}\n{}", user("alice", root, false))
    })
}

/// Runs an attack, then waits until the daemon is as it was and serves.
fn survives(daemon: &Daemon, attack: impl FnOnce()) {
    // The first session makes what all later ones share.
    daemon.log_in().expect("QUIT", "221");
    let gone = || daemon.threads() == 1;
    assert!(eventually(gone));
    let descriptors = daemon.descriptors();
    attack();
    assert!(
        eventually(|| daemon.descriptors() == descriptors && gone()),
        "{} threads, {} descriptors instead of {descriptors}; log: {}",
        daemon.threads(),
        daemon.descriptors(),
        daemon.log()
    );
    fs::write(daemon.root().join("after"), "served").unwrap();
    assert_eq!(daemon.log_in().download("RETR after"), b"served");
}

/// Everything that comes until the connection ends.
fn read_all(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    if let Err(error) = stream.read_to_end(&mut heard) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "the connection stays");
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn an_endless_line_costs_no_memory() {
    let daemon = Daemon::start();
    survives(&daemon, || {
        let mut stream = TcpStream::connect(daemon.addresses[0]).unwrap();
        let block = [b'x'; 4096];
        // Ends when the daemon has had enough of it.
        for _ in 0..16 * 1024 {
            if stream.write_all(&block).is_err() {
                break;
            }
        }
        let resident = daemon.resident_kib();
        assert!(resident < 32 * 1024, "{resident} KiB");
    });
}

#[test]
fn a_log_in_byte_by_byte_meets_the_time_limit() {
    let daemon = with_limits("log-in-seconds = 5");
    survives(&daemon, || {
        let mut stream = TcpStream::connect(daemon.addresses[0]).unwrap();
        let start = Instant::now();
        while start.elapsed() < PATIENCE && stream.write_all(b"U").is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
        assert!(start.elapsed() < PATIENCE);
    });
}

#[test]
fn a_client_that_says_nothing_is_disconnected() {
    let daemon = with_limits("log-in-seconds = 5");
    survives(&daemon, || {
        let mut stream = TcpStream::connect(daemon.addresses[0]).unwrap();
        let heard = read_all(&mut stream);
        assert!(heard.contains("\r\n421 "), "{heard}");
    });
}

#[test]
fn a_thousand_connections_at_once_get_sessions_or_421() {
    let daemon = Daemon::start();
    survives(&daemon, || {
        let clients: Vec<_> = (0..1000)
            .map(|_| TcpStream::connect(daemon.addresses[0]).unwrap())
            .collect();
        let mut codes = [0, 0];
        for mut client in clients {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut code = [0; 3];
            match client.read_exact(&mut code) {
                Ok(()) if &code == b"220" => codes[0] += 1,
                _ => codes[1] += 1,
            }
            assert!(daemon.threads() < 100);
        }
        assert!(codes[0] >= 16, "{codes:?}");
    });
}

#[test]
fn ten_thousand_pipelined_commands_are_answered_in_order() {
    let daemon = Daemon::start();
    survives(&daemon, || {
        let mut ftp = daemon.log_in();
        let writer = ftp.tcp();
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..5_000 {
                    let pair = format!("NOOP\r\nSIZE {number}\r\n");
                    (&writer).write_all(pair.as_bytes()).unwrap();
                }
            });
            for number in 0..5_000 {
                assert!(ftp.reply().starts_with("200"), "NOOP {number}");
                let reply = ftp.reply();
                assert!(
                    reply.starts_with("550") && reply.contains(&format!("/{number}\"")),
                    "{number}: {reply}"
                );
            }
        });
        assert!(daemon.resident_kib() < 32 * 1024);
    });
}

/// A flood of PASV neither takes the ports of others nor costs descriptors.
#[test]
fn a_pasv_flood_leaves_ports_to_others() {
    let first = free_ports(4);
    let daemon = Daemon::start_with("", |root| {
        let last = first + 3;
        format!(
            "[passive]\nports = \"{first}-{last}\"\n{}",
            user("alice", root, false)
        )
    });
    survives(&daemon, || {
        let mut ftp = daemon.log_in();
        let mut other = daemon.log_in();
        for _ in 0..200 {
            ftp.expect("PASV", "227");
        }
        let before = daemon.descriptors();
        other.expect("EPSV", "229");
        let more = daemon.descriptors() - before;
        assert!(more <= 1, "{more} of one listener");
        assert!(before < 40, "{before}");
    });
}

#[test]
fn port_reaches_nobody_but_the_client() {
    let daemon = Daemon::start_with("", |root| {
        format!("[active]\nenabled = true\n{}", user("alice", root, false))
    });
    fs::write(daemon.root().join("file"), "content").unwrap();
    survives(&daemon, || {
        let third_party = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 3), 0)).unwrap();
        third_party.set_nonblocking(true).unwrap();
        let port = third_party.local_addr().unwrap().port();
        let mut ftp = daemon.log_in();
        for line in [
            format!("PORT 127,0,0,3,{},{}", port >> 8, port & 255),
            format!("EPRT |1|127.0.0.3|{port}|"),
            "PORT 127,0,0,1,0,22".to_owned(),
            "EPRT |1|127.0.0.1|22|".to_owned(),
        ] {
            let reply = ftp.command(&line);
            assert!(reply.starts_with('5'), "{line}: {reply}");
        }
        ftp.command("RETR file");
        assert!(third_party.accept().is_err(), "somebody has connected");

        let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = own.local_addr().unwrap().port();
        ftp.expect(&format!("EPRT |1|127.0.0.1|{port}|"), "200");
        ftp.expect("RETR file", "150");
        let mut content = String::new();
        own.accept()
            .unwrap()
            .0
            .read_to_string(&mut content)
            .unwrap();
        assert_eq!(content, "content");
        assert!(ftp.reply().starts_with("226"));
    });
}

#[test]
fn a_port_where_nobody_listens_is_answered_with_425() {
    let daemon = Daemon::start_with("", |root| {
        format!("[active]\nenabled = true\n{}", user("alice", root, false))
    });
    fs::write(daemon.root().join("file"), "content").unwrap();
    survives(&daemon, || {
        let dead = free_ports(1);
        let mut ftp = daemon.log_in();
        ftp.expect(&format!("EPRT |1|127.0.0.1|{dead}|"), "200");
        let mut reply = ftp.command("RETR file");
        if reply.starts_with("150") {
            reply = ftp.reply();
        }
        assert!(reply.starts_with("425"), "{reply}");
        assert_eq!(ftp.download("RETR file"), b"content");
    });
}

#[test]
fn pipelined_guesses_are_checked_one_by_one_and_end_the_session() {
    let daemon = Daemon::start();
    survives(&daemon, || {
        let mut stream = TcpStream::connect(daemon.addresses[0]).unwrap();
        let guesses = "USER alice\r\nPASS wrong\r\n".repeat(50);
        stream.write_all(guesses.as_bytes()).unwrap();
        let start = Instant::now();
        let heard = read_all(&mut stream);
        assert_eq!(heard.matches("\r\n530 ").count(), 2, "{heard}");
        assert!(heard.contains("\r\n421 "), "{heard}");
        assert!(start.elapsed() > Duration::from_secs(3), "no delay");
    });
}

/// Somebody else at the passive port gets nothing, and the client is told.
#[test]
fn a_data_connection_from_another_address_gets_nothing() {
    let daemon = with_limits("data-connection-seconds = 5");
    fs::write(daemon.root().join("file"), "secret").unwrap();
    survives(&daemon, || {
        let mut ftp = daemon.log_in();
        let reply = ftp.expect("EPSV", "229");
        let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
        let stranger = connect_from([127, 0, 0, 2], port);
        ftp.expect("RETR file", "150");
        assert_eq!(read_all(&mut TcpStream::from(stranger)), "");
        assert!(ftp.reply().starts_with("425"));
        assert_eq!(ftp.download("RETR file"), b"secret");
    });
}

/// Whoever finds the port before the client does costs it nothing.
#[test]
fn strangers_at_the_passive_port_do_not_cost_the_client_its_transfer() {
    let daemon = with_limits("data-connection-seconds = 60");
    fs::write(daemon.root().join("file"), "content").unwrap();
    survives(&daemon, || {
        let mut ftp = daemon.log_in();
        for early in [true, false] {
            let reply = ftp.expect("EPSV", "229");
            let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
            let strange = || {
                let stranger = connect_from([127, 0, 0, 2], port);
                assert_eq!(read_all(&mut TcpStream::from(stranger)), "");
            };
            (0..20).for_each(|_| strange());
            let mut data = early.then(|| TcpStream::connect(("127.0.0.1", port)).unwrap());
            ftp.expect("RETR file", "150");
            if !early {
                strange();
            }
            let data = data.get_or_insert_with(|| TcpStream::connect(("127.0.0.1", port)).unwrap());
            assert_eq!(read_all(data), "content");
            assert!(ftp.reply().starts_with("226"));
        }
    });
}

fn connect_from(address: [u8; 4], port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let [from, to] = [(address, 0), ([127, 0, 0, 1], port)].map(SocketAddr::from);
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket
}

#[test]
fn garbage_instead_of_tls_ends_the_session() {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let daemon = Daemon::start_with("", |root| {
        let [pem, key] = ["c.pem", "k.pem"].map(|name| root.parent().unwrap().join(name));
        fs::write(&pem, certificate.cert.pem()).unwrap();
        fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
        format!(
            "[tls]\ncertificate = {pem:?}\nkey = {key:?}\n[limits]\nhandshake-seconds = 2\n{}",
            user("alice", root, false)
        )
    });
    survives(&daemon, || {
        for garbage in ["", "x", "USER alice\r\nPASS x\r\nPWD\r\n"] {
            let mut ftp = daemon.connect();
            ftp.reply();
            ftp.expect("AUTH TLS", "234");
            ftp.send_bytes(garbage.as_bytes());
            let heard = read_all(&mut ftp.tcp());
            assert!(!heard.contains("331") && !heard.contains("257"), "{heard}");
        }
    });
}

/// What a client may do to its connections in the middle of a transfer.
const FAREWELLS: [fn(Ftp, TcpStream); 6] = [
    |control, data| drop((control, data)),
    |control, data| drop((data, control)),
    |control, data| {
        reset(&data);
        drop(control);
    },
    |control, data| {
        reset(&control.tcp());
        drop((control, data));
    },
    |control, data| {
        let _gone_already = control.tcp().shutdown(Shutdown::Write);
        drop(data);
        drop(control);
    },
    |control, data| {
        let _gone_already = data.shutdown(Shutdown::Both);
        drop(control);
    },
];

/// Closing then sends RST.
fn reset(stream: &TcpStream) {
    SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn a_client_that_vanishes_at_any_point_leaves_nothing_behind() {
    let daemon = with_limits("sessions = 1000\nsessions-per-address = 1000");
    let content = vec![7; 3_000_000];
    fs::write(daemon.root().join("file"), &content).unwrap();
    survives(&daemon, || {
        for (number, farewell) in FAREWELLS.into_iter().enumerate() {
            for moved in [0, 1, 70_000, 2_999_999] {
                let mut ftp = daemon.log_in();
                let mut data = ftp.passive();
                ftp.expect("RETR file", "150");
                data.read_exact(&mut vec![0; moved]).unwrap();
                farewell(ftp, data);

                let mut ftp = daemon.log_in();
                let mut data = ftp.passive();
                ftp.expect(&format!("STOR new{number}-{moved}"), "150");
                data.write_all(&content[..moved]).unwrap();
                farewell(ftp, data);
            }
            // Before a transfer, and without its data connection.
            let mut ftp = daemon.log_in();
            let data = ftp.passive();
            farewell(ftp, data);
            let mut ftp = daemon.log_in();
            ftp.expect("EPSV", "229");
            ftp.expect("RETR file", "150");
            drop(ftp);
        }
    });
}

#[test]
fn sessions_that_are_reset_while_their_port_is_used_end() {
    let daemon = with_limits("sessions = 1000\nsessions-per-address = 1000");
    survives(&daemon, || {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..250 {
                        let mut ftp = daemon.log_in();
                        let _data = ftp.passive();
                        reset(&ftp.tcp());
                    }
                });
            }
        });
    });
}

#[test]
fn ten_thousand_sessions_of_mixed_abuse_leave_nothing_behind() {
    let daemon = with_limits("sessions = 64\nsessions-per-address = 64");
    fs::write(daemon.root().join("file"), vec![1; 100_000]).unwrap();
    let abuse: [fn(&Daemon); 8] = [
        |daemon| drop(daemon.connect()),
        |daemon| drop(daemon.connect().reply()),
        |daemon| daemon.connect().send("USER alice\r\nPASS"),
        |daemon| daemon.connect().send_bytes(b"\xff\xfe\x00\r\n\r\r\n"),
        |daemon| reset(&daemon.connect().tcp()),
        |daemon| {
            let mut ftp = daemon.connect();
            ftp.send(&format!(
                "USER alice\r\nPASS {PASSWORD}\r\nEPSV\r\nRETR file"
            ));
        },
        |daemon| {
            let mut ftp = daemon.connect();
            ftp.send(&format!(
                "USER alice\r\nPASS {PASSWORD}\r\nQUIT\r\nCWD x\r\nRMD y"
            ));
            while !ftp.reply().is_empty() {}
        },
        |daemon| {
            let mut ftp = daemon.connect();
            ftp.send(&format!(
                "USER alice\r\nPASS {PASSWORD}\r\nEPSV\r\nEPSV\r\nPASV"
            ));
            ftp.reply();
        },
    ];
    survives(&daemon, || {
        thread::scope(|scope| {
            for offset in 0..4 {
                let daemon = &daemon;
                scope.spawn(move || {
                    for number in 0..2_500 {
                        // Some meet the cap and are refused; that is part of it.
                        abuse[(number + offset) % abuse.len()](daemon);
                    }
                });
            }
        });
    });
}
