//! Runs a program with a time limit and keeps what it printed.
#![expect(
    clippy::disallowed_methods,
    reason = "this module exists to start processes, the rest of the crate goes through it"
)]

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// How long the output pipes may stay open after the program itself has ended.
const PIPES_CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks at a running program.
const POLL: Duration = Duration::from_millis(5);

/// A program that ran to its end, by itself or by a signal.
pub(crate) struct Finished {
    /// Its exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    /// The output of a program that must have succeeded.
    pub(crate) fn success(self) -> Result<Self> {
        ensure!(self.code == Some(0), "{self}");
        Ok(self)
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "exit code {code}")?,
            None => write!(f, "ended by a signal")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.trim().is_empty() {
                write!(f, "\n{name}: {}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// A command that inherits nothing of our environment but the search path.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// This program itself, with the environment that it has.
pub(crate) fn this_program() -> Command {
    Command::new(this_path())
}

/// A path to this program that holds while it runs, for other processes, too. The file itself may be
/// gone: tests build this program anew while it runs them.
pub(crate) fn this_path() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}

/// A command that inherits everything.
pub(crate) fn inherit(program: &OsStr) -> Command {
    Command::new(program)
}

/// The first executable file of that name on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let executable = |file: &PathBuf| {
        let metadata = file.metadata();
        metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(executable)
}

/// Runs `command` with `input` (small, at most a pipe's capacity) on its standard input.
///
/// # Errors
/// If it cannot be started, if it runs longer than `limit` (it is killed then), or if another
/// process still holds its output two seconds after its end: whoever reads such a pipe to the end
/// would wait for that process.
pub(crate) fn run(command: &mut Command, input: &[u8], limit: Duration) -> Result<Finished> {
    let program = command.get_program().display().to_string();
    let started = Instant::now();
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!("{program} cannot be started; `cargo xtask test` installs what is missing")
        })?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    feed(&mut child, input).with_context(|| format!("standard input of {program}"))?;
    let Some(status) = wait(&mut child, limit)? else {
        let (stdout, stderr) = (
            rest(&stdout).unwrap_or_default(),
            rest(&stderr).unwrap_or_default(),
        );
        bail!("{program} did not end within {limit:?}\nstdout: {stdout}\nstderr: {stderr}");
    };
    let took = started.elapsed();
    let held =
        || format!("{program} has ended, but something that it started still holds its output");
    Ok(Finished {
        code: status.code(),
        stdout: rest(&stdout).with_context(held)?,
        stderr: rest(&stderr).with_context(held)?,
        took,
    })
}

/// Runs `command` and shows all that it prints on standard error, as it comes.
///
/// # Errors
/// If it cannot be started, fails, or runs longer than `limit` (it is killed then).
pub(crate) fn follow(command: &mut Command, limit: Duration) -> Result<()> {
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(io::stderr())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    match wait(&mut child, limit)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{program} ended with {status}; the reason stands above"),
        None => bail!("{program} did not end within {limit:?}"),
    }
}

/// Writes `input` and closes the pipe. A program that does not want to read tells its reason by its
/// exit code.
fn feed(child: &mut Child, input: &[u8]) -> io::Result<()> {
    match child.stdin.take().map(|mut stdin| stdin.write_all(input)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// The status of a program that ends in time; `None` for one that had to be killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Reads to the end in a thread of its own, so that neither pipe can fill up and stop the program.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes));
        // Nobody listens any more, or the pipe broke: in both cases the receiver's side reports it.
        drop(read.map(|_| sender.send(bytes)));
    });
    receiver
}

fn rest(pipe: &Receiver<Vec<u8>>) -> Result<String> {
    Ok(String::from_utf8_lossy(&pipe.recv_timeout(PIPES_CLOSE_WITHIN)?).into_owned())
}
