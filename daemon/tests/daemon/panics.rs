//! A panic ends one session, never the daemon.

use std::{
    fs,
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use crate::{PATIENCE, harness::Daemon};

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// unftp-sbe-fs panics in a blocking thread when a directory changes while it is listed. Should
/// that be mended one day, this test needs another cause.
#[test]
fn a_panic_leaves_other_transfers_alone() {
    let daemon = Daemon::start();
    let content: Vec<u8> = (0..4_000_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(daemon.root().join("large"), &content).unwrap();
    let churned = daemon.root().join("churned");
    fs::create_dir(&churned).unwrap();

    // A transfer that is half done when the panics happen.
    let mut transfer = daemon.log_in();
    let mut data = transfer.passive();
    transfer.expect("RETR large", "150");
    let mut received = vec![0; content.len() / 2];
    data.read_exact(&mut received).unwrap();

    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        // Also when this thread fails: the scope waits for the other one.
        let _at_the_end = SetOnDrop(&enough);
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                for name in 0..200 {
                    fs::write(churned.join(name.to_string()), "").unwrap();
                }
                for name in 0..200 {
                    fs::remove_file(churned.join(name.to_string())).unwrap();
                }
            }
        });
        let mut lister = daemon.log_in();
        let start = Instant::now();
        while !daemon.log().contains("a task panicked") && start.elapsed() < PATIENCE {
            lister.send("STAT churned");
            lister.reply();
        }
    });
    assert!(
        daemon.log().contains("a task panicked"),
        "nothing panicked; log: {}",
        daemon.log()
    );

    data.read_to_end(&mut received).unwrap();
    assert!(received == content);
    assert!(transfer.reply().starts_with("226"));
    daemon.log_in().expect("NOOP", "200");
}
