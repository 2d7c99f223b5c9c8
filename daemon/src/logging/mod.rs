//! Logging: `tracing` events of this crate, one line each, to the host's syslog or to stderr.
//!
//! Only our own events are logged. Those of the engine libunftp are not: its spans record
//! the arguments of nearly every function, credentials included.

mod lines;
mod lost;
mod stderr;
mod subject;
mod syslog;
mod text;
mod xferlog;

use std::{
    panic,
    path::{Path, PathBuf},
    sync::Once,
};

use anyhow::{Context as _, Result};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, Registry, filter::Targets, layer::SubscriberExt as _, reload,
};

use self::{
    lines::Lines,
    lost::Lost,
    stderr::Stderr,
    syslog::{Severity, Syslog, now},
    xferlog::Xferlog,
};
use crate::config::Level;

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To `/dev/log` while that takes them, else to stderr.
    Host,
    /// To stderr.
    Stderr,
}

/// Where the host's syslog listens.
const SYSLOG_SOCKET: &str = "/dev/log";

/// A running log.
#[derive(Debug, Clone)]
pub struct Log {
    level: reload::Handle<Targets, Registry>,
    lines: Lines,
    transfers: Xferlog,
}

impl Log {
    /// From now on, logs events of at least this level.
    pub fn set_level(&self, level: Level) {
        // It fails only if the subscriber is gone, and then nobody logs.
        let _changed = self.level.reload(filter(level));
    }

    /// From now on, logs transfers and deletions to this file, too.
    pub fn set_transfers(&self, path: Option<&Path>) {
        self.transfers.set(path);
    }

    /// Waits a moment until the file of transfers has its last lines.
    pub fn end_transfers(&self) {
        self.transfers.end();
    }

    /// Writes how many lines about single clients were left out, those of the last minute only if
    /// this is the end.
    pub fn tell_left_out(&self, is_end: bool) {
        self.lines.tell_left_out(is_end);
    }
}

/// Installs the log for the whole process, at level `info`, and logs panics from now on.
///
/// # Errors
/// If the process has a log already.
pub fn init(destination: Destination) -> Result<Log> {
    let (filter, level) = reload::Layer::new(filter(Level::Info));
    let syslog =
        (destination == Destination::Host).then(|| Syslog::new(PathBuf::from(SYSLOG_SOCKET)));
    let logs = Logs {
        syslog: syslog.map(|syslog| (syslog, Lost::default())),
        stderr: (Stderr::default(), Lost::default()),
    };
    let lines = Lines::new(logs);
    let transfers = Xferlog::default();
    let subscriber = Registry::default()
        .with(lines.clone().with_filter(filter))
        // Whatever the level of the other log.
        .with(transfers.clone().with_filter(self::filter(Level::Info)));
    tracing::subscriber::set_global_default(subscriber).context("cannot start the log")?;
    log_panics();
    Ok(Log {
        level,
        lines,
        transfers,
    })
}

fn filter(level: Level) -> Targets {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Sends panics to the log. The payload is left out: a panic inside a library may quote what a
/// client sent.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "a task panicked");
        }));
    });
}

/// Where lines go, each with the number of lines that it has lost.
#[derive(Debug)]
struct Logs {
    syslog: Option<(Syslog, Lost)>,
    stderr: (Stderr, Lost),
}

impl Logs {
    /// Writes a line to syslog while that takes lines, else to stderr. Waits for neither.
    fn write(&self, severity: Severity, text: &str) {
        let line = (severity, text);
        let sent = self.syslog.as_ref().is_some_and(|(syslog, lost)| {
            let sent = lost.write(line, |severity, text| syslog.send(severity, text));
            sent.is_ok()
        });
        if !sent {
            let (stderr, lost) = &self.stderr;
            // Without syslog and stderr there is nobody left to tell.
            let _written = lost.write(line, |severity, text| stderr.write(severity, text));
        }
    }
}
