//! `cargo xtask soak`: many clients at one time, for a while, each byte compared.
//!
//! Half of the sessions begin with TLS; all of them store, read back, list, abort and leave, in the
//! middle of transfers, too. What a daemon keeps of sessions that have left shows when all have left.

mod content;
mod report;
mod resources;
mod session;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use xshell::Shell;

use self::content::{Content, Source};
use self::report::Report;
use self::resources::Resources;
use self::session::{Counts, Session};
use crate::bench::interrupt::Interrupt;
use crate::compile;
use crate::conformance::Tls;
use crate::peers::{Bench, Caps, Peer, Server};

/// Between two lines on stderr.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at the daemon.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Connections beyond those of all sessions twice: who comes back may come before the daemon has seen
/// that it left.
const OTHERS: u16 = 20;

/// How long, and with how many clients.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds until the sessions leave; what they do then is finished
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Clients at one time
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    sessions: u16,
    /// The daemon; without it, the release build is made
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
}

/// What all sessions share.
struct Stage<'a> {
    server: &'a Server,
    tls: Tls,
    source: &'a Source,
    /// Of the file that all sessions download.
    shared: Content,
}

impl Stage<'_> {
    const SHARED: &'static str = "/shared";
    /// More than sockets hold, so that an abort is in the middle of it.
    const SHARED_BYTES: u64 = 32 << 20;
    const MANY: &'static str = "/many";
    const MANY_ENTRIES: usize = 1_000;

    /// A name in the directory with many; in the order of listings.
    fn entry(number: usize) -> String {
        format!("entry {number:04} of many")
    }

    /// Writes what sessions only read.
    fn furnish(&self) -> Result<()> {
        let root = &self.server.root;
        let mut shared = File::create(root.join(Self::SHARED.trim_start_matches('/')))?;
        for piece in self.source.pieces(self.shared) {
            shared.write_all(piece)?;
        }
        let many = root.join(Self::MANY.trim_start_matches('/'));
        fs::create_dir(&many)?;
        for number in 0..Self::MANY_ENTRIES {
            File::create(many.join(Self::entry(number)))?;
        }
        Ok(())
    }
}

/// Runs the sessions and prints the table.
///
/// # Errors
/// If a byte, a name, a size or a reply was another one than it had to be, if the daemon kept
/// something of sessions that have left, or if it cannot be started.
pub(crate) fn run(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    let daemon = if let Some(daemon) = &options.daemon {
        std::path::absolute(daemon)?
    } else {
        compile::daemon(sh, root, compile::Build::default())?;
        root.join(compile::DAEMON)
    };
    let work = tempfile::Builder::new().prefix("esxftpd-soak").tempdir()?;
    let connections = 2 * options.sessions + OTHERS;
    let caps = Caps {
        sessions: connections,
        per_address: connections,
    };
    let bench = Bench::prepare(root, work.path(), daemon, caps)?;
    let server = bench.start(Peer::Esxftpd)?;
    let source = Source::new();
    let stage = Stage {
        server: &server,
        tls: Tls::trusting(&bench.certificate.ca)?,
        source: &source,
        shared: Content::new(77, Stage::SHARED_BYTES, false),
    };
    stage.furnish()?;
    let interrupt = Interrupt::watch()?;
    let start = Resources::settled(&server)?;
    let crew = Crew {
        stage: &stage,
        sessions: options.sessions.into(),
        interrupt: &interrupt,
        done: Mutex::default(),
    };
    eprintln!("{} sessions do everything once", options.sessions);
    let mut most = start;
    let mut failed = crew.work(0, None, &mut most);
    let warm = Resources::back_at(&server, start)?;
    if failed == 0 {
        let until = Instant::now() + Duration::from_secs(options.seconds.into());
        failed = crew.work(crew.sessions, Some(until), &mut most);
    }
    let end = Resources::back_at(&server, start)?;
    let report = Report {
        version: server.version.clone(),
        sessions: options.sessions,
        counts: crew.counts(),
        failed,
        start,
        warm,
        most,
        end,
    };
    print!("{report}");
    ensure!(!interrupt.asked(), "interrupted: it was not the whole time");
    report.check()
}

/// The sessions of a run.
struct Crew<'a> {
    stage: &'a Stage<'a>,
    /// At one time.
    sessions: usize,
    interrupt: &'a Interrupt,
    done: Mutex<Counts>,
}

impl Crew<'_> {
    fn counts(&self) -> Counts {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs sessions with numbers from `first` on until that time, without one until each has done
    /// everything once. Looks at the daemon meanwhile. Returns how many sessions failed; stderr has
    /// what they met.
    fn work(&self, first: usize, until: Option<Instant>, most: &mut Resources) -> usize {
        let begun = Instant::now();
        let failures = thread::scope(|scope| {
            let sessions: Vec<_> = (first..first + self.sessions)
                .map(|number| scope.spawn(move || self.session(number, until)))
                .collect();
            let mut said = Instant::now();
            while !sessions.iter().all(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(LOOK_EVERY);
                let Ok(now) = Resources::of(self.stage.server) else {
                    continue;
                };
                *most = most.most(now);
                if said.elapsed() >= SAY_EVERY {
                    said = Instant::now();
                    let seconds = begun.elapsed().as_secs();
                    eprintln!("{seconds} s: {}", report::progress(self.counts(), now));
                }
            }
            let results = sessions.into_iter().map(|session| {
                let result = session.join();
                result.map_err(|_| anyhow!("a session panicked"))?
            });
            results.filter_map(Result::err).collect::<Vec<_>>()
        });
        for failure in &failures {
            eprintln!("{failure:#}");
        }
        failures.len()
    }

    fn session(&self, number: usize, until: Option<Instant>) -> Result<()> {
        let mut session = Session::begin(self.stage, number)?;
        self.add(&mut session.counts);
        match until {
            None => session.each_step()?,
            Some(until) => {
                while Instant::now() < until && !self.interrupt.asked() {
                    session.any_step()?;
                    self.add(&mut session.counts);
                }
            }
        }
        let mut counts = session.end().context("leaving")?;
        self.add(&mut counts);
        Ok(())
    }

    fn add(&self, counts: &mut Counts) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done = done.plus(std::mem::take(counts));
    }
}
