//! FTP servers that stand beside ours: started on the loopback interface with equivalent settings,
//! ended when the value that stands for one goes.
//!
//! None of them is installed: Debian's packages are unpacked below `target/peers`, because they
//! conflict with each other, and no account of the machine is touched.

mod account;
mod certificate;
mod esxftpd;
mod family;
mod packages;
mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
mod vsftpd;

use std::cell::OnceCell;
use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Pid, Uid, chown};

use crate::clients::{Security, Target};
use crate::guard::Guard;
use crate::tools;

pub(crate) use account::Account;
pub(crate) use certificate::Certificate;
pub(crate) use family::Process;
pub(crate) use packages::Packages;

/// Seconds that a server waits for a data connection where that can be set.
const DATA_SECONDS: u16 = 4;
/// Below what kernels give to clients.
const FIRST_PORT: u16 = 12_000;
const LAST_PORT: u16 = 30_000;

/// For a server to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Control connections that every server allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// In all.
    pub(crate) sessions: u16,
    /// From one address.
    pub(crate) per_address: u16,
}

impl Caps {
    /// Ports of the passive range: Pure-FTPd takes no more sessions than half of them, whatever it
    /// is told.
    fn passive_ports(self) -> u16 {
        self.sessions.saturating_mul(2)
    }
}

/// A server that can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    Esxftpd,
    /// Ours with its other engine.
    Libunftp,
    #[value(name = "proftpd")]
    ProFtpd,
    Vsftpd,
    #[value(name = "pure-ftpd")]
    PureFtpd,
    Pyftpdlib,
}

impl Peer {
    /// All of them, ours first.
    pub(crate) const ALL: [Self; 6] = [
        Self::Esxftpd,
        Self::Libunftp,
        Self::ProFtpd,
        Self::Vsftpd,
        Self::PureFtpd,
        Self::Pyftpdlib,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Esxftpd => "esxftpd",
            Self::Libunftp => "esxftpd with libunftp",
            Self::ProFtpd => "ProFTPD",
            Self::Vsftpd => "vsftpd",
            Self::PureFtpd => "Pure-FTPd",
            Self::Pyftpdlib => "pyftpdlib",
        }
    }
}

/// What all servers share: programs, account, certificate.
pub(crate) struct Bench {
    /// Unpacked when the first server needs them: ours does not.
    packages: OnceCell<Packages>,
    unpacked: PathBuf,
    daemon: PathBuf,
    work: PathBuf,
    account: Account,
    caps: Caps,
    pub(crate) certificate: Certificate,
}

/// What one server is told.
struct Settings<'a> {
    account: &'a Account,
    certificate: &'a Certificate,
    caps: Caps,
    port: u16,
    passive: (u16, u16),
    /// What the account sees as `/`.
    root: &'a Path,
    /// For configuration and state.
    work: &'a Path,
}

/// A server that is ready to start.
struct Launch {
    command: Command,
    version: String,
}

impl Bench {
    /// Makes account and certificate in `work`. `daemon` is our program; the others are unpacked
    /// below `root`, the workspace.
    ///
    /// # Errors
    /// Without root, which the servers need to change their user and root directory.
    pub(crate) fn prepare(root: &Path, work: &Path, daemon: PathBuf, caps: Caps) -> Result<Self> {
        tools::ensure_root()?;
        fs::set_permissions(work, Permissions::from_mode(0o755))?;
        Ok(Self {
            packages: OnceCell::new(),
            unpacked: root.join("target/peers"),
            daemon,
            work: work.to_owned(),
            account: Account::new()?,
            caps,
            certificate: Certificate::write(work)?,
        })
    }

    fn packages(&self) -> Result<&Packages> {
        if let Some(packages) = self.packages.get() {
            return Ok(packages);
        }
        let packages = Packages::unpack(&self.unpacked)?;
        Ok(self.packages.get_or_init(|| packages))
    }

    /// Starts a server with a directory of its own and waits until it greets.
    ///
    /// # Errors
    /// If it does not, with what it printed; if a package cannot be had.
    pub(crate) fn start(&self, peer: Peer) -> Result<Server> {
        self.start_in(peer, &self.work.join(peer.name()).join("root"))
    }

    /// The same with this directory for the account.
    ///
    /// # Errors
    /// As those of [`Self::start`].
    pub(crate) fn start_in(&self, peer: Peer, root: &Path) -> Result<Server> {
        let work = self.work.join(peer.name());
        fs::create_dir_all(&work)?;
        fs::create_dir_all(root)?;
        fs::set_permissions(root, Permissions::from_mode(0o777))?;
        let (uid, gid) = (Uid::from_raw(Account::UID), Gid::from_raw(Account::GID));
        chown(root, Some(uid), Some(gid))?;
        let ports = self.caps.passive_ports();
        let first = free_ports(ports + 1)?;
        let settings = Settings {
            account: &self.account,
            certificate: &self.certificate,
            caps: self.caps,
            port: first,
            passive: (first + 1, first + ports),
            root,
            work: &work,
        };
        let launch = match peer {
            Peer::Esxftpd => esxftpd::launch(&self.daemon, &settings, ""),
            Peer::Libunftp => esxftpd::launch(&self.daemon, &settings, esxftpd::LIBUNFTP),
            Peer::ProFtpd => proftpd::launch(self.packages()?, &settings),
            Peer::Vsftpd => vsftpd::launch(self.packages()?, &settings),
            Peer::PureFtpd => pure_ftpd::launch(self.packages()?, &settings),
            Peer::Pyftpdlib => pyftpdlib::launch(self.packages()?, &settings),
        };
        let launch = launch.with_context(|| format!("preparing {}", peer.name()))?;
        let target = Target {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: first,
            security: Security::Plain,
            user: self.account.name.clone(),
            password: self.account.password.clone(),
            directory: String::new(),
        };
        let log = work.join("output");
        let child = spawn(launch.command, &log)?;
        let mut server = Server {
            _guard: Guard::of_group(child.id())?,
            child,
            peer,
            version: launch.version,
            target,
            root: root.to_owned(),
            log,
        };
        server.wait_for_greeting()?;
        Ok(server)
    }
}

/// A running server; it ends with the value, or with this program.
pub(crate) struct Server {
    child: Child,
    _guard: Guard,
    pub(crate) peer: Peer,
    pub(crate) version: String,
    pub(crate) target: Target,
    /// What the account sees as `/`.
    pub(crate) root: PathBuf,
    log: PathBuf,
}

impl Server {
    fn wait_for_greeting(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let name = self.peer.name();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{name} ended at once ({status}):\n{}", self.output());
            }
            if greets(self.target.port) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{name} does not greet within {PATIENCE:?}:\n{}",
                self.output()
            );
            thread::sleep(POLL);
        }
    }

    /// The server's process and all that it has started and that has not been waited for.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn processes(&self) -> Result<Vec<Process>> {
        family::members(self.child.id())
    }

    /// Waits until no session has a process any more.
    ///
    /// # Errors
    /// If that takes too long.
    pub(crate) fn wait_until_idle(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.processes()?.len() > 1 {
            ensure!(
                Instant::now() < deadline,
                "a session of {} has not ended within {PATIENCE:?}",
                self.peer.name()
            );
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // The server leads a group of its own. It may be empty.
            let _gone_already = killpg(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Sessions need not be in the group, and lose their parent.
        let family = self.processes().unwrap_or_default();
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(POLL);
        }
        self.signal(Signal::SIGKILL);
        drop(self.child.wait());
        family::kill_rest(&family);
    }
}

fn spawn(mut command: Command, log: &Path) -> Result<Child> {
    let output = File::create(log)?;
    let program = command.get_program().display().to_string();
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .with_context(|| format!("{program} cannot be started"))
}

fn greets(port: u16) -> bool {
    let greeting = || -> std::io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        BufReader::new(stream.take(1024)).read_line(&mut line)?;
        Ok(line)
    };
    greeting().is_ok_and(|line| line.starts_with("220"))
}

/// The first of `count` neighbouring ports that are free at the moment.
fn free_ports(count: u16) -> Result<u16> {
    // Two runs at one time shall not begin at the same place.
    let spread = u16::try_from(std::process::id() % 16)?;
    let mut first = FIRST_PORT + spread * 512;
    while first < LAST_PORT {
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        match (first..first + count).find(|&port| !free(port)) {
            None => return Ok(first),
            Some(taken) => first = taken + 1,
        }
    }
    bail!("no {count} neighbouring ports are free below {LAST_PORT}; end what listens there")
}

/// A private file of the work directory.
fn write_private(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o600))?)
}
