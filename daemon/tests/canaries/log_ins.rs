//! Log-ins, and how many clients there may be.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use libunftp::options::{FailedLoginsBlock, FailedLoginsPolicy};
use unftp_core::auth::{AuthenticationError, Authenticator, ClientCert, Credentials, Principal};

use crate::{bare::Bare, ftp::Ftp};

/// Takes the password `right`, after a moment, and counts the checks that run at one time.
#[derive(Debug, Default)]
struct Slow {
    running: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Authenticator for Slow {
    async fn authenticate(
        &self,
        username: &str,
        credentials: &Credentials,
    ) -> Result<Principal, AuthenticationError> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        match (username, credentials.password.as_deref()) {
            ("nobody", _) => Err(AuthenticationError::BadUser),
            (_, Some("right")) => Ok(Principal {
                username: username.to_owned(),
            }),
            _ => Err(AuthenticationError::BadPassword),
        }
    }
}

fn policy() -> FailedLoginsPolicy {
    FailedLoginsPolicy::new(3, Duration::from_mins(2), FailedLoginsBlock::User)
}

/// Tries a password on a connection of its own, and tells how long the answer took.
fn attempt(bare: &Bare, user: &str, password: &str) -> (String, Duration) {
    let mut ftp = Ftp::connect(bare.address);
    ftp.reply();
    ftp.expect(&format!("USER {user}"), "331");
    let start = Instant::now();
    let reply = ftp.command(&format!("PASS {password}"));
    (reply, start.elapsed())
}

/// Work-around: our own accounts, which answer refusals after a delay that does not depend on the
/// password; the policy is not set.
#[test]
fn a1_the_answer_of_a_locked_account_tells_the_right_password() {
    let bare = Bare::start_with(|options| {
        let options = options.authenticator(Arc::new(Slow::default()));
        options.failed_logins_policy(policy())
    });
    for _ in 0..3 {
        attempt(&bare, "alice", "wrong");
    }
    let (wrong, soon) = attempt(&bare, "alice", "wrong");
    let (right, late) = attempt(&bare, "alice", "right");
    assert!(wrong.starts_with("530") && right.starts_with("530"));
    // Not how fast a machine is, but how long libunftp sleeps.
    assert!(late > soon + Duration::from_secs(1), "{soon:?}, {late:?}");
}

/// Work-around: the gate ends a session after a few refusals, and each takes its time.
#[test]
fn a2_guesses_on_one_connection_have_no_end() {
    let bare = Bare::start_with(|options| {
        let options = options.authenticator(Arc::new(Slow::default()));
        options.failed_logins_policy(policy())
    });
    let mut ftp = Ftp::connect(bare.address);
    ftp.reply();
    for _ in 0..50 {
        ftp.expect("USER nobody", "331");
        ftp.expect("PASS guess", "530");
    }
}

/// Work-around: the gate takes one command at a time, and a few checks run in the whole daemon.
#[test]
fn a3_pipelined_passwords_are_checked_in_parallel() {
    let slow = Arc::new(Slow::default());
    let authenticator = slow.clone();
    let bare = Bare::start_with(|options| options.authenticator(authenticator));
    let heard = bare.converse(format!("USER alice\r\n{}", "PASS x\r\n".repeat(20)).as_bytes());
    assert!(heard.contains("\r\n530 "), "{heard}");
    assert!(slow.most.load(Ordering::SeqCst) > 1, "{heard}");
}

/// Work-around: there are no log-ins by certificate.
#[test]
fn a8_a_certificate_matches_by_a_part_of_its_subject() {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let name = rcgen::DnType::CommonName;
    parameters.distinguished_name.push(name, "malice in chains");
    let key = rcgen::KeyPair::generate().unwrap();
    let made = parameters.self_signed(&key).unwrap();
    let certificate = ClientCert(made.der().to_vec());
    assert!(certificate.verify_cn("alice").unwrap());
}

/// Work-around: the server's admission.
#[test]
fn v2_there_is_no_cap_on_clients() {
    let bare = Bare::start();
    let sessions: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(bare.address).unwrap())
        .collect();
    for stream in sessions {
        let mut ftp = Ftp::over(Box::new(stream));
        assert!(ftp.reply().starts_with("220"));
    }
}

/// Work-around: the server accepts by itself, and libunftp serves single connections.
#[test]
fn v3_pasv_ends_a_pooled_server_whose_range_is_one_port() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let bare = Bare::start_with(move |options| {
        let options = options.passive_ports(port..=port);
        options.pooled_listener_mode()
    });
    let mut ftp = bare.session();
    ftp.send("PASV");
    let ended = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        TcpStream::connect(bare.address).is_err()
    });
    assert!(ended);
}
