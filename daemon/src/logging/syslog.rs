//! The host's syslog: datagrams to `/dev/log` in the form of RFC 3164.

use std::{
    io,
    os::{fd::AsRawFd as _, unix::net::UnixDatagram},
    path::PathBuf,
    process,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use chrono::{DateTime, Utc};
use nix::sys::socket::{MsgFlags, send};

/// The name before every line. A `/` in it would be changed by newer hosts.
const TAG: &str = "esxftpd";

/// The facility "system daemons" (RFC 3164, section 4.1.1).
const FACILITY_DAEMON: u8 = 3;

/// Longest text of a line in bytes. vmsyslogd takes lines of 8192 bytes; the rest is for priority,
/// time and tag.
const MAX_TEXT_BYTES: usize = 8000;

/// Severities of RFC 3164, section 4.1.1, as far as we use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Error = 3,
    Warning = 4,
    Info = 6,
    Debug = 7,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl From<tracing::Level> for Severity {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Self::Debug,
        }
    }
}

/// A connection to syslog that is made when it is needed and made again when syslog restarts.
#[derive(Debug)]
pub(super) struct Syslog {
    path: PathBuf,
    socket: Mutex<Option<UnixDatagram>>,
}

impl Syslog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            socket: Mutex::new(None),
        }
    }

    /// Sends one line. Never waits: a session must not stand still because syslog does.
    ///
    /// # Errors
    /// If syslog is not there or its queue is full.
    pub(super) fn send(&self, severity: Severity, text: &str) -> io::Result<()> {
        let line = line(severity, now(), text);
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connected) = socket.as_ref() {
            match transmit(connected, &line) {
                // The queue is full. The connection is good; a new one would not help.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // Syslog has restarted: its new socket is another one.
                Err(_) => *socket = None,
                Ok(()) => return Ok(()),
            }
        }
        let fresh = UnixDatagram::unbound()?;
        fresh.connect(&self.path)?;
        transmit(&fresh, &line)?;
        *socket = Some(fresh);
        Ok(())
    }
}

fn transmit(socket: &UnixDatagram, line: &str) -> io::Result<()> {
    send(
        socket.as_raw_fd(),
        line.as_bytes(),
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
    )?;
    Ok(())
}

/// `<PRI>Mon dd hh:mm:ss tag[pid]: text`, without a host name, in UTC: what vmsyslogd reads.
fn line(severity: Severity, time: DateTime<Utc>, text: &str) -> String {
    let priority = FACILITY_DAEMON * 8 + severity as u8;
    let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    format!(
        "<{priority}>{} {TAG}[{}]: {text}",
        time.format("%b %e %H:%M:%S"),
        process::id()
    )
}

/// The time that stands before a line.
#[expect(
    clippy::disallowed_methods,
    reason = "the log is one of the two places that read the clock"
)]
pub(super) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::net::UnixDatagram, process, time::Duration};

    use chrono::DateTime;

    use crate::logging::syslog::{Severity, Syslog, line};

    #[test]
    fn a_line_has_the_form_of_rfc_3164() {
        let time = DateTime::from_timestamp(1_767_571_205, 0).unwrap();
        let expected = format!("<30>Jan  5 00:00:05 esxftpd[{}]: hello", process::id());
        assert_eq!(line(Severity::Info, time, "hello"), expected);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "ü".repeat(5000);
        let line = line(Severity::Error, DateTime::UNIX_EPOCH, &text);
        assert!(line.len() < 8192);
        assert!(line.starts_with("<27>") && line.ends_with('ü'));
    }

    #[test]
    fn it_reconnects_when_syslog_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let syslog = Syslog::new(path.clone());
        assert!(syslog.send(Severity::Info, "nobody listens").is_err());
        for round in ["one", "two"] {
            let listener = UnixDatagram::bind(&path).unwrap();
            listener
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            syslog.send(Severity::Info, round).unwrap();
            let mut buffer = [0; 256];
            let length = listener.recv(&mut buffer).unwrap();
            assert!(buffer[..length].ends_with(round.as_bytes()));
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_full_queue_does_not_block() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::new(path);
        let refused = (0..10_000).find(|_| syslog.send(Severity::Info, "again").is_err());
        assert!(
            refused.is_some(),
            "the queue of a socket that nobody reads is finite"
        );
    }
}
