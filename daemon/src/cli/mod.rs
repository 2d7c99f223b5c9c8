//! The command line: options in, exit status out.
#![expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]

mod terminal;

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

use crate::{
    accounts,
    admin::{self, Request},
    config,
    logging::Destination,
    origin::Origin,
    parts,
    probe::Report,
    serve::{self, Outcome},
    tls,
};

/// FTP service for VMware ESXi hosts.
#[derive(Debug, Parser)]
#[command(name = "esxftpd", version, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str = "Exit status: 0 success, 1 failure, 2 wrong usage, 3 no daemon runs, \
                           78 the configuration has findings.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve in the foreground until SIGTERM; SIGHUP reloads the configuration
    Serve {
        /// The configuration file
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
        /// Leave the process id in this file while serving
        #[arg(long, value_name = "PATH")]
        pid_file: Option<PathBuf>,
        /// Log to stderr even where the host's syslog listens
        #[arg(long)]
        log_to_stderr: bool,
    },
    /// Check the configuration and say what is wrong with it, one line for each finding
    Check {
        /// The configuration file
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
        /// Print the findings as a JSON array
        #[arg(long)]
        json: bool,
    },
    /// List the sessions of the running daemon: number, client, user, age, what it does
    Sessions {
        /// The configuration file, for its `control-socket`
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// End one session of the running daemon, and what it transfers
    Kill {
        /// The number of the session, as `sessions` lists it
        #[arg(value_name = "ID")]
        id: u64,
        /// The configuration file, for its `control-socket`
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
    },
    /// List the addresses that are banned because their logins were refused again and again
    Bans {
        /// The configuration file, for its `control-socket`
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// End the ban of an address, and forget its refused logins
    Unban {
        /// An address, a network as `bans` lists it, or `all`
        #[arg(value_name = "ADDRESS|all", value_parser = unbanned)]
        address: Unbanned,
        /// The configuration file, for its `control-socket`
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
    },
    /// List part files that interrupted uploads have left below the roots of all accounts
    ///
    /// Part files that a session of the running daemon writes are left out.
    Parts {
        /// Remove them; what is removed is listed
        #[arg(long)]
        remove: bool,
        /// Only those that have not been changed for so many days
        #[arg(long, value_name = "DAYS", default_value_t = 0)]
        older_than: u32,
        /// The configuration file, for the roots and for its `control-socket`
        #[arg(long, value_name = "PATH", default_value = config::DEFAULT_PATH)]
        config: PathBuf,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Try what this host's kernel offers, and say what the daemon makes of it; changes nothing
    Probe {
        /// Tell the space of the file systems at these paths instead of /vmfs/volumes
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Read a password from stdin and print its argon2id hash for the configuration
    HashPassword,
}

/// `EX_CONFIG` of sysexits.h: something is wrong with the configuration.
const EX_CONFIG: u8 = 78;

/// What init scripts report of a daemon that does not run.
const NOT_RUNNING: u8 = 3;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("esxftpd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve {
            config,
            pid_file,
            log_to_stderr,
        } => {
            let log = if log_to_stderr {
                Destination::Stderr
            } else {
                Destination::Host
            };
            Ok(
                match serve::run(&serve::Options {
                    config,
                    pid_file,
                    log,
                })? {
                    Outcome::Stopped => ExitCode::SUCCESS,
                    Outcome::BadConfiguration => ExitCode::from(EX_CONFIG),
                },
            )
        }
        Command::Check { config, json } => check(&config, json),
        Command::Probe { paths, json } => {
            let report = Report::new(&paths);
            if json {
                print(&serde_json::to_string_pretty(&report)?)?;
            } else {
                print(report.to_string().trim_end())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Sessions { config, json } => ask(&config, &Request::Sessions { json }),
        Command::Kill { id, config } => ask(&config, &Request::Kill(id)),
        Command::Bans { config, json } => ask(&config, &Request::Bans { json }),
        Command::Unban { address, config } => ask(&config, &Request::Unban(address.0)),
        Command::Parts {
            remove,
            older_than,
            config,
            json,
        } => parts(&config, remove, older_than, json),
        Command::HashPassword => {
            print(&accounts::hash(&read_password()?)?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whose ban is to end: that of one origin, or all.
#[derive(Debug, Clone, Copy)]
struct Unbanned(Option<Origin>);

fn unbanned(text: &str) -> Result<Unbanned, String> {
    if text == "all" {
        return Ok(Unbanned(None));
    }
    let origin = Origin::parse(text).map(|origin| Unbanned(Some(origin)));
    origin.ok_or_else(|| "neither an address, nor an IPv6 network of 64 bits, nor all".to_owned())
}

/// Asks the running daemon and prints its answer.
fn ask(config: &Path, request: &Request) -> Result<ExitCode> {
    // What is wrong with the file does not matter here: the daemon runs with what it has read.
    let configured = config::load(config).0.and_then(|it| it.control_socket);
    let socket = configured.as_deref();
    match admin::ask(socket.unwrap_or(Path::new(admin::DEFAULT_PATH)), request) {
        Ok(answer) => {
            io::stdout()
                .write_all(answer.as_bytes())
                .context("stdout cannot be written")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure @ admin::Failure::NotRunning { .. }) => {
            eprintln!("esxftpd: {failure}");
            Ok(ExitCode::from(NOT_RUNNING))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Lists part files, or removes them.
fn parts(path: &Path, remove: bool, days: u32, json: bool) -> Result<ExitCode> {
    let (config, findings) = config::load(path);
    let Some(config) = config else {
        for finding in findings.as_slice() {
            eprintln!("esxftpd: {finding}");
        }
        return Ok(ExitCode::from(EX_CONFIG));
    };
    let report = parts::Report::new(&config, remove, days);
    if json {
        print(&serde_json::to_string_pretty(&report.rows)?)?;
    } else if !report.rows.is_empty() {
        print(report.table().trim_end())?;
    }
    for problem in &report.problems {
        eprintln!("esxftpd: {problem}");
    }
    Ok(if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn check(path: &Path, json: bool) -> Result<ExitCode> {
    let (_config, findings) = config::load_and(path, |config, findings| {
        if let Some(tls) = &config.tls {
            tls::pair::check(tls, findings);
        }
    });
    if json {
        print(&serde_json::to_string_pretty(findings.as_slice())?)?;
    } else {
        for finding in findings.as_slice() {
            print(&finding.to_string())?;
        }
    }
    Ok(if findings.as_slice().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EX_CONFIG)
    })
}

/// Writes a line to stdout, which may be a pipe that nobody reads any more.
fn print(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("stdout cannot be written")
}

/// The password: typed twice and unseen at a terminal, else all of stdin but a final line break.
fn read_password() -> Result<String> {
    if io::stdin().is_terminal() {
        let [password, again] = terminal::ask_twice()?;
        if again != password {
            bail!("the two passwords differ; run the command again");
        }
        return Ok(password);
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut text)
        .context("stdin cannot be read as UTF-8 text")?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}

/// More than the longest password, so that a longer one is seen to be too long.
const MAX_INPUT_BYTES: u64 = 4096;
