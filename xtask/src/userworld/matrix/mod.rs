//! `cargo xtask matrix`: the daemon with real clients under every profile and every single toggle.

#[cfg(test)]
mod readme;
mod regression;
mod trial;

use std::{
    fmt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

pub(crate) use self::regression::run as regressions;
use self::trial::Measured;
use super::{
    policy::{Setting, single_changes},
    table::{Profile, Table},
};
use crate::clients::Samples;

/// Runs at one time.
const WORKERS: usize = 2;

/// What the daemon has to do in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// It serves as if nothing was missing.
    Serves,
    /// It cannot serve: it says why, and exits or turns every client away.
    Refuses,
    /// It ought to serve, and fails at this step for this reason. Once it no longer does, the entry
    /// has to go.
    Gap(&'static str, &'static str),
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
    Exception {
        profiles: &[Profile::Esxi7],
        setting: ("at", "ENOSYS"),
        expected: NO_PATH_ROOT,
    },
    Exception {
        profiles: &[Profile::Esxi7],
        setting: ("o-path", "EINVAL"),
        expected: NO_PATH_ROOT,
    },
];

/// Files are reached through the `*at` calls and `O_PATH` only; `esxi-6` lacks both.
const NO_PATH_ROOT: Expected = Expected::Gap("client suite", "files need openat and O_PATH");

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
}

impl Case {
    pub(super) fn expected(&self) -> Expected {
        let fits = |exception: &&Exception| {
            let (toggle, value) = exception.setting;
            let setting = self.setting.as_ref();
            exception.profiles.contains(&self.profile)
                && setting.is_some_and(|s| s.toggle == toggle && s.value == value)
        };
        match (EXCEPTIONS.iter().find(fits), self.profile) {
            (Some(exception), _) => exception.expected,
            (None, Profile::Esxi6) => NO_PATH_ROOT,
            (None, Profile::Esxi7) => Expected::Serves,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.profile)?;
        self.setting
            .as_ref()
            .map_or(Ok(()), |setting| write!(f, " {setting}"))
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
        cases.extend(settings.map(|setting| Case { profile, setting }));
    }
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
            match judge(case.expected(), trial(case)) {
                Ok(line) => println!("{case}: {line}"),
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

/// Compares the end of a case with what it should have been.
fn judge(expected: Expected, result: Result<Measured>) -> Result<String> {
    match (expected, result) {
        (Expected::Serves | Expected::Refuses, Ok(measured)) => Ok(measured.to_string()),
        (Expected::Serves | Expected::Refuses, Err(error)) => Err(error),
        (Expected::Gap(step, reason), Err(error)) => {
            let failed_at = error.to_string();
            ensure!(
                failed_at == step,
                "known to fail at {step:?}, it failed at {failed_at:?}: {error:#}"
            );
            Ok(format!("known gap: {reason}"))
        }
        (Expected::Gap(_, reason), Ok(_)) => {
            bail!("it passes, and is in EXCEPTIONS of xtask/src/userworld/matrix: {reason}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured::default()
    }

    #[test]
    fn gap_must_fail_where_it_is_known_to() {
        let gap = Expected::Gap("client suite", "no path root");
        let failure = |step: &'static str| Err(anyhow!("550").context(step));
        assert!(judge(gap, failure("client suite")).is_ok());
        assert!(judge(gap, failure("waiting for the greeting")).is_err());
        assert!(judge(gap, Ok(measured())).is_err());
        assert!(judge(Expected::Serves, failure("client suite")).is_err());
        assert!(judge(Expected::Serves, Ok(measured())).is_ok());
    }

    #[test]
    fn every_failed_case_is_reported() {
        let cases = cases(&Table::load().unwrap()).unwrap();
        assert!(cases.len() > 30, "{}", cases.len());
        let cases: Vec<_> = cases
            .iter()
            .filter(|case| case.expected() == Expected::Serves)
            .collect();
        let fails = |case: &Case| case.to_string().contains("allow");
        let failed = run_all(&cases, |case| {
            ensure!(!fails(case), "no");
            Ok(measured())
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
                };
                assert!(cases.contains(&case), "{case}");
            }
        }
    }
}
