//! The log answers who did what: a script of a few lines gives back the list of a run.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::{
    ftp::Ftp,
    harness::{Daemon, PASSWORD, eventually, user},
};

/// What a driver has done: client, user, what, paths, result and bytes, as the script tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Done {
    client: String,
    user: String,
    what: String,
    paths: Vec<String>,
    result: String,
    bytes: u64,
}

/// What the script makes of a log.
fn read(log: &str) -> Vec<(String, Done, f64)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/daemon/operations.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(log.as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{log}");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| {
            let paths = row[4].as_array().unwrap().iter().map(text).collect();
            let done = Done {
                client: text(&row[1]),
                user: text(&row[2]),
                what: text(&row[3]),
                paths,
                result: text(&row[5]),
                bytes: row[6].as_u64().unwrap(),
            };
            (text(&row[0]), done, row[7].as_f64().unwrap())
        })
        .collect()
}

/// A client that writes down what it does.
struct Driver {
    ftp: Ftp,
    client: String,
    user: String,
    list: Vec<Done>,
}

impl Driver {
    /// From an address of its own, so that its refusals are counted for it alone.
    fn log_in(server: SocketAddr, number: u8, user: &str) -> Self {
        let mut driver = Self::connect(server, number, user);
        driver.ftp.log_in(user, PASSWORD);
        driver.note("log in", &[], "done", 0);
        driver
    }

    fn connect(server: SocketAddr, number: u8, user: &str) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let own = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), 0));
        socket.bind(&own.into()).unwrap();
        socket.connect(&server.into()).unwrap();
        let stream = TcpStream::from(socket);
        let client = stream.local_addr().unwrap().to_string();
        Self {
            ftp: Ftp::over(Box::new(stream)),
            client,
            user: user.to_owned(),
            list: Vec::new(),
        }
    }

    fn note(&mut self, what: &str, paths: &[&str], result: &str, bytes: usize) {
        self.list.push(Done {
            client: self.client.clone(),
            user: self.user.clone(),
            what: what.to_owned(),
            paths: paths.iter().map(|&path| path.to_owned()).collect(),
            result: result.to_owned(),
            bytes: bytes as u64,
        });
    }

    fn does(&mut self, lines: &[&str], what: &str, paths: &[&str]) {
        for line in lines {
            let reply = self.ftp.command(line);
            assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
        }
        self.note(what, paths, "done", 0);
    }

    fn stores(&mut self, verb: &str, what: &str, path: &str, content: &[u8]) {
        let reply = self.ftp.upload(&format!("{verb} {path}"), content);
        assert!(reply.starts_with("226"), "{reply}");
        self.note(what, &[path], "done", content.len());
    }

    fn fetches(&mut self, path: &str) {
        let content = self.ftp.download(&format!("RETR {path}"));
        self.note("fetch", &[path], "done", content.len());
    }

    fn is_refused(&mut self, line: &str, verb: &str, path: &str, code: &str) {
        if ["STOR", "APPE", "RETR"].contains(&verb) {
            self.ftp.passive();
        }
        self.ftp.expect(line, code);
        self.note(verb, &[path], code, 0);
    }

    /// Ten operations of somebody who may do everything, names that need care among them.
    fn works(&mut self, round: u32) {
        let name = |part: &str| format!("/{part} {round}");
        let [new, other, copy, made] = ["a \u{fc}\"=", "b\\x", "c bytes=1", "d"].map(name);
        self.stores("STOR", "store", &new, &vec![7; 1000 * round as usize]);
        self.stores("APPE", "append", &new, b"more");
        self.fetches(&new);
        self.does(
            &[&format!("RNFR {new}"), &format!("RNTO {other}")],
            "rename",
            &[&new, &other],
        );
        let set = format!("SITE CHMOD 640 {other}");
        self.does(&[&set], "set permissions", &[&other]);
        let set = format!("MFMT 20200102030405 {other}");
        self.does(&[&set], "set time", &[&other]);
        self.does(&[&format!("MKD {made}")], "make directory", &[&made]);
        self.does(&[&format!("RMD {made}")], "remove directory", &[&made]);
        let (from, to) = (format!("SITE CPFR {other}"), format!("SITE CPTO {copy}"));
        self.ftp.expect(&from, "350");
        self.ftp.expect(&to, "250");
        let bytes = 1000 * round as usize + 4;
        self.note("copy", &[&other, &copy], "done", bytes);
        self.does(&[&format!("DELE {copy}")], "delete", &[&copy]);
        // Neither a listing nor a look at something is an operation.
        self.ftp.download("LIST");
        self.ftp.expect(&format!("SIZE {other}"), "213");
        self.ftp.expect("SIZE /nothing", "550");
    }

    /// Refusals for four causes, fewer of each than a flood has.
    fn is_told_no(&mut self, round: u32) {
        let part = format!("/.x{round}.esxftpd-part");
        self.is_refused(&format!("MKD {part}"), "MKD", &part, "553");
        self.is_refused("RETR /out", "RETR", "/out", "550");
        let busy = "/busy";
        self.is_refused("DELE /busy", "DELE", busy, "450");
        self.ftp.expect("ALLO 1000000000000000", "200");
        let big = format!("/big {} {round}", self.user);
        self.is_refused(&format!("STOR {big}"), "STOR", &big, "452");
    }
}

#[test]
fn a_script_gives_back_what_was_done_from_the_log_alone() {
    const USERS: u8 = 5;
    let daemon = Daemon::start_with("", |root| {
        (1..=USERS)
            .map(|number| user(&format!("user{number}"), root, false))
            .collect()
    });
    std::os::unix::fs::symlink("/etc/passwd", daemon.root().join("out")).unwrap();
    std::fs::write(daemon.root().join("busy"), "old").unwrap();
    let server = daemon.addresses[0];
    let mut holder = Driver::log_in(server, 99, "user1");
    let data = holder.ftp.passive();
    holder.ftp.expect("STOR /busy", "150");
    let mut lists: Vec<Vec<Done>> = thread::scope(|scope| {
        let drivers: Vec<_> = (1..=USERS)
            .map(|number| {
                scope.spawn(move || {
                    let name = format!("user{number}");
                    let mut driver = Driver::log_in(server, 10 + number, &name);
                    for round in 1..=9 {
                        if round <= 7 {
                            driver.works(round * 10 + u32::from(number));
                        }
                        driver.is_told_no(round);
                    }
                    driver.ftp.expect("QUIT", "221");
                    driver.list
                })
            })
            .collect();
        drivers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    drop(data);
    assert!(holder.ftp.reply().starts_with("226"));
    holder.note("store", &["/busy"], "done", 0);
    holder.ftp.expect("QUIT", "221");
    lists.push(holder.list);
    let ended = || daemon.log().matches("cause=\"quit\"").count() == lists.len();
    assert!(eventually(ended), "{}", daemon.log());

    let log = daemon.log();
    let told = read(&log);
    for list in lists {
        let of_client: Vec<_> = told
            .iter()
            .filter(|(_, done, _)| done.client == list[0].client)
            .map(|(_, done, _)| done.clone())
            .collect();
        assert_eq!(of_client, list);
    }
    let refused = |done: &Done| done.result.parse::<u16>().is_ok();
    let refused = told.iter().filter(|(_, done, _)| refused(done)).count();
    assert!(
        told.len() >= 500 && refused * 3 > told.len(),
        "{} of {}",
        refused,
        told.len()
    );
    assert!(
        told.iter()
            .all(|(time, _, seconds)| time.len() == 20 && *seconds < 60.0)
    );
    for line in log.lines() {
        assert!(line.len() < 1100, "{line}");
    }
}

/// At `level = "info"`, the host's log keeps about 8 MiB for everything on it.
#[test]
fn refusals_without_end_leave_few_lines() {
    let daemon = Daemon::start_with("", |root| {
        let limits = "[limits]\nsessions-per-address = 64\nlog-in-attempts = 100\n";
        format!("{limits}{}", user("alice", root, true))
    });
    let mut ftp = daemon.log_in();
    for number in 0..10_000 {
        ftp.expect(&format!("MKD /d{number}"), "550");
    }
    for _ in 0..1000 {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.expect("AUTH TLS", "502");
        ftp.expect("QUIT", "221");
    }
    ftp.expect("QUIT", "221");
    daemon.wait_for_log("disconnected user=\"alice\"");
    let log = daemon.log();
    assert!(log.len() < 128 * 1024, "{} bytes", log.len());
    assert_eq!(log.matches("refused user=").count(), 9, "{log}");
    // The number of the others comes at the latest at the end.
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    let client = IpAddr::from(Ipv4Addr::LOCALHOST);
    daemon.wait_for_log(&format!(
        "left-out client={client} lines=9991 of=\"refused: your account"
    ));
    daemon.wait_for_log(&format!(
        "left-out client={client} lines=991 of=\"disconnected: quit\""
    ));
}

#[test]
fn at_debug_there_are_commands_and_replies_without_what_may_be_secret() {
    let daemon = Daemon::start_with("", |root| {
        format!("[log]\nlevel = \"debug\"\n{}", user("alice", root, false))
    });
    let mut ftp = daemon.log_in();
    ftp.expect("CWD /no where", "550");
    ftp.expect("QUIT", "221");
    daemon.wait_for_log("disconnected");
    let log = daemon.log();
    let peer = ftp.tcp().local_addr().unwrap();
    let whose = format!("user=\"alice\" client={peer} session=1");
    for text in [
        format!("command client={peer} session=1 verb=\"PASS\"\n"),
        format!("command {whose} verb=\"CWD\" argument=\"/no where\"\n"),
        format!("reply {whose} code=221 text=\"Goodbye.\"\n"),
    ] {
        assert!(log.contains(&text), "{text}: {log}");
    }
    assert!(
        !log.contains(PASSWORD) && !log.contains("\"USER\" argument"),
        "{log}"
    );
}

/// xferlog(5): the columns of wu-ftpd.
#[test]
fn transfers_and_deletions_are_in_the_xferlog() {
    let logs = tempfile::tempdir().unwrap();
    let path = logs.path().join("xferlog");
    let mut daemon = Daemon::start_with("", |root| {
        let table = format!(
            "[log]\nlevel = \"error\"\ntransfers = \"{}\"\n",
            path.display()
        );
        format!("{table}{}", user("alice", root, false))
    });
    let mut ftp = daemon.log_in();
    let long = format!("/{}", "d".repeat(200));
    for name in ["/a b", &format!("{long}{long}")[..200], "/\u{fc}"] {
        assert!(
            ftp.upload(&format!("STOR {name}"), b"12345")
                .starts_with("226")
        );
    }
    ftp.download("RETR /a b");
    ftp.expect("DELE /a b", "250");
    ftp.expect("DELE /a b", "550");
    ftp.download("LIST");
    ftp.expect("QUIT", "221");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait();
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .collect();
    let expected = [
        ("/a_b", "5", "i"),
        (&long[..200], "5", "i"),
        ("/\u{fc}", "5", "i"),
        ("/a_b", "5", "o"),
        ("/a_b", "0", "d"),
    ];
    assert_eq!(rows.len(), expected.len(), "{text}");
    for (row, (path, bytes, direction)) in rows.iter().zip(expected) {
        // Five words of the time, then thirteen columns.
        assert_eq!(row.len(), 18, "{row:?}");
        let columns = [
            "0",
            "127.0.0.1",
            bytes,
            path,
            "b",
            "_",
            direction,
            "r",
            "alice",
            "ftp",
            "0",
            "*",
            "c",
        ];
        assert_eq!(row[5..], columns);
    }
}

#[test]
fn wrong_passwords_without_end_leave_few_lines() {
    let daemon = Daemon::start_with("", |root| {
        // Without bans, there would be no end.
        let limits = "[limits]\nsessions-per-address = 64\n[guard]\nfailures = 0\n";
        format!("{limits}{}", user("alice", root, false))
    });
    // No more at a time than may wait for the check of one name.
    for _ in 0..3 {
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    let mut ftp = daemon.connect();
                    ftp.reply();
                    ftp.expect("USER alice", "331");
                    ftp.expect("PASS wrong", "530");
                    ftp.expect("QUIT", "221");
                });
            }
        });
    }
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("wrong password"));
    assert_eq!(lines.count(), 9, "{log}");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_for_log("lines=21 of=\"log-in-refused: wrong password\"");
}
