//! What breaks in the middle: processes, clients, directories. Faults of the medium are made by
//! `cargo xtask faults`.

use std::{
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use socket2::SockRef;

use crate::{
    PATIENCE,
    harness::{Daemon, eventually, user},
};

const PART: &str = ".f.esxftpd-part";

/// A daemon whose user sees `root`.
fn serving(root: &Path, limits: &str) -> Daemon {
    Daemon::start_with("", |_own| {
        format!(
            "[limits]\n{limits}\n[storage]\nreserve = 0\n{}",
            user("alice", root, false)
        )
    })
}

/// Bytes that are the same nowhere in a file.
fn content(len: u64, seed: u64) -> Vec<u8> {
    let word = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed).to_le_bytes();
    (1..=len / 8).flat_map(word).collect()
}

/// Stores versions of a file in turn until the daemon has gone.
fn store_in_turn(daemon: &Daemon, versions: &[Vec<u8>]) {
    let mut ftp = daemon.log_in();
    for version in versions.iter().cycle() {
        let reply = ftp.command("EPSV");
        let Some(port) = reply.split('|').nth(3).and_then(|port| port.parse().ok()) else {
            return;
        };
        let host = ftp.tcp().peer_addr().unwrap().ip();
        let Ok(mut data) = TcpStream::connect((host, port)) else {
            return;
        };
        if !ftp.command("STOR f").starts_with("150") || data.write_all(version).is_err() {
            return;
        }
        drop(data);
        if !ftp.reply().starts_with("226") {
            return;
        }
    }
}

#[test]
fn killed_at_any_point_the_file_is_the_old_or_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let versions = [content(1 << 20, 1), content(3 << 20, 2)];
    let file = directory.path().join("f");
    fs::write(&file, &versions[0]).unwrap();
    let mut random = RandomState::new().build_hasher().finish();
    let mut interrupted = 0;
    for _ in 0..100 {
        let mut daemon = serving(directory.path(), "");
        let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap());
        let before = inode();
        thread::scope(|scope| {
            scope.spawn(|| store_in_turn(&daemon, &versions));
            // It has replaced the file, and so is at work.
            assert!(eventually(|| inode() != before), "{}", daemon.log());
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Up to 32 ms.
            thread::sleep(Duration::from_micros(random >> 49));
            daemon.signal(Signal::SIGKILL);
        });
        daemon.wait();
        let left = fs::read(&file).unwrap();
        assert!(versions.contains(&left), "neither old nor new");
        interrupted += usize::from(directory.path().join(PART).exists());
    }
    assert!(interrupted > 10, "{interrupted} of 100 were in the middle");

    // The last part file is gone on with, or written over.
    let daemon = serving(directory.path(), "");
    let mut ftp = daemon.log_in();
    if let Ok(part) = fs::read(directory.path().join(PART)) {
        let version = versions.iter().find(|version| version.starts_with(&part));
        let version = version.expect("the part file is not the front of a version");
        if !part.is_empty() {
            ftp.expect(&format!("REST {}", part.len()), "350");
        }
        assert!(
            ftp.upload("STOR f", &version[part.len()..])
                .starts_with("226")
        );
        assert!(fs::read(&file).unwrap() == *version);
    }
    assert!(ftp.upload("STOR f", &versions[1]).starts_with("226"));
    assert!(fs::read(&file).unwrap() == versions[1]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn clients_that_fall_silent_cost_no_more_than_the_stall_limit() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = serving(directory.path(), "stall-seconds = 2\nidle-seconds = 60");
    let old = content(8 << 20, 3);
    fs::write(directory.path().join("f"), &old).unwrap();
    daemon.log_in().expect("QUIT", "221");
    assert!(eventually(|| daemon.threads() == 1));
    let idle = daemon.descriptors();

    // Both connections stand, as when a cable is pulled, and nothing comes.
    let mut sending = daemon.log_in();
    let mut data = sending.passive();
    sending.expect("STOR f", "150");
    data.write_all(&old[..100_000]).unwrap();
    let mut taking = daemon.log_in();
    let taken = taking.passive();
    taking.expect("RETR f", "150");
    for session in [&mut sending, &mut taking] {
        let reply = session.reply();
        assert!(reply.starts_with("426"), "{reply}");
        assert!(reply.contains("nothing moved"), "{reply}");
        session.expect("NOOP", "200");
    }
    // Nobody else has to wait for them.
    assert!(fs::read(directory.path().join("f")).unwrap() == old);
    assert!(sending.upload("STOR f", b"new").starts_with("226"));
    drop((data, taken, sending, taking));
    assert!(eventually(|| daemon.descriptors() == idle));
}

#[test]
fn a_file_is_free_soon_after_its_client_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let farewells: [fn(&TcpStream); 2] = [
        |control| control.shutdown(Shutdown::Write).unwrap(),
        // Closing then sends RST.
        |control| {
            let linger = SockRef::from(control).set_linger(Some(Duration::ZERO));
            linger.unwrap();
        },
    ];
    for farewell in farewells {
        let daemon = serving(directory.path(), "");
        let mut gone = daemon.log_in();
        let mut data = gone.passive();
        gone.expect("STOR f", "150");
        data.write_all(b"begun").unwrap();
        let mut other = daemon.log_in();
        other.passive();
        for command in ["STOR f", "DELE .f.esxftpd-part"] {
            other.expect(command, "450");
        }
        farewell(&gone.tcp());
        drop(gone);
        let start = Instant::now();
        loop {
            let reply = other.command("DELE .f.esxftpd-part");
            if reply.starts_with("250") {
                break;
            }
            assert!(
                reply.starts_with("450") && start.elapsed() < PATIENCE,
                "{reply}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        assert!(other.upload("STOR f", b"new").starts_with("226"));
        assert_eq!(fs::read(directory.path().join("f")).unwrap(), b"new");
        other.expect("DELE f", "250");
        drop(data);
    }
}

#[test]
fn what_an_aborted_upload_leaves_can_be_removed_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = serving(directory.path(), "");
    let mut ftp = daemon.log_in();
    for _ in 0..20 {
        let mut data = ftp.passive();
        ftp.expect("STOR f", "150");
        data.write_all(&content(200_000, 4)).unwrap();
        assert!(eventually(|| {
            fs::metadata(directory.path().join(PART)).is_ok_and(|part| part.len() > 0)
        }));
        ftp.expect("ABOR", "426");
        assert!(ftp.reply().starts_with("226"));
        ftp.expect("DELE .f.esxftpd-part", "250");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn an_upload_that_never_begins_keeps_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = serving(directory.path(), "data-connection-seconds = 10");
    fs::write(directory.path().join("f"), "old").unwrap();
    let mut ftp = daemon.log_in();
    let mut other = daemon.log_in();
    for _ in 0..10 {
        ftp.expect("EPSV", "229");
        ftp.expect("STOR f", "150");
        ftp.expect("ABOR", "426");
        assert!(ftp.reply().starts_with("226"));
        other.expect("RNFR f", "350");
        other.expect("RNTO g", "250");
        other.expect("RNFR g", "350");
        other.expect("RNTO f", "250");
        ftp.expect("RNFR f", "350");
        ftp.expect("RNTO g", "250");
        ftp.expect("RNFR g", "350");
        ftp.expect("RNTO f", "250");
    }
    ftp.expect("EPSV", "229");
    ftp.expect("STOR f", "150");
    assert!(ftp.reply().starts_with("425"));
    other.expect("DELE f", "250");
    // The command ends without a transfer, and the session goes on with something else.
    ftp.expect("EPSV", "229");
    ftp.expect("STOR new", "150");
    ftp.expect("ABOR", "426");
    assert!(ftp.reply().starts_with("226"));
    assert!(other.upload("STOR new", b"x").starts_with("226"));
    other.expect("DELE new", "250");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_goes_while_it_is_listed_ends_in_one_reply() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = serving(directory.path(), "");
    for command in ["MLSD d", "LIST -R d", "MLSD"] {
        let listed = directory.path().join("d");
        fs::create_dir_all(listed.join("below")).unwrap();
        for number in 0..10_000 {
            fs::write(
                listed.join(format!("a name that is not short {number}")),
                "",
            )
            .unwrap();
        }
        let mut ftp = daemon.log_in();
        if command == "MLSD" {
            ftp.expect("CWD d", "250");
        }
        ftp.download("NLST /");
        let descriptors = daemon.descriptors();
        let mut data = ftp.passive();
        ftp.expect(command, "150");
        data.read_exact(&mut [0; 1000]).unwrap();
        fs::remove_dir_all(&listed).unwrap();
        let mut rest = Vec::new();
        data.read_to_end(&mut rest).unwrap();
        drop(data);
        assert!(rest.is_empty() || rest.ends_with(b"\r\n"), "{command}");
        let reply = ftp.reply();
        let ended = reply.starts_with("226") || reply.starts_with("550");
        assert!(ended, "{command}: {reply}");
        ftp.expect("NOOP", "200");
        ftp.expect("CWD /d", "550");
        ftp.passive();
        ftp.expect("MLSD /d", "550");
        ftp.expect("CWD /", "250");
        ftp.download("MLSD");
        assert!(
            eventually(|| daemon.descriptors() <= descriptors),
            "{command}"
        );
        ftp.expect("QUIT", "221");
    }
}
