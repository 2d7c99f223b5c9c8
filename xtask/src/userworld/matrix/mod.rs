//! `cargo xtask matrix`: the daemon with real clients under every profile and every single toggle.

mod probe;
#[cfg(test)]
mod readme;
mod regression;
mod trial;

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use xshell::Shell;

pub(crate) use self::regression::run as regressions;
use self::trial::Measured;
use super::{
    policy::{Setting, single_changes},
    table::{Profile, Table},
};
use crate::{clients::Samples, e2e, process};

/// What `cargo xtask matrix` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The VIB; without it, one is built first
    #[arg(long, value_name = "FILE")]
    vib: Option<PathBuf>,
    /// Only cases with this text in their names, such as `esxi-6 at=allow`
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Let the daemon use calls that it must not use instead; the matrix must notice each
    #[arg(long, conflicts_with = "only")]
    regressions: bool,
}

/// Runs what `options` say.
///
/// # Errors
/// See [`run`] and [`regressions`].
pub(crate) fn command(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    super::surroundings::ensure_possible()?;
    let vib = e2e::vib(sh, root, options.vib.as_deref())?;
    if options.regressions {
        return regressions(&vib);
    }
    run(&vib, &options.only)
}

/// Runs at one time.
const WORKERS: usize = 2;

/// What the daemon has to do in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// It serves as if nothing was missing.
    Serves,
    /// It cannot serve: it says why, and exits or turns every client away.
    Refuses,
}

/// The cases in which the daemon need not serve; the first that fits counts.
const EXCEPTIONS: &[Exception] = &[
    // std, and what else needs random numbers, panics on an answer that Linux never gives.
    Exception {
        profiles: &Profile::ALL,
        setting: ("getrandom", "EINVAL"),
        expected: Expected::Refuses,
    },
    // No thread, no session.
    Exception {
        profiles: &Profile::ALL,
        setting: ("clone-detached", "EINVAL"),
        expected: Expected::Refuses,
    },
    // Where getrandom is missing, the device is all there is.
    Exception {
        profiles: &[Profile::Esxi6],
        setting: ("dev-random", "never-readable"),
        expected: Expected::Refuses,
    },
    // mio asks for the flag wherever it waits for bytes.
    Exception {
        profiles: &Profile::ALL,
        setting: ("poll-rdhup", "EINVAL"),
        expected: Expected::Refuses,
    },
];

struct Exception {
    profiles: &'static [Profile],
    /// Toggle and value.
    setting: (&'static str, &'static str),
    expected: Expected,
}

/// One profile with one toggle set, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) profile: Profile,
    pub(super) setting: Option<Setting>,
    pub(super) engine: Engine,
}

/// What serves the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Native,
    Libunftp,
}

/// Where the engine libunftp is tried: it needs openat and its relatives, and `O_PATH`.
const LIBUNFTP: &[(Profile, Expected)] = &[
    (Profile::Esxi7, Expected::Serves),
    (Profile::Esxi6, Expected::Refuses),
];

impl Case {
    /// A supervisor that imitates this case on the host of `trial`; the command to run is still to
    /// be added, behind `--`.
    fn supervisor(&self, trial: &e2e::Trial) -> Command {
        let mut supervisor = process::this_program();
        supervisor.args(["userworld", "--profile", &self.profile.to_string()]);
        if let Some(setting) = &self.setting {
            supervisor.args(["--toggle", &setting.to_string()]);
        }
        supervisor.arg("--root").arg(trial.host.path("/"));
        supervisor.env_clear();
        supervisor
    }

    pub(super) fn expected(&self) -> Expected {
        if self.engine == Engine::Libunftp {
            let listed = LIBUNFTP.iter().find(|(listed, _)| *listed == self.profile);
            return listed.map_or(Expected::Serves, |(_, expected)| *expected);
        }
        let fits = |exception: &&Exception| {
            let (toggle, value) = exception.setting;
            let setting = self.setting.as_ref();
            exception.profiles.contains(&self.profile)
                && setting.is_some_and(|s| s.toggle == toggle && s.value == value)
        };
        let exception = EXCEPTIONS.iter().find(fits);
        exception.map_or(Expected::Serves, |exception| exception.expected)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.profile)?;
        if let Some(setting) = &self.setting {
            write!(f, " {setting}")?;
        }
        match self.engine {
            Engine::Native => Ok(()),
            Engine::Libunftp => write!(f, " engine=libunftp"),
        }
    }
}

/// All cases, the bare profiles first.
///
/// # Errors
/// If the table is inconsistent.
pub(super) fn cases(table: &Table) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for profile in Profile::ALL {
        let changes = single_changes(table, profile)?;
        let settings = [None].into_iter().chain(changes.into_iter().map(Some));
        cases.extend(settings.map(|setting| Case {
            profile,
            setting,
            engine: Engine::Native,
        }));
    }
    cases.extend(LIBUNFTP.iter().map(|(profile, _)| Case {
        profile: *profile,
        setting: None,
        engine: Engine::Libunftp,
    }));
    Ok(cases)
}

/// Runs every case whose name contains `only`, and prints what was measured. What is expected of the
/// cases is also the table in `daemon/README.md`.
///
/// # Errors
/// If a case does not end as expected; all of them run in any case, and each error names the system
/// calls that were refused.
pub(crate) fn run(vib: &Path, only: &str) -> Result<()> {
    super::surroundings::ensure_possible()?;
    let table = Table::load()?;
    let cases = cases(&table)?;
    let chosen: Vec<_> = cases
        .iter()
        .filter(|case| case.to_string().contains(only))
        .collect();
    ensure!(!chosen.is_empty(), "no case has a name with {only:?} in it");
    let work = tempfile::tempdir()?;
    let samples = Samples::write_modest(&work.path().join("samples"))?;
    let failed = run_all(&chosen, |case| trial::run(case, vib, &samples, |_| Ok(())))?;
    if !failed.is_empty() {
        bail!(
            "{} of {} cases failed:\n{}",
            failed.len(),
            chosen.len(),
            failed.join("\n")
        );
    }
    println!("matrix of system calls passed: {} cases", chosen.len());
    Ok(())
}

/// Runs the cases, two at a time, and returns what is wrong with each that failed.
fn run_all(
    cases: &[&Case],
    trial: impl Fn(&Case) -> Result<Measured> + Sync,
) -> Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            match trial(case) {
                Ok(measured) => println!("{case}: {measured}"),
                Err(error) => {
                    println!("{case}: FAILED: {error:#}");
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push(format!("{case}: {error:#}"));
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_panic| anyhow!("a worker of the matrix panicked"))
        })
    })?;
    failed
        .into_inner()
        .context("a worker of the matrix panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_case_is_reported() {
        let cases = cases(&Table::load().unwrap()).unwrap();
        assert!(cases.len() > 30, "{}", cases.len());
        let cases: Vec<_> = cases.iter().collect();
        let fails = |case: &Case| case.to_string().contains("allow");
        let failed = run_all(&cases, |case| {
            ensure!(!fails(case), "no");
            Ok(Measured::default())
        });
        let failing = cases.iter().filter(|case| fails(case));
        assert_eq!(failed.unwrap().len(), failing.count());
    }

    #[test]
    fn exceptions_are_about_cases_that_exist() {
        let cases = cases(&Table::load().unwrap()).unwrap();
        for exception in EXCEPTIONS {
            for profile in exception.profiles {
                let (toggle, value) = exception.setting;
                let case = Case {
                    profile: *profile,
                    setting: Some(format!("{toggle}={value}").parse().unwrap()),
                    engine: Engine::Native,
                };
                assert!(cases.contains(&case), "{case}");
            }
        }
    }
}
