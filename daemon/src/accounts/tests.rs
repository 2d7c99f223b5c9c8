use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, LazyLock},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use protocol::request::{Denied, Password};

use super::{Accounts, DELAY_STEP, LogIn, LogIns, hash, host, password};
use crate::{
    config::{Config, Day, Login, PasswordHash, Required, Rules, User},
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
        login: Login {
            name: "alice".into(),
            password_hash: Some(phc(HASH)),
            ..Login::default()
        },
        rules: Rules {
            root: "/".into(),
            ..Rules::default()
        },
    };
    Config {
        users: vec![user],
        ..Config::default()
    }
}

fn phc(text: &str) -> PasswordHash {
    serde_json::from_value(text.into()).unwrap()
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The accounts of a session with this configuration.
fn accounts(config: Config) -> Accounts {
    session(config, &LogIns::default())
}

/// The accounts of one of several sessions.
fn session(config: Config, shared: &LogIns) -> Accounts {
    Accounts::new(Arc::new(config), shared.clone(), CLIENT)
}

/// Why a log-in is refused.
fn denied(log_in: LogIn) -> Option<Denied> {
    log_in.result.err()
}

/// In how many steps the client of a log-in that began before `start` hears of it, rounded.
fn steps(log_in: &LogIn, start: Instant) -> u32 {
    let wait = log_in.due.map_or(Duration::ZERO, |due| due - start);
    u32::try_from((wait + DELAY_STEP / 2).as_nanos() / DELAY_STEP.as_nanos()).unwrap()
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
        let LogIn { result, due } = log_in(&accounts, name, password);
        assert_eq!(result.is_ok(), admitted, "{name} with {password}");
        assert_eq!(due.is_none(), admitted, "{name} with {password}");
    }
}

#[test]
fn without_users_every_log_in_is_refused() {
    let accounts = accounts(Config::default());
    for name in ["root", "anonymous", "ftp", ""] {
        let refused = denied(log_in(&accounts, name, "x"));
        assert_eq!(refused, Some(Denied::Refused), "{name}");
    }
}

#[test]
fn anonymous_users_get_the_anonymous_account() {
    let anonymous = Rules {
        root: "/tmp".into(),
        ..Rules::default()
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
    config.users[0].login.tls_required = Required::Control;
    let accounts = accounts(config);
    for (password, cause) in [("wrong", Denied::Refused), (CORRECT, Denied::TlsRequired)] {
        assert_eq!(denied(log_in(&accounts, "alice", password)), Some(cause));
    }
    let password = Password(CORRECT.into());
    let secure = accounts.log_in("alice", &password, true, &Task::default());
    assert!(secure.result.is_ok());
}

#[test]
fn each_refusal_makes_the_session_wait_longer_up_to_a_bound() {
    let refused = accounts(Config::default());
    for expected in [1, 2, 3, 4, 5, 5, 5] {
        let start = Instant::now();
        let log_in = log_in(&refused, "root", "x");
        assert_eq!(steps(&log_in, start), expected);
    }
    let (another, start) = (accounts(Config::default()), Instant::now());
    assert_eq!(steps(&log_in(&another, "root", "x"), start), 1);
}

#[test]
fn a_hash_that_cannot_be_checked_is_no_wrong_password() {
    let mut config = config();
    let broken = HASH.replace("m=8", "m=4294967295");
    config.users[0].login.password_hash = Some(phc(&broken));
    let start = Instant::now();
    let log_in = log_in(&accounts(config), "alice", CORRECT);
    assert_eq!(steps(&log_in, start), 1);
    assert_eq!(denied(log_in), Some(Denied::Unavailable));
}

/// Every user of this configuration has another reason to be refused, the correct password or not.
fn refusals() -> (Config, Vec<(&'static str, &'static str)>) {
    let mut config = config();
    let mut add = |name: &str, change: fn(&mut Rules)| {
        let mut user = config.users[0].clone();
        user.login.name = name.to_owned();
        change(&mut user.rules);
        config.users.push(user);
    };
    add("disabled", |rules| rules.disabled = true);
    add("expired", |rules| {
        rules.expires = Some(Day::since_1970(18_262));
    });
    add("elsewhere", |rules| {
        rules.allow = vec!["192.0.2.0/24".parse().unwrap()];
    });
    add("full", |rules| rules.sessions = Some(0));
    let attempts = [
        ("nobody", CORRECT),
        ("alice", "wrong"),
        ("disabled", CORRECT),
        ("expired", CORRECT),
        ("elsewhere", CORRECT),
        ("full", CORRECT),
        ("anonymous", "me@example.org"),
    ];
    (config, attempts.to_vec())
}

#[test]
fn every_refusal_has_the_same_answer_in_the_same_step() {
    let (config, attempts) = refusals();
    for (name, password) in attempts {
        let (accounts, start) = (accounts(config.clone()), Instant::now());
        let refused = log_in(&accounts, name, password);
        assert_eq!(steps(&refused, start), 1, "{name}");
        assert_eq!(denied(refused), Some(Denied::Refused), "{name}");
    }
}

/// The time of a refusal was that of the user's own hash and a delay.
#[test]
fn the_time_of_a_refusal_does_not_tell_the_cost_of_the_users_hash() {
    let (mut config, _) = refusals();
    // On a host of common speed it takes 0.9 seconds, with a margin 1.1.
    let slow = HASH.replace("m=8,t=1", "m=57600,t=16");
    let mut user = config.users[0].clone();
    user.login.name = "slow".to_owned();
    let slow = phc(&slow);
    assert!(password::common_time(&slow) < DELAY_STEP);
    user.login.password_hash = Some(slow);
    config.users.push(user);
    let (accounts, start) = (accounts(config), Instant::now());
    let cheap = log_in(&accounts, "alice", "wrong");
    assert_eq!(
        steps(&cheap, start),
        2,
        "the slowest hash sets the time for all"
    );
}

#[test]
fn the_limits_of_an_account_admit_who_is_within_them() {
    let mut config = config();
    let rules = &mut config.users[0].rules;
    rules.allow = vec!["127.0.0.0/8".parse().unwrap()];
    rules.sessions = Some(1);
    rules.expires = Some(Day::today());
    let (shared, config) = (LogIns::default(), config);
    let [one, other] = [(); 2].map(|()| session(config.clone(), &shared));
    let first = log_in(&one, "alice", CORRECT).result.unwrap();
    let refused = denied(log_in(&other, "alice", CORRECT));
    assert_eq!(refused, Some(Denied::Refused));
    assert!(shared.guard.rows().is_empty());
    drop(first);
    assert!(log_in(&other, "alice", CORRECT).result.is_ok());
}

/// Any number of sessions of one address made a check with every password that they sent.
#[test]
fn an_address_has_as_many_passwords_checked_as_the_guard_allows() {
    let (config, shared) = (config(), LogIns::default());
    let attempts: Vec<_> = (0..40)
        .map(|_| {
            let accounts = session(config.clone(), &shared);
            thread::spawn(move || denied(log_in(&accounts, "alice", "wrong")))
        })
        .collect();
    let denied: Vec<_> = attempts.into_iter().map(|it| it.join().unwrap()).collect();
    let count = |cause| denied.iter().filter(|it| **it == Some(cause)).count();
    assert_eq!(count(Denied::Refused), 10);
    assert_eq!(count(Denied::Unavailable), 30);
    assert!(shared.guard.refuses(CLIENT, &config.guard));
    let right = denied_of(&session(config.clone(), &shared));
    assert_eq!(right, Some(Denied::Unavailable), "even with the password");
    assert_eq!(shared.guard.unban(None), 1);
    assert_eq!(denied_of(&session(config, &shared)), None);
}

fn denied_of(accounts: &Accounts) -> Option<Denied> {
    denied(log_in(accounts, "alice", CORRECT))
}

#[test]
fn exempt_addresses_and_a_guard_that_is_off_ban_nobody() {
    let mut off = config();
    off.guard.failures = 0;
    let mut exempt = config();
    exempt.guard.exempt = vec!["127.0.0.0/8".parse().unwrap()];
    for config in [off, exempt] {
        let shared = LogIns::default();
        for _ in 0..20 {
            let refused = denied(log_in(&session(config.clone(), &shared), "alice", "wrong"));
            assert_eq!(refused, Some(Denied::Refused));
        }
        assert!(shared.guard.rows().is_empty());
    }
}

#[test]
fn an_account_that_needs_tls_does_not_ban_its_user() {
    let (mut config, shared) = (config(), LogIns::default());
    config.users[0].login.tls_required = Required::Control;
    for _ in 0..20 {
        let refused = denied(log_in(&session(config.clone(), &shared), "alice", CORRECT));
        assert_eq!(refused, Some(Denied::TlsRequired));
    }
    assert!(shared.guard.rows().is_empty());
}

/// Of [`CORRECT`] with common work.
static SLOW: LazyLock<String> = LazyLock::new(|| hash(CORRECT).unwrap());

/// A log-in on a thread of its own, with a hash that takes long enough to be seen.
fn slow_attempt(shared: &LogIns, name: &str, task: &Task) -> JoinHandle<LogIn> {
    let mut config = config();
    let user = &mut config.users[0].login;
    user.name = name.to_owned();
    user.password_hash = Some(phc(&SLOW));
    let accounts = session(config, shared);
    let (name, password, task) = (name.to_owned(), Password(CORRECT.into()), task.clone());
    thread::spawn(move || accounts.log_in(&name, &password, false, &task))
}

/// Each takes tens of megabytes and a core.
#[test]
fn no_more_passwords_are_checked_at_a_time_than_may_be() {
    let (shared, task) = (LogIns::default(), Task::default());
    LazyLock::force(&SLOW);
    let attempts: Vec<_> = (0..8)
        .map(|number| slow_attempt(&shared, &number.to_string(), &task))
        .collect();
    let mut most = 0;
    while attempts.iter().any(|attempt| !attempt.is_finished()) {
        most = most.max(shared.checks.counts().0);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(most, super::checks::PARALLEL_CHECKS);
    for attempt in attempts {
        assert!(attempt.join().unwrap().result.is_ok());
    }
    assert_eq!(shared.checks.counts(), (0, 0));
}

#[test]
fn a_check_that_waits_gives_up_when_its_client_has_gone() {
    let (shared, config) = (LogIns::default(), config());
    let running = Task::default();
    // One of the same name runs.
    let turn = shared
        .checks
        .wait(CLIENT, "alice", &config, &shared.guard, &running)
        .unwrap();
    let tasks = [(); 3].map(|()| Task::default());
    let waiting = tasks
        .each_ref()
        .map(|task| slow_attempt(&shared, "alice", task));
    wait_until("they wait", || shared.checks.counts() == (1, 3));
    for (task, attempt) in tasks.iter().zip(waiting) {
        task.cancel();
        let log_in = attempt.join().unwrap();
        assert!(log_in.due.is_none(), "nobody waits for it");
        assert_eq!(denied(log_in), Some(Denied::Unavailable));
    }
    assert_eq!(shared.checks.counts(), (1, 0), "they never ran");
    drop(turn);
}

/// Whoever connects again and again must not have many of them run.
#[test]
fn the_check_of_a_client_that_has_gone_counts_until_its_end() {
    let (shared, task) = (LogIns::default(), Task::default());
    let attempt = slow_attempt(&shared, "alice", &task);
    wait_until("the check runs", || {
        shared.checks.counts().0 == 1 || attempt.is_finished()
    });
    task.cancel();
    assert!(attempt.join().unwrap().result.is_ok(), "it ran to its end");
    assert_eq!(shared.checks.counts(), (0, 0));
}

/// Accounts with the user `backup`, whose password is that of a host with these files.
fn host_accounts(shadow: &str, access: &str) -> (tempfile::TempDir, Accounts) {
    let etc = tempfile::tempdir().unwrap();
    let mut config = config();
    config.users.push(User {
        login: Login {
            name: "backup".to_owned(),
            host_account: true,
            ..Login::default()
        },
        rules: config.users[0].rules.clone(),
    });
    let shared = LogIns {
        host: host::tests::write(etc.path(), shadow, Some(access)),
        ..LogIns::default()
    };
    (etc, session(config, &shared))
}

const HOST_LINE: &str =
    "backup:$5$saltstring$vc6YOOogU4kWVvwga8e9zTFgKcy4tb5LaPxIiPJzqEC:19000:0:99999:7:::\n";

#[test]
fn a_user_of_the_host_logs_in_with_the_password_that_the_host_has_now() {
    let (etc, accounts) = host_accounts(HOST_LINE, "+:ALL:ALL\n");
    let outcome = |name: &str, password: &str| denied(log_in(&accounts, name, password));
    assert_eq!(outcome("backup", CORRECT), None);
    assert_eq!(outcome("backup", "wrong"), Some(Denied::Refused));
    assert_eq!(outcome("alice", CORRECT), None);
    // Whom the configuration does not name is unknown, also if the host has the account.
    std::fs::write(
        etc.path().join("shadow"),
        HOST_LINE.replace("backup", "root"),
    )
    .unwrap();
    assert_eq!(outcome("root", CORRECT), Some(Denied::Refused));
    assert_eq!(outcome("backup", CORRECT), Some(Denied::Refused));
}

#[test]
fn host_accounts_that_are_locked_or_denied_are_refused_like_a_wrong_password() {
    let locked = "backup:*:19000:0:99999:7:::\n";
    for (shadow, access) in [
        (locked, "+:ALL:ALL\n"),
        (HOST_LINE, "+:root:ALL\n-:ALL:ALL\n"),
        (HOST_LINE, "torn"),
        ("", "+:ALL:ALL\n"),
    ] {
        let (_etc, accounts) = host_accounts(shadow, access);
        let start = Instant::now();
        let refused = log_in(&accounts, "backup", CORRECT);
        assert_eq!(steps(&refused, start), 1, "{shadow}, {access}");
        assert_eq!(denied(refused), Some(Denied::Refused));
        // Others are not touched.
        assert_eq!(denied_of(&accounts), None);
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
