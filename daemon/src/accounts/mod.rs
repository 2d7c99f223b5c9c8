//! Who may log in, and what they get then.

mod password;
mod rights;

use std::{
    fmt, fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use parking_lot::{Condvar, Mutex};
use protocol::request::{Access, Denied, Password};
use tracing::{error, info, warn};

pub use self::password::hash;
pub(crate) use self::rights::Rights;
use crate::{
    config::{ANONYMOUS_NAMES, Config, PasswordHash, Required, User},
    sys::uninterrupted,
    task::{CHECK_INTERVAL, Task},
};

/// Checks of passwords that may run at one time in the whole process. Each takes tens of megabytes
/// and a core.
const PARALLEL_CHECKS: usize = 2;

/// How much longer a session waits after each refused log-in, and the most it waits.
const DELAY_STEP: Duration = Duration::from_secs(1);
const MOST_DELAY_STEPS: u32 = 5;

/// Lets a few sessions check a password at a time; the others wait. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PasswordChecks(Arc<Running>);

/// Locks and waits are `parking_lot`'s: those of std spin on a kernel that lacks the newer futex
/// operations.
#[derive(Debug, Default)]
struct Running {
    checks: Mutex<usize>,
    changed: Condvar,
}

impl PasswordChecks {
    /// Whether `password` is the one that `hash` was made of.
    ///
    /// # Errors
    /// If that could not be found out, or the task was cancelled.
    fn run(&self, hash: &PasswordHash, password: &Password, task: &Task) -> Result<bool> {
        let mut checks = self.0.checks.lock();
        while *checks >= PARALLEL_CHECKS {
            ensure!(task.check().is_ok(), "nobody waits for it any more");
            self.0.changed.wait_for(&mut checks, CHECK_INTERVAL);
        }
        *checks += 1;
        drop(checks);
        // The check goes on when its session is gone, and counts until its end.
        let _running = Check(self);
        password::matches(hash, &password.0)
    }
}

/// A check that is running.
struct Check<'c>(&'c PasswordChecks);

impl Drop for Check<'_> {
    fn drop(&mut self) {
        *self.0.0.checks.lock() -= 1;
        self.0.0.changed.notify_one();
    }
}

/// What came of a log-in.
#[derive(Debug)]
pub(crate) struct LogIn {
    /// The account, or why there is none.
    pub(crate) result: Result<Account, Denied>,
    /// How long the client is to wait for the answer.
    pub(crate) delay: Duration,
}

impl LogIn {
    /// One that found no account, for a reason that is told at once.
    pub(crate) fn failed(denied: Denied) -> Self {
        Self {
            result: Err(denied),
            delay: Duration::ZERO,
        }
    }
}

/// What a logged-in user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// The login name.
    pub(crate) name: String,
    /// The directory that the user sees as `/`.
    pub(crate) root: PathBuf,
    /// What the user may do below it.
    pub(crate) rights: Rights,
    /// What this user must protect by TLS.
    pub(crate) tls_required: Required,
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
    checks: PasswordChecks,
    /// Refused log-ins of this session.
    failures: AtomicU32,
}

impl Accounts {
    /// Accounts of a session that begins now.
    pub(crate) fn new(config: Arc<Config>, checks: PasswordChecks) -> Self {
        Self {
            config,
            checks,
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
        let account = self.find(name);
        match self.admits(name, password, task) {
            Ok(true) => match account.ok_or(Denied::Refused) {
                Ok(account) => LogIn {
                    result: admitted(account, secure),
                    delay: Duration::ZERO,
                },
                Err(denied) => LogIn::failed(denied),
            },
            Ok(false) => {
                let failures = self.count_failure();
                warn_refused(name, failures, account.is_some());
                LogIn {
                    result: Err(Denied::Refused),
                    delay: DELAY_STEP * failures.min(MOST_DELAY_STEPS),
                }
            }
            // Nobody waits for it any more.
            Err(_cancelled) if task.check().is_err() => LogIn::failed(Denied::Unavailable),
            Err(error) => {
                error!("log-in refused: the password cannot be checked: {error:#}");
                LogIn {
                    result: Err(Denied::Unavailable),
                    delay: DELAY_STEP,
                }
            }
        }
    }

    fn count_failure(&self) -> u32 {
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        before.saturating_add(1)
    }

    /// The account with this login name, whatever its password.
    fn find(&self, name: &str) -> Option<Account> {
        let config = &self.config;
        if ANONYMOUS_NAMES.contains(&name) {
            let anonymous = config.anonymous.as_ref()?;
            return Some(Account {
                name: name.to_owned(),
                root: anonymous.root.clone(),
                rights: Rights::of_anonymous(anonymous, config.storage.umask),
                tls_required: Required::Nothing,
            });
        }
        let user = config.users.iter().find(|user| user.name == name)?;
        Some(Account {
            name: name.to_owned(),
            root: user.root.clone(),
            rights: Rights::of_user(user, config.storage.umask),
            tls_required: user.tls_required,
        })
    }

    /// Whether this name may log in with this password.
    ///
    /// # Errors
    /// If that could not be found out.
    fn admits(&self, name: &str, password: &Password, task: &Task) -> Result<bool> {
        let config = &self.config;
        if ANONYMOUS_NAMES.contains(&name) {
            return Ok(config.anonymous.is_some());
        }
        let user = config.users.iter().find(|user| user.name == name);
        // An unknown name costs the time of the first user's hash, because an answer at once would
        // tell that there is no such user. Hashes of `hash-password` all cost the same.
        let Some(User { password_hash, .. }) = user.or(config.users.first()) else {
            return Ok(false);
        };
        let matches = self.checks.run(password_hash, password, task)?;
        Ok(matches && user.is_some())
    }
}

/// Lets somebody in whose password is right.
fn admitted(account: Account, secure: bool) -> Result<Account, Denied> {
    if account.tls_required > Required::Nothing && !secure {
        warn!(user = account.name, "log-in refused: the account needs TLS");
        return Err(Denied::TlsRequired);
    }
    expect_root(&account)?;
    info!(user = account.name, "logged in");
    Ok(account)
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
fn warn_refused(name: &str, failures: u32, known: bool) {
    if known {
        warn!(user = name, failures, "log-in refused: wrong password");
    } else {
        warn!(failures, "log-in refused: no such user");
    }
}

#[cfg(test)]
mod tests;
