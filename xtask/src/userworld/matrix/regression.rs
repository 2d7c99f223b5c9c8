//! The test of the matrix: daemons that begin to use a call on purpose have to be noticed, with the
//! name of the call.

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, bail, ensure};
use syscalls::Sysno;

use super::{Case, Engine, trial};
use crate::{
    clients::Samples,
    host::{DAEMON, HostRoot},
    process,
    userworld::table::Profile,
};

const SOURCE: &str = include_str!("regression.c");
/// Where the daemon goes when something stands in front of it.
const BEHIND: &str = "/opt/esxftpd/bin/behind";
const COMPILER_LIMIT: Duration = Duration::from_mins(1);

struct Regression {
    what: &'static str,
    profile: Profile,
    call: Sysno,
    mandatory: bool,
    /// The step at which the trial has to fail.
    fails_at: &'static str,
}

const REGRESSIONS: &[Regression] = &[
    Regression {
        what: "a call that one profile lacks becomes mandatory",
        profile: Profile::Esxi6,
        call: Sysno::openat2,
        mandatory: true,
        fails_at: "waiting for the greeting",
    },
    Regression {
        what: "the waker is an eventfd again",
        profile: Profile::Esxi6,
        call: Sysno::eventfd2,
        mandatory: true,
        fails_at: "waiting for the greeting",
    },
    Regression {
        what: "the selector is epoll again, and allowed",
        profile: Profile::Esxi7,
        call: Sysno::epoll_create1,
        mandatory: true,
        fails_at: "system calls",
    },
    Regression {
        what: "a call that the table does not know, with a fallback",
        profile: Profile::Esxi7,
        call: Sysno::landlock_create_ruleset,
        mandatory: false,
        fails_at: "system calls",
    },
];

/// Runs each regression under its profile.
///
/// # Errors
/// If one is not noticed, or without the name of its call.
pub(crate) fn run(vib: &Path) -> Result<()> {
    super::super::surroundings::ensure_possible()?;
    let work = tempfile::tempdir()?;
    let samples = Samples::write_modest(&work.path().join("samples"))?;
    for regression in REGRESSIONS {
        let program = work.path().join("regression");
        regression.compile(work.path(), &program)?;
        let case = Case {
            profile: regression.profile,
            setting: None,
            engine: Engine::Native,
        };
        let result = trial::run(&case, vib, &samples, |host| stand_in_front(host, &program));
        regression.judge(result)?;
    }
    println!("the matrix noticed all {} regressions", REGRESSIONS.len());
    Ok(())
}

impl Regression {
    fn compile(&self, work: &Path, program: &Path) -> Result<()> {
        let source = work.join("regression.c");
        fs::write(&source, SOURCE)?;
        let mut command = process::command("cc");
        command
            .arg(format!("-DCALL={}L", self.call.id()))
            .arg(format!("-DMANDATORY={}", i32::from(self.mandatory)))
            .args(["-static", "-O1", "-o"])
            .args([program, &source]);
        process::run(&mut command, b"", COMPILER_LIMIT)?.success()?;
        Ok(())
    }

    fn judge(&self, result: Result<trial::Measured>) -> Result<()> {
        let Self { what, call, .. } = self;
        let Err(error) = result else {
            bail!("the matrix did not notice: {what}");
        };
        let text = format!("{error:#}");
        ensure!(
            error.to_string() == self.fails_at && text.contains(call.name()),
            "{what}: expected to fail at {:?} and to name {call}: {text}",
            self.fails_at
        );
        println!("noticed: {what}\n    {}", text.replace('\n', "\n    "));
        Ok(())
    }
}

fn stand_in_front(host: &HostRoot, program: &Path) -> Result<()> {
    fs::rename(host.path(DAEMON), host.path(BEHIND))?;
    fs::copy(program, host.path(DAEMON))?;
    Ok(())
}
