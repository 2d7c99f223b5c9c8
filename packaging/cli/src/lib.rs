//! The commands of the program `vib`: packages for ESXi hosts, built, read, checked, compared and
//! signed. One command, one module; `cargo xtask` has the same ones.
//!
//! What is known of the format is in the crate `packaging`. Here are files, the command line and
//! what is said to people and programs: results on stdout, everything else on stderr.
#![expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]

pub mod build;
mod clock;
mod completions;
pub mod diff;
pub mod extract;
pub mod image;
pub mod init;
pub mod input;
pub mod inspect;
pub mod output;
mod permissions;
mod progress;
#[cfg(test)]
mod samples;
#[cfg(feature = "signatures")]
pub mod sign;
mod style;
pub mod verify;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// Builds, reads, checks, compares and signs packages for VMware ESXi: VIBs and offline bundles
///
/// A manifest, package.toml, describes a package. Start with `vib init`.
#[derive(Debug, Parser)]
#[command(name = "vib", version)]
pub struct Vib {
    #[command(subcommand)]
    command: Command,
}

/// The commands of `vib`.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Shared(Shared),
    /// Check VIBs, offline bundles or archives against the rules of packaging/FORMAT.md
    ///
    /// Exit status: 0 without findings or with notes only, 1 with errors, 3 with warnings only.
    #[command(display_order = 5)]
    Verify(verify::Options),
    /// Print a completion script for a shell
    #[command(display_order = 9)]
    Completions(completions::Options),
}

/// The commands that `cargo xtask` has, too.
#[derive(Debug, Subcommand)]
pub enum Shared {
    /// Create a new package: a manifest, package.toml, and its first files
    ///
    /// The result can be built without any change.
    #[command(display_order = 1)]
    Init(init::Options),
    /// Build a VIB from each manifest, and one offline bundle with all of them
    ///
    /// Prints the paths of the results to stdout, everything else to stderr.
    #[command(visible_alias = "package", display_order = 2)]
    Build(build::Options),
    /// Show what VIBs, offline bundles or archives contain
    #[command(display_order = 3)]
    Inspect(inspect::Options),
    /// Unpack a VIB, an offline bundle or an archive, all of it or nothing
    #[command(display_order = 4)]
    Extract(extract::Options),
    /// Sign a VIB: an RSA signature over its descriptor, with SHA-256
    #[cfg(feature = "signatures")]
    #[command(display_order = 6)]
    Sign(sign::Options),
    /// Compare two VIBs, offline bundles or archives: members, files, fields
    ///
    /// Exit status: 0 if they are the same, byte for byte, 1 if they differ, 2 if they cannot be
    /// compared.
    #[command(display_order = 7)]
    Diff(diff::Options),
    /// Show what installer media contain, and add packages to them or remove them
    #[command(display_order = 8)]
    Image(image::Options),
}

impl Vib {
    fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Shared(command) => command.run(None),
            Command::Verify(options) => options.run(),
            Command::Completions(options) => options.run(),
        }
    }
}

impl Shared {
    /// Does what it says. `elsewhere` names the program that makes sources that may be missing.
    ///
    /// # Errors
    /// As the command says.
    pub fn run(self, elsewhere: Option<build::Elsewhere>) -> Result<ExitCode> {
        match self {
            Self::Init(options) => options.run()?,
            Self::Build(options) => options.run(elsewhere)?,
            Self::Inspect(options) => options.run()?,
            Self::Extract(options) => options.run()?,
            #[cfg(feature = "signatures")]
            Self::Sign(options) => options.run()?,
            Self::Diff(options) => return Ok(options.run()),
            Self::Image(options) => return options.run(),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    Vib::parse().run().unwrap_or_else(|error| report(&error))
}

/// Tells an error to the user, with the exit status for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    style::fail(&format!("{error:#}"));
    ExitCode::FAILURE
}

/// Writes to stdout; `| head` may have seen enough.
///
/// # Errors
/// If standard output fails.
pub fn print(text: &str) -> Result<()> {
    seen_enough(io::stdout().write_all(text.as_bytes()))
}

fn seen_enough(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("standard output"),
    }
}
