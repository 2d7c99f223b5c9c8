use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use super::{Account, Accounts, PARALLEL_CHECKS, PasswordChecks, hash};
use crate::{
    config::{Anonymous, Config, Required, User},
    session::{
        Context,
        gate::{Denied, Password},
    },
};

/// A configuration with the user `alice`, whose password is `correct`.
fn config() -> Config {
    let password_hash = serde_json::from_value(hash("correct").unwrap().into()).unwrap();
    let user = User {
        name: "alice".into(),
        password_hash,
        root: "/".into(),
        read_only: false,
        no_delete: false,
        no_overwrite: false,
        upload_only: false,
        umask: None,
        hidden: Vec::new(),
        tls_required: Required::Nothing,
    };
    Config {
        users: vec![user],
        ..Config::default()
    }
}

/// The accounts of a session with this configuration.
fn accounts(config: Config) -> Accounts {
    let context = Context::new(Arc::new(config), None);
    Accounts::new(context.0, PasswordChecks::new())
}

async fn log_in(accounts: &Accounts, name: &str, password: &str) -> Result<Account, Denied> {
    let password = Password(password.into());
    accounts.log_in(name, password, false).await
}

#[tokio::test(start_paused = true)]
async fn only_the_right_name_and_password_log_in() {
    let accounts = accounts(config());
    for (name, password, admitted) in [
        ("alice", "correct", true),
        ("alice", "wrong", false),
        ("bob", "correct", false),
        ("anonymous", "me@example.org", false),
    ] {
        let result = log_in(&accounts, name, password).await;
        assert_eq!(result.is_ok(), admitted, "{name} with {password}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_users_every_log_in_is_refused() {
    let accounts = accounts(Config::default());
    for name in ["root", "anonymous", "ftp", ""] {
        assert_eq!(
            log_in(&accounts, name, "x").await,
            Err(Denied::Refused),
            "{name}"
        );
    }
}

#[tokio::test]
async fn anonymous_users_get_the_anonymous_account() {
    let anonymous = Anonymous {
        root: "/tmp".into(),
        read_only: true,
        no_delete: false,
        no_overwrite: false,
        upload_only: false,
        umask: None,
        hidden: Vec::new(),
    };
    let accounts = accounts(Config {
        anonymous: Some(anonymous),
        ..config()
    });
    let account = log_in(&accounts, "ftp", "").await.unwrap();
    assert!(!account.rights.store() && account.rights.retrieve());
    assert_eq!(account.root.to_str(), Some("/tmp"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_needs_tls_is_told_so_only_with_its_password() {
    let mut config = config();
    config.users[0].tls_required = Required::Control;
    let accounts = accounts(config);
    assert_eq!(
        log_in(&accounts, "alice", "wrong").await,
        Err(Denied::Refused)
    );
    assert_eq!(
        log_in(&accounts, "alice", "correct").await,
        Err(Denied::TlsRequired)
    );
    let password = Password(b"correct".to_vec());
    assert!(accounts.log_in("alice", password, true).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_refusal_makes_the_session_wait_longer() {
    let accounts = accounts(Config::default());
    let start = tokio::time::Instant::now();
    for _ in 0..3 {
        let _refused = log_in(&accounts, "root", "x").await;
    }
    assert_eq!(start.elapsed().as_secs(), 1 + 2 + 3);
}

/// Password checks go on when the client has gone; one that connects again and again must not have
/// many of them run.
#[tokio::test]
async fn the_check_of_a_client_that_has_gone_counts_until_its_end() {
    let accounts = accounts(config());
    let free = || accounts.checks.0.available_permits();
    assert_eq!(free(), PARALLEL_CHECKS);
    let attempt = log_in(&accounts, "alice", "correct");
    assert!(timeout(Duration::from_millis(1), attempt).await.is_err());
    assert_eq!(free(), PARALLEL_CHECKS - 1);
    while free() < PARALLEL_CHECKS {
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn hashing_refuses_what_ftp_cannot_carry() {
    for password in ["", "a\nb", "a\0b", &"x".repeat(1025)] {
        assert!(hash(password).is_err());
    }
    assert!(
        hash("grün und blau")
            .unwrap()
            .starts_with("$argon2id$v=19$")
    );
}
