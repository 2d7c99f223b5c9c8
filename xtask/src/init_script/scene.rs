//! A simulated host with the init script and stand-ins for what it calls.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    host::{DAEMON, HostRoot, PID_FILE, SCRIPT, WATCHDOG_SCRIPT},
    process::Finished,
};

pub(super) use crate::host::WATCHDOG;

pub(super) const PIDOF: &str = "/bin/pidof";

/// Who keeps the daemon running.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Supervision {
    ByHand,
    Watchdog,
}

/// A simulated host with the script and the stand-ins. The host goes before its directory.
pub(super) struct Scene {
    pub(super) host: HostRoot,
    _dir: tempfile::TempDir,
}

impl Scene {
    pub(super) fn new(supervision: Supervision) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = HostRoot::empty(dir.path()).unwrap();
        let scene = Self { host, _dir: dir };
        scene.install(SCRIPT, &fs::read_to_string(script_path()).unwrap());
        scene.install(DAEMON, include_str!("daemon.sh"));
        if supervision == Supervision::Watchdog {
            scene.install(WATCHDOG, WATCHDOG_SCRIPT);
        }
        scene
    }

    pub(super) fn install(&self, inside: &str, text: &str) {
        self.host.install(inside, text).unwrap();
    }

    /// Creates or overwrites a file in the host's `/tmp`.
    pub(super) fn tmp(&self, name: &str, text: &str) {
        fs::write(self.host.path("tmp").join(name), text).unwrap();
    }

    pub(super) fn read(&self, inside: &str) -> String {
        fs::read_to_string(self.host.path(inside)).unwrap_or_default()
    }

    pub(super) fn call(&self, arguments: &[&str]) -> Finished {
        let ash = ["/bin/busybox", "ash", SCRIPT];
        self.host.run(&[&ash, arguments].concat()).unwrap()
    }

    #[track_caller]
    pub(super) fn expect(&self, args: &[&str], code: i32) -> Finished {
        let finished = self.call(args);
        assert_eq!(finished.code, Some(code), "{args:?}: {finished}");
        finished
    }

    /// Starts the daemon and returns the pid that it wrote.
    #[track_caller]
    pub(super) fn start(&self) -> i32 {
        self.expect(&["start"], 0);
        self.pid()
    }

    #[track_caller]
    pub(super) fn pid(&self) -> i32 {
        let pid = self
            .read(PID_FILE)
            .trim()
            .parse()
            .expect("the daemon wrote its pid file");
        assert!(
            self.host.is_running(pid),
            "pid {pid} of the pid file does not run"
        );
        pid
    }

    /// Starts a process of the host that is not the daemon.
    pub(super) fn bystander(&self) -> i32 {
        let started = self
            .host
            .run(&[
                "/bin/sh",
                "-c",
                "setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $!",
            ])
            .unwrap();
        started.stdout.trim().parse().unwrap()
    }

    /// Waits until no process of the host is left.
    #[track_caller]
    pub(super) fn expect_silence(&self) {
        // The stand-in daemon leaves a `sleep 1` behind.
        let deadline = Instant::now() + Duration::from_secs(3);
        while !self.host.processes().unwrap().is_empty() {
            assert!(
                Instant::now() < deadline,
                "still running: {:?}",
                self.host.processes().unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(super) fn script_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../init.d/esxftpd")
}

pub(super) fn script_text() -> String {
    fs::read_to_string(script_path()).unwrap()
}

/// The value of `NAME=number` in the script, in seconds.
pub(super) fn seconds(name: &str) -> u32 {
    let text = script_text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value
        .unwrap_or_else(|| panic!("{name} in the script"))
        .parse()
        .unwrap()
}
