//! Guessing passwords: who is turned away, and what an administrator sees of that.

use std::{
    io::Read as _,
    net::TcpStream,
    process::{Command, Output},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    PATIENCE,
    harness::{Daemon, PASSWORD, PROGRAM, eventually, user},
};

const BANNED: &str = "421 too many logins from your address were refused, try again later\r\n";

/// A daemon with a guard that bans after three refused logins, until an administrator ends it.
fn guarded(more: &str) -> Daemon {
    let more = more.to_owned();
    Daemon::start_with("", move |root| {
        format!(
            "[guard]\nfailures = 3\n{more}\n[limits]\nlog-in-attempts = 100\n{}",
            user("alice", root, false)
        )
    })
}

fn run(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--config").arg(daemon.config());
    command.output().unwrap()
}

fn bans(daemon: &Daemon) -> Vec<Value> {
    let output = run(daemon, &["bans", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that a new client hears that sends nothing.
fn heard(daemon: &Daemon) -> String {
    let mut client = TcpStream::connect(daemon.addresses[0]).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    heard
}

/// Refused logins at the same time, and the replies to them.
fn guess(daemon: &Daemon, sessions: usize) -> Vec<String> {
    let address = daemon.addresses[0];
    let guesses: Vec<_> = (0..sessions)
        .map(|number| {
            thread::spawn(move || {
                let mut ftp = crate::ftp::Ftp::connect(address);
                ftp.reply();
                let name = if number % 2 == 0 { "alice" } else { "s3cret" };
                ftp.command(&format!("USER {name}"));
                ftp.command("PASS wrong")
            })
        })
        .collect();
    guesses.into_iter().map(|it| it.join().unwrap()).collect()
}

/// It could guess as long as it liked, and wrote a log line with each guess.
#[test]
fn an_address_that_guesses_is_turned_away_and_the_log_says_so_in_two_lines() {
    let daemon = guarded("");
    let replies = guess(&daemon, 10);
    let refused = replies.iter().filter(|reply| reply.starts_with("530"));
    assert_eq!(refused.count(), 3, "{replies:?}");
    let waited = replies.iter().filter(|reply| reply.starts_with("421"));
    assert_eq!(waited.count(), 7, "{replies:?}");
    daemon.wait_for_log("banned: its logins were refused again and again");
    for _ in 0..20 {
        assert_eq!(heard(&daemon), BANNED);
    }
    let rows = bans(&daemon);
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(row["address"], "127.0.0.1");
    assert_eq!((&row["failures"], &row["refused"]), (&3.into(), &20.into()));
    assert!(row["seconds"].as_u64().unwrap() > 800, "{row}");
    assert!(row["until"].as_str().unwrap().ends_with('Z'), "{row}");
    let table = String::from_utf8(run(&daemon, &["bans"]).stdout).unwrap();
    assert_eq!(table.lines().count(), 2, "{table}");
    // Another address is served.
    let mut other = crate::ftp::Ftp::connect(daemon.addresses[1]);
    other.log_in("alice", PASSWORD);

    assert!(run(&daemon, &["unban", "127.0.0.1"]).status.success());
    daemon.wait_for_log("ban ended by an administrator");
    assert!(bans(&daemon).is_empty());
    daemon.log_in();
    let log = daemon.log();
    let about_bans: Vec<_> = log.lines().filter(|line| line.contains("ban")).collect();
    assert_eq!(about_bans.len(), 2, "{about_bans:?}");
    assert!(about_bans[1].contains("refused=20"), "{about_bans:?}");
    assert!(
        !log.contains("s3cret"),
        "a name that no account has is logged: {log}"
    );
}

#[test]
fn a_ban_ends_by_itself_and_a_reload_keeps_it() {
    let daemon = guarded("ban-seconds = 4\n");
    guess(&daemon, 3);
    daemon.edit_config(|text| text.replace("failures = 3", "failures = 4"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("configuration reloaded");
    assert_eq!(heard(&daemon), BANNED);
    assert!(eventually(
        || daemon.log().contains("ban ended address") || daemon.log().contains("ban ended")
    ));
    daemon.log_in();
}

#[test]
fn a_reload_that_exempts_a_banned_address_serves_it() {
    let daemon = guarded("");
    guess(&daemon, 3);
    assert_eq!(heard(&daemon), BANNED);
    daemon.edit_config(|text| text.replace("failures = 3", "exempt = [\"127.0.0.0/8\"]"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("configuration reloaded");
    daemon.log_in();
}

#[test]
fn unban_names_what_is_no_ban_and_what_is_no_address() {
    let daemon = guarded("");
    let output = run(&daemon, &["unban", "192.0.2.7"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("192.0.2.7 is not banned; see: esxftpd bans"),
        "{message}"
    );
    assert_eq!(
        run(&daemon, &["unban", "192.0.2.0/24"]).status.code(),
        Some(2)
    );
    assert!(run(&daemon, &["unban", "all"]).status.success());
}

/// The reply to each of them, byte by byte, and one line in the log that names the cause.
#[test]
fn the_limits_of_an_account_refuse_a_login_like_a_wrong_password() {
    let daemon = Daemon::start_with("", |root| {
        let limited = |name: &str, line: &str| user(name, root, false) + line + "\n";
        [
            user("alice", root, false),
            limited("disabled", "disabled = true"),
            limited("expired", "expires = 2020-01-01"),
            limited("elsewhere", "allow = [\"192.0.2.0/24\"]"),
            limited("once", "sessions = 1"),
        ]
        .concat()
    });
    let mut first = daemon.connect();
    first.log_in("once", PASSWORD);
    for (name, password, cause) in [
        ("alice", "wrong", "wrong password"),
        ("nobody", PASSWORD, "no such user"),
        ("anonymous", "me@example.org", "no such user"),
        ("disabled", PASSWORD, "the account is disabled"),
        ("expired", PASSWORD, "the account expired after 2020-01-01"),
        ("elsewhere", PASSWORD, "may not log in from this address"),
        ("once", PASSWORD, "as many sessions as it may have"),
    ] {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.expect(&format!("USER {name}"), "331");
        let reply = ftp.command(&format!("PASS {password}"));
        assert_eq!(
            reply, "530 The user name or the password is wrong.",
            "{name}"
        );
        daemon.wait_for_log(cause);
    }
    first.expect("QUIT", "221");
    assert!(eventually(|| {
        let mut ftp = daemon.connect();
        ftp.reply();
        ftp.command("USER once");
        ftp.command(&format!("PASS {PASSWORD}")).starts_with("230")
    }));
}

#[test]
fn a_file_with_a_protected_name_can_be_fetched_and_not_stored() {
    let daemon = Daemon::start_with("", |root| {
        user("alice", root, false) + "protected = [\"*.vmx\"]\n"
    });
    std::fs::write(daemon.root().join("vm.vmx"), "content").unwrap();
    let mut ftp = daemon.log_in();
    assert_eq!(ftp.download("RETR vm.vmx"), b"content");
    assert!(ftp.upload("STOR vm.vmx", b"other").starts_with("550"));
    assert!(ftp.upload("APPE vm.vmx", b"other").starts_with("550"));
    for line in [
        "DELE vm.vmx",
        "MFMT 20200101000000 vm.vmx",
        "SITE CHMOD 600 vm.vmx",
    ] {
        ftp.expect(line, "550");
    }
    ftp.command("RNFR vm.vmx");
    assert!(!ftp.command("RNTO free").starts_with("250"));
    assert_eq!(
        std::fs::read(daemon.root().join("vm.vmx")).unwrap(),
        b"content"
    );
}
