//! Logging: `tracing` events of this crate, one line each, to the host's syslog or to stderr.
//!
//! Only our own events are logged. Those of the engine libunftp are not: its spans record
//! the arguments of nearly every function, credentials included.

mod lost;
mod stderr;
mod syslog;

use std::{
    io, panic,
    path::PathBuf,
    sync::{Arc, Once},
};

use anyhow::{Context as _, Result};
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _, Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    reload,
};

use self::{
    lost::Lost,
    stderr::Stderr,
    syslog::{Severity, Syslog, now},
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

/// Changes the level of a running log.
#[derive(Debug, Clone)]
pub struct LevelControl(reload::Handle<Targets, Registry>);

impl LevelControl {
    /// From now on, logs events of at least this level.
    pub fn set(&self, level: Level) {
        // It fails only if the subscriber is gone, and then nobody logs.
        let _changed = self.0.reload(filter(level));
    }
}

/// Installs the log for the whole process, at level `info`, and logs panics from now on.
///
/// # Errors
/// If the process has a log already.
pub fn init(destination: Destination) -> Result<LevelControl> {
    let (filter, handle) = reload::Layer::new(filter(Level::Info));
    let syslog =
        (destination == Destination::Host).then(|| Syslog::new(PathBuf::from(SYSLOG_SOCKET)));
    let logs = Logs {
        syslog: syslog.map(|syslog| (syslog, Lost::default())),
        stderr: (Stderr::default(), Lost::default()),
    };
    let lines = fmt::layer()
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .without_time()
        .with_writer(Writer(Arc::new(logs)))
        .with_filter(filter);
    tracing::subscriber::set_global_default(Registry::default().with(lines))
        .context("cannot start the log")?;
    log_panics();
    Ok(LevelControl(handle))
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

/// Makes one [`Line`] per event.
struct Writer(Arc<Logs>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            logs: self.0.clone(),
            severity: Severity::Info,
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line {
            severity: Severity::from(*meta.level()),
            ..self.make_writer()
        }
    }
}

/// Writes one event; tracing-subscriber hands it over in a single call.
struct Line {
    logs: Arc<Logs>,
    severity: Severity,
}

impl io::Write for Line {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = single_line(&String::from_utf8_lossy(event));
        self.logs.write(self.severity, &text);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes sure that nothing in an event can look like another line.
fn single_line(event: &str) -> String {
    event.trim_end().replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use crate::logging::single_line;

    #[test]
    fn an_event_cannot_forge_a_second_line() {
        assert_eq!(
            single_line("user=\"x\ny\" \u{1b}[2J\n"),
            "user=\"x y\"  [2J"
        );
    }
}
