//! The end-to-end test: a VIB, unpacked by the system's tools into a simulated host, is started
//! through its init script and serves files to real clients.

mod life;
mod sabotage;

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use xshell::Shell;

use crate::clients::{self, Samples, Security, Target, expect_same};
use crate::host::{DAEMON, HostRoot, PID_FILE, Package, SCRIPT};
use crate::process::Finished;
use crate::{dist, tools};

pub(crate) use life::run as life;
pub(crate) use sabotage::run as sabotage;

pub(crate) const CONFIG: &str = "/etc/config/esxftpd/esxftpd.toml";

/// What an administrator changes first.
const SHIPPED_ADDRESSES: &str = "addresses = [\"0.0.0.0:21\", \"[::]:21\"]";

/// The lines by which the daemon offers TLS as shipped, with the host's own certificate.
const SHIPPED_TLS: &str = "\
[tls]
certificate = \"/etc/vmware/ssl/rui.crt\"
key = \"/etc/vmware/ssl/rui.key\"
";

/// The sticky bit is what makes the host keep an edited file.
const CONFIG_MODE: u32 = 0o1640;
/// The default range, as shipped.
const PASSIVE_PORTS: RangeInclusive<u16> = 49152..=49407;
/// For the port to answer or close, and for a reload to take effect.
const PATIENCE: Duration = Duration::from_secs(10);
/// `start` does not wait for the daemon; the installer and the boot wait for `start`.
const START_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// What the clients ask of their connections, one after the other.
pub(crate) const SECURITIES: &[Security] = &[Security::Plain, Security::Tls];

/// What the daemon does not offer yet, by client and case; an entry that is true no longer fails
/// the test.
pub(crate) const KNOWN_GAPS: &[(&str, &str)] = &[];

/// How much the clients do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// The whole client suite.
    Full,
    /// Only the uploads that are compared on disk.
    Quick,
}

/// What `cargo xtask e2e` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The VIB; without it, one is built first
    #[arg(long, value_name = "FILE")]
    vib: Option<PathBuf>,
    /// Break the VIB in several ways instead; the test must notice each
    #[arg(long)]
    sabotage: bool,
}

/// Runs what `options` say.
///
/// # Errors
/// See [`run`], [`life()`] and [`sabotage()`].
pub(crate) fn command(sh: &Shell, root: &Path, options: &Options) -> Result<()> {
    let vib = vib(sh, root, options.vib.as_deref())?;
    if options.sabotage {
        return sabotage(&vib);
    }
    run(&vib)?;
    life(&vib)
}

/// The VIB that was named, or one that is built now, when everything is there that the simulated
/// host needs.
///
/// # Errors
/// If something is missing, or if the build fails.
pub(crate) fn vib(sh: &Shell, root: &Path, named: Option<&Path>) -> Result<PathBuf> {
    tools::ensure_root()?;
    tools::ensure(sh)?;
    match named {
        Some(vib) => Ok(vib.to_owned()),
        None => Ok(dist::ours(sh, root)?.vib),
    }
}

/// Runs the test, once on a host without `watchdog.sh` and once, with fewer clients, under a
/// stand-in for it. Everything that it starts has ended when it returns.
///
/// # Errors
/// Names the step that failed.
pub(crate) fn run(vib: &Path) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let trial = Trial::unpack(vib, dir.path())?;
    trial.serve(&trial.configure()?, Depth::Full)?;

    let dir = tempfile::tempdir()?;
    let trial = Trial::unpack(vib, dir.path())?;
    trial.host.add_commands()?;
    let target = trial.configure()?;
    trial
        .serve(&target, Depth::Quick)
        .context("under the watchdog")?;
    println!("end-to-end test passed: {}", vib.display());
    Ok(())
}

/// A host with the package, and a directory for what the clients need.
pub(crate) struct Trial {
    pub(crate) host: HostRoot,
    pub(crate) package: Package,
    pub(crate) work: PathBuf,
}

impl Trial {
    pub(crate) fn unpack(vib: &Path, dir: &Path) -> Result<Self> {
        let [root, work] = ["host", "work"].map(|name| dir.join(name));
        fs::create_dir(&root)?;
        fs::create_dir(&work)?;
        let host = HostRoot::empty(&root)?;
        let package = step("unpacking the package", || Package::install(&host, vib))?;
        Ok(Self {
            host,
            package,
            work,
        })
    }

    /// Gives the daemon a free port and one account, the way an administrator does: the file is
    /// edited in place.
    pub(crate) fn configure(&self) -> Result<Target> {
        let path = self.host.path(CONFIG);
        let mode = || Ok::<_, anyhow::Error>(fs::metadata(&path)?.permissions().mode() & 0o7777);
        step("the shipped configuration", || {
            let shipped = mode().with_context(|| CONFIG.to_owned())?;
            ensure!(
                shipped == CONFIG_MODE,
                "{CONFIG} has the mode {shipped:o} instead of {CONFIG_MODE:o}"
            );
            let checked = self.host.run(&[DAEMON, "check"])?;
            checked.success().context("the daemon has findings in it")?;
            Ok(())
        })?;
        let password = random_password()?;
        let target = Target {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: free_port()?,
            user: "alice".to_owned(),
            password,
            directory: String::new(),
            security: Security::Plain,
        };
        step("writing the configuration", || {
            self.edit(&target)?;
            self.add_user(&target)?;
            ensure!(
                mode()? == CONFIG_MODE,
                "writing {CONFIG} in place changed its mode"
            );
            Ok(())
        })?;
        Ok(target)
    }

    /// Lets the daemon listen where `target` is, in place of the shipped addresses, and offer TLS.
    fn edit(&self, target: &Target) -> Result<()> {
        let shipped = fs::read_to_string(self.host.path(CONFIG))?;
        for part in [SHIPPED_ADDRESSES, SHIPPED_TLS] {
            ensure!(shipped.contains(part), "{CONFIG} does not contain: {part}");
        }
        let addresses = format!("addresses = [\"{}:{}\"]", target.host, target.port);
        let text = shipped.replace(SHIPPED_ADDRESSES, &addresses);
        Ok(fs::write(self.host.path(CONFIG), text)?)
    }

    fn add_user(&self, account: &Target) -> Result<()> {
        let section = self.user_section(account)?;
        let mut config = OpenOptions::new()
            .append(true)
            .open(self.host.path(CONFIG))?;
        Ok(config.write_all(section.as_bytes())?)
    }

    fn user_section(&self, account: &Target) -> Result<String> {
        let name = &account.user;
        let hash = self
            .hash(&account.password)
            .with_context(|| format!("hash for {name}"))?;
        Ok(format!(
            "\n[[users]]\nname = \"{name}\"\npassword-hash = \"{hash}\"\n\
             root = \"/vmfs/volumes/datastore1\"\nread-only = false\n"
        ))
    }

    fn hash(&self, password: &str) -> Result<String> {
        let input = format!("{password}\n");
        let hashed = self
            .host
            .run_with_input(&[DAEMON, "hash-password"], input.as_bytes())?
            .success()?;
        let hash = hashed.stdout.trim_end();
        ensure!(
            hash.starts_with("$argon2id$") && !hash.contains(['\n', '"']),
            "not one argon2id hash: {hash:?}"
        );
        Ok(hash.to_owned())
    }

    /// From the first `start` to the last `stop`.
    fn serve(&self, target: &Target, depth: Depth) -> Result<()> {
        step("status before the start", || self.script(&["status"], 3))?;
        let pid = step("start install", || self.start(&["start", "install"]))?;
        step("waiting for the greeting", || wait_for_greeting(target))?;
        step("status while running", || self.expect_running(pid))?;
        step("second start", || {
            self.script(&["start"], 0)?;
            self.expect_running(pid)
        })?;
        if depth == Depth::Full {
            step("client suite", || self.run_clients(target))?;
            step("reload", || self.reload(target, pid))?;
        }
        let samples = Samples::write(&self.work.join("samples"))?;
        step("uploads", || {
            clients::leave_samples(target, &samples, &self.work.join("uploads"))
        })?;
        let restarted = step("restart", || self.start(&["restart"]))?;
        step("a new process after the restart", || {
            ensure!(
                restarted != pid && !self.host.is_running(pid),
                "pid {pid} survived"
            );
            wait_for_greeting(target)
        })?;
        step("stop remove", || self.stop(target, restarted))?;
        step("status after the stop", || self.script(&["status"], 3))?;
        step("second stop", || self.script(&["stop", "remove"], 0))?;
        step("uploaded files on the datastore", || {
            self.expect_on_disk(&samples)
        })?;
        step("read-only files", || {
            self.package.check_untouched(&self.host)
        })
    }

    fn script(&self, args: &[&str], code: i32) -> Result<Finished> {
        let finished = self.host.run(&[&[SCRIPT], args].concat())?;
        ensure!(
            finished.code == Some(code),
            "expected exit code {code}: {finished}"
        );
        Ok(finished)
    }

    /// `start` or `restart`; returns the pid of the daemon.
    fn start(&self, args: &[&str]) -> Result<i32> {
        let finished = self.script(args, 0)?;
        if args[0] == "start" {
            ensure!(
                finished.took <= START_LIMIT,
                "it took {:?}, the host waits for it",
                finished.took
            );
        }
        let text = fs::read_to_string(self.host.path(PID_FILE))
            .with_context(|| format!("{PID_FILE}; {finished}"))?;
        let pid = text
            .trim()
            .parse()
            .with_context(|| format!("{PID_FILE} holds {text:?}"))?;
        ensure!(
            self.host.is_running(pid),
            "no process with the pid {pid} of {PID_FILE}; {finished}"
        );
        Ok(pid)
    }

    fn expect_running(&self, pid: i32) -> Result<()> {
        let status = self.script(&["status"], 0)?;
        ensure!(
            status.stdout.contains(&pid.to_string()),
            "the pid should be {pid}: {status}"
        );
        ensure!(self.host.is_running(pid), "pid {pid} does not run");
        Ok(())
    }

    fn run_clients(&self, target: &Target) -> Result<()> {
        for security in SECURITIES {
            let report = clients::run(&target.with(*security), &self.work)?;
            println!("{security:?}\n{report}");
            report.check_complete(KNOWN_GAPS)?;
        }
        let left: Vec<_> = fs::read_dir(self.host.datastore())?.collect();
        ensure!(
            left.is_empty(),
            "the suite left something on the server: {left:?}"
        );
        Ok(())
    }

    /// `ssl_reset` has to bring a new account into force and to keep the process.
    fn reload(&self, target: &Target, pid: i32) -> Result<()> {
        let newcomer = Target {
            user: "bob".to_owned(),
            password: random_password()?,
            ..target.clone()
        };
        let work = self.work.join("reload");
        ensure!(
            !clients::can_log_in(&newcomer, &work)?,
            "an account logs in that is not configured"
        );
        self.add_user(&newcomer)?;
        self.script(&["ssl_reset"], 0)?;
        wait_until("the new account can log in", || {
            clients::can_log_in(&newcomer, &work)
        })?;
        self.expect_running(pid)
    }

    fn stop(&self, target: &Target, pid: i32) -> Result<()> {
        self.script(&["stop", "remove"], 0)?;
        ensure!(!self.host.is_running(pid), "pid {pid} still runs");
        let left = self.host.processes()?;
        ensure!(left.is_empty(), "processes of the host still run: {left:?}");
        ensure!(
            connect(target).is_err(),
            "port {} is still open",
            target.port
        );
        Ok(())
    }

    fn expect_on_disk(&self, samples: &Samples) -> Result<()> {
        samples.whole().into_iter().try_for_each(|sample| {
            let stored = self.host.datastore().join(sample.name);
            expect_same(&stored, &sample.path)
        })
    }
}

/// Runs one step of the test; its name heads the error.
pub(crate) fn step<T>(name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    work().context(name)
}

/// Waits until the server greets; it may not even listen yet.
pub(crate) fn wait_for_greeting(target: &Target) -> Result<()> {
    wait_until("the port answers with 220", || {
        Ok(greeting(target).is_ok_and(|line| line.starts_with("220")))
    })
}

pub(crate) fn greeting(target: &Target) -> Result<String> {
    let stream = connect(target)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(1024)).read_line(&mut line)?;
    Ok(line)
}

pub(crate) fn connect(target: &Target) -> Result<TcpStream> {
    let address = SocketAddr::new(target.host.parse()?, target.port);
    Ok(TcpStream::connect_timeout(&address, PATIENCE)?)
}

/// Asks again and again, for [`PATIENCE`] at most.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition()? {
        ensure!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain: {what}"
        );
        thread::sleep(POLL);
    }
    Ok(())
}

/// A loopback port that was free a moment ago, outside the passive range. The daemon could also
/// choose one, but under the init script nobody reads the line that names it.
fn free_port() -> Result<u16> {
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        if !PASSIVE_PORTS.contains(&port) {
            return Ok(port);
        }
    }
}

/// 128 random bits.
fn random_password() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}
