//! A simulated host: a directory that holds the package's files and a static busybox and nothing
//! else, entered with chroot. No libc, no `/proc`, no `/sys`, as near to an ESXi shell as a Linux
//! kernel allows.
//!
//! It needs root (chroot, mknod). What it cannot show: the VMkernel's system calls, its firewall,
//! its file systems.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, Uid};
use walkdir::WalkDir;

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

const PASSWD: &str = "\
root:x:0:0:Administrator:/:/bin/sh
daemon:x:2:2:System daemons:/:/sbin/nologin
dcui:x:100:100:DCUI User:/:/sbin/nologin
vpxuser:x:500:100:VMware VirtualCenter administration account:/:/sbin/nologin
";

/// Time for a program outside the chroot (ar, tar, mknod) to do its work.
const HELPER_LIMIT: Duration = Duration::from_mins(1);
/// Above the 30 s after which hostd kills an init script, so that breaking that rule is seen as
/// such.
const RUN_LIMIT: Duration = Duration::from_secs(40);

/// A host root. Dropping it ends every process that still runs inside; the directory is the
/// caller's.
pub(crate) struct HostRoot {
    root: PathBuf,
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
        let host = Self { root };
        host.furnish()
            .with_context(|| format!("furnishing the host root {}", host.root.display()))?;
        host.check_bare()?;
        Ok(host)
    }

    /// A host with the payload of `vib`, in the empty directory `dir`. The system's `ar` and `tar`
    /// do the unpacking.
    ///
    /// # Errors
    /// Also if the package cannot be split or holds anything but one payload.
    pub(crate) fn from_vib(vib: &Path, dir: &Path) -> Result<Self> {
        let vib = vib
            .canonicalize()
            .with_context(|| format!("{}; `cargo xtask dist` writes it", vib.display()))?;
        let members = tempfile::tempdir()?;
        helper("ar", &["x", utf8(&vib)?], members.path())?;
        let payload = payload(members.path()).with_context(|| format!("{}", vib.display()))?;
        helper(
            "tar",
            &["-xpzf", utf8(&payload)?, "-C", utf8(dir)?],
            members.path(),
        )?;
        Self::empty(dir)
    }

    /// Where the host's file `inside` (absolute) is on this machine.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
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
        let mut command = process::command("env");
        // A shell cannot trap a signal that was ignored when it started, as it is below nohup.
        command
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
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("/proc of this machine")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            found.extend(pid.filter(|&pid| is_inside(pid, &self.root)));
        }
        Ok(found)
    }

    /// Waits in the background for the end of every process of the host, as init does.
    fn adopt_orphans(&self) -> Result<()> {
        for pid in self.processes()? {
            thread::spawn(move || reap(Pid::from_raw(pid)));
        }
        Ok(())
    }

    fn furnish(&self) -> Result<()> {
        for dir in ["bin", "sbin", "dev", "tmp", "var/run", "etc"] {
            fs::create_dir_all(self.path(dir)).with_context(|| format!("/{dir}"))?;
        }
        fs::set_permissions(self.path("tmp"), fs::Permissions::from_mode(0o1777))?;
        fs::write(self.path("etc/passwd"), PASSWD).context("/etc/passwd")?;
        fs::create_dir_all(self.datastore())?;
        symlink(
            DATASTORE_UUID,
            self.path("vmfs/volumes").join(DATASTORE_LABEL),
        )?;
        for (device, minor) in [
            ("null", "3"),
            ("zero", "5"),
            ("random", "8"),
            ("urandom", "9"),
        ] {
            helper(
                "mknod",
                &["-m", "666", device, "c", "1", minor],
                &self.path("dev"),
            )?;
        }
        OpenOptions::new().write(true).open(self.path("dev/null")).with_context(|| {
            format!(
                "devices do not work below {}, perhaps it is mounted `nodev`; set TMPDIR to another place",
                self.root.display()
            )
        })?;
        self.install_busybox()
    }

    fn install_busybox(&self) -> Result<()> {
        let busybox = process::find("busybox")
            .context("busybox is missing; Debian's package is busybox-static")?;
        fs::copy(&busybox, self.path("bin/busybox"))?;
        let applets = helper("busybox", &["--list"], &self.root)?.stdout;
        for applet in applets.lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", self.path("bin").join(applet))
                .with_context(|| format!("/bin/{applet}"))?;
        }
        Ok(())
    }

    /// The point of the whole exercise: nothing inside that could stand in for what the host lacks.
    fn check_bare(&self) -> Result<()> {
        for absent in ["proc", "sys", "lib64", "usr/bin", "usr/sbin"] {
            ensure!(
                !self.path(absent).exists(),
                "the host root must not hold /{absent}"
            );
        }
        for entry in WalkDir::new(&self.root) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            let library =
                name.starts_with("libc.") || name.starts_with("ld-") || name.contains(".so.");
            ensure!(
                !library,
                "the host root must not hold a shared library: {}",
                entry.path().display()
            );
        }
        let headers = helper("readelf", &["-lW", "bin/busybox"], &self.root)?.stdout;
        if headers.contains("INTERP") {
            bail!("this machine's busybox is not static; install Debian's package busybox-static");
        }
        Ok(())
    }
}

impl Drop for HostRoot {
    fn drop(&mut self) {
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

/// The only member of an unpacked VIB that is neither descriptor nor signature.
fn payload(members: &Path) -> Result<PathBuf> {
    let mut payloads = Vec::new();
    for entry in fs::read_dir(members)? {
        let entry = entry?;
        if entry.file_name() != "descriptor.xml" && entry.file_name() != "sig.pkcs7" {
            payloads.push(entry.path());
        }
    }
    match payloads.as_slice() {
        [payload] => Ok(payload.clone()),
        _ => bail!("expected one payload, found {}", payloads.len()),
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
