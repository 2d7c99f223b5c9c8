//! A log of transfers and deletions in the form of wu-ftpd, which programs for statistics read: see
//! xferlog(5).
//!
//! It may lie on a datastore, which may be away or hang. A thread of its own writes it; what that
//! cannot take in time is lost, and no transfer waits for it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::Builder,
    time::Duration,
};

use nix::fcntl::OFlag;
use tracing::{Event, Subscriber, info, warn};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    syslog::now,
    text::{Fields, bytes_of},
};
use crate::config::ANONYMOUS_NAMES;

/// A file of this size is put aside.
const MAX_FILE_BYTES: u64 = 10 << 20;

/// Files that are put aside.
const OLD_FILES: u32 = 2;

/// Lines that wait to be written.
const MOST_WAITING: usize = 256;

/// How long the end of the daemon waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log; there is none until a file is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Xferlog(Arc<Mutex<Option<Writer>>>);

/// Where lines go, and the thread that writes them.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
    ended: Receiver<()>,
}

impl Xferlog {
    /// Writes to this file from now on.
    pub(super) fn set(&self, path: Option<&Path>) {
        let same = self.writer().as_ref().map(|it| it.path.as_path()) == path;
        if !same {
            // What it logs comes here, too: the lock must be free.
            let started = path.and_then(Writer::start);
            *self.writer() = started;
        }
    }

    /// Waits a moment for the last lines; nothing is written any more.
    pub(super) fn end(&self) {
        let writer = self.writer().take();
        if let Some(Writer { lines, ended, .. }) = writer {
            drop(lines);
            // It hangs, and its lines are lost.
            let _ended = ended.recv_timeout(PATIENCE);
        }
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn start(path: &Path) -> Option<Self> {
        let (lines, waiting) = sync_channel::<String>(MOST_WAITING);
        let (end, ended) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let mut output = Output {
            path: path.to_owned(),
            file: None,
            fails: false,
            lost: lost.clone(),
        };
        let thread = Builder::new().name("xferlog".to_owned());
        let started = thread.spawn(move || {
            for line in waiting {
                output.take(&line);
            }
            // Nobody waits, if the file has changed.
            let _told = end.try_send(());
        });
        if let Err(error) = started {
            warn!("log.transfers: no thread to write it: {error}; lower limits.sessions");
            return None;
        }
        Some(Self {
            path: path.to_owned(),
            lines,
            lost,
            ended,
        })
    }
}

/// The file.
struct Output {
    path: PathBuf,
    file: Option<(File, u64)>,
    /// Whether the last line could not be written.
    fails: bool,
    lost: Arc<AtomicU64>,
}

impl Output {
    fn take(&mut self, line: &str) {
        let written = self.write(line);
        let path = self.path.display();
        match written {
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                if self.fails || lost > 0 {
                    info!("log.transfers: {path} is written again; lines that are lost: {lost}");
                }
                self.fails = false;
            }
            Err(error) => {
                self.file = None;
                self.lost.fetch_add(1, Ordering::Relaxed);
                if !self.fails {
                    warn!(
                        "log.transfers: {path} cannot be written: {error}; its lines are lost until \
                         it can; look at its datastore"
                    );
                }
                self.fails = true;
            }
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        // It may have been taken away, with its datastore.
        if !self.path.exists() {
            self.file = None;
        }
        if let Some((_, size)) = &self.file
            && size + line.len() as u64 > MAX_FILE_BYTES
        {
            self.file = None;
            self.rotate()?;
        }
        let (file, size) = match &mut self.file {
            Some(open) => open,
            None => self.file.insert(open(&self.path)?),
        };
        file.write_all(line.as_bytes())?;
        *size += line.len() as u64;
        Ok(())
    }

    /// Puts the file aside; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        let aside = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..OLD_FILES).rev() {
            // There may be none.
            let _moved = fs::rename(aside(number), aside(number + 1));
        }
        fs::rename(&self.path, aside(1))
    }
}

/// Opens the file to write behind its end.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640);
    // To open a pipe would wait for its reader.
    options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Xferlog {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Sessions log no more than one line each at a time, and this is held for as long only.
        let Some(span) = context.event_span(event) else {
            return;
        };
        let writer = self.writer();
        let Some(writer) = writer.as_ref() else {
            return;
        };
        let extensions = span.extensions();
        let mut fields = Fields::whole();
        event.record(&mut fields);
        let Some(line) = extensions.get().and_then(|session| line(&fields, session)) else {
            return;
        };
        let time = now().format("%a %b %e %H:%M:%S %Y");
        if writer.lines.try_send(format!("{time} {line}\n")).is_err() {
            writer.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What stands behind the time: nothing for an event that is neither a transfer nor a deletion.
fn line(event: &Fields, session: &Fields) -> Option<String> {
    let direction = match event.message.as_str() {
        "sent" | "download-failed" => 'o',
        "stored" | "appended" | "upload-failed" => 'i',
        "deleted" => 'd',
        _ => return None,
    };
    let is_whole = direction == 'd' || matches!(event.get("result")?, "\"whole\"" | "\"resumed\"");
    let completion = if is_whole { 'c' } else { 'i' };
    let seconds: f64 = event.get("seconds").unwrap_or("0").parse().ok()?;
    let client = session.get("client")?;
    let host = client.rsplit_once(':').map_or(client, |(host, _port)| host);
    let host = host.trim_matches(['[', ']']);
    let bytes = event.get("bytes").unwrap_or("0");
    let path = word(event.get("path")?);
    let user = word(session.get("user")?);
    let mode = if ANONYMOUS_NAMES.contains(&user.as_str()) {
        'a'
    } else {
        'r'
    };
    Some(format!(
        "{seconds:.0} {host} {bytes} {path} b _ {direction} {mode} {user} ftp 0 * {completion}"
    ))
}

/// A written value as one word: blanks would be taken for the end of a column.
fn word(value: &str) -> String {
    let bytes = bytes_of(value);
    let text = String::from_utf8_lossy(&bytes);
    text.replace(
        |letter: char| letter.is_whitespace() || letter.is_control(),
        "_",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(path: &Path) -> Output {
        Output {
            path: path.to_owned(),
            file: None,
            fails: false,
            lost: Arc::default(),
        }
    }

    #[test]
    fn three_files_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("xferlog");
        let mut output = output(&path);
        let line = format!("{}\n", "x".repeat(1 << 20));
        for _ in 0..50 {
            output.take(&line);
        }
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                assert!(entry.metadata().unwrap().len() <= MAX_FILE_BYTES);
                entry.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        assert_eq!(names, ["xferlog", "xferlog.1", "xferlog.2"]);
        assert_eq!(output.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_directory_that_is_away_costs_lines_until_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let away = directory.path().join("datastore");
        let path = away.join("xferlog");
        let mut output = output(&path);
        output.take("one\n");
        output.take("two\n");
        assert!(output.fails && output.lost.load(Ordering::Relaxed) == 2);
        fs::create_dir(&away).unwrap();
        output.take("three\n");
        assert!(!output.fails);
        fs::remove_dir_all(&away).unwrap();
        output.take("four\n");
        fs::create_dir(&away).unwrap();
        output.take("five\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
    }
}
