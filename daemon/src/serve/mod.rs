//! `esxftpd serve`: the life of the daemon, from its start to its last session.

mod last_words;
mod pid_file;
mod reload;

use std::{
    env,
    future::pending,
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{self, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::stat::{Mode, umask};
use thiserror::Error;
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    time::interval,
};
use tracing::{error, info, warn};

use self::{last_words::LastWords, pid_file::PidFile, reload::Reloading};
use crate::{
    admin,
    config::{self, Config, Engine, Finding, Findings, Severity},
    logging::{self, Destination, Log},
    probe,
    server::{Listeners, Server},
    storage::root::{RootKind, at_calls_work},
    sys,
};

/// What `esxftpd serve` is told on its command line.
#[derive(Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Where to leave the process id while the daemon runs.
    pub pid_file: Option<PathBuf>,
    /// Where to log.
    pub log: Destination,
}

impl Options {
    /// The same, wherever the process goes.
    fn absolute(&self) -> Result<Self> {
        let config = path::absolute(&self.config).context("the path of the configuration")?;
        let pid_file = self.pid_file.as_ref().map(path::absolute).transpose();
        Ok(Self {
            config,
            pid_file: pid_file.context("the path of the pid file")?,
            log: self.log,
        })
    }
}

/// How the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to stop.
    Stopped,
    /// The configuration cannot be used; the log says why.
    BadConfiguration,
}

/// Runs the daemon in the foreground until it is told to stop by SIGTERM or SIGINT. SIGHUP makes it
/// read its configuration again. When it is ready, it writes one line to stdout: `esxftpd ready: `
/// and the addresses on which it listens.
///
/// # Errors
/// If it cannot log, handle signals or listen, or if it loses all its listening sockets.
pub fn run(options: &Options) -> Result<Outcome> {
    let options = options.absolute()?;
    detach_from_caller();
    let log = logging::init(options.log)?;
    let last_words = options.pid_file.as_deref().map(LastWords::beside);
    let run = || run_logged(&options, &log, last_words.as_ref());
    let ended = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_panic| {
        Err(anyhow!(
            "a fault of the program, which the line before names; report it with the output of: \
             esxftpd probe"
        ))
    });
    // The one place that tells why there is no daemon. Whoever starts it may throw away what it
    // writes to stderr.
    let Err(error) = ended else {
        return Ok(Outcome::Stopped);
    };
    let line = format!("ended: {error:#}");
    error!("{line}");
    if let Some(last_words) = &last_words {
        last_words.leave(&line);
    }
    if error.is::<BadConfiguration>() {
        return Ok(Outcome::BadConfiguration);
    }
    Err(error)
}

/// The configuration cannot be used: the first reason for it, and what to do.
#[derive(Debug, Error)]
#[error("{0}")]
struct BadConfiguration(String);

impl BadConfiguration {
    /// Of a file with these findings, at least one of which is an error.
    fn of(findings: &Findings) -> Self {
        let is_error = |it: &&Finding| it.severity == Severity::Error;
        let mut errors = findings.as_slice().iter().filter(is_error);
        let Some(first) = errors.next() else {
            return Self("the configuration cannot be used; see: esxftpd check".to_owned());
        };
        let path = first.file.display();
        Self(match errors.count() {
            0 => format!("{first}; check it with: esxftpd check --config {path}"),
            more => format!("{first}; and {more} more, see: esxftpd check --config {path}"),
        })
    }
}

fn run_logged(options: &Options, log: &Log, last_words: Option<&LastWords>) -> Result<()> {
    if !sys::memory::keep_reserve() {
        warn!("the host gives too little memory to keep a reserve");
    }

    // tokio panics where it gets none.
    let allowed = sys::raise_descriptor_limit();
    if allowed < BASE_DESCRIPTORS {
        bail!(
            "the process may have {allowed} open files and needs {BASE_DESCRIPTORS}; raise the limit \
             on open files (ulimit -n), and start it again"
        );
    }
    // Before anything that would wait for it without end: TLS, passwords, ports.
    sys::entropy::wait().map_err(|errno| {
        anyhow!("the kernel has no randomness for TLS and passwords ({errno}); try again later, and see: esxftpd probe")
    })?;
    // mio asks for it wherever it waits for bytes, and tokio panics if it is refused.
    sys::probe::poll_rdhup().map_err(|errno| {
        anyhow!(
            "poll(2) of this kernel does not take POLLRDHUP ({errno}), without which no session \
             works; report it with the output of: esxftpd probe"
        )
    })?;
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot wait for clients and signals; raise the limit on open files, and start it again")?;
    let ended = runtime.block_on(serve(options, log, last_words));
    runtime.shutdown_background();
    ended
}

/// Keeps nothing that belongs to whoever started the daemon: descriptors, a directory that should
/// be unmounted one day, or a mask that would change the modes of uploaded files.
///
/// Must come before anything that opens a file. On kernels without getrandom even a hash map does:
/// std keeps the random device open, and panics when it finds that descriptor closed.
fn detach_from_caller() {
    sys::close_inherited();
    let _changed = env::set_current_dir("/");
    // Whatever makes a file says which mode it gets; accounts have umasks of their own.
    umask(Mode::empty());
}

async fn serve(options: &Options, log: &Log, last_words: Option<&LastWords>) -> Result<()> {
    let config_path = options.config.as_path();
    // Before anything that takes time: a SIGHUP that nobody handles would end the process.
    let mut signals = Signals::new()?;
    let (config, findings) = config::load(config_path);
    let Some(config) = config else {
        log_findings(&findings, Severity::Warning);
        return Err(BadConfiguration::of(&findings).into());
    };
    log_findings(&findings, Severity::Error);
    log.set_level(config.log.level);
    log.set_transfers(config.log.transfers.as_deref());
    if config.server.engine == Engine::Libunftp && !at_calls_work() {
        let text = "server.engine: the engine libunftp needs openat(2) with O_PATH and its like, \
                    which this kernel lacks; set server.engine to \"native\"";
        return Err(BadConfiguration(text.to_owned()).into());
    }
    let places = make_room_for(&config);
    let root = RootKind::chosen(config.storage.root);
    info!(kernel = probe::kernel(), %root, "on this host");

    let listeners = Listeners::bind(&config.listen)?;
    let addresses = listeners.to_string();
    let users = config.users.len();
    let socket = config
        .control_socket
        .clone()
        .or_else(|| options.pid_file.as_deref().map(admin::beside));
    let server = Server::new(config, places);
    let socket = socket.and_then(admin::Listener::bind);
    let _pid_file = options.pid_file.clone().map(PidFile::create);
    info!(
        version = env!("CARGO_PKG_VERSION"),
        users, addresses, "started"
    );
    if let Some(last_words) = last_words {
        last_words.forget();
    }
    announce(&addresses);

    let mut accepting = Box::pin(server.clone().run(listeners));
    let mut reloading = Reloading::new(config_path);
    let mut administration = Box::pin(async {
        match &socket {
            Some(socket) => socket.run(&server).await,
            None => pending().await,
        }
    });
    let mut tell = interval(LEFT_OUT);
    let ended = loop {
        tokio::select! {
            _ = tell.tick() => log.tell_left_out(false),
            () = &mut accepting => break Err(anyhow!(
                "listen.addresses: no listening socket is left; start the daemon again"
            )),
            never = &mut administration => match never {},
            request = signals.next() => match request {
                Request::Stop => break Ok(()),
                Request::Reload => reloading.begin(),
            },
            read = reloading.done() => reload(&server, read, log),
        }
    };

    info!("stopping");
    // With it, the listening sockets are closed.
    drop(accepting);
    tokio::select! {
        () = server.stop() => {}
        never = &mut administration => match never {},
    }
    log.tell_left_out(true);
    log.end_transfers();
    info!("stopped");
    ended
}

/// Asks the kernel for as many descriptors as the sessions may need, and returns for how many
/// sessions, each with a transfer, there are enough.
fn make_room_for(config: &Config) -> u16 {
    let per_session = match config.server.engine {
        Engine::Native => SESSION_DESCRIPTORS,
        Engine::Libunftp => LIBUNFTP_DESCRIPTORS,
    };
    let allowed = sys::raise_descriptor_limit();
    let places = allowed.saturating_sub(BASE_DESCRIPTORS) / per_session;
    let places = u16::try_from(places).unwrap_or(u16::MAX).max(1);
    if places < config.limits.sessions {
        warn!(
            allowed,
            places,
            "the process may open too few files for limits.sessions; clients beyond this number of \
             places will be refused"
        );
    }
    places
}

/// How often the log tells how many lines it has left out.
const LEFT_OUT: Duration = Duration::from_secs(20);

/// Descriptors that the daemon has open without a session, with some to spare.
const BASE_DESCRIPTORS: u64 = 32;

/// Descriptors that a session has open while it transfers a file, with one to spare.
const SESSION_DESCRIPTORS: u64 = 8;

/// The same with the engine libunftp: its runtime, the root, and a listener more.
const LIBUNFTP_DESCRIPTORS: u64 = 16;

/// Tells whoever waits for it on stdout that the daemon is ready, and at which addresses.
fn announce(addresses: &str) {
    let mut stdout = io::stdout();
    // Nobody has to listen: under the init script stdout is /dev/null.
    let _written = writeln!(stdout, "esxftpd ready: {addresses}").and_then(|()| stdout.flush());
}

/// Uses the configuration that was read again. A bad one changes nothing.
fn reload(server: &Server, read: reload::Read, log: &Log) {
    let (config, findings) = match read {
        Ok(loaded) => loaded,
        Err(error) => return error!("configuration not reloaded; the old one stays: {error}"),
    };
    log_findings(&findings, Severity::Error);
    let Some(config) = config else {
        return error!("configuration not reloaded; the old one stays");
    };
    if config == Config::default() && server.has_accounts() {
        return error!(
            "configuration not reloaded; the old one stays: the file is empty, and there are users"
        );
    }
    let (level, transfers) = (config.log.level, config.log.transfers.clone());
    server.reconfigure(config);
    info!("configuration reloaded; it holds for new sessions");
    log.set_transfers(transfers.as_deref());
    log.set_level(level);
}

/// Logs what was found. Errors that are told in another way are left out with `worst`.
fn log_findings(findings: &Findings, worst: Severity) {
    for finding in findings.as_slice() {
        match finding.severity {
            Severity::Error if worst == Severity::Error => error!("{finding}"),
            Severity::Error => {}
            Severity::Warning => warn!("{finding}"),
        }
    }
}

/// What a signal asks for.
enum Request {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let handle = |kind| {
            signal(kind)
                .context("cannot handle signals; raise the limit on open files, and start it again")
        };
        Ok(Self {
            terminate: handle(SignalKind::terminate())?,
            interrupt: handle(SignalKind::interrupt())?,
            hang_up: handle(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hang_up.recv() => Request::Reload,
        }
    }
}
