//! The FTP engine: the only file that knows libunftp's `ServerBuilder`.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use libunftp::{
    Server, ServerBuilder,
    options::{ActivePassiveMode, PassiveHost, SiteMd5},
};

use super::passive::PassivePorts;
use crate::{
    accounts::{Account, Accounts, PasswordChecks},
    config::Config,
    session::Work,
    storage::Storage,
};

/// Makes the engine of one session.
///
/// # Errors
/// If libunftp refuses the combination of options, which would be a fault of ours.
pub(super) fn build(
    config: &Arc<Config>,
    checks: PasswordChecks,
    work: Work,
) -> Result<Server<Storage, Account>> {
    let accounts = Arc::new(Accounts::new(Arc::clone(config), checks, work.clone()));
    let ports = PassivePorts { work: work.clone() };
    let storage = Box::new(move || Storage::new(work.clone()));
    ServerBuilder::<Storage, Account>::with_user_detail_provider(storage, accounts.clone())
        .authenticator(accounts)
        .greeting(interned(&config.greeting))
        .idle_session_timeout(config.limits.idle_seconds.into())
        // Active mode would let a client make the host connect anywhere: libunftp does not check
        // the address.
        .active_passive_mode(ActivePassiveMode::PassiveOnly)
        .passive_ports(config.passive.ports.0.clone())
        .passive_host(
            config
                .passive
                .host
                .map_or(PassiveHost::FromConnection, PassiveHost::Ip),
        )
        .binder(ports)
        .sitemd5(SiteMd5::None)
        // Its log lines quote what clients send, passwords typed at the wrong prompt included.
        .logger(slog::Logger::root(slog::Discard, slog::o!()))
        .build()
        .context("libunftp refuses its options")
}

/// libunftp wants the greeting for ever. One copy is kept for each greeting that the configuration
/// has had.
fn interned(greeting: &str) -> &'static str {
    static GREETINGS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut greetings = GREETINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = greetings.get(greeting) {
        return known;
    }
    let kept: &'static str = Box::leak(greeting.to_owned().into_boxed_str());
    greetings.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::interned;

    #[test]
    fn a_greeting_is_kept_once() {
        assert!(ptr::eq(interned("hello"), interned(&String::from("hello"))));
    }
}
