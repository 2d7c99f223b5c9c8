//! A simulated host: a directory that holds a static busybox, the files and devices of a host and
//! perhaps a package, entered with chroot. No libc, no `/proc`, no `/sys`, as near to an ESXi shell
//! as a Linux kernel allows.
//!
//! It needs root (chroot, mknod). What it cannot show: the VMkernel's system calls, its firewall,
//! its file systems.

mod furnish;
mod package;
mod processes;
mod session;
mod syslog;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, Uid};

use self::processes::ProcessTable;
use self::syslog::Syslog;
pub(crate) use self::{
    package::{Edits, Package},
    session::run as session,
    syslog::LOG,
};
use crate::guard::Guard;
use crate::process::{self, Finished};

/// Where the package puts its init script.
pub(crate) const SCRIPT: &str = "/etc/init.d/esxftpd";
/// Where the package puts the daemon.
pub(crate) const DAEMON: &str = "/opt/esxftpd/bin/esxftpd";
/// Where the daemon leaves its process id.
pub(crate) const PID_FILE: &str = "/var/run/esxftpd.pid";

/// The directory name of the datastore, in the form that VMFS gives it.
const DATASTORE_UUID: &str = "66b0c2a4-1d5e7f90-3c21-0050569a1b2c";
/// The datastore's label: a relative symlink beside the directory, as on a host.
const DATASTORE_LABEL: &str = "datastore1";

/// Where a host has its supervisor of services.
pub(crate) const WATCHDOG: &str = "/sbin/watchdog.sh";
/// The stand-in for it.
pub(crate) const WATCHDOG_SCRIPT: &str = include_str!("watchdog.sh");
/// Where a host has its tool that finds processes by name.
pub(crate) const PIDOF: &str = "/bin/pidof";
/// The stand-in for it.
pub(crate) const PIDOF_SCRIPT: &str = include_str!("pidof.sh");
/// Where a host has its script that saves edited files.
pub(crate) const AUTO_BACKUP: &str = "/sbin/auto-backup.sh";
/// The directory in which it saves them, as files below `state`.
pub(crate) const BOOT_BANK: &str = "bootbank";
const AUTO_BACKUP_SCRIPT: &str = include_str!("auto-backup.sh");
/// What the stand-ins ask for the host's processes.
const PROCESSES: &str = "/sbin/processes.sh";
const PROCESSES_SCRIPT: &str = include_str!("processes.sh");
/// What the stand-ins for the host's commands were called with, one call a line.
pub(crate) const CALLS: &str = "/var/log/calls";
const COMMAND_SCRIPT: &str = include_str!("command.sh");
const COMMANDS: &[&str] = &["/bin/esxcli", "/bin/localcli", "/bin/vim-cmd"];

/// Time for a program outside the chroot (ar, tar, mknod) to do its work.
const HELPER_LIMIT: Duration = Duration::from_mins(1);
/// Above the 30 s after which hostd kills an init script, so that breaking that rule is seen as
/// such.
const RUN_LIMIT: Duration = Duration::from_secs(40);

/// A host root. Dropping it ends every process that still runs inside, and so does the end of this
/// program; the directory is the caller's.
pub(crate) struct HostRoot {
    root: PathBuf,
    syslog: Option<Syslog>,
    processes: Option<ProcessTable>,
    _guard: Guard,
}

impl HostRoot {
    /// A host without our package, in the empty directory `dir`.
    ///
    /// # Errors
    /// If this process is not root, or a tool is missing.
    pub(crate) fn empty(dir: &Path) -> Result<Self> {
        ensure!(
            Uid::effective().is_root(),
            "the simulated host needs chroot and mknod: run this as root"
        );
        // The init of this machine may leave orphans unreaped for ever, and then no daemon would
        // ever be "gone".
        set_child_subreaper(true).context("becoming the parent of orphaned processes")?;
        // The kernel shows a process's root as a real path.
        let root = dir
            .canonicalize()
            .with_context(|| format!("{}", dir.display()))?;
        let guard = Guard::of_root(&root)?;
        let mut host = Self {
            root,
            syslog: None,
            processes: None,
            _guard: guard,
        };
        host.furnish()?;
        Ok(host)
    }

    /// What is there before any package, the log service and the process table included.
    fn furnish(&mut self) -> Result<()> {
        furnish::furnish(&self.root)
            .with_context(|| format!("furnishing the host root {}", self.root.display()))?;
        furnish::check_bare(&self.root)?;
        self.syslog = Some(Syslog::start(&self.root)?);
        self.install(PROCESSES, PROCESSES_SCRIPT)?;
        self.processes = Some(ProcessTable::start(&self.root)?);
        Ok(())
    }

    /// Adds stand-ins for what a host has beyond busybox: `watchdog.sh`, `pidof`, `auto-backup.sh`,
    /// `esxcli`, `localcli` and `vim-cmd`.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn add_commands(&self) -> Result<()> {
        self.install(WATCHDOG, WATCHDOG_SCRIPT)?;
        self.install(PIDOF, PIDOF_SCRIPT)?;
        self.install(AUTO_BACKUP, AUTO_BACKUP_SCRIPT)?;
        let mut commands = COMMANDS.iter();
        commands.try_for_each(|command| self.install(command, COMMAND_SCRIPT))
    }

    /// Loses what a host loses when it is switched off: all processes, and every file but those on
    /// datastores and in the boot bank. Then it is a host without packages again.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn reset(&mut self) -> Result<()> {
        self.end_processes();
        self.syslog = None;
        self.processes = None;
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name() == "vmfs" || entry.file_name() == BOOT_BANK {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        self.furnish()
    }

    /// Where the host's file `inside` (absolute) is on this machine.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    /// Where the host's file `relative` (to its root) is on this machine.
    fn below(&self, relative: &Path) -> PathBuf {
        self.root.join(relative)
    }

    /// Puts a script into the host, in place of whatever has its name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn install(&self, inside: &str, script: &str) -> Result<()> {
        let path = self.path(inside);
        // Never through a link: most of /bin are links to busybox.
        if path.is_symlink() {
            fs::remove_file(&path)?;
        }
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(&path, script).with_context(|| inside.to_owned())?;
        Ok(fs::set_permissions(
            &path,
            fs::Permissions::from_mode(0o755),
        )?)
    }

    /// The datastore's directory on this machine.
    pub(crate) fn datastore(&self) -> PathBuf {
        self.path("vmfs/volumes").join(DATASTORE_UUID)
    }

    /// The link that names the datastore, on this machine.
    pub(crate) fn datastore_label(&self) -> PathBuf {
        self.path("vmfs/volumes").join(DATASTORE_LABEL)
    }

    /// Runs a program of the host the way its installer does: output through pipes, no input, a
    /// clean environment.
    ///
    /// # Errors
    /// If it exceeds the time limit or leaves a process behind that holds the pipes.
    pub(crate) fn run(&self, argv: &[&str]) -> Result<Finished> {
        self.run_with_input(argv, b"")
    }

    /// The same with `input` (at most a few KiB) on the standard input.
    ///
    /// # Errors
    /// As for [`HostRoot::run`].
    pub(crate) fn run_with_input(&self, argv: &[&str], input: &[u8]) -> Result<Finished> {
        self.run_through(&["env"], argv, input)
    }

    /// Like [`HostRoot::run`], but what is started has no network but its own.
    ///
    /// # Errors
    /// As for [`HostRoot::run`].
    pub(crate) fn run_alone(&self, argv: &[&str]) -> Result<Finished> {
        self.run_through(&["unshare", "--net", "env"], argv, b"")
    }

    /// `outside` are words of this machine that end with `env`.
    fn run_through(&self, outside: &[&str], argv: &[&str], input: &[u8]) -> Result<Finished> {
        let (program, words) = outside.split_first().context("no program")?;
        let mut command = process::command(program);
        // A shell cannot trap a signal that was ignored when it started, as it is below nohup.
        command
            .args(words)
            .args(["--default-signal=HUP", "chroot"])
            .arg(&self.root)
            .args(argv);
        // The host has only the first two; the others are for env and chroot on this machine.
        command
            .env("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")
            .current_dir("/");
        // Processes that the host started since the last call, then those of this call.
        self.adopt_orphans()?;
        let finished = process::run(&mut command, input, RUN_LIMIT)
            .with_context(|| format!("on the simulated host: {}", argv.join(" ")))?;
        self.adopt_orphans()?;
        Ok(finished)
    }

    /// Whether a process with this id runs in the host; a zombie does not.
    pub(crate) fn is_running(&self, pid: i32) -> bool {
        is_inside(pid, &self.root)
    }

    /// The ids of all processes that run in the host.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        processes_inside(&self.root)
    }

    /// Waits in the background for the end of every process of the host, as init does.
    fn adopt_orphans(&self) -> Result<()> {
        for pid in self.processes()? {
            thread::spawn(move || reap(Pid::from_raw(pid)));
        }
        Ok(())
    }

    /// Ends whatever runs in the host.
    fn end_processes(&self) {
        // A watchdog may start a daemon between the look and the kill, hence several rounds.
        for _ in 0..50 {
            let Ok(pids) = self.processes() else { return };
            if pids.is_empty() {
                return;
            }
            for pid in pids {
                // It may have ended by itself meanwhile.
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
                thread::spawn(move || reap(Pid::from_raw(pid)));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for HostRoot {
    fn drop(&mut self) {
        self.end_processes();
    }
}

/// Runs a program of this machine that must succeed.
fn helper(program: &str, args: &[&str], dir: &Path) -> Result<Finished> {
    process::run(
        process::command(program).args(args).current_dir(dir),
        b"",
        HELPER_LIMIT,
    )?
    .success()
    .with_context(|| format!("{program} {}", args.join(" ")))
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The ids of all processes with this root.
fn processes_inside(root: &Path) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("/proc of this machine")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        found.extend(pid.filter(|&pid| is_inside(pid, root)));
    }
    Ok(found)
}

/// The kernel shows no root for a zombie.
fn is_inside(pid: i32, root: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/root")).is_ok_and(|of_process| of_process == root)
}

/// Waits for the end of a process that is, or will become when its parent ends, our child.
fn reap(pid: Pid) {
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => {}
            Err(Errno::ECHILD) if kill(pid, None).is_ok() => {}
            _ => return,
        }
        thread::sleep(Duration::from_millis(5));
    }
}
