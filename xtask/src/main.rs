//! The project's build tasks: `cargo xtask COMMAND`. One command, one file.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command-line tool talks to its user"
)]

mod bench;
mod bench_pack;
mod cargo;
mod ci;
mod clients;
mod compile;
mod conformance;
mod dist;
mod e2e;
mod extract;
mod faults;
mod flags;
mod fuzz;
mod guard;
mod host;
#[cfg(test)]
mod init_script;
mod input;
mod inspect;
mod output;
mod package;
mod peers;
mod process;
mod progress;
#[cfg(test)]
mod samples;
mod sign;
mod soak;
mod steps;
mod supply;
mod test;
mod tidy;
mod tools;
mod twice;
mod userworld;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match flags::Xtask::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // Messages quote files of strangers: only line breaks are let through to a terminal.
            let message = format!("{error:#}");
            let message = message.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
