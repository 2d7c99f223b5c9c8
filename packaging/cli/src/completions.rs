//! `vib completions`: what a shell needs to complete the command line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{Vib, seen_enough};

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

impl Options {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut script = Vec::new();
        generate(self.shell, &mut Vib::command(), "vib", &mut script);
        seen_enough(io::stdout().write_all(&script))?;
        Ok(ExitCode::SUCCESS)
    }
}
