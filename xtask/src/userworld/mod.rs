//! `cargo xtask userworld`: runs a command on what the VMkernel is believed to offer.
//!
//! A seccomp filter stops every call that is not allowed as it stands, and a supervisor answers it
//! as the table in `xtask/userworld` says. Calls that the table does not know get ENOSYS: a
//! dependency that begins to use a new call is noticed.

mod faults;
mod filter;
pub(crate) mod matrix;
mod policy;
mod report;
mod supervisor;
mod surroundings;
mod table;
mod tracee;

use std::{
    ffi::OsString, fs, os::unix::process::CommandExt as _, path::PathBuf, process::ExitCode,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use nix::{
    sys::{
        ptrace,
        signal::{Signal, raise},
    },
    unistd::Pid,
};

use self::{
    faults::Faults,
    policy::{Policy, Setting},
    report::Report,
    supervisor::Supervisor,
    surroundings::SilentDevice,
    table::{Profile, Table},
};
use crate::process;

/// What a command is run with.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The releases to imitate
    #[arg(long)]
    profile: Profile,
    /// Another answer than the profile's; may be repeated. xtask/userworld/toggles.toml lists them
    #[arg(long = "toggle", value_name = "NAME=VALUE")]
    toggles: Vec<Setting>,
    /// The root of the command, a directory such as `cargo xtask host` makes
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// What fails besides, while this file is there: lines such as `pwrite64 EIO`, and `realtime 60`
    /// for a clock that is a minute fast
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Where to write, as JSON, which calls were answered otherwise than by Linux
    /// [default: a summary on stderr]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The second stage, which becomes the command
    #[arg(long, hide = true)]
    become_command: bool,
    /// What stands for /dev/random in the second stage
    #[arg(long, hide = true)]
    random: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command and everything that it starts to the end, and exits as it did.
///
/// # Errors
/// If a toggle does not exist, if this machine cannot do it, or if the command cannot be executed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let table = Table::load()?;
    let policy = Policy::new(&table, options.profile, &options.toggles)?;
    surroundings::ensure_possible()?;
    if options.become_command {
        return become_command(options, &policy);
    }
    let silent = policy
        .random_never_readable
        .then(SilentDevice::new)
        .transpose()?;
    let mut stage = process::this_program();
    stage.args(["userworld", "--become-command", "--profile"]);
    stage.arg(options.profile.to_string());
    for toggle in &options.toggles {
        stage.args(["--toggle", &toggle.to_string()]);
    }
    if let Some(root) = &options.root {
        stage.arg("--root").arg(root);
    }
    if let Some(silent) = &silent {
        stage.arg("--random").arg(silent.path());
    }
    let faults = options.faults.clone();
    if let Some(faults) = &faults {
        stage.arg("--faults").arg(faults);
    }
    stage.arg("--").args(&options.command);
    // The tracer must be the thread that is the parent.
    let child = stage.spawn().context("starting the second stage")?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let ended = Supervisor::new(&policy, pid, faults.map(Faults::new)).run()?;
    ensure!(
        ended.started,
        "the command was not executed; the reason stands above"
    );
    match &options.report {
        Some(path) => fs::write(path, ended.report.to_json()?)
            .with_context(|| format!("{}", path.display()))?,
        None => eprint!("{}", ended.report),
    }
    let status = u8::try_from(ended.status & 0xff)?;
    Ok(ExitCode::from(status))
}

/// Prepares this process, which has one thread, and executes the command in its place.
fn become_command(options: &Options, policy: &Policy) -> Result<ExitCode> {
    let programs = filter::programs(policy, options.faults.is_some())?;
    surroundings::enter(options.root.as_deref(), options.random.as_deref())?;
    let (program, arguments) = options.command.split_first().context("no command")?;
    let mut command = process::inherit(program);
    command.args(arguments);
    ptrace::traceme().context("asking to be traced")?;
    raise(Signal::SIGSTOP)?;
    for program in &programs {
        seccompiler::apply_filter(program).context("installing the seccomp filter")?;
    }
    // Last: this program itself may need more.
    surroundings::limit()?;
    // It returns only if it failed.
    let error = command.exec();
    Err(anyhow!(error)).with_context(|| format!("{} cannot be executed", program.display()))
}
