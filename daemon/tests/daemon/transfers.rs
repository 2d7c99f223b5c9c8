//! Files arrive whole, whatever clients do with their data connections.

use std::{fs, process::Command, thread};

use crate::{
    ftp::Ftp,
    harness::{Daemon, PASSWORD, free_ports, user},
};

#[test]
fn files_arrive_whole_over_ipv4_and_ipv6() {
    let daemon = Daemon::start();
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    for (index, address) in daemon.addresses.iter().enumerate() {
        let mut ftp = Ftp::connect(*address);
        ftp.log_in("alice", PASSWORD);
        let name = format!("file {index} ü");
        assert!(
            ftp.upload(&format!("STOR {name}"), &content)
                .starts_with("226")
        );
        assert!(ftp.download(&format!("RETR {name}")) == content);
        ftp.expect("REST 11999996", "350");
        assert_eq!(
            ftp.download(&format!("RETR {name}")),
            2_999_999u32.to_le_bytes()
        );
        assert!(fs::read(daemon.root().join(name)).unwrap() == content);
    }
}

/// After a file that is not there, curl keeps the session and asks for another data connection.
#[test]
fn an_abandoned_data_connection_does_not_get_the_next_file() {
    let daemon = Daemon::start();
    let content = vec![7; 100_003];
    fs::write(daemon.root().join("file"), &content).unwrap();
    let received = daemon.directory.path().join("received");
    let url = format!("ftp://{}", daemon.addresses[0]);
    for _ in 0..60 {
        let status = Command::new("curl")
            .args([
                "--silent",
                "--max-time",
                "120",
                "--user",
                &format!("alice:{PASSWORD}"),
            ])
            .args([&format!("{url}/missing"), "--output", "/dev/null"])
            .arg(format!("{url}/file"))
            .arg("--output")
            .arg(&received)
            .status()
            .expect("curl is installed (Debian package curl)");
        assert!(status.success(), "{status}; log: {}", daemon.log());
        assert!(fs::read(&received).unwrap() == content);
        fs::remove_file(&received).unwrap();
    }
}

/// Sockets that race for one port lose the control connection of the session that comes second.
#[test]
fn sessions_in_parallel_do_not_take_one_anothers_ports() {
    let first = free_ports(8);
    let daemon = Daemon::start_with("", |root| {
        format!(
            "[passive]\nports = \"{first}-{}\"\n{}",
            first + 7,
            user("alice", root, false)
        )
    });
    let content = vec![9; 20_000];
    fs::write(daemon.root().join("file"), &content).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut ftp = daemon.log_in();
            let content = &content;
            scope.spawn(move || {
                for _ in 0..250 {
                    assert!(ftp.download("RETR file") == *content);
                }
            });
        }
    });
}

#[test]
fn the_configured_host_is_named_in_the_reply_to_pasv() {
    let daemon = Daemon::start_with("", |root| {
        format!(
            "[passive]\nhost = \"203.0.113.7\"\n{}",
            user("alice", root, false)
        )
    });
    let reply = daemon.log_in().expect("PASV", "227");
    assert!(reply.contains("(203,0,113,7,"), "{reply}");
}
