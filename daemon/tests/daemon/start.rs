//! A daemon that cannot serve.

use std::{fs, process::Command};

use crate::harness::{Daemon, PROGRAM};

/// Whoever starts the daemon on a host throws its stderr away: the log has to tell.
#[test]
fn every_reason_for_which_the_daemon_ends_is_one_error_line_of_the_log() {
    let daemon = Daemon::start();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    let no_key = directory.path().join("absent.pem");
    let cases = [
        (
            format!("[listen]\naddresses = [\"{}\"]\n", daemon.addresses[0]),
            format!("cannot listen on {}", daemon.addresses[0]),
        ),
        (
            format!(
                "[listen]\naddresses = [\"127.0.0.1:0\"]\n[tls]\ncertificate = \"{0}\"\nkey = \"{0}\"\n",
                no_key.display()
            ),
            no_key.display().to_string(),
        ),
    ];
    for (text, reason) in cases {
        fs::write(&config, &text).unwrap();
        let mut serve = Command::new(PROGRAM);
        serve.args(["serve", "--log-to-stderr", "--config"]);
        let output = serve.arg(&config).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let log = String::from_utf8(output.stderr).unwrap();
        let errors: Vec<_> = log.lines().filter(|it| it.contains("Z error ")).collect();
        assert_eq!(errors.len(), 1, "{log}");
        assert!(errors[0].contains(&reason), "{log}");
    }
}
