use std::sync::Arc;

use unftp_core::auth::{Authenticator as _, Credentials, UserDetailProvider as _};

use super::{Accounts, PasswordChecks, hash};
use crate::{
    config::{Anonymous, Config, User},
    session::Work,
};

/// A configuration with the user `alice`, whose password is `correct`.
fn config() -> Config {
    let password_hash = serde_json::from_value(hash("correct").unwrap().into()).unwrap();
    let user = User {
        name: "alice".into(),
        password_hash,
        root: "/srv".into(),
        read_only: false,
        no_delete: false,
        no_overwrite: false,
        upload_only: false,
        umask: None,
        hidden: Vec::new(),
    };
    Config {
        users: vec![user],
        ..Config::default()
    }
}

/// The accounts of a session with this configuration.
fn accounts(config: Config) -> Accounts {
    Accounts::new(Arc::new(config), PasswordChecks::new(), Work::new())
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
        let result = accounts
            .authenticate(name, &Credentials::from(password))
            .await;
        assert_eq!(result.is_ok(), admitted, "{name} with {password}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_users_every_log_in_is_refused() {
    let accounts = accounts(Config::default());
    for name in ["root", "anonymous", "ftp", ""] {
        assert!(
            accounts
                .authenticate(name, &Credentials::from("x"))
                .await
                .is_err(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn anonymous_users_get_the_anonymous_account() {
    let anonymous = Anonymous {
        root: "/srv/pub".into(),
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
    let principal = accounts
        .authenticate("ftp", &Credentials::from(""))
        .await
        .unwrap();
    let account = accounts.provide_user_detail(&principal).await.unwrap();
    assert!(!account.rights.store() && account.rights.retrieve());
    assert_eq!(account.root.to_str(), Some("/srv/pub"));
}

#[tokio::test(start_paused = true)]
async fn each_refusal_makes_the_session_wait_longer() {
    let accounts = accounts(Config::default());
    let start = tokio::time::Instant::now();
    for _ in 0..3 {
        let _refused = accounts.authenticate("root", &Credentials::from("x")).await;
    }
    assert_eq!(start.elapsed().as_secs(), 1 + 2 + 3);
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
