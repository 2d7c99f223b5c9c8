//! `cargo xtask test`: every test there is, in two lanes side by side: many steps wait for clocks
//! and clients while others compile.

use std::{
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use xshell::Shell;

use crate::{
    arm, cargo::cargo, clients, compile::TARGET, conformance, dist, e2e, faults, guard::Guard,
    process, steps::Steps, tools, twice, userworld::matrix,
};

/// A package of scripts.
const EXAMPLE: &str = "packaging/examples/bootnote/package.toml";

/// What `cargo xtask test` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these steps, one after the other, with their output as it comes
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Name the steps and end
    #[arg(long, conflicts_with = "only")]
    list: bool,
    /// The package of the steps that need one; without it, one is built first
    #[arg(long, value_name = "FILE", hide = true)]
    vib: Option<PathBuf>,
}

/// One step.
struct Step {
    name: &'static str,
    about: &'static str,
    work: Work,
}

/// What a step does.
enum Work {
    Alone(fn(&Shell, &Path) -> Result<()>),
    /// Makes the package that others test.
    Dist,
    /// Tests the package.
    OfPackage(fn(&Path) -> Result<()>),
}

/// Builds, and what tests them quickly.
const BUILDS: &[Step] = &[
    alone(
        "unit",
        "unit and integration tests of packaging, vib, protocol and xtask",
        unit,
    ),
    Step {
        name: "dist",
        about: "the package",
        work: Work::Dist,
    },
    alone("twice", "packages, built twice", packed_twice),
    alone("arm", "the package for ESXi on Arm", arm::run),
    of_package("e2e", "end-to-end test", e2e::run),
    of_package("life", "life of the package", e2e::life),
    of_package(
        "sabotage",
        "end-to-end test of broken packages",
        e2e::sabotage,
    ),
    of_package(
        "regressions",
        "regressions that the matrix must notice",
        matrix::regressions,
    ),
];

/// What waits most of the time.
const WAITS: &[Step] = &[
    alone("daemon", "unit and integration tests of the daemon", daemon),
    alone("conformance", "conformance suite", conformance::ours),
    alone(
        "libunftp",
        "clients with the engine libunftp",
        |sh, root| clients::libunftp::run(root, &conformance::debug_daemon(sh, root)?),
    ),
    alone("destroy", "clients that delete recursively", |sh, root| {
        clients::destroy::run(root, &conformance::debug_daemon(sh, root)?)
    }),
    alone(
        "faults",
        "faults of medium, datastore and clock",
        |sh, root| faults::Options::default().run(sh, root),
    ),
    of_package("matrix", "matrix of system calls", |vib| {
        matrix::run(vib, "")
    }),
];

const fn alone(
    name: &'static str,
    about: &'static str,
    work: fn(&Shell, &Path) -> Result<()>,
) -> Step {
    let work = Work::Alone(work);
    Step { name, about, work }
}

const fn of_package(
    name: &'static str,
    about: &'static str,
    work: fn(&Path) -> Result<()>,
) -> Step {
    let work = Work::OfPackage(work);
    Step { name, about, work }
}

fn steps() -> impl Iterator<Item = &'static Step> {
    BUILDS.iter().chain(WAITS)
}

/// Runs what `options` say.
///
/// # Errors
/// If a program that the tests need is missing and cannot be installed, if a test fails, or if there
/// is no step of a name.
pub(crate) fn command(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    if options.list {
        for step in steps() {
            println!("{:<12} {}", step.name, step.about);
        }
        return Ok(());
    }
    if options.only.is_empty() {
        return run(sh, root);
    }
    prepare(sh)?;
    for name in &options.only {
        let step = steps().find(|step| step.name == name);
        let step = step.with_context(|| {
            format!("there is no step {name:?}; `cargo xtask test --list` names them")
        })?;
        match step.work {
            Work::Alone(work) => work(sh, root)?,
            Work::Dist => drop(dist::ours(sh, root)?),
            Work::OfPackage(work) => work(&e2e::vib(sh, root, options.vib.as_deref())?)?,
        }
    }
    Ok(())
}

/// Runs every test. Each step is a process of its own, whose output is shown when it has ended.
///
/// # Errors
/// If a program that the tests need is missing and cannot be installed, or if a test fails.
pub(crate) fn run(sh: &Shell, root: &Path) -> Result<()> {
    prepare(sh)?;
    let results = Mutex::new(Steps::default());
    let package = OnceLock::new();
    let lane = |steps: &[Step]| {
        for step in steps {
            println!("\n== {} begins", step.name);
            let started = Instant::now();
            let mut output = Vec::new();
            let result = process_of(step, &package).and_then(|child| end_of(child, &mut output));
            if matches!(step.work, Work::Dist) {
                let made = result.is_ok().then(|| only_vib(&root.join("dist")));
                package.get_or_init(|| made.and_then(Result::ok));
            }
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            println!("\n== {}", step.about);
            // Nobody may be reading.
            io::stdout().write_all(&output).ok();
            results.note(step.about, started.elapsed(), result);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| lane(BUILDS));
        lane(WAITS);
    });
    let results = results.into_inner();
    results.unwrap_or_else(PoisonError::into_inner).finish()
}

/// What the steps need.
fn prepare(sh: &Shell) -> Result<()> {
    tools::ensure_root()?;
    tools::ensure(sh)
}

/// This program, about to run one step; the package is waited for where it is needed.
fn process_of(step: &Step, package: &OnceLock<Option<PathBuf>>) -> Result<Command> {
    let mut command = process::this_program();
    command.args(["test", "--only", step.name]);
    if matches!(step.work, Work::OfPackage(_)) {
        let vib = package.wait().as_ref();
        command
            .arg("--vib")
            .arg(vib.context("not run: there is no package")?);
    }
    Ok(command)
}

/// Runs it to its end, with all that it prints in `output`.
fn end_of(mut command: Command, output: &mut Vec<u8>) -> Result<()> {
    let mut file = tempfile::tempfile()?;
    let (stdout, stderr) = (file.try_clone()?, file.try_clone()?);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut child = command.spawn().context("this program cannot be started")?;
    let guard = Guard::of_process(child.id())?;
    let status = child.wait()?;
    drop(guard);
    file.rewind()?;
    file.read_to_end(output)?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// The VIB in a directory that holds one.
fn only_vib(directory: &Path) -> Result<PathBuf> {
    let files = directory
        .read_dir()?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    let is_vib = |file: &PathBuf| file.extension().is_some_and(|end| end == "vib");
    files
        .into_iter()
        .find(is_vib)
        .context("no VIB has been made")
}

fn unit(sh: &Shell, _root: &Path) -> Result<()> {
    let packages = ["packaging", "vib", "protocol", "xtask"].map(|name| ["--package", name]);
    run_cargo_test(sh, packages.as_flattened())
}

/// The daemon is tested as the program that ships: the build for this machine uses other system
/// calls.
fn daemon(sh: &Shell, _root: &Path) -> Result<()> {
    run_cargo_test(sh, &["--package", "esxftpd", "--target", TARGET])
}

fn run_cargo_test(sh: &Shell, what: &[&str]) -> Result<()> {
    let test = ["test", "--locked", "--no-fail-fast"];
    Ok(cargo(sh, &[&test[..], what].concat()).run()?)
}

/// The daemon's own bytes are compared by `verify --twice`, which takes too long for here.
fn packed_twice(_sh: &Shell, root: &Path) -> Result<()> {
    twice::pack(&root.join(EXAMPLE), false)?;
    twice::pack(&root.join(dist::MANIFEST), false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_steps_differ_and_the_package_is_made_once() {
        let names: BTreeSet<_> = steps().map(|step| step.name).collect();
        assert_eq!(names.len(), steps().count());
        let makes = |step: &&Step| matches!(step.work, Work::Dist);
        assert_eq!(steps().filter(makes).count(), 1);
        // Before the first that needs it in its own lane, which would wait for ever.
        let first = |wanted: fn(&Work) -> bool| BUILDS.iter().position(|step| wanted(&step.work));
        let dist = first(|work| matches!(work, Work::Dist)).unwrap();
        assert!(dist < first(|work| matches!(work, Work::OfPackage(_))).unwrap());
    }

    #[test]
    fn a_step_that_fails_keeps_its_output() {
        let mut command = process::command("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let mut output = Vec::new();
        let error = end_of(command, &mut output).unwrap_err();
        assert!(error.to_string().contains('3'), "{error}");
        assert_eq!(output, b"out\nerr\n");
    }

    #[test]
    fn a_step_that_needs_the_package_fails_where_there_is_none() {
        let step = BUILDS.iter().find(|step| step.name == "e2e").unwrap();
        let package = OnceLock::from(None);
        let error = process_of(step, &package).unwrap_err();
        assert!(error.to_string().contains("no package"), "{error}");
    }
}
