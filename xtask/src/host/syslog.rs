//! The host's log service: what arrives at `/dev/log` is kept.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::{fs::PermissionsExt as _, net::UnixDatagram},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

/// Where messages are kept, one a line.
pub(crate) const LOG: &str = "/var/log/syslog.log";
/// Bytes of one message; longer ones are cut.
const MOST_BYTES: usize = 8192;
/// Between two looks at whether the service should end.
const PATIENCE: Duration = Duration::from_millis(50);

/// The running service. Dropping it ends it and removes the socket.
pub(super) struct Syslog {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Syslog {
    /// Starts it for the host in `root`.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub(super) fn start(root: &Path) -> Result<Self> {
        let dev = root.join("dev");
        let socket = dev.join("log");
        fs::remove_file(&socket).ok();
        // By descriptor: the path of a socket may have 107 bytes.
        let directory = File::open(&dev)?;
        let short = format!("/proc/self/fd/{}/log", directory.as_raw_fd());
        let listener = UnixDatagram::bind(short).context("/dev/log of the host")?;
        listener.set_read_timeout(Some(PATIENCE))?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
        let log = root.join(LOG.trim_start_matches('/'));
        let log = File::options().create(true).append(true).open(log)?;
        let end = Arc::new(AtomicBool::new(false));
        let ending = end.clone();
        let thread = thread::spawn(move || record(&listener, log, &ending));
        Ok(Self {
            end,
            thread: Some(thread),
            socket,
        })
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        fs::remove_file(&self.socket).ok();
    }
}

fn record(listener: &UnixDatagram, mut log: File, end: &AtomicBool) {
    let mut message = vec![0; MOST_BYTES];
    while !end.load(Ordering::Relaxed) {
        let received = match listener.recv(&mut message) {
            Ok(received) => received,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                continue;
            }
            Err(_) => return,
        };
        let text = String::from_utf8_lossy(&message[..received]);
        let line = text.trim_end_matches(['\n', '\0']).replace('\n', " ");
        // A full disk is noticed by whoever looks for the line.
        writeln!(log, "{line}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_and_the_socket_goes() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["dev", "var/log"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let syslog = Syslog::start(root.path()).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let socket = root.path().join("dev/log");
        client.send_to(b"<30>one\nline\0", &socket).unwrap();
        let log = root.path().join("var/log/syslog.log");
        for _ in 0..100 {
            if fs::read_to_string(&log).unwrap() == "<30>one line\n" {
                drop(syslog);
                assert!(!socket.exists());
                return;
            }
            thread::sleep(PATIENCE);
        }
        panic!("{:?}", fs::read_to_string(&log));
    }
}
