//! Clients that are refused without end.

use nix::sys::signal::Signal;

use crate::harness::{Daemon, user};

#[test]
fn a_client_that_is_refused_a_thousand_times_does_not_fill_the_log() {
    const CLIENTS: usize = 1000;
    let mut daemon = Daemon::start_with("", |root| {
        format!("deny = [\"127.0.0.0/8\"]\n{}", user("alice", root, false))
    });
    for _ in 0..CLIENTS {
        let reply = daemon.connect().reply();
        assert!(reply.is_empty() || reply.starts_with("421"), "{reply}");
    }
    daemon.signal(Signal::SIGTERM);
    daemon.wait();
    daemon.wait_for_log("stopped");
    let log = daemon.log();
    let lines = log
        .lines()
        .filter(|line| line.contains(" refused client=") || line.contains(" left-out client="));
    let (mut told, mut counted) = (0, 0);
    for line in lines {
        match line.split_once(" lines=") {
            Some((_, more)) => {
                let more = more.split(' ').next().unwrap();
                counted += more.parse::<usize>().unwrap();
            }
            None => told += 1,
        }
    }
    assert_eq!(told + counted, CLIENTS, "{log}");
    // On a busy machine it may take more than a minute.
    assert!((9..=9 * 4).contains(&told), "{told} lines: {log}");
}
