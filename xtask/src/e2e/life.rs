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
    host::{CALLS, Edits, LOG, PID_FILE, Package},
};

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
    let saved = life.trial.package.edits(&life.trial.host)?;
    step("reboot after the configuration was saved", || {
        life.reboot(&saved)?;
        life.expect_service()
    })?;
    step("reboot before a change was saved", || life.forget(&saved))?;
    step("reboot without any saved file", || life.forget_all())?;
    step("start before the datastore is there", || {
        life.wait_for_datastore(&saved)
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
        self.expect_service()
    }

    /// The old package's script stops, the new one's starts; in between there is no file of either.
    fn upgrade(&mut self, vib: &Path) -> Result<()> {
        let old = self.pid()?;
        self.stop("upgrade")?;
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
        host.run_alone(&[super::SCRIPT, "start"])?.success()?;
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
        self.stop("remove")?;
        let Trial { host, package, .. } = self.trial;
        package.check_untouched(&host)?;
        package.remove(&host)?;
        for entry in WalkDir::new(host.path("/")) {
            let entry = entry?;
            let ours = entry.file_name().to_string_lossy().contains("esxftpd");
            ensure!(!ours, "left behind: {}", entry.path().display());
        }
        for sample in self.samples.whole() {
            expect_same(&host.datastore().join(sample.name), &sample.path)?;
        }
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
        let left = self.trial.host.processes()?;
        ensure!(left.is_empty(), "processes of the host still run: {left:?}");
        Ok(())
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
