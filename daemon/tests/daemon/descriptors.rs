//! A limit on open files that is lower than what the configuration asks for.

use crate::harness::{Daemon, eventually, user};

#[test]
fn idle_sessions_leave_descriptors_for_the_transfers_of_all_who_are_admitted() {
    let limits = "[limits]\nsessions = 64\nsessions-per-address = 64\n";
    let daemon = Daemon::start_after("ulimit -n 64", |root| {
        format!("{limits}{}", user("alice", root, false))
    });
    daemon.wait_for_log("too few files for limits.sessions");
    let mut admitted = vec![daemon.log_in()];
    let mut refused = 0;
    for _ in 0..40 {
        let mut ftp = daemon.connect();
        let greeting = ftp.reply();
        if greeting.starts_with("220") {
            admitted.push(ftp);
        } else {
            assert_eq!(greeting, "421 too many sessions, try again later");
            refused += 1;
        }
    }
    assert!(admitted.len() >= 3 && refused > 0, "{}", admitted.len());
    for ftp in admitted.iter_mut().skip(1) {
        ftp.expect("USER alice", "331");
        ftp.expect(&format!("PASS {}", crate::harness::PASSWORD), "230");
    }
    // All of them at one time.
    let data: Vec<_> = admitted
        .iter_mut()
        .enumerate()
        .map(|(number, ftp)| {
            let data = ftp.passive();
            ftp.expect(&format!("STOR file{number}"), "150");
            data
        })
        .collect();
    drop(data);
    for ftp in &mut admitted {
        let reply = ftp.reply();
        assert!(reply.starts_with("226"), "{reply}");
        ftp.download("LIST");
    }
    daemon.wait_for_log("lower limits.sessions");
    drop(admitted);
    assert!(eventually(|| daemon.connect().reply().starts_with("220")));
}
