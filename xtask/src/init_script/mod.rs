//! The init script against its contract with the host: run under busybox ash in a chroot that holds
//! nothing else, with a stand-in daemon, with and without a stand-in for the host's `watchdog.sh`.
//!
//! Needs root. Nothing here can show what a real host does; it shows what the script does when the
//! host behaves as documented.

mod installer;
mod removal;
mod scene;
mod watchdog;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use self::scene::{
    PIDOF, Scene,
    Supervision::{ByHand, Watchdog},
    WATCHDOG, script_path, script_text, seconds,
};
use crate::{
    host::{DAEMON, PID_FILE, SCRIPT},
    process,
};

#[test]
fn chkconfig_header_is_enabled_and_well_formed() {
    let text = script_text();
    assert!(text.starts_with("#!/bin/sh\n"));
    let header = text
        .lines()
        .find_map(|line| line.strip_prefix("# chkconfig:"))
        .expect("a chkconfig line");
    let fields: Vec<_> = header.split_whitespace().collect();
    assert_eq!(fields, ["on", "80", "20"]);
}

#[test]
fn shellcheck_has_no_finding() {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let checked = process::run(
        process::command("shellcheck")
            .arg(script_path())
            .arg(packaging.join("host/shutdown.sh"))
            .args(["--shell=dash"]),
        b"",
        Duration::from_mins(1),
    )
    .unwrap();
    assert_eq!(checked.code, Some(0), "{checked}");
}

#[test]
fn without_or_with_an_unknown_argument_only_the_usage_is_printed() {
    let scene = Scene::new(ByHand);
    let pid = scene.start();
    for args in [&[][..], &["reload"], &["--help"], &["", "install"]] {
        let usage = scene.expect(args, 1);
        assert_eq!(
            usage.stdout, "Usage: esxftpd {start|stop|restart|status|ssl_reset}\n",
            "{args:?}"
        );
        assert_eq!(usage.stderr, "", "{args:?}");
        assert_eq!(scene.pid(), pid, "{args:?}");
    }
    assert_eq!(scene.read("/tmp/reloads"), "");
}

#[test]
fn life_cycle_without_a_watchdog() {
    life_cycle(&Scene::new(ByHand));
}

#[test]
fn life_cycle_under_the_watchdog() {
    life_cycle(&Scene::new(Watchdog));
}

fn life_cycle(scene: &Scene) {
    assert_eq!(
        scene.expect(&["status"], 3).stdout,
        "esxftpd: not running\n"
    );
    assert_eq!(scene.expect(&["stop"], 0).stdout, "esxftpd: not running\n");

    let installed = scene.expect(&["start", "install"], 0);
    assert_eq!(installed.stdout, "esxftpd: started\n");
    assert!(
        installed.took < Duration::from_secs(5),
        "{:?}",
        installed.took
    );
    let first = scene.pid();
    let serve = "serve --config /etc/config/esxftpd/esxftpd.toml --pid-file /var/run/esxftpd.pid\n";
    assert_eq!(scene.read("/tmp/commands"), serve);
    assert_eq!(
        scene.expect(&["status"], 0).stdout,
        format!("esxftpd: running (pid {first})\n")
    );

    scene.expect(&["start"], 0);
    scene.expect(&["start", "upgrade"], 0);
    assert_eq!(scene.pid(), first);
    assert_eq!(
        scene.read("/tmp/commands"),
        serve,
        "a second daemon was started"
    );

    scene.expect(&["restart"], 0);
    let second = scene.pid();
    assert_ne!(second, first);
    assert!(!scene.host.is_running(first));

    scene.expect(&["stop", "remove"], 0);
    assert!(!scene.host.is_running(second));
    assert_eq!(
        scene.expect(&["status"], 3).stdout,
        "esxftpd: not running\n"
    );
    scene.expect(&["stop", "upgrade"], 0);
    scene.expect_silence();
    assert!(!scene.host.path(PID_FILE).exists());
}

#[test]
fn a_program_for_another_cpu_is_not_started_and_the_reason_is_said() {
    let scene = Scene::new(Watchdog);
    // An ELF header for a machine that is neither this one nor one that an emulator may be
    // registered for (EM_NONE).
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(64, 0);
    program[16] = 2;
    fs::write(scene.host.path(DAEMON), program).unwrap();
    let refused = scene.expect(&["start"], 0);
    assert!(refused.stderr.contains("another CPU"), "{refused}");
    // One that hangs is not waited for.
    scene.install(DAEMON, "#!/bin/sh\nexec sleep 60\n");
    let hanging = scene.expect(&["start"], 0);
    assert!(!hanging.stderr.contains("another CPU"), "{hanging}");
    scene.expect(&["stop", "remove"], 0);
}

#[test]
fn restart_starts_a_stopped_daemon() {
    let scene = Scene::new(ByHand);
    scene.expect(&["restart"], 0);
    scene.pid();
}

#[test]
fn ssl_reset_reloads_and_keeps_the_process() {
    for supervision in [ByHand, Watchdog] {
        let scene = Scene::new(supervision);
        scene.expect(&["ssl_reset"], 0);
        let pid = scene.start();
        scene.expect(&["ssl_reset"], 0);
        let deadline = Instant::now() + Duration::from_secs(5);
        while scene.read("/tmp/reloads").is_empty() {
            assert!(
                Instant::now() < deadline,
                "{supervision:?}: no SIGHUP arrived"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(scene.read("/tmp/reloads"), "reload\n");
        assert_eq!(scene.pid(), pid);
    }
}

#[test]
fn stop_returns_only_when_the_process_is_gone() {
    for supervision in [ByHand, Watchdog] {
        let scene = Scene::new(supervision);
        scene.tmp("slow", "");
        let pid = scene.start();
        let stopped = scene.expect(&["stop"], 0);
        assert!(
            stopped.took >= Duration::from_secs(2),
            "{supervision:?}: {:?}",
            stopped.took
        );
        assert!(!scene.host.is_running(pid), "{supervision:?}");
        scene.expect_silence();
    }
}

/// The script with a SIGKILL after 2 s instead of 15 s.
fn hurried_script() -> String {
    let patient = format!("TERM_SECONDS={}", seconds("TERM_SECONDS"));
    let hurried = script_text().replacen(&patient, "TERM_SECONDS=2", 1);
    assert!(hurried.contains("\nTERM_SECONDS=2\n"));
    hurried
}

#[test]
fn stop_kills_a_daemon_that_ignores_the_request() {
    let scene = Scene::new(ByHand);
    scene.install(SCRIPT, &hurried_script());
    scene.tmp("stubborn", "");
    let pid = scene.start();
    let stopped = scene.expect(&["stop"], 0);
    assert!(stopped.took >= Duration::from_secs(2), "{:?}", stopped.took);
    assert!(stopped.stderr.contains("killing it"), "{stopped}");
    assert!(!scene.host.is_running(pid));
    assert!(
        !scene.host.path(PID_FILE).exists(),
        "the killed daemon's pid file is left"
    );
}

#[test]
fn pid_that_is_recycled_during_the_stop_is_not_killed() {
    let scene = Scene::new(ByHand);
    scene.install(SCRIPT, &hurried_script());
    scene.tmp("stubborn", "");
    let pid = scene.start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(1));
            scene.tmp("pidof", "");
        });
        scene.expect(&["stop"], 0);
    });
    assert!(scene.host.is_running(pid));
}

#[test]
fn stale_pid_file_is_ignored() {
    for content in ["999999\n", "", "0\n", "-1\n", "not a number\n", "1 2\n"] {
        let scene = Scene::new(ByHand);
        fs::write(scene.host.path(PID_FILE), content).unwrap();
        scene.expect(&["status"], 3);
        scene.expect(&["stop"], 0);
        let pid = scene.start();
        scene.expect(&["stop"], 0);
        assert!(!scene.host.is_running(pid), "{content:?}");
    }
}

#[test]
fn recycled_pid_is_not_killed_when_the_host_can_tell() {
    let scene = Scene::new(ByHand);
    let bystander = scene.bystander();
    fs::write(scene.host.path(PID_FILE), format!("{bystander}\n")).unwrap();
    scene.expect(&["status"], 3);
    scene.expect(&["stop"], 0);
    scene.expect(&["ssl_reset"], 0);
    assert!(scene.host.is_running(bystander));

    scene.prompt();
    scene.expect(&["status"], 3);
}

#[test]
fn another_process_of_the_binary_is_not_taken_for_the_daemon() {
    let scene = Scene::new(ByHand);
    let daemon = scene.start();
    let check = scene.prompt();
    let status = scene.expect(&["status"], 0);
    assert!(status.stdout.contains(&format!("pid {daemon}")), "{status}");
    scene.expect(&["stop"], 0);
    assert!(!scene.host.is_running(daemon));
    assert!(scene.host.is_running(check));
}

/// Such as `esxftpd hash-password`, which waits at its prompt.
#[test]
fn another_process_of_the_binary_does_not_keep_the_daemon_from_starting() {
    let scene = Scene::new(ByHand);
    let prompt = scene.prompt();
    scene.expect(&["status"], 3);
    scene.expect(&["ssl_reset"], 0);
    assert!(scene.host.is_running(prompt));
    let daemon = scene.start();
    scene.expect(&["stop"], 0);
    assert!(!scene.host.is_running(daemon));
}

#[test]
fn stop_ends_a_daemon_whose_pid_file_is_lost() {
    for (supervision, args) in [
        (ByHand, &["stop"][..]),
        (Watchdog, &["stop"]),
        (ByHand, &["stop", "upgrade"]),
        (Watchdog, &["stop", "remove"]),
    ] {
        let scene = Scene::new(supervision);
        let daemon = scene.start();
        fs::remove_file(scene.host.path(PID_FILE)).unwrap();
        let stopped = scene.expect(args, 0);
        assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{supervision:?}");
        assert!(!scene.host.is_running(daemon), "{supervision:?}: {args:?}");
    }
}

#[test]
fn start_and_stop_of_a_removed_package_are_harmless() {
    let scene = Scene::new(Watchdog);
    fs::remove_file(scene.host.path(DAEMON)).unwrap();
    let start = scene.expect(&["start", "install"], 0);
    assert!(start.stderr.contains("is missing"), "{start}");
    scene.expect(&["stop", "remove"], 0);
    scene.expect_silence();
}

#[test]
fn daemon_that_refuses_to_start_is_explained_but_no_failure() {
    for supervision in [ByHand, Watchdog] {
        let scene = Scene::new(supervision);
        scene.install("/bin/logger", "#!/bin/sh\necho \"$*\" >>/tmp/log\n");
        scene.tmp("refuse", "");
        scene.tmp("patient", "");
        let start = scene.expect(&["start", "install"], 0);
        let hint = "/opt/esxftpd/bin/esxftpd check --config /etc/config/esxftpd/esxftpd.toml";
        assert!(start.stderr.contains(hint), "{supervision:?}: {start}");
        // `check` says nothing of a port that is in use.
        assert!(
            start.stderr.contains("/var/log/syslog.log"),
            "{supervision:?}: {start}"
        );
        assert!(
            scene.read("/tmp/log").contains(hint),
            "{supervision:?}: {}",
            scene.read("/tmp/log")
        );

        // A daemon that says why is quoted, on the terminal and in the log.
        let cause = "ended: listen.addresses: cannot listen on 192.0.2.1:21";
        scene.tmp("refuse", cause);
        let start = scene.expect(&["start", "install"], 0);
        let expected = format!("esxftpd: not started: {cause}\n");
        assert_eq!(start.stderr, expected, "{supervision:?}");
        assert!(scene.read("/tmp/log").contains(cause), "{supervision:?}");

        // The next start, with the reason gone, leaves one daemon and at most one watchdog behind.
        fs::remove_file(scene.host.path("/tmp/refuse")).unwrap();
        let pid = scene.start();
        scene.expect(&["stop"], 0);
        assert!(!scene.host.is_running(pid), "{supervision:?}");
        scene.expect_silence();
    }
}

#[test]
fn failing_helpers_do_not_decide_the_exit_code() {
    let scene = Scene::new(ByHand);
    for helper in ["/bin/localcli", "/bin/esxcli", "/bin/logger", PIDOF] {
        scene.install(helper, "#!/bin/sh\necho failed >&2\nexit 7\n");
    }
    let pid = scene.start();
    scene.expect(&["status"], 0);
    scene.install(WATCHDOG, "#!/bin/sh\necho failed\nexit 7\n");
    scene.expect(&["stop"], 0);
    assert!(!scene.host.is_running(pid));
    scene.expect(&["start", "install"], 0);
    scene.expect(&["stop", "remove"], 0);
}

#[test]
fn absent_helpers_are_not_missed() {
    let scene = Scene::new(ByHand);
    for helper in ["/bin/logger", PIDOF] {
        fs::remove_file(scene.host.path(helper)).unwrap();
    }
    life_cycle(&scene);
}

#[test]
fn watchdog_restarts_the_daemon_and_stop_ends_both() {
    let scene = Scene::new(Watchdog);
    let first = scene.start();
    let killed = scene
        .host
        .run(&["/bin/sh", "-c", &format!("kill -9 {first}")])
        .unwrap();
    assert_eq!(killed.code, Some(0), "{killed}");
    let deadline = Instant::now() + Duration::from_secs(5);
    while scene
        .read(PID_FILE)
        .trim()
        .parse()
        .is_ok_and(|pid: i32| pid == first)
    {
        assert!(
            Instant::now() < deadline,
            "the stand-in watchdog did not restart the daemon"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    scene.expect(&["stop"], 0);
    scene.expect_silence();
}

#[test]
fn watchdog_gives_up_after_quick_failures() {
    let scene = Scene::new(Watchdog);
    scene.tmp("refuse", "");
    scene.expect(&["start"], 0);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scene.host.processes().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the watchdog did not give up");
        std::thread::sleep(Duration::from_millis(20));
    }
    // More than five are too many.
    assert_eq!(scene.read("/tmp/commands").lines().count(), 6);
    scene.expect(&["status"], 3);
    scene.expect(&["stop"], 0);
}

#[test]
fn end_of_the_watchdog_is_not_the_end_of_the_daemon() {
    let scene = Scene::new(Watchdog);
    let pid = scene.start();
    let watchdog = |option| scene.host.run(&[WATCHDOG, option, "esxftpd"]).unwrap();
    let named: i32 = watchdog("-r")
        .success()
        .unwrap()
        .stdout
        .trim()
        .parse()
        .unwrap();
    assert!(scene.host.is_running(named));
    watchdog("-k").success().unwrap();
    assert_eq!(watchdog("-k").code, Some(1));
    assert_eq!(watchdog("-r").code, Some(1));
    assert!(scene.host.is_running(pid));
    scene.expect(&["stop"], 0);
    scene.expect_silence();
}

#[test]
fn started_processes_hold_nothing_of_the_caller() {
    for supervision in [ByHand, Watchdog] {
        let scene = Scene::new(supervision);
        let root = scene.host.path("");
        // The installer's pipe is on descriptor 5 here; `run` fails if anybody keeps it open.
        let installer =
            format!("cd /tmp; umask 077; exec {SCRIPT} start install 5>&1 >/dev/null 2>&1");
        let started = scene.host.run(&["/bin/sh", "-c", &installer]).unwrap();
        assert_eq!(started.code, Some(0), "{supervision:?}: {started}");

        for pid in scene.host.processes().unwrap() {
            for fd in 0..10 {
                let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok();
                let expected = (fd < 3).then(|| root.join("dev/null"));
                assert_eq!(
                    target, expected,
                    "{supervision:?}: descriptor {fd} of pid {pid}"
                );
            }
        }
        let daemon = scene.pid();
        assert_eq!(
            fs::read_link(format!("/proc/{daemon}/cwd")).unwrap(),
            root.canonicalize().unwrap()
        );
        let stat = fs::read_to_string(format!("/proc/{daemon}/stat")).unwrap();
        let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3);
        assert_eq!(
            session,
            Some(daemon.to_string().as_str()),
            "{supervision:?}: no session of its own"
        );
        let state = fs::read_to_string(format!("/proc/{daemon}/status")).unwrap();
        assert!(state.contains("Umask:\t0022"), "{supervision:?}: {state}");
    }
}
