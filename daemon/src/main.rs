//! The `esxftpd` program. Everything is in the library; see [`esxftpd::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    esxftpd::cli::main()
}
