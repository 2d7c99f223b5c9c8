//! A log that takes no more lines.

use std::{
    fs::{File, OpenOptions},
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    thread,
    time::{Duration, Instant},
};

use nix::{fcntl::OFlag, sys::stat::Mode, unistd::mkfifo};

use crate::{
    PATIENCE,
    harness::{Daemon, user},
};

/// What is in a pipe.
fn drain(pipe: &mut File) -> String {
    let mut text = Vec::new();
    // Ends with an error: nothing more is there.
    let _empty = pipe.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn a_log_that_nobody_reads_stops_nobody_and_says_later_what_was_lost() {
    const UPLOADS: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(OFlag::O_NONBLOCK.bits());
    let mut pipe = options.open(&path).unwrap();
    let command = format!("exec 2>'{}'", path.display());
    let daemon = Daemon::start_after(&command, |root| user("alice", root, false));
    let mut ftp = daemon.log_in();
    let upload = |ftp: &mut crate::ftp::Ftp, number: usize| {
        ftp.upload(&format!("STOR {number}-{}", "x".repeat(200)), b"1");
    };
    // More than a pipe takes.
    for number in 0..UPLOADS {
        upload(&mut ftp, number);
    }
    let mut log = drain(&mut pipe);
    let stored = |log: &str| log.matches("stored user=").count();
    assert!(stored(&log) > 0 && stored(&log) < UPLOADS, "{log}");
    upload(&mut ftp, UPLOADS);
    let final_line = format!("path=\"/{UPLOADS}-");
    let start = Instant::now();
    while !log.contains(&final_line) && start.elapsed() < PATIENCE {
        log.push_str(&drain(&mut pipe));
        thread::sleep(Duration::from_millis(5));
    }
    // Each line has come complete, or counts as lost; the number comes before the next line.
    let told = log.split("lost log lines: ").skip(1);
    let lost = told.map(|rest| rest.split(';').next().unwrap().parse::<usize>().unwrap());
    let lost: usize = lost.sum();
    assert!(lost > 0, "{log}");
    assert_eq!(stored(&log) + lost, UPLOADS + 1);
    assert!(
        log.rfind("lost log lines") < log.rfind(&final_line),
        "{log}"
    );
    ftp.expect("QUIT", "221");
}
