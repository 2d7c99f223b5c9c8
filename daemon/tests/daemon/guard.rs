//! Guessing passwords: who is turned away, and what an administrator sees of that.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    PATIENCE,
    ftp::Ftp,
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
    // All are there before the first is refused: who comes after a ban hears no greeting.
    let clients: Vec<_> = (0..sessions)
        .map(|number| {
            let mut ftp = Ftp::connect(daemon.addresses[0]);
            ftp.reply();
            let name = if number % 2 == 0 { "alice" } else { "s3cret" };
            ftp.expect(&format!("USER {name}"), "331");
            ftp
        })
        .collect();
    let guess = |mut ftp: Ftp| thread::spawn(move || ftp.command("PASS wrong"));
    let guesses: Vec<_> = clients.into_iter().map(guess).collect();
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
    daemon.wait_for_log("its logins were refused again and again");
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
    let mut other = Ftp::connect(daemon.addresses[1]);
    other.log_in("alice", PASSWORD);

    assert!(run(&daemon, &["unban", "127.0.0.1"]).status.success());
    daemon.wait_for_log("cause=\"administrator\"");
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
    assert!(eventually(|| daemon.log().contains("ban-ended")));
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

/// A control connection from this address.
fn connect_from(source: Ipv4Addr, daemon: SocketAddr) -> Ftp {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
    use std::os::fd::AsRawFd as _;
    let flags = SockFlag::SOCK_CLOEXEC;
    let client = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let [from, to] = [SocketAddr::from((source, 0)), daemon].map(|address| match address {
        SocketAddr::V4(address) => SockaddrIn::from(address),
        SocketAddr::V6(_) => unreachable!("the first address is IPv4"),
    });
    bind(client.as_raw_fd(), &from).unwrap();
    connect(client.as_raw_fd(), &to).unwrap();
    let client = TcpStream::from(client);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    Ftp::over(Box::new(client))
}

/// How long a refusal takes, from PASS to the reply.
fn refusal(source: Ipv4Addr, daemon: SocketAddr, name: &str, password: &str) -> Duration {
    let mut ftp = connect_from(source, daemon);
    ftp.reply();
    ftp.expect(&format!("USER {name}"), "331");
    let start = Instant::now();
    let reply = ftp.command(&format!("PASS {password}"));
    assert_eq!(reply, "530 The user name or the password is wrong.");
    start.elapsed()
}

/// H of Kruskal and Wallis for groups of samples.
fn rank_test(groups: &[Vec<Duration>]) -> f64 {
    let numbered = groups.iter().enumerate();
    let mut all: Vec<_> = numbered
        .flat_map(|(group, samples)| samples.iter().map(move |sample| (*sample, group)))
        .collect();
    all.sort_unstable();
    let mut sums = vec![0.0; groups.len()];
    for (rank, (_, group)) in (1_u32..).zip(&all) {
        sums[*group] += f64::from(rank);
    }
    let count = |samples: usize| f64::from(u32::try_from(samples).unwrap());
    let squares = sums
        .iter()
        .zip(groups)
        .map(|(sum, it)| sum * sum / count(it.len()));
    let n = count(all.len());
    12.0 / (n * (n + 1.0)) * squares.sum::<f64>() - 3.0 * (n + 1.0)
}

/// 300 refusals of each kind, in random order, at different hashes.
#[test]
#[ignore = "a measurement that takes minutes"]
fn measured_the_time_of_a_refusal_does_not_tell_its_cause() {
    const SAMPLES: usize = 300;
    let hash = esxftpd::accounts::hash("something else").unwrap();
    let daemon = Daemon::start_with("", |root| {
        let limited = |name: &str, line: &str| user(name, root, false) + line + "\n";
        let root = root.display();
        [
            "[guard]\nfailures = 0\n[limits]\nsessions = 100\n".to_owned(),
            limited("alice", ""),
            limited("disabled", "disabled = true"),
            limited("expired", "expires = 2020-01-01"),
            limited("elsewhere", "allow = [\"192.0.2.0/24\"]"),
            format!("[[users]]\nname = \"dear\"\npassword-hash = \"{hash}\"\nroot = \"{root}\"\n"),
            format!("[[users]]\nname = \"bin\"\nhost-account = true\nroot = \"{root}\"\n"),
        ]
        .concat()
    });
    let attempts = [
        ("nobody", PASSWORD),
        ("alice", "wrong"),
        ("dear", "wrong"),
        ("disabled", PASSWORD),
        ("expired", PASSWORD),
        ("elsewhere", PASSWORD),
        ("bin", PASSWORD),
    ];
    let address = daemon.addresses[0];
    let workers: Vec<_> = (0..10_u8)
        .map(|worker| {
            thread::spawn(move || {
                let mut groups = vec![Vec::new(); attempts.len()];
                for round in 0..SAMPLES / 10 {
                    for step in 0..attempts.len() {
                        // Each worker begins with another one, so that no kind is always first.
                        let kind = (step + round + usize::from(worker)) % attempts.len();
                        let (name, password) = attempts[kind];
                        let source = Ipv4Addr::new(127, 0, 2, worker + 1);
                        groups[kind].push(refusal(source, address, name, password));
                    }
                }
                groups
            })
        })
        .collect();
    let mut groups = vec![Vec::new(); attempts.len()];
    for worker in workers {
        for (all, more) in groups.iter_mut().zip(worker.join().unwrap()) {
            all.extend(more);
        }
    }
    for (samples, (name, _)) in groups.iter().zip(attempts) {
        let mut sorted = samples.clone();
        sorted.sort_unstable();
        println!(
            "{name}: median {:?}, most {:?}",
            sorted[SAMPLES / 2],
            sorted[SAMPLES - 1]
        );
    }
    let h = rank_test(&groups);
    println!("H = {h:.2}");
    // Chi-squared with six degrees of freedom at 1 %.
    assert!(h < 16.81, "H = {h}");
}

/// 200 addresses guess one name, and another user logs in.
#[test]
#[ignore = "a measurement that takes minutes"]
fn measured_many_addresses_that_guess_one_name_do_not_keep_others_out() {
    // The allocator of glibc would keep the blocks of all threads; that of musl returns them.
    let daemon = Daemon::start_after("export MALLOC_MMAP_THRESHOLD_=131072", |root| {
        let hash = esxftpd::accounts::hash(PASSWORD).unwrap();
        let root = root.display();
        let user = |name| {
            format!("[[users]]\nname = \"{name}\"\npassword-hash = \"{hash}\"\nroot = \"{root}\"\n")
        };
        format!("[limits]\nsessions = 400\n{}{}", user("alice"), user("bob"))
    });
    let (address, over) = (daemon.addresses[0], Arc::new(AtomicBool::new(false)));
    let most = Arc::new(AtomicU8::new(0));
    let attackers: Vec<_> = (1..=200_u8)
        .map(|number| {
            let (over, most) = (over.clone(), most.clone());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut ftp = connect_from(Ipv4Addr::new(127, 0, 3, number), address);
                    if ftp.reply().starts_with("220") {
                        ftp.command("USER alice");
                        ftp.command("PASS wrong");
                        most.fetch_max(number, Ordering::Relaxed);
                    } else {
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            })
        })
        .collect();
    assert!(eventually(|| most.load(Ordering::Relaxed) > 100));
    let mut times: Vec<_> = (0..20)
        .map(|_| {
            let start = Instant::now();
            let mut ftp = daemon.connect();
            ftp.log_in("bob", PASSWORD);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let resident = daemon.resident_kib();
    over.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.join().unwrap();
    }
    println!(
        "median {:?}, most {:?}, {resident} KiB",
        times[10], times[19]
    );
    assert!(times[10] < Duration::from_secs(1) && resident < 96 << 10);
}
