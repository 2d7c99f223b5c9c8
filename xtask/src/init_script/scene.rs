//! A simulated host with the init script and stand-ins for what it calls.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    host::{DAEMON, HostRoot, PID_FILE, PIDOF_SCRIPT, SCRIPT, WATCHDOG_SCRIPT},
    process::Finished,
};

pub(super) use crate::host::{PIDOF, WATCHDOG};

/// Where the stand-in watchdog keeps its pid.
pub(super) const WATCHDOG_PID_FILE: &str = "/var/run/vmware/watchdog-esxftpd.PID";

/// How long anything may take that needs no waiting, on a machine that does much else.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

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
        scene.install(PIDOF, PIDOF_SCRIPT);
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

    /// Starts a process of the host that has nothing to do with the daemon.
    pub(super) fn bystander(&self) -> i32 {
        self.spawn("sleep 300")
    }

    /// Starts a process of the daemon's binary that waits for a password.
    pub(super) fn prompt(&self) -> i32 {
        self.spawn(&format!("{DAEMON} hash-password"))
    }

    /// Starts a command in the background, and returns its pid when it runs.
    pub(super) fn spawn(&self, command: &str) -> i32 {
        let started = self.shell(&format!(
            "setsid {command} </dev/null >/dev/null 2>&1 & echo $!"
        ));
        let pid = started.stdout.trim().parse().unwrap();
        let program = command.split(' ').next().unwrap();
        wait_until(&format!("{command} runs"), || {
            words_contain(pid, program) && !words_contain(pid, "setsid")
        });
        pid
    }

    /// Calls the script several times, without waiting for one before the next is called.
    #[track_caller]
    pub(super) fn at_once(&self, verbs: &[&str]) {
        let calls: Vec<_> = verbs
            .iter()
            .map(|verb| format!("{SCRIPT} {verb} &"))
            .collect();
        self.shell(&format!("{} wait", calls.join(" ")));
    }

    /// Runs a line of the host's shell, which must succeed.
    #[track_caller]
    pub(super) fn shell(&self, line: &str) -> Finished {
        let finished = self.host.run(&["/bin/sh", "-c", line]).unwrap();
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
        finished
    }

    /// The pids that the stand-in watchdog's `-r` prints.
    pub(super) fn watchdogs(&self) -> Vec<i32> {
        let named = self.host.run(&[WATCHDOG, "-r", "esxftpd"]).unwrap();
        let pids = named.stdout.split_whitespace();
        pids.map(|pid| pid.parse().unwrap()).collect()
    }

    /// How often a daemon was started.
    pub(super) fn starts(&self) -> usize {
        let commands = self.read("/tmp/commands");
        let serve = commands.lines().filter(|line| line.starts_with("serve "));
        serve.count()
    }

    /// Waits until no process of the host is left.
    #[track_caller]
    pub(super) fn expect_silence(&self) {
        // The stand-in daemon leaves a `sleep 1` behind.
        wait_until("no process is left", || {
            self.host.processes().unwrap().is_empty()
        });
    }
}

/// Waits for [`PATIENCE`] at most.
#[track_caller]
pub(super) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a word of the command that `pid` runs is `word`.
fn words_contain(pid: i32, word: &str) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command
        .split(|&byte| byte == 0)
        .any(|found| found == word.as_bytes())
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
