//! Who may log in, and what they get then.

mod password;
mod rights;

use std::{fmt, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use async_trait::async_trait;
use tokio::{
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::sleep,
};
use tracing::{error, info, warn};
use unftp_core::auth::{
    AuthenticationError, Authenticator, Credentials, Principal, UserDetail, UserDetailError,
    UserDetailProvider,
};

pub use self::password::hash;
pub(crate) use self::rights::Rights;
use crate::{
    config::{ANONYMOUS_NAMES, Config, PasswordHash, User},
    session::Work,
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
    async fn run(&self, hash: PasswordHash, password: String) -> Result<bool> {
        let permit = self.0.clone().acquire_owned().await?;
        let check = spawn_blocking(move || {
            // The check goes on when its session is gone, and must count until its end.
            let _permit = permit;
            password::matches(&hash, &password)
        });
        check.await?
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
    config: Arc<Config>,
    checks: PasswordChecks,
    work: Work,
    /// Refused log-ins of this session. The lock is held during an attempt, so that attempts cannot
    /// run side by side.
    failures: Mutex<u32>,
}

impl Accounts {
    /// Accounts of a session that begins now. Checks of passwords count as `work`.
    pub(crate) fn new(config: Arc<Config>, checks: PasswordChecks, work: Work) -> Self {
        Self {
            config,
            checks,
            work,
            failures: Mutex::new(0),
        }
    }

    /// The account with this login name, whatever its password.
    fn find(&self, name: &str) -> Option<Account> {
        if ANONYMOUS_NAMES.contains(&name) {
            let anonymous = self.config.anonymous.as_ref()?;
            return Some(Account {
                name: name.to_owned(),
                root: anonymous.root.clone(),
                rights: Rights::of_anonymous(anonymous, self.config.storage.umask),
            });
        }
        let user = self.config.users.iter().find(|user| user.name == name)?;
        Some(Account {
            name: name.to_owned(),
            root: user.root.clone(),
            rights: Rights::of_user(user, self.config.storage.umask),
        })
    }

    /// Whether this name may log in with this password.
    ///
    /// # Errors
    /// If that could not be found out.
    async fn admits(&self, name: &str, password: String) -> Result<bool> {
        if ANONYMOUS_NAMES.contains(&name) {
            return Ok(self.config.anonymous.is_some());
        }
        let users = &self.config.users;
        let user = users.iter().find(|user| user.name == name);
        // An unknown name costs the time of the first user's hash, because an answer at once would
        // tell that there is no such user. Hashes of `hash-password` all cost the same.
        let Some(User { password_hash, .. }) = user.or(users.first()) else {
            return Ok(false);
        };
        let _under_way = self.work.begin();
        let matches = self.checks.run(password_hash.clone(), password).await?;
        Ok(matches && user.is_some())
    }
}

#[async_trait]
impl Authenticator for Accounts {
    async fn authenticate(
        &self,
        username: &str,
        credentials: &Credentials,
    ) -> std::result::Result<Principal, AuthenticationError> {
        let mut failures = self.failures.lock().await;
        let password = credentials.password.clone().unwrap_or_default();
        match self.admits(username, password).await {
            Ok(true) => {
                info!(user = username, "logged in");
                return Ok(Principal {
                    username: username.to_owned(),
                });
            }
            Ok(false) => {
                *failures += 1;
                let known = self.find(username).is_some();
                warn_refused(username, credentials.source_ip, *failures, known);
            }
            Err(error) => error!("log-in refused: the password cannot be checked: {error:#}"),
        }
        sleep(DELAY_STEP * (*failures).clamp(1, MOST_DELAY_STEPS)).await;
        // The engine answers 530 to every error alike.
        Err(AuthenticationError::BadPassword)
    }
}

/// Logs a refused log-in. A name that no account has is not logged: people type passwords at the
/// wrong prompt.
fn warn_refused(name: &str, address: IpAddr, failures: u32, known: bool) {
    if known {
        warn!(user = name, %address, failures, "log-in refused: wrong password");
    } else {
        warn!(%address, failures, "log-in refused: no such user");
    }
}

#[async_trait]
impl UserDetailProvider for Accounts {
    type User = Account;

    async fn provide_user_detail(&self, principal: &Principal) -> Result<Account, UserDetailError> {
        self.find(&principal.username)
            .ok_or_else(|| UserDetailError::UserNotFound {
                username: principal.username.clone(),
            })
    }
}

#[cfg(test)]
mod tests;
