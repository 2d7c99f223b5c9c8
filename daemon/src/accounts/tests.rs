use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use protocol::request::{Denied, Password};

use super::{Accounts, LogIn, PARALLEL_CHECKS, PasswordChecks, hash};
use crate::{
    config::{Anonymous, Config, Required, User},
    task::Task,
    tests::wait_until,
};

/// Of the password `correct horse`, with the least work that argon2 allows.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$fGboIvzlkt1eU7JnWpaFoCiFdQqj41xKJW/x6HC4Hu4";

const CORRECT: &str = "correct horse";

/// A configuration with the user `alice`, whose password is [`CORRECT`].
fn config() -> Config {
    let user = User {
        name: "alice".into(),
        password_hash: serde_json::from_value(HASH.into()).unwrap(),
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
    Accounts::new(Arc::new(config), PasswordChecks::default())
}

fn log_in(accounts: &Accounts, name: &str, password: &str) -> LogIn {
    let password = Password(password.into());
    accounts.log_in(name, &password, false, &Task::default())
}

#[test]
fn only_the_right_name_and_password_log_in_and_at_once() {
    let accounts = accounts(config());
    for (name, password, admitted) in [
        ("alice", CORRECT, true),
        ("alice", "wrong", false),
        ("alice", "", false),
        ("bob", CORRECT, false),
        ("anonymous", "me@example.org", false),
    ] {
        let LogIn { result, delay } = log_in(&accounts, name, password);
        assert_eq!(result.is_ok(), admitted, "{name} with {password}");
        assert_eq!(delay.is_zero(), admitted, "{name} with {password}");
    }
}

#[test]
fn without_users_every_log_in_is_refused() {
    let accounts = accounts(Config::default());
    for name in ["root", "anonymous", "ftp", ""] {
        let refused = log_in(&accounts, name, "x").result;
        assert_eq!(refused, Err(Denied::Refused), "{name}");
    }
}

#[test]
fn anonymous_users_get_the_anonymous_account() {
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
    let account = log_in(&accounts, "ftp", "").result.unwrap();
    assert!(!account.rights.store() && account.rights.retrieve());
    assert_eq!(account.root.to_str(), Some("/tmp"));
}

#[test]
fn an_account_that_needs_tls_is_told_so_only_with_its_password() {
    let mut config = config();
    config.users[0].tls_required = Required::Control;
    let accounts = accounts(config);
    for (password, denied) in [("wrong", Denied::Refused), (CORRECT, Denied::TlsRequired)] {
        assert_eq!(log_in(&accounts, "alice", password).result, Err(denied));
    }
    let password = Password(CORRECT.into());
    let secure = accounts.log_in("alice", &password, true, &Task::default());
    assert!(secure.result.is_ok());
}

#[test]
fn each_refusal_makes_the_session_wait_longer_up_to_a_bound() {
    let refused = accounts(Config::default());
    let seconds = [1, 2, 3, 4, 5, 5, 5];
    let delays = seconds.map(|_| log_in(&refused, "root", "x").delay);
    assert_eq!(delays, seconds.map(Duration::from_secs));
    let another = accounts(Config::default());
    assert_eq!(log_in(&another, "root", "x").delay, Duration::from_secs(1));
}

#[test]
fn a_hash_that_cannot_be_checked_is_no_wrong_password() {
    let mut config = config();
    let broken = HASH.replace("m=8", "m=4294967295");
    config.users[0].password_hash = serde_json::from_value(broken.into()).unwrap();
    let LogIn { result, delay } = log_in(&accounts(config), "alice", CORRECT);
    assert_eq!(result, Err(Denied::Unavailable));
    assert_eq!(delay, Duration::from_secs(1));
}

fn running(checks: &PasswordChecks) -> usize {
    *checks.0.checks.lock()
}

/// A log-in on a thread of its own.
fn attempt(checks: &PasswordChecks, task: &Task) -> JoinHandle<LogIn> {
    let accounts = Accounts::new(Arc::new(config()), checks.clone());
    let (password, task) = (Password(CORRECT.into()), task.clone());
    thread::spawn(move || accounts.log_in("alice", &password, false, &task))
}

/// Each takes tens of megabytes and a core.
#[test]
fn no_more_passwords_are_checked_at_a_time_than_may_be() {
    let checks = PasswordChecks::default();
    *checks.0.checks.lock() = PARALLEL_CHECKS;
    let task = Task::default();
    let waiting: Vec<_> = (0..5).map(|_| attempt(&checks, &task)).collect();
    thread::sleep(Duration::from_millis(200));
    assert!(waiting.iter().all(|attempt| !attempt.is_finished()));
    assert_eq!(running(&checks), PARALLEL_CHECKS);
    // One check ends, as it is told when that happens: all others come, one after the other.
    drop(super::Check(&checks));
    for attempt in waiting {
        assert!(attempt.join().unwrap().result.is_ok());
    }
    assert_eq!(running(&checks), PARALLEL_CHECKS - 1);
}

#[test]
fn a_check_that_waits_gives_up_when_its_client_has_gone() {
    let checks = PasswordChecks::default();
    *checks.0.checks.lock() = PARALLEL_CHECKS;
    let tasks = [(); 3].map(|()| Task::default());
    let waiting = tasks.each_ref().map(|task| attempt(&checks, task));
    for (task, attempt) in tasks.iter().zip(waiting) {
        task.cancel();
        let LogIn { result, delay } = attempt.join().unwrap();
        assert_eq!(result, Err(Denied::Unavailable));
        assert!(delay.is_zero(), "nobody waits for it");
        assert_eq!(running(&checks), PARALLEL_CHECKS, "it never ran");
    }
}

/// Whoever connects again and again must not have many of them run.
#[test]
fn the_check_of_a_client_that_has_gone_counts_until_its_end() {
    let checks = PasswordChecks::default();
    let mut config = config();
    // Takes long enough to be seen.
    let slow = hash(CORRECT).unwrap();
    config.users[0].password_hash = serde_json::from_value(slow.into()).unwrap();
    let accounts = Accounts::new(Arc::new(config), checks.clone());
    let task = Task::default();
    let attempt = thread::spawn({
        let task = task.clone();
        move || accounts.log_in("alice", &Password(CORRECT.into()), false, &task)
    });
    wait_until("the check runs", || {
        running(&checks) == 1 || attempt.is_finished()
    });
    task.cancel();
    assert!(attempt.join().unwrap().result.is_ok(), "it ran to its end");
    assert_eq!(running(&checks), 0);
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
