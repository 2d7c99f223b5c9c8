//! A daemon under the supervisor, with the directory that its user sees.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    conformance::{Server, Session, State, Then},
    guard::Guard,
    process,
};

/// For anything that must happen at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

const PASSWORD: &str = "correct horse";
/// Of [`PASSWORD`], with the least work.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA\
                    $fGboIvzlkt1eU7JnWpaFoCiFdQqj41xKJW/x6HC4Hu4";

/// Where a case runs.
pub(super) struct Place<'p> {
    pub(super) daemon: &'p Path,
    pub(super) profile: &'p str,
}

/// A daemon that serves one user. It ends with this value, or with this program.
pub(super) struct Stage {
    _guard: Guard,
    supervisor: Child,
    server: Server,
    process: u32,
    /// What the user sees as `/`.
    pub(super) root: PathBuf,
    faults: PathBuf,
    dir: TempDir,
}

impl Stage {
    /// Starts the daemon with lines for the table `[limits]`.
    pub(super) fn start(place: &Place<'_>, limits: &str) -> Result<Self> {
        Self::start_in(place, limits, tempfile::tempdir()?, "root")
    }

    /// Starts the daemon with files in a directory; `root` is what the user sees, relative to it.
    pub(super) fn start_in(
        place: &Place<'_>,
        limits: &str,
        dir: TempDir,
        root: &str,
    ) -> Result<Self> {
        let [config, pid, log, faults] =
            ["esxftpd.toml", "pid", "log", "faults"].map(|name| dir.path().join(name));
        let root = dir.path().join(root);
        fs::create_dir_all(&root)?;
        let text = format!(
            "[listen]\naddresses = [\"127.0.0.1:0\"]\n[limits]\n{limits}\n[storage]\nreserve = 0\n\
             [[users]]\nname = \"alice\"\npassword-hash = \"{HASH}\"\nroot = \"{}\"\n",
            root.display()
        );
        fs::write(&config, text)?;
        let mut supervisor = process::this_program()
            .args(["userworld", "--profile", place.profile, "--faults"])
            .arg(&faults)
            .arg("--")
            .arg(place.daemon)
            .args(["serve", "--log-to-stderr", "--config"])
            .arg(&config)
            .arg("--pid-file")
            .arg(&pid)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("starting the supervisor")?;
        let mut ready = String::new();
        let stdout = supervisor.stdout.take().context("no stdout")?;
        BufReader::new(stdout.take(1024)).read_line(&mut ready)?;
        let address = ready.trim_end().strip_prefix("esxftpd ready: ");
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            supervisor.kill()?;
            supervisor.wait()?;
            bail!("{ready:?} on stdout; {}", fs::read_to_string(&log)?);
        };
        let stage = Self {
            _guard: Guard::of_process(supervisor.id())?,
            supervisor,
            server: Server {
                address,
                host: "localhost".to_owned(),
                user: "alice".to_owned(),
                password: PASSWORD.to_owned(),
                tls: None,
            },
            process: fs::read_to_string(&pid)?.trim().parse()?,
            root,
            faults,
            dir,
        };
        // Looking at a file is interrupted now and then, and that is no reason to give up.
        let said = stage.log();
        ensure!(!said.contains("Interrupted"), "{said}");
        Ok(stage)
    }

    /// A session of the user.
    pub(super) fn log_in(&self) -> Result<Session> {
        Session::start(&self.server, State::Ready, None, b"/", PATIENCE)
    }

    /// A connection that has been greeted.
    pub(super) fn greeted(&self) -> Result<Session> {
        Session::start(&self.server, State::New, None, b"/", PATIENCE)
    }

    /// From now on, these faults are there and no others.
    pub(super) fn fail(&self, faults: &str) -> Result<()> {
        let new = self.faults.with_extension("new");
        fs::write(&new, faults)?;
        Ok(fs::rename(new, &self.faults)?)
    }

    /// Nothing fails any more.
    pub(super) fn heal(&self) -> Result<()> {
        Ok(fs::remove_file(&self.faults)?)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What the daemon has open.
    pub(super) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process))?.count())
    }

    /// Waits until the daemon has no more open than before.
    pub(super) fn expect_descriptors(&self, before: usize) -> Result<()> {
        let back = wait_until(|| Ok(self.descriptors()? <= before));
        back.with_context(|| {
            let now = self.descriptors();
            format!("{before} descriptors became {now:?}")
        })
    }

    /// What the daemon has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It takes the daemon with it.
        self.supervisor.kill().ok();
        self.supervisor.wait().ok();
    }
}

pub(super) fn wait_until(mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition()? {
        ensure!(Instant::now() < deadline, "waited {PATIENCE:?} in vain");
        thread::sleep(POLL);
    }
    Ok(())
}

/// Bytes that are the same nowhere in a file.
pub(super) fn content(len: usize, seed: u64) -> Vec<u8> {
    let words = (0..=len as u64 / 8).flat_map(|n| {
        let word = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
        word.to_le_bytes()
    });
    words.take(len).collect()
}

/// Stores a file; returns when the server has said that it is whole.
pub(super) fn store(session: &mut Session, command: &str, content: &[u8]) -> Result<()> {
    session.open_simply()?;
    session.command(command.as_bytes(), "150")?;
    session.write(content, Then::End)?;
    session.expect("226")?;
    Ok(())
}

/// What a command sends over the data connection.
pub(super) fn fetch(session: &mut Session, command: &str) -> Result<Vec<u8>> {
    session.open_simply()?;
    session.command(command.as_bytes(), "150")?;
    let content = session.read(None)?;
    session.expect("226")?;
    Ok(content)
}

/// Looks whether the next reply has this code and these words, and is the only one.
pub(super) fn expect_failure(session: &mut Session, code: &str, words: &str) -> Result<()> {
    let reply = session.expect(code)?;
    let text = String::from_utf8_lossy(&reply.text).into_owned();
    ensure!(text.contains(words), "{text:?} does not say: {words}");
    session.check_alive()
}
