//! Passwords typed at a terminal, which shows nothing meanwhile and is as before afterwards, whatever
//! ends the program.

use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    os::fd::AsFd as _,
    process, thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::sleep,
};

use super::MAX_INPUT_BYTES;

/// How often to look for the line. Its thread wakes the runtime, but mio's poll(2) selector loses
/// wake-ups from other threads now and then.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Exit status of a program that a signal ends, less the number of the signal.
const SIGNALLED: i32 = 128;

/// Asks twice for a password, at the terminal that is stdin.
///
/// # Errors
/// If stdin is not a terminal, or ends.
pub(super) fn ask_twice() -> Result<[String; 2]> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let answered = runtime.block_on(answers_or_signal());
    // A thread that still reads is not waited for.
    runtime.shutdown_background();
    match answered? {
        Ok(answers) => Ok(answers),
        Err(signal) => end(signal),
    }
}

#[expect(
    clippy::exit,
    reason = "the thread that reads would keep the signal from ending the program"
)]
fn end(signal: SignalKind) -> ! {
    process::exit(SIGNALLED + signal.as_raw_value())
}

/// The two answers, or the signal that came first. The terminal is restored in any case.
async fn answers_or_signal() -> Result<Result<[String; 2], SignalKind>> {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
    ];
    let handle = |kind| signal(kind).context("cannot handle signals");
    let [interrupt, terminate, hang_up, quit] = kinds.map(handle);
    let (mut interrupt, mut terminate) = (interrupt?, terminate?);
    let (mut hang_up, mut quit) = (hang_up?, quit?);
    let _silenced = Silenced::begin().context("the terminal cannot be changed")?;
    let answers = async { Ok([ask("Password: ").await?, ask("Again: ").await?]) };
    let [by_interrupt, by_terminate, by_hang_up, by_quit] = kinds.map(Err);
    Ok(tokio::select! {
        _ = interrupt.recv() => by_interrupt,
        _ = terminate.recv() => by_terminate,
        _ = hang_up.recv() => by_hang_up,
        _ = quit.recv() => by_quit,
        answers = answers => return answers.map(Ok),
    })
}

/// Asks for one line.
async fn ask(prompt: &str) -> Result<String> {
    // The prompt is a courtesy.
    let _written = io::stderr().write_all(prompt.as_bytes());
    let (sender, mut line) = oneshot::channel();
    thread::Builder::new()
        .spawn(move || {
            let _told = sender.send(read_line());
        })
        .context("there is no thread that reads")?;
    let line = looked_at(&mut line).await?;
    line.context("the terminal cannot be read")
}

async fn looked_at(line: &mut oneshot::Receiver<io::Result<String>>) -> Result<io::Result<String>> {
    loop {
        tokio::select! {
            line = &mut *line => return line.context("the thread that reads has ended"),
            () = sleep(LOOK_INTERVAL) => {}
        }
    }
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    let read = io::stdin()
        .lock()
        .take(MAX_INPUT_BYTES)
        .read_line(&mut line)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silenced(Termios);

impl Silenced {
    fn begin() -> nix::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        // The end of the line is shown.
        silent.local_flags.insert(LocalFlags::ECHONL);
        let silenced = Self(before);
        tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &silent)?;
        Ok(silenced)
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        // Not the lock of stdin: the thread that reads may hold it.
        let _restored = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.0);
    }
}
