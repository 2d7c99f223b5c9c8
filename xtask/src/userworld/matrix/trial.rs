//! One case of the matrix: the daemon on a simulated host, under a supervisor, with clients.

use std::{
    fmt,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, SysconfVar, sysconf},
};

use super::{Case, Engine, Expected, probe};
use crate::{
    clients::{self, Samples, Target},
    e2e::{
        CONFIG, KNOWN_GAPS, SECURITIES, Trial, connect, greeting, step, wait_for_greeting,
        wait_until,
    },
    guard::Guard,
    host::{DAEMON, HostRoot},
    userworld::Report,
};

/// For the daemon to end after it was told to, or to find that it cannot start.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// How long the daemon is watched while nobody asks it for anything.
const IDLE: Duration = Duration::from_secs(2);
/// Sessions that are open meanwhile.
const IDLE_SESSIONS: usize = 3;
/// Percent of a core that an idle daemon stays below.
const IDLE_LIMIT: f64 = 1.0;
/// Looks at an idle daemon, of which the least counts: a tick of the clock is already half of the
/// limit, and a daemon that spins is busy in each.
const LOOKS: usize = 3;
/// A log that a person should read through.
const LOG_LINES: usize = 30;

/// What a case showed.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Percent of a core that the idle daemon used; `None` if it did not serve.
    idle: Option<f64>,
    /// Calls that were answered otherwise than by Linux.
    answered: Report,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.idle {
            Some(idle) => write!(f, "serves; idle CPU {idle:.1} %")?,
            None => write!(f, "does not serve, and says why")?,
        }
        let calls: Vec<_> = self.answered.findings().map(|f| f.call.as_str()).collect();
        write!(f, "; refused: {}", calls.join(", "))
    }
}

/// Runs a case; `prepare` may change the host before the daemon starts.
///
/// # Errors
/// Names the step that failed, the calls that were refused until then, and the end of the log.
pub(super) fn run(
    case: &Case,
    vib: &Path,
    samples: &Samples,
    prepare: impl FnOnce(&HostRoot) -> Result<()>,
) -> Result<Measured> {
    let dir = tempfile::tempdir()?;
    let trial = Trial::unpack(vib, dir.path())?;
    let target = log_in_lightly(&trial, trial.configure()?)?;
    if case.engine == Engine::Libunftp {
        step("choosing the engine", || choose_libunftp(&trial))?;
    }
    // The program that ships, before anything is done to it.
    step("the probe", || probe::compare(case, &trial))?;
    prepare(&trial.host)?;
    let mut daemon = Daemon::start(case, &trial)?;
    let served = match case.expected() {
        Expected::Serves => daemon.serve(case, &trial, &target, samples).map(Some),
        Expected::Refuses => {
            step("refusing to serve", || daemon.refuse(&trial, &target)).map(|()| None)
        }
    };
    // What the supervisor saw is told when everything has ended.
    let ended = daemon.end();
    let answered = daemon.report().unwrap_or_default();
    let evidence = || {
        format!(
            "answered otherwise than by Linux:\n{answered}log of the daemon:\n{}",
            daemon.log_tail()
        )
    };
    let told = |error: anyhow::Error| {
        // The step stays the head of the error.
        let step = error.to_string();
        let causes: Vec<_> = error.chain().skip(1).map(ToString::to_string).collect();
        anyhow!("{}\n{}", causes.join(": "), evidence()).context(step)
    };
    let idle = served.map_err(told)?;
    step("the end of the daemon", || ended).map_err(told)?;
    let faults = answered.faults();
    if !faults.is_empty() {
        return Err(anyhow!(faults.join("\n")).context("system calls"));
    }
    Ok(Measured { idle, answered })
}

fn choose_libunftp(trial: &Trial) -> Result<()> {
    let path = trial.host.path(CONFIG);
    let config = fs::read_to_string(&path)?;
    let chosen = config.replace("engine = \"native\"", "engine = \"libunftp\"");
    ensure!(chosen != config, "{CONFIG} does not choose the native one");
    Ok(fs::write(&path, chosen)?)
}

/// Gives the account a password that is quick to check: the clients log in a hundred times, and the
/// matrix has many cases.
fn log_in_lightly(trial: &Trial, target: Target) -> Result<Target> {
    const PASSWORD: &str = "correct horse";
    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA\
                        $fGboIvzlkt1eU7JnWpaFoCiFdQqj41xKJW/x6HC4Hu4";
    const KEY: &str = "password-hash = \"";
    let path = trial.host.path(CONFIG);
    let config = fs::read_to_string(&path)?;
    let old = config.lines().find(|line| line.starts_with(KEY));
    let old = old.with_context(|| format!("{CONFIG} has no line {KEY}"))?;
    fs::write(&path, config.replace(old, &format!("{KEY}{HASH}\"")))?;
    Ok(Target {
        password: PASSWORD.to_owned(),
        ..target
    })
}

/// A supervisor with the daemon in it. Both end when it is dropped, or with this program.
struct Daemon {
    supervisor: Child,
    _guard: Guard,
    /// The end of the supervisor, once it has been seen.
    ended: Option<ExitStatus>,
    pid: Option<i32>,
    report: PathBuf,
    log: PathBuf,
}

impl Daemon {
    fn start(case: &Case, trial: &Trial) -> Result<Self> {
        let [report, log] = ["report.json", "daemon.log"].map(|name| trial.work.join(name));
        let mut supervisor = case.supervisor(trial);
        supervisor.arg("--report").arg(&report);
        supervisor.args(["--", DAEMON, "serve", "--log-to-stderr", "--config", CONFIG]);
        let supervisor = supervisor
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("starting the supervisor")?;
        Ok(Self {
            _guard: Guard::of_process(supervisor.id())?,
            supervisor,
            ended: None,
            pid: None,
            report,
            log,
        })
    }

    /// The whole life of a daemon that serves; returns how busy it was while idle.
    fn serve(
        &mut self,
        case: &Case,
        trial: &Trial,
        target: &Target,
        samples: &Samples,
    ) -> Result<f64> {
        step("waiting for the greeting", || {
            wait_until("the daemon listens", || {
                ensure!(!self.has_ended()?, "the daemon has ended");
                Ok(connect(target).is_ok())
            })?;
            wait_for_greeting(target)
        })?;
        let pid = step("the process of the daemon", || self.identify(trial))?;
        step("the first session", || first_session(target))?;
        let at_start = step("counts at the start", || Held::settled(pid))?;
        step("client suite", || match case.engine {
            Engine::Native => SECURITIES.iter().try_for_each(|security| {
                let report = clients::run_with(&target.with(*security), samples, &trial.work)?;
                report
                    .check_complete(KNOWN_GAPS)
                    .with_context(|| format!("{security:?}"))
            }),
            // Without TLS: with it, the library loses handshakes.
            Engine::Libunftp => {
                let report = clients::run_with(target, samples, &trial.work)?;
                report.check_but(clients::libunftp::KNOWN)
            }
        })?;
        let idle = step("idle sessions", || idle(target, pid))?;
        step("descriptors and threads after the clients", || {
            wait_until("the counts of the start are back", || {
                Ok(Held::now(pid)?.is_within(&at_start))
            })
            .with_context(|| format!("at the start {at_start:?}, now {:?}", Held::now(pid)))
        })?;
        Ok(idle)
    }

    /// Waits until a daemon that cannot serve ends or turns a client away, and looks whether it says
    /// why.
    fn refuse(&mut self, trial: &Trial, target: &Target) -> Result<()> {
        let mut turned_away = false;
        wait_until("the daemon ends, or turns a client away", || {
            turned_away = greeting(target).is_ok_and(|line| line.starts_with("421"));
            Ok(turned_away || self.has_ended()?)
        })?;
        if turned_away {
            let pid = self.identify(trial)?;
            idle_use(pid)?;
        } else {
            let status = self.wait()?;
            ensure!(!status.success(), "it ended with {status}");
        }
        let log = self.log_tail();
        ensure!(!log.contains("panicked"), "it panics");
        let is_told = |line: &str| line.to_lowercase().contains("error");
        ensure!(log.lines().any(is_told), "it does not say why");
        Ok(())
    }

    fn identify(&mut self, trial: &Trial) -> Result<i32> {
        match *trial.host.processes()? {
            [pid] => {
                self.pid = Some(pid);
                Ok(pid)
            }
            ref pids => bail!("expected one process on the host, found {pids:?}"),
        }
    }

    /// Tells the daemon to stop, if it runs, and waits.
    fn end(&mut self) -> Result<()> {
        let Some(pid) = self.pid else {
            if !self.has_ended()? {
                self.supervisor.kill()?;
                self.ended = Some(self.supervisor.wait()?);
            }
            return Ok(());
        };
        if !self.has_ended()? {
            kill(Pid::from_raw(pid), Signal::SIGTERM).context("telling the daemon to stop")?;
        }
        let status = self.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended()? {
            if Instant::now() > deadline {
                self.supervisor.kill()?;
                self.ended = Some(self.supervisor.wait()?);
                bail!("it did not end within {PATIENCE:?}");
            }
            thread::sleep(POLL);
        }
        self.ended.context("no exit status")
    }

    fn has_ended(&mut self) -> Result<bool> {
        if self.ended.is_none() {
            self.ended = self.supervisor.try_wait()?;
        }
        Ok(self.ended.is_some())
    }

    fn report(&self) -> Result<Report> {
        Ok(Report::from_json(&fs::read_to_string(&self.report)?)?)
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It takes everything with it that it watches.
        if self.ended.is_none() {
            self.supervisor.kill().ok();
            self.supervisor.wait().ok();
        }
    }
}

/// What the daemon holds of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    threads: usize,
}

impl Held {
    fn now(pid: i32) -> Result<Self> {
        let count = |what: &str| {
            Ok::<_, std::io::Error>(fs::read_dir(format!("/proc/{pid}/{what}"))?.count())
        };
        Ok(Self {
            descriptors: count("fd")?,
            threads: count("task")?,
        })
    }

    /// Waits until a session that has just ended has given everything back.
    fn settled(pid: i32) -> Result<Self> {
        let mut held = Self::now(pid)?;
        wait_until("one thread is left", || {
            held = Self::now(pid)?;
            Ok(held.threads == 1)
        })?;
        Ok(held)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.descriptors <= other.descriptors && self.threads <= other.threads
    }
}

/// Percent of a core that the daemon uses while some clients have logged in and are silent.
fn idle(target: &Target, pid: i32) -> Result<f64> {
    let sessions = (0..IDLE_SESSIONS).map(|_| log_in(target));
    let sessions: Vec<_> = sessions.collect::<Result<_>>()?;
    let percent = idle_use(pid)?;
    drop(sessions);
    Ok(percent)
}

/// Percent of a core that a daemon uses of which nobody wants anything.
fn idle_use(pid: i32) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..LOOKS {
        least = least.min(use_of_a_core(pid)?);
        if least < IDLE_LIMIT {
            return Ok(least);
        }
    }
    bail!("the idle daemon uses {least:.1} % of a core, {IDLE_LIMIT} % are allowed: it spins")
}

/// Percent of a core that the daemon uses.
fn use_of_a_core(pid: i32) -> Result<f64> {
    let before = cpu_seconds(pid)?;
    let started = Instant::now();
    thread::sleep(IDLE);
    Ok(100.0 * (cpu_seconds(pid)? - before) / started.elapsed().as_secs_f64())
}

/// Processor time that a process has used, with the kernel's part.
fn cpu_seconds(pid: i32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    // The third field of the line is the first here.
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks
        .map(|field| field.parse::<u32>().unwrap_or_default())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock ticks")?;
    Ok(f64::from(ticks) / f64::from(u32::try_from(per_second)?))
}

/// A session that opens what stays open for good. Some of it is the engine's, which starts with the
/// first data connection: without getrandom, each crate keeps a random device open.
fn first_session(target: &Target) -> Result<()> {
    let mut stream = log_in(target)?;
    stream.write_all(b"EPSV\r\n")?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    ensure!(reply.starts_with("229"), "expected 229: {reply:?}");
    Ok(())
}

/// A session that has logged in and does nothing.
fn log_in(target: &Target) -> Result<TcpStream> {
    let stream = connect(target)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let mut expect = |code: &str| -> Result<()> {
        let mut line = String::new();
        replies.read_line(&mut line)?;
        ensure!(line.starts_with(code), "expected {code}: {line:?}");
        Ok(())
    };
    expect("220")?;
    for (command, code) in [
        (format!("USER {}\r\n", target.user), "331"),
        (format!("PASS {}\r\n", target.password), "230"),
    ] {
        (&stream).write_all(command.as_bytes())?;
        expect(code)?;
    }
    Ok(stream)
}
