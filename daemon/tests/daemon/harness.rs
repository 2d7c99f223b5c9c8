//! A running daemon for one test.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{PATIENCE, ftp::Ftp};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_esxftpd");

/// The password of every user that [`user`] makes.
pub(crate) const PASSWORD: &str = "correct horse";

/// A hash of [`PASSWORD`] with the least work that argon2 allows, because tests log in often. Made
/// with another implementation (argon2-cffi), so that ours is checked against it.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$fGboIvzlkt1eU7JnWpaFoCiFdQqj41xKJW/x6HC4Hu4";

/// The TOML table of a user who sees `root`.
pub(crate) fn user(name: &str, root: &Path, read_only: bool) -> String {
    format!(
        "[[users]]\nname = \"{name}\"\npassword-hash = \"{HASH}\"\nroot = \"{}\"\nread-only = {read_only}\n",
        root.display()
    )
}

/// The first of `count` neighbouring ports that are free at the moment, below those that the kernel
/// gives to clients. Tests of one process never get the same ones.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let first = NEXT.fetch_add(count, Ordering::Relaxed);
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (first..first + count).all(free) {
            return first;
        }
    }
}

/// A daemon that is killed when the test ends.
pub(crate) struct Daemon {
    child: Child,
    config: PathBuf,
    log: Arc<Mutex<String>>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) directory: TempDir,
}

impl Daemon {
    /// Starts a daemon with the user `alice`, who owns the directory [`Daemon::root`].
    pub(crate) fn start() -> Self {
        Self::start_with("", |root| user("alice", root, false))
    }

    /// Starts a daemon. `head` goes before the `listen` table of its configuration, `tail` after
    /// it; the latter is told the directory that serves as root.
    pub(crate) fn start_with(head: &str, tail: impl FnOnce(&Path) -> String) -> Self {
        Self::start_by(Command::new(PROGRAM), head, tail)
    }

    /// The same in a shell, after this command.
    pub(crate) fn start_after(command: &str, tail: impl FnOnce(&Path) -> String) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{command}; exec \"$0\" \"$@\"")]);
        shell.arg(PROGRAM);
        Self::start_by(shell, "", tail)
    }

    fn start_by(program: Command, head: &str, tail: impl FnOnce(&Path) -> String) -> Self {
        Self::start_at(program, ["127.0.0.1:0", "[::1]:0"], head, tail)
    }

    /// Has `program` start a daemon that listens at these addresses.
    pub(crate) fn start_at<const N: usize>(
        program: Command,
        addresses: [&str; N],
        head: &str,
        tail: impl FnOnce(&Path) -> String,
    ) -> Self {
        Self::launch(program, |directory| {
            let socket = directory.join("control");
            let head = format!("{head}\ncontrol-socket = \"{}\"\n", socket.display());
            let listen = format!("[listen]\naddresses = {addresses:?}\n");
            format!("{head}{listen}{}", tail(&directory.join("root")))
        })
    }

    /// Starts a daemon with this configuration, which is told the directory of the test.
    pub(crate) fn start_by_text(text: impl FnOnce(&Path) -> String) -> Self {
        Self::launch(Command::new(PROGRAM), text)
    }

    fn launch(mut program: Command, text: impl FnOnce(&Path) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        let config = directory.path().join("esxftpd.toml");
        fs::write(&config, text(directory.path())).unwrap();
        let mut child = program
            .args(["serve", "--log-to-stderr", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let Some(addresses) = ready.strip_prefix("esxftpd ready: ") else {
            let status = child.wait().unwrap();
            panic!("{status}; stdout: {ready:?}; log: {}", log.lock().unwrap());
        };
        let addresses = addresses
            .split_whitespace()
            .map(|address| address.parse().unwrap())
            .collect();
        Self {
            child,
            config,
            log,
            addresses,
            directory,
        }
    }

    /// The directory that users see as `/`.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// The daemon's control socket.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    /// Its configuration file.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// A control connection over IPv4.
    pub(crate) fn connect(&self) -> Ftp {
        Ftp::connect(self.addresses[0])
    }

    /// A session of `alice`.
    pub(crate) fn log_in(&self) -> Ftp {
        let mut ftp = self.connect();
        ftp.log_in("alice", PASSWORD);
        ftp
    }

    /// Changes the configuration file; the daemon does not know yet.
    pub(crate) fn edit_config(&self, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, edit(text)).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        self.count("task")
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        self.count("fd")
    }

    fn count(&self, what: &str) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/{what}", self.child.id()));
        entries.unwrap().count()
    }

    /// The memory that it has in use, in KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    /// Waits for the daemon to end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "the daemon does not end; log: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the daemon has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log contains `text`.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let logged = eventually(|| self.log().contains(text));
        assert!(logged, "{text:?} is not logged; log: {}", self.log());
    }
}

/// Waits until `condition` holds; false if it does not within [`PATIENCE`].
pub(crate) fn eventually(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _dead_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Collects what the daemon logs while it runs.
fn collect(mut stderr: ChildStderr) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let shared = log.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stderr.read(&mut buffer) {
            let _written = shared
                .lock()
                .unwrap()
                .write_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
    log
}
