//! The command line of `cargo xtask`.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use clap::{CommandFactory as _, Parser, Subcommand};
use xshell::Shell;

use crate::{
    bench, bench_pack, ci, clients, conformance, dist, e2e, faults, fuzz, host, soak, test, tidy,
    tools, twice, userworld,
};

/// Builds, packs and tests esxftpd.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the daemon and pack it into a VIB and an offline bundle
    Dist(dist::Options),
    #[command(flatten)]
    Vib(vib::Shared),
    /// Check VIBs, offline bundles or archives against the rules of packaging/FORMAT.md
    ///
    /// Exit status: 0 without findings or with notes only, 1 with errors, 3 with warnings only.
    #[command(mut_arg("files", |files| files
        .required(false)
        .required_unless_present("twice")
        .help("The files; with --twice, a manifest")))]
    Verify {
        #[command(flatten)]
        options: vib::verify::Options,
        /// Build twice in different environments and compare the results byte for byte. With FILE:
        /// that manifest; without: the daemon and its package
        #[arg(long, conflicts_with_all = ["ca", "release", "json"])]
        twice: bool,
        /// Change one byte of the second copy; the comparison must notice
        #[arg(long, requires = "twice")]
        sabotage: bool,
    },
    /// Feed hostile input to the readers; takes a nightly compiler and cargo-fuzz
    Fuzz {
        /// The target; without it, all of them, one after the other
        target: Option<String>,
        /// Seconds for each target
        #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
    /// Measure packing and verifying beside `tar | gzip -6` on the same files
    BenchPack {
        /// Size of the files together
        #[arg(long, default_value_t = 2048)]
        mib: u64,
        /// How often each is measured; medians are told
        #[arg(long, default_value_t = 1)]
        rounds: u32,
        /// Write the figures to a file, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Run every test; install the programs that they need, or name them
    Test(test::Options),
    /// Run everything that must be green before a commit
    Ci {
        /// Leave the tests out: `cargo xtask test` has just passed here
        #[arg(long)]
        tested: bool,
    },
    /// Check what the compiler does not: ports, versions, names and layout
    Tidy,
    /// Install a VIB in a simulated host and use it with real clients
    E2e(e2e::Options),
    /// Make a simulated host with a VIB on it, and run a command there
    Host {
        /// The directory to make; it must not exist, or be empty. It stays
        #[arg(long)]
        dir: PathBuf,
        /// The VIB
        #[arg(long, value_name = "FILE")]
        vib: PathBuf,
        /// The command and its arguments [default: /bin/sh]
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Run a command on what the VMkernel is believed to offer, and name the calls that it lacks
    ///
    /// The calls and their answers are in xtask/userworld. The exit status is the command's.
    Userworld(userworld::Options),
    /// Run the daemon and the client suite under every profile and every single toggle of `userworld`
    Matrix(userworld::matrix::Options),
    /// Run the client suite against any FTP server
    Clients {
        /// The server and a directory on it, `ftp://USER[:PASSWORD]@HOST[:PORT]/DIR`, or `ftpes://`
        /// for TLS; without a password, the variable `FTP_PASSWORD` is asked for it
        url: String,
    },
    /// Measure the daemon beside other FTP servers, driven by one client in one run
    Bench(bench::Options),
    /// Let many clients use the daemon for a while, compare every byte, and see what it keeps
    Soak(soak::Options),
    /// Play the conformance suite against an FTP server, or compare servers with it
    Conformance(conformance::Options),
    /// Let the medium, the datastore and the clock of the daemon fail, and see what comes of it
    Faults(faults::Options),
}

impl Xtask {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let sh = Shell::new()?;
        let root = workspace()?;
        sh.change_dir(root);
        match self.command {
            Command::Dist(options) => dist::command(&sh, root, options)?,
            Command::Vib(command) => return command.run(Some(dist::ELSEWHERE)),
            Command::Verify {
                twice: true,
                options,
                sabotage,
            } => {
                let files = options.files;
                ensure!(
                    files.len() < 2,
                    "--twice takes one description; run it again for the next"
                );
                twice::run(root, files.first().map(PathBuf::as_path), sabotage)?;
            }
            Command::Verify { options, .. } => return options.run(),
            Command::Fuzz { target, seconds } => fuzz::run(&sh, root, target.as_deref(), seconds)?,
            Command::BenchPack { mib, rounds, json } => {
                bench_pack::run(mib, rounds, json.as_deref())?;
            }
            Command::Test(options) => test::command(&sh, root, &options)?,
            Command::Ci { tested } => ci::run(&sh, root, tested, &Xtask::command())?,
            Command::Tidy => tidy::run(root, &Xtask::command())?,
            Command::E2e(options) => e2e::command(&sh, root, &options)?,
            Command::Host { dir, vib, command } => {
                tools::ensure_root()?;
                tools::ensure(&sh)?;
                return host::session(&dir, &vib, &command);
            }
            Command::Matrix(options) => userworld::matrix::command(&sh, root, &options)?,
            Command::Userworld(options) => return userworld::run(&options),
            Command::Clients { url } => {
                let target = clients::Target::parse(&url)?;
                let work = tempfile::tempdir()?;
                let report = clients::run(&target, work.path())?;
                println!("{report}");
                report.check()?;
            }
            Command::Bench(options) => bench::run(&sh, root, &options)?,
            Command::Soak(options) => soak::run(&sh, root, &options)?,
            Command::Conformance(options) => options.run(&sh, root)?,
            Command::Faults(options) => options.run(&sh, root)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The root of the workspace, which is where this program was built from.
fn workspace() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace has no root")
}
