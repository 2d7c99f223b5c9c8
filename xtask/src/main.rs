//! The project's build tasks: `cargo xtask COMMAND`. One command, one file.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command-line tool talks to its user"
)]

mod arm;
mod bench;
mod bench_pack;
mod cargo;
mod ci;
mod clients;
mod compile;
mod conformance;
mod dist;
mod e2e;
mod faults;
mod flags;
mod fuzz;
mod guard;
mod host;
#[cfg(test)]
mod init_script;
mod peers;
mod process;
mod soak;
mod steps;
mod supply;
mod test;
mod tidy;
mod tools;
mod twice;
mod userworld;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    flags::Xtask::parse()
        .run()
        .unwrap_or_else(|error| vib::report(&error))
}
