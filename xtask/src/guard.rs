//! Ends what this program has started, should it end without doing so itself: killed, or
//! interrupted at the terminal.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};

use crate::process;

/// A line is a farewell. The end of the pipe without one means that whoever held it is gone.
///
/// A supervisor on a host may start a daemon between the look and the kill, hence several rounds.
const SCRIPT: &str = r#"
read -r _ && exit
case $1 in
/*)
    for _ in 1 2 3 4 5; do
        for process in /proc/[0-9]*; do
            [ "$(readlink "$process/root")" = "$1" ] && kill -KILL "${process#/proc/}"
        done
    done
    ;;
*) kill -KILL "$1" ;;
esac
"#;

/// Watches while it lives. It has to be dropped after its charges have ended.
pub(crate) struct Guard {
    /// A process that reads from a pipe whose other end is here, and nowhere else.
    watcher: Child,
}

impl Guard {
    /// Watches over one process.
    ///
    /// # Errors
    /// If the watcher cannot be started.
    pub(crate) fn of_process(pid: u32) -> Result<Self> {
        Self::start(&pid.to_string())
    }

    /// Watches over a process group.
    ///
    /// # Errors
    /// If the watcher cannot be started.
    pub(crate) fn of_group(leader: u32) -> Result<Self> {
        Self::start(&format!("-{leader}"))
    }

    /// Watches over every process with this root directory, a real path.
    ///
    /// # Errors
    /// If the watcher cannot be started.
    pub(crate) fn of_root(root: &Path) -> Result<Self> {
        Self::start(root.to_str().context("the root is not UTF-8")?)
    }

    fn start(charges: &str) -> Result<Self> {
        let watcher = process::command("sh")
            .args(["-c", SCRIPT, "guard", charges])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends us at a terminal must not end it.
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        Ok(Self { watcher })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Should it be gone, nothing is left to be told.
        let farewell = self.watcher.stdin.take();
        drop(farewell.map(|mut pipe| pipe.write_all(b"\n")));
        drop(self.watcher.wait());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    const KILLED: i32 = 9;

    /// A shell that leads a group, with a child in it; each ends by itself after a while.
    fn group() -> Child {
        let mut command = process::command("sh");
        command
            .args(["-c", "sleep 60 & wait"])
            .stdin(Stdio::null())
            .process_group(0);
        command.spawn().unwrap()
    }

    /// What the kernel does to the pipe of a process that is killed.
    fn lose(mut guard: Guard) {
        drop(guard.watcher.stdin.take());
        guard.watcher.wait().unwrap();
    }

    #[test]
    fn what_was_started_ends_with_its_starter() {
        let mut child = group();
        lose(Guard::of_group(child.id()).unwrap());
        assert_eq!(child.wait().unwrap().signal(), Some(KILLED));

        let mut child = process::command("sleep").arg("60").spawn().unwrap();
        lose(Guard::of_process(child.id()).unwrap());
        assert_eq!(child.wait().unwrap().signal(), Some(KILLED));
    }

    #[test]
    fn what_has_another_root_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut child = process::command("sleep").arg("60").spawn().unwrap();
        lose(Guard::of_root(&root).unwrap());
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_guard_that_is_not_needed_any_more_ends_nothing() {
        let mut child = group();
        drop(Guard::of_group(child.id()).unwrap());
        assert_eq!(child.try_wait().unwrap(), None);
        lose(Guard::of_group(child.id()).unwrap());
        child.wait().unwrap();
    }
}
