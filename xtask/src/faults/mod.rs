//! `cargo xtask faults`: a medium that fails, a datastore that vanishes, a clock that jumps.
//!
//! The daemon runs under the supervisor of `cargo xtask userworld`, which makes system calls fail
//! from the moment on that a case chooses; both profiles are run, and so both kinds of root. After
//! each fault there must be one clear reply, nothing lost, a session and a daemon that live on, and
//! no descriptor more than before.

mod clock;
mod medium;
mod stage;
mod unmounted;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use xshell::Shell;

use self::stage::{Place, Stage};
use crate::{conformance, tools};

/// What `cargo xtask faults` is told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The daemon; without it, a debug build is made
    #[arg(long, value_name = "FILE")]
    daemon: Option<PathBuf>,
    /// Only cases with this text in their names
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

type Run = Box<dyn Fn(&Place<'_>) -> Result<()>>;

/// What fails, and what must come of it.
struct Case {
    name: String,
    run: Run,
}

impl Case {
    fn new(name: impl Into<String>, run: impl Fn(&Place<'_>) -> Result<()> + 'static) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

impl Options {
    /// Runs the cases, all of them whatever the others say.
    ///
    /// # Errors
    /// If a case failed, or if this machine cannot run them.
    pub(crate) fn run(&self, sh: &Shell, root: &Path) -> Result<()> {
        tools::ensure_root()?;
        let daemon = match &self.daemon {
            Some(daemon) => std::path::absolute(daemon)?,
            None => conformance::debug_daemon(sh, root)?,
        };
        let all = [medium::cases(), unmounted::cases(), clock::cases()];
        let (mut passed, mut failed) = (0, 0);
        for case in all.into_iter().flatten() {
            for profile in ["esxi-6", "esxi-7"] {
                let name = format!("{profile} {}", case.name);
                if !name.contains(&self.only) {
                    continue;
                }
                let place = Place {
                    daemon: &daemon,
                    profile,
                };
                match (case.run)(&place) {
                    Ok(()) => {
                        passed += 1;
                        println!("{name}: passed");
                    }
                    Err(error) => {
                        failed += 1;
                        println!("{name}: FAILED: {error:#}");
                    }
                }
            }
        }
        match (passed, failed) {
            (0, 0) => bail!("no case has {:?} in its name", self.only),
            (_, 0) => Ok(()),
            _ => bail!("{failed} cases failed, {passed} passed"),
        }
    }
}
