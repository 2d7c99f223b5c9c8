//! The life of a package on a host: installation, crash, upgrade, reboots and removal, with the
//! host's watchdog.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use walkdir::WalkDir;

use super::{CONFIG, CONFIG_MODE, Trial, random_password, step, wait_for_greeting, wait_until};
use crate::{
    clients::{self, Samples, Target, expect_same},
    host::{
        AUTO_BACKUP, BOOT_BANK, CALLS, DAEMON, Edits, HostRoot, LOG, PID_FILE, PIDOF, Package,
        SCRIPT,
    },
};

/// Where the package has the script for the installer.
const SHUTDOWN: &str = "/etc/vmware/shutdown/shutdown.d/esxftpd";

/// Lives through it once. Everything that it starts has ended when it returns.
///
/// # Errors
/// Names the chapter and the step that failed.
pub(crate) fn run(vib: &Path) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let trial = Trial::unpack(vib, dir.path())?;
    trial.host.add_commands()?;
    let alice = trial.configure()?;
    let samples = Samples::write_modest(&trial.work.join("samples"))?;
    let mut life = Life {
        trial,
        alice,
        samples,
    };
    step("installation", || life.install())?;
    step("crash", || life.crash())?;
    step("upgrade", || life.upgrade(vib))?;
    let saved = step("saving the configuration", || life.save())?;
    step("reboot after the configuration was saved", || {
        life.reboot(&saved)?;
        life.expect_service()
    })?;
    step("reboot before a change was saved", || life.forget(&saved))?;
    step("reboot without any saved file", || life.forget_all())?;
    step("start before the datastore is there", || {
        life.wait_for_datastore(&saved)
    })?;
    step("restart with descriptors of the caller", || {
        life.restart_with_descriptors()
    })?;
    step("removal", || life.remove())?;
    println!("life of the package passed: {}", vib.display());
    Ok(())
}

struct Life {
    trial: Trial,
    alice: Target,
    samples: Samples,
}

impl Life {
    fn install(&self) -> Result<()> {
        self.trial.start(&["start", "install"])?;
        wait_for_greeting(&self.alice)?;
        let work = self.trial.work.join("uploads");
        clients::leave_samples(&self.alice, &self.samples, &work)?;
        self.expect_service()
    }

    /// The watchdog has to start another daemon.
    fn crash(&self) -> Result<()> {
        let crashed = self.pid()?;
        kill(Pid::from_raw(crashed), Signal::SIGKILL)?;
        wait_until("another daemon runs", || {
            Ok(self.pid().is_ok_and(|pid| pid != crashed))
        })?;
        self.expect_service()?;
        // The crashed one could not remove its control socket.
        let sessions = self.trial.host.run(&[DAEMON, "sessions"])?;
        sessions.success().map(drop)
    }

    /// The host's script has to save what was edited, and that only.
    fn save(&self) -> Result<Edits> {
        let host = &self.trial.host;
        let edits = self.trial.package.edits(host)?;
        host.run(&["/bin/sh", "-c", &format!("{AUTO_BACKUP} >/dev/null 2>&1")])?
            .success()?;
        for (file, content) in &edits {
            let saved = host.path(BOOT_BANK).join("state").join(file);
            ensure!(
                fs::read(&saved).with_context(|| format!("{}", saved.display()))? == *content,
                "{} has another content",
                saved.display()
            );
            let mode = fs::metadata(&saved)?.permissions().mode() & 0o7777;
            ensure!(
                mode == CONFIG_MODE,
                "{} has the mode {mode:o}",
                saved.display()
            );
        }
        Ok(edits)
    }

    /// The shell closes those of one digit; the others are the daemon's business.
    fn restart_with_descriptors(&self) -> Result<()> {
        let host = &self.trial.host;
        let caller = format!("exec 7>/tmp/low 12>/tmp/high; exec {SCRIPT} restart");
        host.run(&["/bin/sh", "-c", &caller])?.success()?;
        let held = host.path("/tmp").canonicalize()?;
        for entry in fs::read_dir(format!("/proc/{}/fd", self.pid()?))? {
            // It may have been closed since.
            let Ok(target) = fs::read_link(entry?.path()) else {
                continue;
            };
            ensure!(
                !target.starts_with(&held),
                "the daemon holds {} of the caller",
                target.display()
            );
        }
        self.expect_service()
    }

    /// The old package's script stops, the new one's starts; in between there is no file of either.
    fn upgrade(&mut self, vib: &Path) -> Result<()> {
        let old = self.pid()?;
        self.stop("upgrade")?;
        self.shutdown_script()?;
        let trial = &mut self.trial;
        let edits = trial.package.edits(&trial.host)?;
        let names: Vec<_> = edits
            .iter()
            .map(|(file, _)| Path::new("/").join(file))
            .collect();
        ensure!(names == [Path::new(CONFIG)], "edited are {names:?}");
        trial.package.check_untouched(&trial.host)?;
        trial.package.remove(&trial.host)?;
        trial.package = Package::install(&trial.host, vib)?;
        trial.package.restore(&trial.host, &edits)?;
        let new = trial.start(&["start", "upgrade"])?;
        ensure!(new != old, "the old daemon is still there");
        let config = fs::metadata(trial.host.path(CONFIG))?;
        let mode = config.permissions().mode() & 0o7777;
        ensure!(mode == CONFIG_MODE, "{CONFIG} has the mode {mode:o}");
        self.expect_service()
    }

    /// An account that was added after the last time that the host saved its files is gone.
    fn forget(&mut self, saved: &Edits) -> Result<()> {
        let bob = Target {
            user: "bob".to_owned(),
            password: random_password()?,
            ..self.alice.clone()
        };
        self.trial.add_user(&bob)?;
        self.trial.script(&["ssl_reset"], 0)?;
        let work = self.trial.work.join("bob");
        wait_until("bob can log in", || clients::can_log_in(&bob, &work))?;
        self.reboot(saved)?;
        self.expect_service()?;
        let remembered = clients::can_log_in(&bob, &work)?;
        ensure!(!remembered, "an account is there that nobody saved");
        Ok(())
    }

    /// What is left is the shipped configuration, which must do: it listens at the ports of FTP,
    /// hence in a network of its own.
    fn forget_all(&mut self) -> Result<()> {
        self.shut_down()?;
        let host = &self.trial.host;
        ensure!(
            self.trial.package.edits(host)?.is_empty(),
            "{CONFIG} is not as shipped"
        );
        host.run_alone(&[SCRIPT, "start"])?.success()?;
        self.trial.expect_running(self.pid()?)
    }

    /// Storage can come after the services; sessions must find it then, without a restart.
    fn wait_for_datastore(&mut self, saved: &Edits) -> Result<()> {
        self.shut_down()?;
        let host = &self.trial.host;
        self.trial.package.restore(host, saved)?;
        let away = host.path("/vmfs/away");
        fs::rename(host.datastore(), &away)?;
        let label = host.datastore_label();
        let target = fs::read_link(&label)?;
        fs::remove_file(&label)?;

        let pid = self.trial.start(&["start"])?;
        wait_for_greeting(&self.alice)?;
        // Whatever it answers, it must live on.
        clients::can_log_in(&self.alice, &self.trial.work.join("early"))?;
        self.trial.expect_running(pid)?;
        fs::rename(&away, host.datastore())?;
        symlink(target, label)?;
        self.expect_service()?;
        self.trial.expect_running(pid)
    }

    fn remove(self) -> Result<()> {
        let log = fs::read_to_string(self.trial.host.path(LOG))?;
        ensure!(
            log.contains("esxftpd"),
            "{LOG} does not name the daemon:\n{log}"
        );
        self.remove_processes()?;
        let Trial { host, package, .. } = self.trial;
        package.check_untouched(&host)?;
        package.remove(&host)?;
        // What was saved stays until the host saves the next time.
        let kept = host.path(BOOT_BANK);
        let walk = WalkDir::new(host.path("/")).into_iter();
        for entry in walk.filter_entry(|entry| entry.path() != kept) {
            let entry = entry?;
            let ours = entry.file_name().to_string_lossy().contains("esxftpd");
            ensure!(!ours, "left behind: {}", entry.path().display());
        }
        for sample in self.samples.whole() {
            expect_same(&host.datastore().join(sample.name), &sample.path)?;
        }
        Ok(())
    }

    /// The service is switched off and was started by hand: the installer does not ask the init
    /// script to stop it. Somebody is about to enter a password.
    fn remove_processes(&self) -> Result<()> {
        let host = &self.trial.host;
        let prompt =
            format!("mkfifo /tmp/typed; {DAEMON} hash-password <>/tmp/typed >/dev/null 2>&1 &");
        host.run(&["/bin/sh", "-c", &prompt])?.success()?;
        let daemon = self.pid()?;
        wait_until("a process waits for a password", || {
            Ok(pids_of_the_program(host)?.iter().any(|pid| *pid != daemon))
        })?;
        self.shutdown_script()?;
        self.expect_no_process()
    }

    /// Runs what the installer runs before it unmounts the package's files.
    fn shutdown_script(&self) -> Result<()> {
        self.trial.host.run(&[SHUTDOWN])?.success().map(drop)
    }

    fn expect_no_process(&self) -> Result<()> {
        let left = self.trial.host.processes()?;
        ensure!(left.is_empty(), "processes of the host still run: {left:?}");
        Ok(())
    }

    /// Shuts the host down and boots it: packages are unpacked anew, saved files are put in place,
    /// services start.
    fn reboot(&mut self, saved: &Edits) -> Result<()> {
        self.shut_down()?;
        self.trial.package.restore(&self.trial.host, saved)?;
        self.trial.start(&["start"]).map(drop)
    }

    /// All of it but the saved files and the start of services.
    fn shut_down(&mut self) -> Result<()> {
        self.trial.script(&["stop"], 0)?;
        let trial = &mut self.trial;
        trial.package.check_untouched(&trial.host)?;
        trial.host.reset()?;
        trial.host.add_commands()?;
        trial.package.put(&trial.host)
    }

    /// `stop` with the installer's reason; nothing of ours may run afterwards, or the package's
    /// files would be busy.
    fn stop(&self, reason: &str) -> Result<()> {
        self.trial.script(&["stop", reason], 0)?;
        self.expect_no_process()
    }

    /// The account can log in and finds its files.
    fn expect_service(&self) -> Result<()> {
        let work = self.trial.work.join("alice");
        wait_until("alice can log in", || {
            clients::can_log_in(&self.alice, &work)
        })?;
        clients::expect_samples(&self.alice, &self.samples, &work)?;
        let calls = fs::read_to_string(self.trial.host.path(CALLS)).unwrap_or_default();
        ensure!(
            !calls.contains("hostsvc/"),
            "the init script called hostd, which may be waiting for it:\n{calls}"
        );
        Ok(())
    }

    /// The pid of the daemon that runs.
    fn pid(&self) -> Result<i32> {
        let text = fs::read_to_string(self.trial.host.path(PID_FILE))?;
        let pid = text.trim().parse().context(PID_FILE)?;
        ensure!(self.trial.host.is_running(pid), "pid {pid} does not run");
        Ok(pid)
    }
}

/// The pids that the host's tool prints.
fn pids_of_the_program(host: &HostRoot) -> Result<Vec<i32>> {
    let printed = host.run(&[PIDOF, DAEMON])?.stdout;
    let pids = printed.split_whitespace().map(str::parse);
    pids.collect::<Result<_, _>>().context(PIDOF)
}
