//! What transfers cost, and what they leave behind.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        socket::{setsockopt, sockopt},
    },
    unistd::Pid,
};

use crate::{
    harness::{Daemon, PASSWORD, eventually, user},
    tls::table,
};

const MIB: usize = 1 << 20;

/// A daemon that leaves no space free, for tests on small disks.
fn start(more: &str) -> Daemon {
    Daemon::start_with("", |root| {
        format!(
            "[storage]\nreserve = 0\n{more}\n{}",
            user("alice", root, false)
        )
    })
}

/// It calls `unwrap()`, which fails unless both sides have ended TLS.
#[test]
fn pythons_ftplib_stores_and_fetches_under_tls_without_an_exception() {
    const SCRIPT: &str = r"
import ftplib, io, ssl, sys
port, certificate, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Resuming(ftplib.FTP_TLS):
    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
        return conn, size
for kind in ftplib.FTP_TLS, Resuming:
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        ftp = kind(context=context, timeout=120)
        ftp.connect('127.0.0.1', port)
        ftp.login('alice', password)
        ftp.prot_p()
        for content in b'', b'x' * 10240, bytes(range(256)) * 20000:
            ftp.storbinary('STOR file', io.BytesIO(content))
            received = []
            ftp.retrbinary('RETR file', received.append)
            assert b''.join(received) == content
            assert ftp.nlst() == ['file']
        ftp.quit()
";
    let daemon = Daemon::start_with("", |root| {
        let (tls, _certificate) = table(root.parent().unwrap(), "");
        format!(
            "[storage]\nreserve = 0\n{tls}\n{}",
            user("alice", root, false)
        )
    });
    let output = Command::new("python3")
        .args(["-c", SCRIPT, &daemon.addresses[0].port().to_string()])
        .arg(daemon.directory.path().join("certificate.pem"))
        .arg(PASSWORD)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}; log: {}", daemon.log());
}

/// How many calls of each name the daemon makes meanwhile.
fn calls(daemon: &Daemon, job: impl FnOnce()) -> Vec<(String, usize)> {
    let counts = daemon.directory.path().join("calls");
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-S", "calls", "-o"])
        .arg(&counts)
        .args(["-p", &daemon.process().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is installed (Debian package strace)");
    // It says so when it is attached.
    let mut said = [0; 1];
    strace
        .stderr
        .as_mut()
        .unwrap()
        .read_exact(&mut said)
        .unwrap();
    job();
    let process = Pid::from_raw(strace.id().try_into().unwrap());
    kill(process, Signal::SIGINT).unwrap();
    strace.wait().unwrap();
    let table = fs::read_to_string(counts).unwrap();
    let read = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let count = columns.get(3)?.parse().ok()?;
        Some(((*columns.last()?).to_owned(), count))
    };
    table.lines().filter_map(read).collect()
}

fn sum(calls: &[(String, usize)], these: &[&str]) -> usize {
    let wanted = calls
        .iter()
        .filter(|(name, _)| these.contains(&name.as_str()));
    wanted.map(|(_, count)| count).sum()
}

#[test]
fn large_files_take_few_calls() {
    const SIZE: usize = 64 * MIB;
    let daemon = start("");
    let content: Vec<u8> = (0..SIZE / 8).flat_map(usize::to_le_bytes).collect();
    let mut ftp = daemon.log_in();
    let stored = calls(&daemon, || {
        assert!(ftp.upload("STOR file", &content).starts_with("226"));
    });
    assert!(fs::read(daemon.root().join("file")).unwrap() == content);
    let writes = sum(&stored, &["pwrite64"]);
    // The first MiB comes in smaller blocks.
    assert!(
        (SIZE / MIB..SIZE / MIB + 12).contains(&writes),
        "{stored:?}"
    );
    // What the kernel hands over at a time depends on the client, too.
    let others = sum(&stored, &["recvfrom", "poll"]);
    assert!(others <= 64 * SIZE / MIB, "{stored:?}");

    let sent = calls(&daemon, || {
        assert!(ftp.download("RETR file") == content);
    });
    assert_eq!(sum(&sent, &["pread64"]), 0, "{sent:?}");
    let others = sum(&sent, &["sendfile", "sendto", "poll", "futex"]);
    assert!(others <= 64 * SIZE / MIB, "{sent:?}");
    for never in ["ioctl", "epoll_ctl", "eventfd2", "clock_nanosleep"] {
        assert_eq!(sum(&sent, &[never]) + sum(&stored, &[never]), 0, "{never}");
    }
}

#[test]
fn large_files_in_blocks_take_few_calls() {
    const SIZE: usize = 64 * MIB;
    let daemon = start("[transfers]\nsendfile = false\n");
    let content: Vec<u8> = (0..SIZE / 8).flat_map(usize::to_le_bytes).collect();
    fs::write(daemon.root().join("file"), &content).unwrap();
    let mut ftp = daemon.log_in();
    let sent = calls(&daemon, || {
        assert!(ftp.download("RETR file") == content);
    });
    let reads = sum(&sent, &["pread64"]);
    assert!((SIZE / MIB..SIZE / MIB + 8).contains(&reads), "{sent:?}");
    let others = sum(&sent, &["sendto", "poll", "futex"]);
    assert!(others <= 64 * SIZE / MIB, "{sent:?}");
}

#[test]
fn small_files_take_one_call_and_one_thread() {
    let daemon = start("");
    fs::write(daemon.root().join("file"), vec![1; 10_240]).unwrap();
    let mut ftp = daemon.log_in();
    ftp.download("RETR file");
    let before = daemon.threads();
    let sent = calls(&daemon, || {
        for _ in 0..20 {
            assert_eq!(ftp.download("RETR file").len(), 10_240);
        }
    });
    // They are read where they are opened, and no thread is woken again to send them.
    assert_eq!(sum(&sent, &["pread64"]), 20, "{sent:?}");
    assert_eq!(sum(&sent, &["sendfile"]), 0, "{sent:?}");
    assert!(daemon.threads() <= before + 1);
}

/// Aborts the connection instead of ending it.
fn reset(connection: TcpStream) {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&connection, sockopt::Linger, &linger).unwrap();
    drop(connection);
}

#[test]
fn broken_transfers_leave_no_threads_and_no_descriptors() {
    let daemon = start("");
    let idle = (daemon.threads(), daemon.descriptors());
    fs::write(daemon.root().join("large"), vec![1; 8 * MIB]).unwrap();
    for _ in 0..5 {
        let mut ftp = daemon.log_in();
        for line in ["RETR large", "STOR up", "APPE large"] {
            let mut data = ftp.passive();
            ftp.expect(line, "150");
            if line == "RETR large" {
                data.read_exact(&mut [0; 1000]).unwrap();
            } else {
                data.write_all(&[0; 1000]).unwrap();
            }
            reset(data);
            let reply = ftp.reply();
            assert!(reply.starts_with("426"), "{line}: {reply}");
        }
        ftp.expect("NOOP", "200");
        // It leaves in the middle of one.
        let _data = ftp.passive();
        ftp.expect("RETR large", "150");
    }
    let returned = eventually(|| (daemon.threads(), daemon.descriptors()) == idle);
    let now = (daemon.threads(), daemon.descriptors());
    assert!(returned, "{idle:?} became {now:?}; log: {}", daemon.log());
}

#[test]
fn fifty_transfers_at_a_time_take_little_memory_and_three_threads_each() {
    const SESSIONS: usize = 50;
    let limits = format!("[limits]\nsessions = {SESSIONS}\nsessions-per-address = {SESSIONS}");
    let daemon = start(&limits);
    fs::write(daemon.root().join("large"), vec![1; 64 * MIB]).unwrap();
    let idle = daemon.threads();
    let mut sessions = Vec::new();
    for index in 0..SESSIONS {
        let mut ftp = daemon.log_in();
        let mut data = ftp.passive();
        if index % 2 == 0 {
            ftp.expect("RETR large", "150");
            data.read_exact(&mut vec![0; 3 * MIB]).unwrap();
        } else {
            ftp.expect(&format!("STOR up{index}"), "150");
            data.write_all(&vec![7; 5 * MIB]).unwrap();
        }
        sessions.push((ftp, data));
    }
    let (resident, threads) = (daemon.resident_kib(), daemon.threads());
    assert!(resident <= 64 * 1024, "{resident} KiB");
    assert!(threads <= idle + 3 * SESSIONS, "{threads} threads");
    let ends: Vec<_> = sessions
        .into_iter()
        .map(|(mut ftp, mut data)| {
            thread::spawn(move || {
                data.shutdown(std::net::Shutdown::Write).unwrap();
                let mut rest = Vec::new();
                data.read_to_end(&mut rest).unwrap();
                drop(data);
                (ftp.reply(), rest.len())
            })
        })
        .collect();
    for (index, end) in ends.into_iter().enumerate() {
        let (reply, rest) = end.join().unwrap();
        assert!(reply.starts_with("226"), "{reply}");
        assert_eq!(rest, if index % 2 == 0 { 61 * MIB } else { 0 });
    }
}
