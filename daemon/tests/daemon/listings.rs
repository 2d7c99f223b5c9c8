//! Listings of large directories whose clients do not read them.

use std::{fs, io::Read as _, net::TcpStream};

use nix::sys::socket::{setsockopt, sockopt::RcvBuf};

use crate::{
    ftp::Ftp,
    harness::{Daemon, eventually, user},
};

const COUNT: usize = 20_000;

const SESSIONS: usize = 12;

/// What all names begin with: classes without an end.
fn brackets() -> String {
    "[".repeat(100)
}

/// A daemon with little memory for listings and a directory of many long names.
fn daemon() -> Daemon {
    let daemon = Daemon::start_with("", |root| {
        let limits = "[limits]\nsessions = 50\nsessions-per-address = 50\n";
        let little = "[transfers]\nlisting-buffers = \"4 MiB\"\n";
        format!("{limits}{little}{}", user("alice", root, false))
    });
    let root = daemon.root();
    for number in 0..COUNT {
        let name = format!("{}{number:05}{}", brackets(), "x".repeat(95));
        fs::write(root.join(name), "").unwrap();
    }
    daemon
}

/// A listing whose client reads nothing. Nothing if it is refused.
fn begin(daemon: &Daemon, command: &str) -> Option<(Ftp, TcpStream)> {
    let mut ftp = daemon.log_in();
    let data = ftp.passive();
    setsockopt(&data, RcvBuf, &(64 << 10)).unwrap();
    ftp.expect(command, "150");
    if data.peek(&mut [0]).unwrap() > 0 {
        return Some((ftp, data));
    }
    let reply = ftp.reply();
    assert!(
        reply.starts_with("450 ") && reply.contains("listings"),
        "{reply}"
    );
    None
}

#[test]
fn slow_listings_of_a_large_directory_take_no_more_than_is_configured() {
    let daemon = daemon();
    let before = daemon.resident_kib();
    let commands = ["LIST", "MLSD", "NLST", "LIST -t"];
    let commands = commands.into_iter().cycle().take(SESSIONS);
    let mut slow: Vec<_> = commands
        .filter_map(|command| begin(&daemon, command))
        .collect();
    assert!((2..=8).contains(&slow.len()), "{}", slow.len());
    daemon.wait_for_log(" listing-refused ");
    daemon.wait_for_log(" listed-unsorted ");
    // The names alone would be 4 MiB for each.
    let grown = daemon.resident_kib().saturating_sub(before);
    assert!(grown < 30 << 10, "{grown} KiB");
    // One is aborted, one is lost, one comes to its end.
    let (mut ftp, data) = slow.pop().unwrap();
    ftp.expect("ABOR", "426");
    assert!(ftp.reply().starts_with("226"));
    drop(data);
    let (mut ftp, mut data) = slow.pop().unwrap();
    let mut text = String::new();
    setsockopt(&data, RcvBuf, &(4 << 20)).unwrap();
    data.read_to_string(&mut text).unwrap();
    assert!(ftp.reply().starts_with("226"));
    assert_eq!(text.matches(&brackets()).count(), COUNT);
    drop(slow);
    let is_free = || begin(&daemon, "MLSD").is_some() && begin(&daemon, "LIST").is_some();
    assert!(eventually(is_free), "{}", daemon.log());
}

#[test]
fn a_listing_with_open_brackets_is_aborted_before_its_end() {
    let daemon = daemon();
    let pattern = format!("LIST {}*", brackets());
    let (mut ftp, mut data) = begin(&daemon, &pattern).unwrap();
    // The client has read nothing, so it cannot have ended.
    ftp.expect("ABOR", "426");
    assert!(ftp.reply().starts_with("226"));
    let mut rest = Vec::new();
    // The connection may be reset.
    let _end = data.read_to_end(&mut rest);
    let lines = String::from_utf8_lossy(&rest).matches('\n').count();
    assert!(lines < COUNT, "{lines}");
    ftp.expect("NOOP", "200");
    // In one piece with the command, where no name matches.
    let data = ftp.passive();
    let nothing = "[".repeat(200);
    ftp.send_bytes(format!("LIST {nothing}\r\nABOR\r\nNOOP\r\n").as_bytes());
    let replies: Vec<_> = (0..4).map(|_| ftp.reply()[..3].to_owned()).collect();
    let ended = ["150", "226", "226", "200"];
    assert!(
        replies == ["150", "426", "226", "200"] || replies == ended,
        "{replies:?}"
    );
    drop(data);
}
