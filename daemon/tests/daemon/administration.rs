//! `sessions` and `kill`: an administrator sees the sessions of a running daemon and ends single
//! ones.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    process::{Command, Output},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    PATIENCE,
    ftp::Ftp,
    harness::{Daemon, PASSWORD, PROGRAM, eventually, user},
    tls,
};

const KILLED: &str = "421 An administrator has ended this session.";

fn run(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--config").arg(daemon.config());
    command.output().unwrap()
}

/// What `esxftpd sessions` lists.
pub(crate) fn rows(daemon: &Daemon) -> Vec<Value> {
    let output = run(daemon, &["sessions", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The number of the session whose client has this port.
fn id(daemon: &Daemon, client: &TcpStream) -> String {
    let peer = client.local_addr().unwrap().to_string();
    let rows = rows(daemon);
    let row = rows.iter().find(|row| row["peer"] == peer.as_str());
    row.unwrap_or_else(|| panic!("{peer} is not in {rows:?}"))["id"].to_string()
}

/// Ends the session of this client and waits until it is gone.
pub(crate) fn kill(daemon: &Daemon, client: &TcpStream) {
    let peer = client.local_addr().unwrap().to_string();
    let output = run(daemon, &["kill", &id(daemon, client)]);
    assert!(output.stdout.is_empty());
    let gone = || rows(daemon).iter().all(|row| row["peer"] != peer.as_str());
    if output.status.success() {
        assert!(output.stderr.is_empty() && gone(), "{:?}", rows(daemon));
    } else {
        // The machine is busy; what matters is that it ends.
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("has not ended yet"), "{message}");
        assert!(eventually(gone), "{:?}", rows(daemon));
    }
}

/// Everything that comes until the connection ends.
fn rest(mut client: &TcpStream) -> Vec<u8> {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn sessions_shows_who_does_what() {
    let daemon = Daemon::start();
    assert!(rows(&daemon).is_empty());
    let mut alice = daemon.log_in();
    let mut stranger = daemon.connect();
    stranger.reply();
    let mut data = alice.passive();
    alice.expect("STOR up\u{1b}load", "150");
    data.write_all(b"12345").unwrap();
    // Nothing tells a client that its bytes have been stored.
    assert!(eventually(|| rows(&daemon)[0]["bytes"] == 5));

    let rows = rows(&daemon);
    let peer = alice.tcp().local_addr().unwrap().to_string();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["peer"], peer.as_str());
    assert_eq!(rows[0]["user"], "alice");
    assert_eq!(rows[0]["state"], "upload");
    // As the user sees it: what terminals would obey is spelled out.
    assert_eq!(rows[0]["path"], "/up\u{f71b}load");
    assert!(rows[0]["seconds"].is_u64());
    assert_eq!(rows[1]["state"], "log-in");
    for key in ["user", "path", "bytes"] {
        assert!(rows[1][key].is_null(), "{key}");
    }

    let table = String::from_utf8(run(&daemon, &["sessions"]).stdout).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        table.contains(&peer) && table.contains(r#"upload "/up\u{f71b}load", 5 bytes"#),
        "{table}"
    );
    drop(data);
    assert!(alice.reply().starts_with("226"));
    assert!(eventually(|| self::rows(&daemon)[0]["state"] == "idle"));
}

#[test]
fn an_idle_session_is_ended_with_a_reason_and_others_are_not() {
    let daemon = Daemon::start();
    let [mut one, mut other] = [daemon.log_in(), daemon.log_in()];
    kill(&daemon, &one.tcp());
    assert_eq!(one.reply(), KILLED);
    assert_eq!(one.reply(), "", "the connection is closed");
    daemon.wait_for_log("cause=\"administrator\"");
    other.expect("NOOP", "200");
    assert_eq!(rows(&daemon).len(), 1);
}

#[test]
fn a_transfer_ends_with_its_session() {
    let daemon = Daemon::start();
    fs::write(daemon.root().join("big"), vec![7; 32 << 20]).unwrap();
    fs::write(daemon.root().join("old"), "old").unwrap();
    let [mut down, mut up, mut other] = [(); 3].map(|()| daemon.log_in());
    let mut other_data = other.passive();
    other.expect("STOR other", "150");
    other_data.write_all(b"first half, ").unwrap();

    // A client that does not read, and one that does not write.
    let down_data = down.passive();
    down.expect("RETR big", "150");
    let up_data = up.passive();
    up.expect("STOR old", "150");
    for (ftp, data) in [(&mut down, &down_data), (&mut up, &up_data)] {
        kill(&daemon, &ftp.tcp());
        assert_eq!(ftp.reply(), KILLED);
        data.shutdown(Shutdown::Write).unwrap();
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut sink = Vec::new();
        let _reset_or_end = { data }.read_to_end(&mut sink);
        assert!(sink.len() < 32 << 20, "the transfer went on");
    }
    assert_eq!(fs::read(daemon.root().join("old")).unwrap(), b"old");

    other_data.write_all(b"second half").unwrap();
    drop(other_data);
    assert!(other.reply().starts_with("226"));
    let stored = fs::read(daemon.root().join("other")).unwrap();
    assert_eq!(stored, b"first half, second half");
    other.expect("QUIT", "221");
    assert!(eventually(|| daemon.threads() == 1));
}

#[test]
fn a_client_that_never_ceases_to_send_is_ended() {
    let daemon = Daemon::start();
    let ftp = daemon.log_in();
    let (mut sender, receiver) = (ftp.tcp(), ftp.tcp());
    let flood = thread::spawn(move || {
        let commands = b"NOOP\r\n".repeat(1000);
        while sender.write_all(&commands).is_ok() {}
    });
    let reading = thread::spawn(move || {
        let mut heard = Vec::new();
        let _reset_or_end = { &receiver }.read_to_end(&mut heard);
    });
    kill(&daemon, &ftp.tcp());
    flood.join().unwrap();
    reading.join().unwrap();
}

#[test]
fn a_session_in_a_tls_handshake_is_ended() {
    let daemon = Daemon::start_with("", |root| {
        let (tls, _) = tls::table(root.parent().unwrap(), "");
        format!(
            "implicit-tls = [\"127.0.0.1:0\"]\n{tls}{}",
            user("alice", root, false)
        )
    });
    let mut explicit = daemon.connect();
    explicit.reply();
    explicit.expect("AUTH TLS", "234");
    let implicit = TcpStream::connect(daemon.addresses[2]).unwrap();
    assert!(eventually(|| rows(&daemon).len() == 2));
    for client in [&explicit.tcp(), &implicit] {
        kill(&daemon, client);
        // Nobody would understand a reply: at most, TLS is ended.
        let heard = rest(client);
        assert!(
            heard.is_empty() || heard == [21, 3, 3, 0, 2, 1, 0],
            "{heard:?}"
        );
    }
}

/// What the client of a session does before the session is killed.
type Situation = fn(&Daemon) -> (Ftp, Option<TcpStream>);

const SITUATIONS: [(&str, Situation); 10] = [
    ("a name was given", |daemon| {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.expect("USER alice", "331");
        (ftp, None)
    }),
    ("a refusal waits for its time", |daemon| {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.expect("USER alice", "331");
        ftp.expect("PASS wrong", "530");
        ftp.expect("USER alice", "331");
        ftp.send("PASS wrong");
        (ftp, None)
    }),
    ("a port is open", |daemon| {
        let mut ftp = daemon.log_in();
        ftp.expect("EPSV", "229");
        (ftp, None)
    }),
    ("a data connection is not used", |daemon| {
        let mut ftp = daemon.log_in();
        let data = ftp.passive();
        (ftp, Some(data))
    }),
    ("a transfer waits for its data connection", |daemon| {
        let mut ftp = daemon.log_in();
        ftp.expect("EPSV", "229");
        ftp.expect("STOR new", "150");
        (ftp, None)
    }),
    ("an upload pauses after a byte", |daemon| {
        let mut ftp = daemon.log_in();
        let mut data = ftp.passive();
        ftp.expect("STOR new", "150");
        data.write_all(b"1").unwrap();
        (ftp, Some(data))
    }),
    ("an upload pauses after many bytes", |daemon| {
        let mut ftp = daemon.log_in();
        let mut data = ftp.passive();
        ftp.expect("STOR new", "150");
        data.write_all(&vec![1; 300_000]).unwrap();
        (ftp, Some(data))
    }),
    ("a download is not read", |daemon| {
        let mut ftp = daemon.log_in();
        let data = ftp.passive();
        ftp.expect("RETR endless", "150");
        (ftp, Some(data))
    }),
    ("a digest is made", |daemon| {
        let mut ftp = daemon.log_in();
        ftp.send("XSHA512 endless");
        (ftp, None)
    }),
    ("replies are not read", |daemon| {
        let ftp = daemon.log_in();
        let mut control = ftp.tcp();
        control
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        while control.write_all(&b"NOOP\r\n".repeat(1000)).is_ok() {}
        (ftp, None)
    }),
];

#[test]
fn kill_ends_a_session_in_every_state() {
    let daemon = Daemon::start();
    let endless = fs::File::create(daemon.root().join("endless")).unwrap();
    endless.set_len(1 << 40).unwrap();
    daemon.log_in().expect("QUIT", "221");
    assert!(eventually(|| daemon.threads() == 1));
    let descriptors = daemon.descriptors();
    for (name, begin) in SITUATIONS {
        let (ftp, data) = begin(&daemon);
        kill(&daemon, &ftp.tcp());
        let mut heard = Vec::new();
        // Whoever reads nothing may miss the last words.
        let ended = ftp.tcp().read_to_end(&mut heard);
        let heard = String::from_utf8_lossy(&heard);
        if name != "replies are not read" {
            ended.unwrap();
            assert!(heard.contains(KILLED), "{name}: {heard}");
        }
        let left = eventually(|| daemon.threads() == 1 && daemon.descriptors() == descriptors);
        assert!(left, "{name}: {} threads", daemon.threads());
        drop((ftp, data));
    }
    daemon.log_in().expect("NOOP", "200");
}

/// One of three sessions checks a password, two wait for their turn.
#[test]
fn a_session_whose_password_is_checked_is_ended() {
    let daemon = Daemon::start_with("", |root| {
        // Mostly enough work to be killed in the middle of it. It goes on without its session, and
        // must come to an end on a busy machine, too.
        user("alice", root, false).replace("m=8,t=1", "m=65536,t=16")
    });
    let mut sessions = [(); 3].map(|()| daemon.connect());
    for ftp in &mut sessions {
        ftp.reply();
        ftp.expect("USER alice", "331");
        ftp.send(&format!("PASS {PASSWORD}"));
    }
    for ftp in sessions.iter_mut().rev() {
        kill(&daemon, &ftp.tcp());
        assert_eq!(ftp.reply(), KILLED);
    }
    assert!(!daemon.log().contains("logged-in"));
    assert!(eventually(|| daemon.threads() == 1));
}

#[test]
fn what_cannot_be_done_is_said_and_told_by_the_exit_status() {
    let mut daemon = Daemon::start();
    let nobody = run(&daemon, &["kill", "4711"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(nobody.stderr).unwrap(),
        "esxftpd: there is no session 4711; see: esxftpd sessions\n"
    );
    assert_eq!(run(&daemon, &["kill", "everybody"]).status.code(), Some(2));

    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    daemon.wait();
    assert!(daemon.control_socket().exists(), "a killed one leaves it");
    for arguments in [&["sessions"][..], &["kill", "1"]] {
        let output = run(&daemon, arguments);
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("is the daemon running?"), "{message}");
    }
}

#[test]
fn only_root_can_use_the_socket_and_it_goes_with_the_daemon() {
    let mut daemon = Daemon::start();
    let socket = fs::metadata(daemon.control_socket()).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!daemon.control_socket().exists());
}

#[test]
fn without_a_socket_the_daemon_serves() {
    let daemon = Daemon::start();
    let config = daemon.config().to_owned();
    // Another daemon with the same configuration finds the socket in use.
    let mut second = Command::new(PROGRAM)
        .args(["serve", "--log-to-stderr", "--config"])
        .arg(config)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 15];
    second
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    assert_eq!(&ready, b"esxftpd ready: ");
    second.kill().unwrap();
    let log = second.wait_with_output().unwrap().stderr;
    let log = String::from_utf8(log).unwrap();
    assert!(
        log.contains("no control socket") && log.contains("another daemon uses it"),
        "{log}"
    );
    let _session = daemon.log_in();
    assert_eq!(rows(&daemon).len(), 1, "the socket is the first one's");
}

#[test]
fn nonsense_on_the_socket_is_answered_and_bounded() {
    let daemon = Daemon::start();
    let connect = || {
        let socket = UnixStream::connect(daemon.control_socket()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    // Silent ones are given up, however many there are.
    let _silent = connect();
    for request in [&b"kill\n"[..], b"\xff\n", &vec![b'x'; 100_000]] {
        let mut socket = connect();
        // The daemon may close before it has read everything.
        let _sent = socket.write_all(request);
        let mut answer = String::new();
        let _reset_or_end = socket.read_to_string(&mut answer);
        assert!(!answer.starts_with("ok"), "{answer}");
    }
    let _session = daemon.log_in();
    assert_eq!(rows(&daemon).len(), 1);
}
