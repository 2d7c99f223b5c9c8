//! Who may log in, and what they get then.

mod checks;
pub(crate) mod guard;
pub(crate) mod host;
mod password;
mod places;
mod rights;

use std::{
    fmt, fs,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use protocol::request::{Access, Denied, Password};
use tracing::{debug, error, info, warn};

pub use self::password::hash;
pub(crate) use self::rights::Rights;
use self::{
    checks::{PasswordChecks, Running, Unchecked},
    guard::Guard,
    host::{HostCause, HostFiles, ShadowHash},
    places::{Place, Places},
};
use crate::{
    config::{ANONYMOUS_NAMES, ByteSize, Config, Day, Login, PasswordHash, Required, Rules, User},
    sys::uninterrupted,
    task::Task,
};

/// How much longer a session waits after each refused log-in, and the most it waits.
const DELAY_STEP: Duration = Duration::from_secs(1);
const MOST_DELAY_STEPS: u32 = 5;

/// What the log-ins of all sessions have in common. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogIns {
    /// Addresses that are turned away.
    pub(crate) guard: Guard,
    checks: PasswordChecks,
    places: Places,
    host: HostFiles,
}

/// What came of a log-in.
#[derive(Debug)]
pub(crate) struct LogIn {
    /// The account, or why there is none.
    pub(crate) result: Result<Account, Denied>,
    /// When the client is to have the answer; at once if absent.
    pub(crate) due: Option<Instant>,
}

impl LogIn {
    /// One that found no account, for a reason that is told at once.
    pub(crate) fn failed(denied: Denied) -> Self {
        Self {
            result: Err(denied),
            due: None,
        }
    }
}

/// Why a log-in is refused. The client hears the same of all of them, after the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    UnknownName,
    WrongPassword,
    Disabled,
    Expired(Day),
    Network,
    Sessions,
    Host(HostCause),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName => f.write_str("no such user"),
            Self::WrongPassword => f.write_str("wrong password"),
            Self::Disabled => f.write_str("the account is disabled"),
            Self::Expired(last) => write!(f, "the account expired after {last}"),
            Self::Network => f.write_str("the account may not log in from this address"),
            Self::Host(cause) => write!(f, "{cause}"),
            Self::Sessions => f.write_str("the account has as many sessions as it may have"),
        }
    }
}

/// Why there is no account.
#[derive(Debug)]
enum Rejection {
    /// See [`Cause`].
    Refused(Cause),
    /// The client hears of this one, at once.
    Told(Denied),
    /// The password was not checked.
    Unchecked(Unchecked),
    /// The password could not be checked.
    Failed(anyhow::Error),
}

/// What a logged-in user has.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The login name.
    pub(crate) name: String,
    /// The directory that the user sees as `/`.
    pub(crate) root: PathBuf,
    /// What the user may do below it.
    pub(crate) rights: Rights,
    /// What this user must protect by TLS.
    pub(crate) tls_required: Required,
    /// Bytes per second that all sessions of the account together may move; 0 for no limit.
    pub(crate) rate: ByteSize,
    /// Counted among the sessions of the account as long as something of it is there.
    pub(crate) place: Option<Arc<Place>>,
}

impl Account {
    /// What the protocol has to know.
    pub(crate) fn access(&self) -> Access {
        Access {
            data_tls_required: self.tls_required == Required::Everything,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The accounts as one session sees them: the configuration at its start, and its own failures.
#[derive(Debug)]
pub(crate) struct Accounts {
    config: Arc<Config>,
    shared: LogIns,
    client: IpAddr,
    /// Refused log-ins of this session.
    failures: AtomicU32,
}

/// A table of the configuration.
#[derive(Debug, Clone, Copy)]
struct Found<'c> {
    rules: &'c Rules,
    /// Absent for anonymous users.
    user: Option<&'c User>,
}

/// What a password is compared with.
#[derive(Debug, Clone)]
enum Secret<'c> {
    /// A hash of the configuration.
    Configured(&'c PasswordHash),
    /// That of an account of the host.
    Host(ShadowHash),
}

impl Secret<'_> {
    /// How long a check takes on a host of common speed.
    fn common_time(&self) -> Duration {
        match self {
            Self::Configured(hash) => password::common_time(hash),
            Self::Host(hash) => hash.common_time(),
        }
    }

    fn matches(&self, password: &Password) -> Result<bool> {
        match self {
            Self::Configured(hash) => password::matches(hash, &password.0),
            Self::Host(hash) => hash.matches(&password.0),
        }
    }
}

/// The secrets that there are at one time.
#[derive(Debug)]
struct Secrets<'c> {
    /// That of the user who logs in, if the name is one of a user.
    own: Option<Result<Secret<'c>, HostCause>>,
    /// The one that takes the most time to check.
    slowest: Option<Secret<'c>>,
}

impl Accounts {
    /// Accounts of a session that begins now, with a client at this address.
    pub(crate) fn new(config: Arc<Config>, shared: LogIns, client: IpAddr) -> Self {
        Self {
            config,
            shared,
            client: client.to_canonical(),
            failures: AtomicU32::new(0),
        }
    }

    /// The account that this name and password open; `secure` tells whether they came over TLS. It
    /// blocks. The answer to a refusal takes its time, and more each time.
    pub(crate) fn log_in(
        &self,
        name: &str,
        password: &Password,
        secure: bool,
        task: &Task,
    ) -> LogIn {
        let start = Instant::now();
        let found = self.find(name);
        let secrets = self.secrets(name);
        // Kept until a refusal has been counted: no more checks of an address are to run than may fail.
        let mut turn = None;
        match self.admit(name, found, &secrets, (password, secure), (&mut turn, task)) {
            Ok(account) => {
                info!(user = account.name, "logged in");
                self.shared.guard.succeed(self.client, name);
                LogIn {
                    result: Ok(account),
                    due: None,
                }
            }
            Err(Rejection::Refused(cause)) => {
                let failures = self.count_failure();
                warn_refused(name, failures, found.is_some(), cause);
                // Its password was right.
                if cause != Cause::Sessions {
                    let guard = &self.shared.guard;
                    guard.fail(self.client, name, found.is_some(), &self.config);
                }
                LogIn {
                    result: Err(Denied::Refused),
                    due: Some(self.due(start, failures, &secrets)),
                }
            }
            Err(Rejection::Told(denied)) => LogIn::failed(denied),
            Err(Rejection::Unchecked(cause)) => {
                debug!(?cause, "log-in refused: the password is not checked");
                LogIn::failed(Denied::Unavailable)
            }
            Err(Rejection::Failed(error)) => {
                error!("log-in refused: the password cannot be checked: {error:#}");
                LogIn {
                    result: Err(Denied::Unavailable),
                    due: Some(start + DELAY_STEP),
                }
            }
        }
    }

    fn count_failure(&self) -> u32 {
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        before.saturating_add(1)
    }

    /// When the client hears of a refusal. The time does not depend on the hash that was checked: it
    /// is a number of whole steps in which the slowest of all can be checked. Where the check had to
    /// wait for others, it is the next step.
    fn due(&self, start: Instant, failures: u32, secrets: &Secrets<'_>) -> Instant {
        let slowest = secrets.slowest.as_ref();
        let common = slowest.map_or(Duration::ZERO, Secret::common_time);
        let slowest = self.shared.checks.expected(common);
        let least = DELAY_STEP * failures.min(MOST_DELAY_STEPS);
        let steps = |time: Duration| {
            let steps = time.as_nanos().div_ceil(DELAY_STEP.as_nanos());
            DELAY_STEP * u32::try_from(steps).unwrap_or(u32::MAX)
        };
        start + least.max(steps(slowest)).max(steps(start.elapsed()))
    }

    /// The secrets, as they are now. If one is the host's, its files are read whoever logs in.
    fn secrets(&self, name: &str) -> Secrets<'_> {
        let users = &self.config.users;
        let any_host = users.iter().any(|user| user.login.host_account);
        let host = any_host.then(|| self.shared.host.read());
        let (today, mut own, mut slowest) = (Day::today(), None, None);
        for Login {
            name: of_user,
            password_hash,
            ..
        } in users.iter().map(|user| &user.login)
        {
            let secret = match (password_hash, &host) {
                (Some(hash), _) => Ok(Secret::Configured(hash)),
                (None, Some(host)) => host.find(of_user, self.client, today).map(Secret::Host),
                // No configuration is loaded with such a user.
                (None, None) => Err(HostCause::NoAccount),
            };
            let time = secret.as_ref().map_or(Duration::ZERO, Secret::common_time);
            if of_user == name {
                own = Some(secret.clone());
            }
            if let Ok(secret) = secret
                && slowest.as_ref().is_none_or(|(most, _)| *most < time)
            {
                slowest = Some((time, secret));
            }
        }
        Secrets {
            own,
            slowest: slowest.map(|(_, secret)| secret),
        }
    }

    /// The table for this login name.
    fn find(&self, name: &str) -> Option<Found<'_>> {
        if ANONYMOUS_NAMES.contains(&name) {
            let rules = self.config.anonymous.as_ref()?;
            return Some(Found { rules, user: None });
        }
        let user = self.config.users.iter().find(|it| it.login.name == name)?;
        Some(Found {
            rules: &user.rules,
            user: Some(user),
        })
    }

    /// Checks everything that a log-in takes.
    fn admit<'a>(
        &'a self,
        name: &str,
        found: Option<Found<'_>>,
        secrets: &Secrets<'_>,
        (password, secure): (&Password, bool),
        (turn, task): (&mut Option<Running<'a>>, &Task),
    ) -> Result<Account, Rejection> {
        self.check_password(name, found, secrets, password, (turn, task))?;
        let Some(found) = found else {
            return Err(Rejection::Refused(Cause::UnknownName));
        };
        self.check_limits(found.rules).map_err(Rejection::Refused)?;
        // A datastore that hangs is not to keep others waiting.
        drop(turn.take());
        let mut account = self.account(name, found);
        if account.tls_required > Required::Nothing && !secure {
            warn!(user = account.name, "log-in refused: the account needs TLS");
            return Err(Rejection::Told(Denied::TlsRequired));
        }
        expect_root(&account).map_err(Rejection::Told)?;
        let counted = found.user.map_or("anonymous", |user| &user.login.name);
        let place = self.shared.places.take(counted, found.rules.sessions);
        let place = place.ok_or(Rejection::Refused(Cause::Sessions))?;
        account.place = Some(Arc::new(place));
        Ok(account)
    }

    /// Checks the password. An unknown name costs the time of the slowest hash, because an answer at
    /// once would tell that there is no such user.
    fn check_password<'a>(
        &'a self,
        name: &str,
        found: Option<Found<'_>>,
        secrets: &Secrets<'_>,
        password: &Password,
        (turn, task): (&mut Option<Running<'a>>, &Task),
    ) -> Result<(), Rejection> {
        if found.is_some_and(|found| found.user.is_none()) {
            return Ok(());
        }
        let LogIns { guard, checks, .. } = &self.shared;
        let running = checks.wait(self.client, name, &self.config, guard, task);
        let running = &*turn.insert(running.map_err(Rejection::Unchecked)?);
        let own = secrets.own.as_ref().and_then(|own| own.as_ref().ok());
        let matches = match own.or(secrets.slowest.as_ref()) {
            Some(secret) => self
                .check_secret(running, secret, password)
                .map_err(Rejection::Failed)?,
            None => false,
        };
        Err(Rejection::Refused(match &secrets.own {
            None => Cause::UnknownName,
            Some(Err(cause)) => Cause::Host(*cause),
            Some(Ok(_)) if matches => return Ok(()),
            Some(Ok(_)) => Cause::WrongPassword,
        }))
    }

    /// Compares the password with a secret; `_running` says that it is its turn.
    fn check_secret(
        &self,
        _running: &Running<'_>,
        secret: &Secret<'_>,
        password: &Password,
    ) -> Result<bool> {
        let start = Instant::now();
        let matches = secret.matches(password)?;
        let checks = &self.shared.checks;
        checks.learn(secret.common_time(), start.elapsed());
        Ok(matches)
    }

    /// Checks what an account may be limited by, whoever logs in.
    fn check_limits(&self, rules: &Rules) -> Result<(), Cause> {
        if rules.disabled {
            return Err(Cause::Disabled);
        }
        if let Some(last) = rules.expires.filter(|last| *last < Day::today()) {
            return Err(Cause::Expired(last));
        }
        let mut networks = rules.allow.iter();
        if !rules.allow.is_empty() && !networks.any(|network| network.contains(&self.client)) {
            return Err(Cause::Network);
        }
        Ok(())
    }

    fn account(&self, name: &str, found: Found<'_>) -> Account {
        let (config, rules) = (&self.config, found.rules);
        Account {
            name: name.to_owned(),
            root: rules.root.clone(),
            // Anonymous users change nothing unless the configuration says so.
            rights: Rights::of(rules, config.storage.umask, found.user.is_none()),
            tls_required: found
                .user
                .map_or(Required::Nothing, |user| user.login.tls_required),
            rate: rules.rate.unwrap_or(config.transfers.account_rate),
            place: None,
        }
    }
}

/// A datastore may be away. It is looked for at each log-in.
fn expect_root(account: &Account) -> Result<(), Denied> {
    let problem = match uninterrupted(|| fs::metadata(&account.root)) {
        Ok(root) if root.is_dir() => return Ok(()),
        Ok(_) => "it is not a directory".to_owned(),
        Err(error) => error.to_string(),
    };
    warn!(
        user = account.name,
        root = %account.root.display(),
        problem,
        "log-in refused: the root cannot be used"
    );
    Err(Denied::NoRoot)
}

/// Logs a refused log-in. A name that no account has is not logged: people type passwords at the
/// wrong prompt.
fn warn_refused(name: &str, failures: u32, known: bool, cause: Cause) {
    if known {
        warn!(user = name, failures, "log-in refused: {cause}");
    } else {
        warn!(failures, "log-in refused: {cause}");
    }
}

/// For fuzz targets: the readers of the host's account files return, whatever the bytes are.
#[cfg(fuzzing)]
pub fn hostile(data: &[u8]) {
    host::hostile::read(data);
}

#[cfg(test)]
mod tests;
