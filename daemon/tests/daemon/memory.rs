//! A host that gives little memory.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Barrier,
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    PATIENCE,
    ftp::Ftp,
    harness::{Daemon, PASSWORD, eventually, user},
};

const CLIENTS: usize = 48;

/// More than a transfer takes into memory.
const FILE_BYTES: usize = 6 << 20;

/// The C library of the tests' build keeps stacks and heaps of threads that have ended; that of the
/// package does not.
const GIVES_BACK: &str =
    "export MALLOC_ARENA_MAX=1 GLIBC_TUNABLES=glibc.pthread.stack_cache_size=0";

/// The most addresses that an idle daemon has taken, in KiB.
fn idle_kib() -> u64 {
    let daemon = Daemon::start_after(GIVES_BACK, |root| user("alice", root, false));
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// A client that logs in and begins a transfer, if it gets so far.
fn begin(daemon: &Daemon, transfer: &str) -> Option<(Ftp, TcpStream)> {
    let tcp = TcpStream::connect(daemon.addresses[0]).ok()?;
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ftp = Ftp::over(Box::new(tcp));
    if !ftp.reply().starts_with("220") {
        return None;
    }
    let password = format!("PASS {PASSWORD}");
    let mut port = String::new();
    for (command, code) in [
        ("USER alice", "331"),
        (&password, "230"),
        ("TYPE I", "200"),
        ("EPSV", "229"),
        (transfer, "150"),
    ] {
        // The daemon may have ended the session.
        let line = format!("{command}\r\n");
        ftp.tcp().write_all(line.as_bytes()).ok()?;
        if code == "150" {
            let data = TcpStream::connect(("127.0.0.1", port.parse::<u16>().ok()?)).ok()?;
            let began = ftp.reply().starts_with(code);
            return began.then_some((ftp, data));
        }
        let reply = ftp.reply();
        if !reply.starts_with(code) {
            return None;
        }
        reply
            .split('|')
            .nth(3)
            .unwrap_or_default()
            .clone_into(&mut port);
    }
    None
}

/// Uploads and downloads of many clients at one time, which all stay until each is as far as it gets.
fn crowd(daemon: &Daemon) {
    let bytes = vec![7; FILE_BYTES];
    let all_there = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (bytes, all_there) = (&bytes, &all_there);
            scope.spawn(move || {
                let upload = number % 2 == 0;
                let transfer = if upload {
                    format!("STOR {number}")
                } else {
                    "RETR large".to_owned()
                };
                let mut client = begin(daemon, &transfer);
                if let Some((_, data)) = &mut client {
                    let patience = Some(Duration::from_secs(10));
                    data.set_read_timeout(patience).unwrap();
                    data.set_write_timeout(patience).unwrap();
                    // Whatever comes of it.
                    let _moved = if upload {
                        data.write_all(bytes).is_ok()
                    } else {
                        data.read(&mut [0; 1000]).is_ok()
                    };
                }
                all_there.wait();
                drop(client);
            });
        }
    });
}

#[test]
fn a_daemon_with_little_memory_refuses_and_does_not_end() {
    let idle = idle_kib();
    for more in [9, 12, 16, 20, 24, 32, 40, 48, 64] {
        let limit = idle + more * 1024;
        let command = format!("{GIVES_BACK}; ulimit -v {limit}");
        let mut daemon = Daemon::start_after(&command, |root| {
            let limits = "[limits]\nsessions = 200\nsessions-per-address = 200\n";
            let large =
                "[transfers]\nblock-size = \"4 MiB\"\nbuffers = \"256 MiB\"\nsendfile = false\n";
            format!("{limits}{large}{}", user("alice", root, false))
        });
        fs::write(daemon.root().join("large"), vec![7; FILE_BYTES]).unwrap();
        crowd(&daemon);
        let log = daemon.log();
        assert!(!log.contains("memory allocation of"), "{more} MiB: {log}");
        // Everything is given back, and the daemon serves again.
        let serves = eventually(|| {
            let Some((_ftp, mut data)) = begin(&daemon, "RETR large") else {
                return false;
            };
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes).is_ok() && bytes.len() == FILE_BYTES
        });
        let log = daemon.log();
        assert!(serves, "{more} MiB: {log}");
        assert!(!log.contains("panicked"), "{log}");
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.wait().success(), "{more} MiB: {log}");
    }
}
