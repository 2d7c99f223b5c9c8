//! Limits on rates where no data connection is used.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::harness::{Daemon, user};

#[test]
fn digests_and_copies_keep_to_the_rates_of_transfers() {
    for key in ["session-rate", "account-rate"] {
        let daemon = Daemon::start_with("", |root| {
            let rate = format!("[transfers]\n{key} = \"100 KiB\"\n");
            format!("{rate}{}", user("alice", root, false))
        });
        fs::write(daemon.root().join("file"), vec![7; 300 * 1024]).unwrap();
        let mut ftp = daemon.log_in();
        let start = Instant::now();
        ftp.expect("HASH file", "213");
        assert!(start.elapsed() >= Duration::from_millis(2900), "{key}");
        ftp.expect("SITE CPFR file", "350");
        ftp.expect("SITE CPTO copy", "250");
        assert!(start.elapsed() >= Duration::from_millis(5800), "{key}");
        assert_eq!(
            fs::read(daemon.root().join("copy")).unwrap().len(),
            300 * 1024
        );
    }
}
