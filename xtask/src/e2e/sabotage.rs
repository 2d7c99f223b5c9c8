//! The test of the end-to-end test: packages that are broken on purpose have to be noticed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::{CONFIG, Depth, Trial};
use crate::host::{DAEMON, HostRoot, SCRIPT};

/// Runs the test on packages that were broken on purpose: it has to fail each time, and at the
/// right step.
///
/// # Errors
/// If a broken package passes, or fails elsewhere, or if the package does not even pass unbroken.
pub(crate) fn run(vib: &Path) -> Result<()> {
    let intact = Sabotage {
        what: "nothing",
        moment: Moment::Unpacked,
        act: |_| Ok(()),
        fails_at: "",
    };
    intact
        .run(vib)
        .context("the intact package must pass before a broken one can prove anything")?;
    for sabotage in SABOTAGES {
        let Err(error) = sabotage.run(vib) else {
            bail!("the end-to-end test did not notice: {}", sabotage.what);
        };
        let step = error.to_string();
        ensure!(
            step == sabotage.fails_at,
            "{}: expected to fail at {:?}: {error:#}",
            sabotage.what,
            sabotage.fails_at
        );
        println!(
            "noticed: {}\n    {}",
            sabotage.what,
            format!("{error:#}").replace('\n', "\n    ")
        );
    }
    println!(
        "the end-to-end test noticed all {} ways to break the package",
        SABOTAGES.len()
    );
    Ok(())
}

/// One way to break a package.
struct Sabotage {
    what: &'static str,
    moment: Moment,
    act: fn(&HostRoot) -> Result<()>,
    /// The step at which the test has to fail.
    fails_at: &'static str,
}

/// When the package is broken.
#[derive(PartialEq, Eq)]
enum Moment {
    Unpacked,
    Configured,
}

const SABOTAGES: &[Sabotage] = &[
    Sabotage {
        what: "payload: the configuration is missing",
        moment: Moment::Unpacked,
        act: |host| Ok(fs::remove_file(host.path(CONFIG))?),
        fails_at: "the shipped configuration",
    },
    Sabotage {
        what: "payload: the configuration is another file",
        moment: Moment::Unpacked,
        act: |host| Ok(fs::write(host.path(CONFIG), "Apache License\n")?),
        fails_at: "the shipped configuration",
    },
    Sabotage {
        what: "payload: the daemon is not executable",
        moment: Moment::Unpacked,
        act: |host| {
            Ok(fs::set_permissions(
                host.path(DAEMON),
                fs::Permissions::from_mode(0o644),
            )?)
        },
        fails_at: "the shipped configuration",
    },
    Sabotage {
        what: "daemon: the second half of the file is missing",
        moment: Moment::Configured,
        act: |host| {
            let file = fs::File::options().write(true).open(host.path(DAEMON))?;
            Ok(file.set_len(file.metadata()?.len() / 2)?)
        },
        fails_at: "start install",
    },
    Sabotage {
        what: "daemon: it runs but does not serve",
        moment: Moment::Configured,
        act: |host| {
            Ok(fs::write(
                host.path(DAEMON),
                "#!/bin/sh\necho $$ >\"$5\"\nexec sleep 60\n",
            )?)
        },
        fails_at: "waiting for the greeting",
    },
    Sabotage {
        what: "init script: it does nothing and reports success",
        moment: Moment::Configured,
        act: |host| prepend(&host.path(SCRIPT), "#!/bin/sh\nexit 0\n"),
        fails_at: "status before the start",
    },
    Sabotage {
        what: "init script: stop does not stop",
        moment: Moment::Configured,
        act: |host| {
            prepend(
                &host.path(SCRIPT),
                "#!/bin/sh\n[ \"$1\" = stop ] && exit 0\n",
            )
        },
        fails_at: "stop remove",
    },
];

impl Sabotage {
    fn run(&self, vib: &Path) -> Result<()> {
        let dir = tempfile::tempdir()?;
        let trial = Trial::unpack(vib, dir.path())?;
        if self.moment == Moment::Unpacked {
            (self.act)(&trial.host)?;
        }
        let target = trial.configure()?;
        if self.moment == Moment::Configured {
            (self.act)(&trial.host)?;
        }
        trial.serve(&target, Depth::Quick)
    }
}

fn prepend(path: &Path, head: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    Ok(fs::write(path, format!("{head}{text}"))?)
}
