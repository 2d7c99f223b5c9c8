//! Certificate and key that are missing, broken or replaced: the daemon stays up, and says what is
//! wrong.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::Value;

use crate::{
    ftp::Ftp,
    harness::{Daemon, PASSWORD, PROGRAM, eventually, user},
    tls::{Client, table},
};

fn put(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn openssl(directory: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(directory);
    let output = command.output().expect("openssl is installed");
    assert!(output.status.success(), "{output:?}");
}

/// Files of one broken pair, and where the finding is to be.
struct Pair(PathBuf, KeyPair);

impl Pair {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A certificate for our key that is valid between two years.
    fn valid(&self, from: i32, until: i32) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&self.1).unwrap().pem();
        put(&self.file("crt"), &certificate, 0o644);
    }

    /// Our certificate and that of its issuer.
    fn chain(&self) -> [String; 2] {
        let mut issuer = CertificateParams::new(Vec::new()).unwrap();
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        issuer
            .distinguished_name
            .push(DnType::CommonName, "an issuer");
        let key = KeyPair::generate().unwrap();
        let top = issuer.self_signed(&key).unwrap().pem();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&self.1, &Issuer::new(issuer, key)).unwrap();
        [own.pem(), top]
    }
}

type Break = fn(&Pair);

/// What is done to a good pair, and the key, the severity and a part of the one finding.
const BROKEN: [(Break, &str, &str, &str); 16] = [
    (
        |pair| fs::remove_file(pair.file("crt")).unwrap(),
        "tls.certificate",
        "error",
        "crt: cannot be read: No such file",
    ),
    (
        |pair| put(&pair.file("crt"), "", 0o644),
        "tls.certificate",
        "error",
        "crt: the file is empty",
    ),
    (
        |pair| put(&pair.file("crt"), "nonsense\n", 0o644),
        "tls.certificate",
        "error",
        "crt: there is no certificate in it",
    ),
    (
        |pair| {
            let text = fs::read_to_string(pair.file("crt")).unwrap();
            put(&pair.file("crt"), &text[..text.len() / 2], 0o644);
        },
        "tls.certificate",
        "error",
        "crt: it is damaged or cut off",
    ),
    (
        |pair| fs::remove_file(pair.file("key")).unwrap(),
        "tls.key",
        "error",
        "key: cannot be read: No such file",
    ),
    (
        |pair| put(&pair.file("key"), "nonsense\n", 0o600),
        "tls.key",
        "error",
        "key: there is no private key in it",
    ),
    (
        |pair| {
            let text = fs::read_to_string(pair.file("key")).unwrap();
            put(&pair.file("key"), &text[..text.len() / 2], 0o600);
        },
        "tls.key",
        "error",
        "key: it is damaged or cut off",
    ),
    (
        |pair| {
            openssl(&pair.0, "pkcs8 -topk8 -in key -out sealed -passout pass:x");
            fs::rename(pair.file("sealed"), pair.file("key")).unwrap();
        },
        "tls.key",
        "error",
        "key: the private key is encrypted",
    ),
    (
        |pair| {
            let other = KeyPair::generate().unwrap().serialize_pem();
            put(&pair.file("key"), &other, 0o600);
        },
        "tls.key",
        "error",
        "key: the private key does not belong to",
    ),
    (
        |pair| {
            let [own, top] = pair.chain();
            put(&pair.file("crt"), &(top + &own), 0o644);
        },
        "tls.certificate",
        "error",
        "crt: the certificate of the private key is not the first",
    ),
    (
        |pair| {
            let [own, _] = pair.chain();
            let [other, _] = pair.chain();
            put(&pair.file("crt"), &(own + &other), 0o644);
        },
        "tls.certificate",
        "warning",
        "crt: the chain is out of order",
    ),
    (
        |pair| pair.valid(2090, 2095),
        "tls.certificate",
        "warning",
        "crt: the certificate is not valid before 2090-01-01",
    ),
    (
        |pair| pair.valid(2001, 2002),
        "tls.certificate",
        "warning",
        "crt: the certificate has expired on 2002-01-01",
    ),
    (
        |pair| {
            openssl(
                &pair.0,
                "req -x509 -key key -out crt -days 29 -subj /CN=localhost",
            );
        },
        "tls.certificate",
        "warning",
        "crt: the certificate expires on 2",
    ),
    (
        |pair| {
            openssl(
                &pair.0,
                "req -x509 -newkey rsa:1024 -nodes -keyout key -out crt -days 100 -subj /CN=localhost",
            );
        },
        "tls.certificate",
        "error",
        "crt: its RSA key has 1024 bits",
    ),
    (
        |pair| fs::set_permissions(pair.file("key"), Permissions::from_mode(0o644)).unwrap(),
        "tls.key",
        "warning",
        "key: every user of this host can read the private key",
    ),
];

fn check(config: &Path) -> (Option<i32>, Vec<Value>) {
    let mut command = Command::new(PROGRAM);
    command.args(["check", "--json", "--config"]).arg(config);
    let output = command.output().unwrap();
    let findings = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), findings)
}

#[test]
fn check_has_one_finding_for_each_broken_pair_and_none_for_a_good_one() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("esxftpd.toml");
    let pair = Pair(directory.path().to_owned(), KeyPair::generate().unwrap());
    let name = |name: &str| pair.file(name).display().to_string();
    let text = format!(
        "# a comment\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        name("crt"),
        name("key")
    );
    put(&config, &text, 0o640);
    let good = || {
        pair.valid(2020, 2090);
        put(&pair.file("key"), &pair.1.serialize_pem(), 0o600);
    };
    good();
    assert_eq!(check(&config), (Some(0), vec![]));
    let [own, top] = pair.chain();
    put(&pair.file("crt"), &(own + &top), 0o644);
    assert_eq!(check(&config), (Some(0), vec![]), "a chain in order");
    for (break_it, key, severity, problem) in BROKEN {
        good();
        break_it(&pair);
        let (code, findings) = check(&config);
        let [finding] = &findings[..] else {
            panic!("{problem}: {findings:?}");
        };
        assert_eq!(code, Some(78), "{problem}");
        assert_eq!(finding["key"], key, "{finding}");
        assert_eq!(finding["severity"], severity, "{finding}");
        let line = if key == "tls.certificate" { 3 } else { 4 };
        assert_eq!(finding["line"], line, "{finding}");
        assert_eq!(finding["file"], config.display().to_string().as_str());
        let told = finding["problem"].as_str().unwrap();
        assert!(told.contains(&format!("/{problem}")), "{told}");
        assert!(!finding["remedy"].as_str().unwrap().is_empty());
    }
}

fn errors(daemon: &Daemon) -> usize {
    daemon.log().matches("Z error ").count()
}

#[test]
fn a_daemon_without_its_key_starts_and_uses_it_when_it_is_there() {
    let mut trusted = None;
    let daemon = Daemon::start_with("", |root| {
        let directory = root.parent().unwrap();
        let (tls, certificate) = table(directory, "");
        fs::rename(directory.join("key.pem"), directory.join("late")).unwrap();
        trusted = Some(Client::trusting(&certificate));
        format!(
            "implicit-tls = [\"127.0.0.1:0\"]\n{tls}{}",
            user("alice", root, false)
        )
    });
    let client = trusted.unwrap();
    daemon.wait_for_log("tls.key: ");
    assert!(daemon.log().contains("key.pem: cannot be read"));
    let mut ftp = daemon.connect();
    ftp.reply();
    ftp.expect("AUTH TLS", "431");
    // Nothing requires TLS here.
    ftp.expect("USER alice", "331");
    ftp.expect(&format!("PASS {PASSWORD}"), "230");
    let mut implicit = Ftp::connect(daemon.addresses[2]);
    assert!(implicit.reply().starts_with("421"));
    assert_eq!(errors(&daemon), 1, "{}", daemon.log());

    let directory = daemon.directory.path();
    fs::rename(directory.join("late"), directory.join("key.pem")).unwrap();
    let restored = Instant::now();
    daemon.wait_for_log("certificate-loaded");
    client.log_in(&daemon);
    let took = restored.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert_eq!(errors(&daemon), 1, "it is said once: {}", daemon.log());
}

#[test]
fn the_last_good_pair_stays_in_use_and_no_session_fails_while_it_is_replaced() {
    let mut trusted = None;
    let daemon = Daemon::start_with("", |root| {
        let (tls, certificate) = table(root.parent().unwrap(), "required = \"control\"");
        trusted = Some(Client::trusting(&certificate));
        let limits = "[limits]\nsessions = 100\nsessions-per-address = 100\n";
        format!("{limits}{tls}{}", user("alice", root, false))
    });
    let before = trusted.unwrap();
    before.log_in(&daemon);
    let directory = daemon.directory.path();
    let key = directory.join("key.pem");
    let good = fs::read_to_string(&key).unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let reload = |times: usize| {
        daemon.signal(Signal::SIGHUP);
        let told = || daemon.log().matches("configuration reloaded").count() == times;
        assert!(eventually(told), "{}", daemon.log());
    };
    for (at, (text, told)) in [
        ("", "key.pem: the file is empty"),
        (&other, "key.pem: the private key does not belong to"),
    ]
    .into_iter()
    .enumerate()
    {
        put(&key, text, 0o600);
        reload(at + 1);
        assert!(daemon.log().contains(told), "{}", daemon.log());
        assert_eq!(errors(&daemon), at + 1, "{}", daemon.log());
        before.log_in(&daemon);
    }
    put(&key, &good, 0o600);
    reload(3);
    assert_eq!(errors(&daemon), 2, "{}", daemon.log());

    // Replaced again and again, torn in between, while sessions come.
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for text in ["", &good[..good.len() / 2], &good] {
                    put(&key, text, 0o600);
                    thread::sleep(Duration::from_millis(20));
                }
                daemon.signal(Signal::SIGHUP);
            }
        });
        let sessions = (0..4).map(|_| {
            scope.spawn(|| {
                for _ in 0..250 {
                    before.log_in(&daemon);
                }
            })
        });
        let ended: Vec<_> = sessions
            .collect::<Vec<_>>()
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
}

#[test]
fn a_renewed_certificate_is_used_without_a_command() {
    let mut trusted = None;
    let daemon = Daemon::start_with("", |root| {
        let (tls, certificate) = table(root.parent().unwrap(), "");
        trusted = Some(Client::trusting(&certificate));
        format!("{tls}{}", user("alice", root, false))
    });
    trusted.unwrap().log_in(&daemon);
    let (_table, renewed) = table(daemon.directory.path(), "");
    let loaded = || {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.expect("QUIT", "221");
        daemon.log().matches("certificate-loaded").count() == 2
    };
    let start = Instant::now();
    while !loaded() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{}",
            daemon.log()
        );
        thread::sleep(Duration::from_millis(500));
    }
    // The line comes before new sessions have the certificate.
    let renewed = Client::trusting(&renewed);
    let logs_in = || panic::catch_unwind(AssertUnwindSafe(|| renewed.log_in(&daemon))).is_ok();
    assert!(eventually(logs_in), "{}", daemon.log());
}

#[test]
fn sessions_tells_what_protects_them() {
    let mut trusted = None;
    let daemon = Daemon::start_with("", |root| {
        let (tls, certificate) = table(root.parent().unwrap(), "");
        trusted = Some(Client::trusting(&certificate));
        format!("{tls}{}", user("alice", root, false))
    });
    let _clear = daemon.log_in();
    let _protected = trusted.unwrap().log_in(&daemon);
    let mut command = Command::new(PROGRAM);
    command
        .args(["sessions", "--json", "--config"])
        .arg(daemon.config());
    let rows: Vec<Value> = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert!(rows[0]["tls"].is_null() && rows[0]["cipher"].is_null());
    assert_eq!(rows[0]["data_protected"], false);
    assert_eq!(rows[1]["tls"], "TLSv1.3");
    // The registry's name, RFC 8446, appendix B.4.
    let cipher = rows[1]["cipher"].as_str().unwrap();
    assert!(cipher.starts_with("TLS_AES_") || cipher.starts_with("TLS_CHACHA20_"));
    assert_eq!(rows[1]["data_protected"], true);
}

/// With nothing changed but the address and the place of the host's pair.
#[test]
fn the_shipped_configuration_offers_tls_and_admits_nobody() {
    let mut trusted = None;
    let shipped = include_str!("../../esxftpd.toml");
    let daemon = Daemon::start_by_text(|directory| {
        let (_table, certificate) = table(directory, "");
        trusted = Some(Client::trusting(&certificate));
        let here = |name: &str| format!("{}/{name}", directory.display());
        shipped
            .replace("/etc/vmware/ssl/rui.crt", &here("certificate.pem"))
            .replace("/etc/vmware/ssl/rui.key", &here("key.pem"))
            .replace("[\"0.0.0.0:21\", \"[::]:21\"]", "[\"127.0.0.1:0\"]")
            .replace("#!control-socket", "control-socket")
            .replace("/var/run/esxftpd.sock", &here("control"))
    });
    let mut ftp = trusted.unwrap().protect(&daemon);
    ftp.expect("USER root", "331");
    ftp.expect("PASS root", "530");
}

/// The library would serve in the clear what it has no certificate for.
#[cfg(feature = "libunftp")]
#[test]
fn the_engine_libunftp_refuses_sessions_that_need_tls_while_there_is_no_certificate() {
    let daemon = Daemon::start_with("server.engine = \"libunftp\"\n", |root| {
        let directory = root.parent().unwrap();
        let (tls, _) = table(directory, "required = \"control\"");
        fs::remove_file(directory.join("key.pem")).unwrap();
        format!("{tls}{}", user("alice", root, false))
    });
    let reply = daemon.connect().reply();
    assert!(reply.starts_with("421"), "{reply}");
}
