//! Who may log in, and what they get then.

mod password;
mod rights;

use std::{
    fmt, fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use tokio::{sync::Semaphore, time::sleep};
use tracing::{error, info, warn};
use unftp_core::auth::UserDetail;

pub use self::password::hash;
pub(crate) use self::rights::Rights;
use crate::{
    config::{ANONYMOUS_NAMES, Config, PasswordHash, Required, User},
    session::{
        Context, blocking,
        gate::{Access, Denied, Password},
    },
    storage::Failure,
    sys::uninterrupted,
};

/// Checks of passwords that may run at one time in the whole process. Each takes tens of megabytes
/// and a core.
const PARALLEL_CHECKS: usize = 2;

/// How much longer a session waits after each refused log-in, and the most it waits.
const DELAY_STEP: Duration = Duration::from_secs(1);
const MOST_DELAY_STEPS: u32 = 5;

/// Lets a few sessions check a password at a time; the others wait. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PasswordChecks(Arc<Semaphore>);

impl PasswordChecks {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PARALLEL_CHECKS)))
    }

    /// Whether `password` is the one that `hash` was made of.
    ///
    /// # Errors
    /// If that could not be found out.
    async fn run(&self, hash: PasswordHash, password: Password) -> Result<bool> {
        let permit = self.0.clone().acquire_owned().await?;
        let check = blocking(move || {
            // The check goes on when its session is gone, and must count until its end.
            let _permit = permit;
            Ok(password::matches(&hash, &password.0))
        });
        check
            .await
            .map_err(|failure: Failure| anyhow::anyhow!("{failure}"))?
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
    /// What the gate has to know.
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

impl UserDetail for Account {}

/// The accounts as one session sees them: the configuration at its start, and its own failures.
#[derive(Debug)]
pub(crate) struct Accounts {
    context: Arc<Context>,
    checks: PasswordChecks,
    /// Refused log-ins of this session.
    failures: Mutex<u32>,
}

impl Accounts {
    /// Accounts of a session that begins now.
    pub(crate) fn new(context: Arc<Context>, checks: PasswordChecks) -> Self {
        Self {
            context,
            checks,
            failures: Mutex::new(0),
        }
    }

    /// The account that this name and password open. `secure` tells whether they came over TLS.
    /// A refusal takes its time, and more each time.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn log_in(
        &self,
        name: &str,
        password: Password,
        secure: bool,
    ) -> Result<Account, Denied> {
        let account = self.find(name);
        match self.admits(name, password).await {
            Ok(true) => {
                let account = account.ok_or(Denied::Refused)?;
                if account.tls_required > Required::Nothing && !secure {
                    warn!(user = name, "log-in refused: the account needs TLS");
                    return Err(Denied::TlsRequired);
                }
                self.expect_root(&account).await?;
                info!(user = name, "logged in");
                Ok(account)
            }
            Ok(false) => {
                let failures = self.count_failure();
                warn_refused(name, failures, account.is_some());
                sleep(DELAY_STEP * failures.min(MOST_DELAY_STEPS)).await;
                Err(Denied::Refused)
            }
            Err(error) => {
                error!("log-in refused: the password cannot be checked: {error:#}");
                sleep(DELAY_STEP).await;
                Err(Denied::Unavailable)
            }
        }
    }

    /// A datastore may be away. It is looked for at each log-in.
    async fn expect_root(&self, account: &Account) -> Result<(), Denied> {
        let root = account.root.clone();
        let look = move || Ok(uninterrupted(|| fs::metadata(&root)));
        let found = blocking(look);
        let problem = match found.await {
            Ok(Ok(root)) if root.is_dir() => return Ok(()),
            Ok(Ok(_)) => "it is not a directory".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(failure) => failure.to_string(),
        };
        warn!(
            user = account.name,
            root = %account.root.display(),
            problem,
            "log-in refused: the root cannot be used"
        );
        Err(Denied::NoRoot)
    }

    fn count_failure(&self) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures = failures.saturating_add(1);
        *failures
    }

    /// The account with this login name, whatever its password.
    fn find(&self, name: &str) -> Option<Account> {
        let config = &self.context.config;
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
    async fn admits(&self, name: &str, password: Password) -> Result<bool> {
        let config: &Config = &self.context.config;
        if ANONYMOUS_NAMES.contains(&name) {
            return Ok(config.anonymous.is_some());
        }
        let user = config.users.iter().find(|user| user.name == name);
        // An unknown name costs the time of the first user's hash, because an answer at once would
        // tell that there is no such user. Hashes of `hash-password` all cost the same.
        let Some(User { password_hash, .. }) = user.or(config.users.first()) else {
            return Ok(false);
        };
        let matches = self.checks.run(password_hash.clone(), password).await?;
        Ok(matches && user.is_some())
    }
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
