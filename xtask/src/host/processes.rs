//! The host's process table, for the stand-ins of its tools: the host has no `/proc`.
//!
//! A script asks by a file and gets its answer as another file, see `processes.sh`.

use std::{
    fs,
    io::ErrorKind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{DAEMON, is_inside, processes_inside};

/// The directory of questions and answers, relative to the host's root.
const DIRECTORY: &str = "dev/processes";
/// How a question ends; what is before it is the name of the answer.
const QUESTION: &str = ".question";
/// Between two looks for questions.
const POLL: Duration = Duration::from_millis(10);
/// What runs scripts on a host.
const SHELLS: &[&str] = &["sh", "ash", "busybox"];

/// The running service. Dropping it ends it.
pub(super) struct ProcessTable {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ProcessTable {
    /// Starts it for the host in `root`.
    ///
    /// # Errors
    /// If its directory cannot be made.
    pub(super) fn start(root: &Path) -> Result<Self> {
        let directory = root.join(DIRECTORY);
        fs::create_dir_all(&directory).with_context(|| format!("/{DIRECTORY} of the host"))?;
        let end = Arc::new(AtomicBool::new(false));
        let (ending, root) = (end.clone(), root.to_owned());
        let thread = thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                answer(&root, &directory);
                thread::sleep(POLL);
            }
        });
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for ProcessTable {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Answers every question that is there. Whoever asked complains if there is no answer.
fn answer(root: &Path, directory: &Path) {
    for question in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = question.file_name();
        let Some(answer) = name.to_str().and_then(|name| name.strip_suffix(QUESTION)) else {
            continue;
        };
        // The question first: the answer may be taken at once, and the next one asked.
        let removed = fs::remove_file(question.path());
        if removed.is_err_and(|error| error.kind() != ErrorKind::NotFound) {
            continue;
        }
        let unfinished = directory.join(format!("{answer}.unfinished"));
        if fs::write(&unfinished, table(root)).is_ok() {
            fs::rename(unfinished, directory.join(answer)).ok();
        }
    }
}

/// One process a line: pid, program, script or `-`, all words of the command. Zombies are not in it.
fn table(root: &Path) -> String {
    let describe_one = |pid: i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        // It may have ended since, and another process may have its number.
        is_inside(pid, root).then(|| format!("{pid} {}\n", describe(&command)))
    };
    let pids = processes_inside(root).unwrap_or_default();
    pids.into_iter().filter_map(describe_one).collect()
}

/// The words of a command, after the program and the script that a shell runs.
fn describe(command: &[u8]) -> String {
    let text = String::from_utf8_lossy(command);
    let words: Vec<_> = text.split('\0').filter(|word| !word.is_empty()).collect();
    let is_shell = |word: &&&str| {
        let name = Path::new(word).file_name();
        SHELLS.iter().any(|shell| name == Some(shell.as_ref()))
    };
    let shells = words.iter().take_while(is_shell).count();
    let script = words.get(shells).filter(|_| shells > 0);
    let (program, script) = match (words.first(), script) {
        // The daemon's stand-in is a script, and the host must not notice.
        (_, Some(&DAEMON)) => (DAEMON, "-"),
        (Some(program), Some(script)) if !script.starts_with('-') => (*program, *script),
        (program, _) => (program.copied().unwrap_or("-"), "-"),
    };
    let one_line = words.join(" ").replace('\n', " ");
    format!("{program} {script} {one_line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_scripts_are_told_apart() {
        for (command, described) in [
            ("sleep\x0060\0", "sleep - sleep 60"),
            (
                "/bin/sh\0/etc/init.d/a\0stop\0",
                "/bin/sh /etc/init.d/a /bin/sh /etc/init.d/a stop",
            ),
            (
                "/bin/busybox\0ash\0/etc/init.d/a\0",
                "/bin/busybox /etc/init.d/a /bin/busybox ash /etc/init.d/a",
            ),
            ("/bin/sh\0-c\0a\nb\0", "/bin/sh - /bin/sh -c a b"),
            (
                "/bin/sh\0/opt/esxftpd/bin/esxftpd\0serve\0",
                "/opt/esxftpd/bin/esxftpd - /bin/sh /opt/esxftpd/bin/esxftpd serve",
            ),
            ("", "- - "),
        ] {
            assert_eq!(describe(command.as_bytes()), described);
        }
    }
}
