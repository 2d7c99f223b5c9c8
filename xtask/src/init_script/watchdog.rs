//! The host's watchdog and our script: watchdogs whose pid file is lost, calls at the same time, and
//! processes that do not react.

use std::{fs, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    hurried_script,
    scene::{
        Scene,
        Supervision::{ByHand, Watchdog},
        WATCHDOG_PID_FILE, seconds, wait_until,
    },
};
use crate::{
    host::{PID_FILE, SCRIPT},
    process::Finished,
};

/// The time after which hostd ends the script.
const HOSTD_LIMIT: Duration = Duration::from_secs(30);

const LOCK: &str = "/var/run/esxftpd.lock";

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Neither runs nor comes back.
#[track_caller]
fn expect_stopped_for_good(scene: &Scene, stopped: &Finished) {
    assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{stopped}");
    let starts = scene.starts();
    scene.expect_silence();
    assert_eq!(scene.starts(), starts, "a watchdog started another daemon");
    scene.expect(&["status"], 3);
    assert!(!scene.host.path(PID_FILE).exists());
    assert!(!scene.host.path(LOCK).exists());
}

#[test]
fn service_lives_on_after_a_stop_when_the_watchdogs_pid_file_is_lost() {
    let scene = Scene::new(Watchdog);
    scene.start();
    fs::remove_file(scene.host.path(WATCHDOG_PID_FILE)).unwrap();
    let stopped = scene.expect(&["stop"], 0);
    expect_stopped_for_good(&scene, &stopped);
}

#[test]
fn service_lives_on_after_a_stop_when_the_watchdog_forgets_its_pid_file() {
    let scene = Scene::new(Watchdog);
    scene.tmp("forgetful", "");
    scene.start();
    let stopped = scene.expect(&["stop", "remove"], 0);
    expect_stopped_for_good(&scene, &stopped);
}

#[test]
fn double_click_on_start_leaves_two_watchdogs() {
    let scene = Scene::new(Watchdog);
    scene.at_once(&["start", "start"]);
    let daemon = scene.pid();
    assert_eq!(scene.watchdogs().len(), 1);
    assert_eq!(scene.starts(), 1);
    scene.expect(&["start"], 0);
    assert_eq!(scene.pid(), daemon);
    let stopped = scene.expect(&["stop"], 0);
    expect_stopped_for_good(&scene, &stopped);
}

#[test]
fn start_and_stop_at_once_leave_all_or_nothing() {
    let scene = Scene::new(Watchdog);
    scene.start();
    scene.at_once(&["stop", "start", "stop", "start"]);
    let running = scene.call(&["status"]).code == Some(0);
    assert_eq!(scene.watchdogs().len(), usize::from(running));
    scene.expect(&["stop"], 0);
    scene.expect_silence();
}

#[test]
fn start_beside_a_watchdog_without_pid_file_leaves_two_watchdogs() {
    let scene = Scene::new(Watchdog);
    for manner in ["refuse", "patient", "forgetful"] {
        scene.tmp(manner, "");
    }
    scene.expect(&["start"], 0);
    assert_eq!(scene.watchdogs().len(), 1);
    for manner in ["refuse", "patient", "forgetful"] {
        fs::remove_file(scene.host.path("/tmp").join(manner)).unwrap();
    }
    scene.start();
    assert_eq!(scene.watchdogs().len(), 1);
    let stopped = scene.expect(&["stop"], 0);
    expect_stopped_for_good(&scene, &stopped);
}

#[test]
fn pid_file_of_another_daemon_is_not_removed() {
    let scene = Scene::new(ByHand);
    scene.tmp("stubborn", "");
    scene.install(SCRIPT, &hurried_script());
    let pid = scene.start();
    thread::scope(|scope| {
        let stop = scope.spawn(|| scene.expect(&["stop"], 0));
        // As a daemon does that was started by other means, in the meantime.
        wait_until("the stop has begun", || scene.host.path(LOCK).exists());
        thread::sleep(Duration::from_millis(500));
        fs::write(scene.host.path(PID_FILE), "4194000\n").unwrap();
        stop.join().unwrap();
    });
    assert!(!scene.host.is_running(pid));
    assert_eq!(scene.read(PID_FILE), "4194000\n");
}

#[test]
fn stop_takes_too_long_when_watchdog_and_daemon_hang() {
    let scene = Scene::new(Watchdog);
    let daemon = scene.start();
    let watchdogs = scene.watchdogs();
    assert_eq!(watchdogs.len(), 1);
    signal(watchdogs[0], Signal::SIGSTOP);
    signal(daemon, Signal::SIGSTOP);
    let stopped = scene.expect(&["stop"], 0);
    assert!(stopped.took < HOSTD_LIMIT, "{:?}", stopped.took);
    expect_stopped_for_good(&scene, &stopped);
}

/// The number of a killed process stays until its parent asks, and a watchdog that hangs does not
/// ask. Here the script cannot find the watchdog, either.
#[test]
fn killed_daemon_of_a_watchdog_that_hangs_is_reported_as_not_to_be_killed() {
    let scene = Scene::new(Watchdog);
    scene.install(SCRIPT, &hurried_script());
    let daemon = scene.start();
    let watchdog = scene.watchdogs()[0];
    scene.tmp("hidden", "");
    fs::remove_file(scene.host.path(WATCHDOG_PID_FILE)).unwrap();
    signal(watchdog, Signal::SIGSTOP);
    signal(daemon, Signal::SIGSTOP);
    let stopped = scene.expect(&["stop"], 0);
    assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{stopped}");
    assert!(!stopped.stderr.contains("cannot be killed"), "{stopped}");
    assert!(!scene.host.is_running(daemon));
}

/// The sum of all waits of `stop`: for the lock, the watchdog and the daemon.
#[test]
fn stop_answers_before_hostd_kills_the_script() {
    assert_eq!(seconds("TERM_SECONDS"), 15);
    // What waiting for the lock takes is taken off the daemon's time.
    assert!(seconds("STOP_LOCK_SECONDS") < seconds("TERM_SECONDS"));
    let daemon = seconds("TERM_SECONDS") + seconds("GRACE_SECONDS") + 1;
    // `watchdog.sh -k` waits 5 s for one that hangs.
    let watchdog = 5 + 2 * seconds("WATCHDOG_SECONDS");
    assert!(daemon + watchdog <= 28);
    let start = seconds("START_LOCK_SECONDS") + watchdog + 2 + 3;
    assert!(start <= 28);
}

#[test]
fn start_gives_up_while_another_call_holds_the_lock_and_says_so() {
    let scene = Scene::new(ByHand);
    let holder = scene.bystander();
    scene.shell(&format!("mkdir {LOCK} && echo {holder} >{LOCK}/pid"));
    let started = scene.expect(&["start"], 0);
    assert!(
        started.stderr.contains(&format!("pid {holder}")),
        "{started}"
    );
    assert!(started.stderr.contains("try again"), "{started}");
    assert_eq!(scene.starts(), 0);
    assert!(scene.host.path(LOCK).exists(), "the lock is another's");
}

/// The installer takes no for an answer only when the processes are gone.
#[test]
fn stop_does_not_wait_for_the_lock_for_ever() {
    let scene = Scene::new(Watchdog);
    scene.start();
    let holder = scene.bystander();
    scene.shell(&format!("mkdir {LOCK} && echo {holder} >{LOCK}/pid"));
    let stopped = scene.expect(&["stop", "remove"], 0);
    assert!(stopped.took < HOSTD_LIMIT, "{:?}", stopped.took);
    assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{stopped}");
    wait_until("only the holder of the lock is left", || {
        scene.host.processes().unwrap() == [holder]
    });
    assert!(scene.host.path(LOCK).exists(), "the lock is another's");
}

/// hostd kills the script after 30 s; it can remove nothing then.
#[test]
fn killed_script_does_not_lock_out_the_next() {
    for leave in [
        // A pid that nobody has.
        format!("mkdir {LOCK} && echo 4194001 >{LOCK}/pid"),
        format!("mkdir {LOCK}"),
        format!("mkdir -p {LOCK}/next && echo 4194001 >{LOCK}/pid"),
        format!("mkdir -p {LOCK}/next"),
        // The number is another process's by now.
        format!("mkdir {LOCK} && echo $PPID >{LOCK}/pid && touch -d @1000 {LOCK}/pid"),
    ] {
        let scene = Scene::new(ByHand);
        let holder = scene.bystander();
        scene.shell(&leave.replace("$PPID", &holder.to_string()));
        let started = scene.expect(&["start"], 0);
        assert_eq!(started.stdout, "esxftpd: started\n", "{leave}: {started}");
        assert!(!scene.host.path(LOCK).exists(), "{leave}");
        scene.expect(&["stop"], 0);
    }
}

#[test]
fn lock_that_cannot_be_made_keeps_nobody_from_starting_and_stopping() {
    let scene = Scene::new(Watchdog);
    scene.shell(&format!("echo >{LOCK}"));
    let started = scene.expect(&["start"], 0);
    assert_eq!(started.stdout, "esxftpd: started\n", "{started}");
    let stopped = scene.expect(&["stop"], 0);
    assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{stopped}");
    scene.expect_silence();
}

#[test]
fn script_that_is_interrupted_leaves_no_lock() {
    let scene = Scene::new(ByHand);
    scene.tmp("stubborn", "");
    scene.start();
    thread::scope(|scope| {
        let stop = scope.spawn(|| scene.call(&["stop"]));
        let pid_file = scene.host.path(LOCK).join("pid");
        let mut holder = None;
        wait_until("the script has the lock", || {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            holder = text.trim().parse().ok();
            holder.is_some()
        });
        signal(holder.unwrap(), Signal::SIGTERM);
        let stopped = stop.join().unwrap();
        assert_eq!(stopped.code, Some(143), "{stopped}");
    });
    assert!(!scene.host.path(LOCK).exists());
}

#[test]
fn two_calls_take_over_one_left_lock_one_after_the_other() {
    let scene = Scene::new(Watchdog);
    scene.shell(&format!("mkdir {LOCK} && echo 4194001 >{LOCK}/pid"));
    scene.at_once(&["start"; 3]);
    assert_eq!(scene.watchdogs().len(), 1);
    assert_eq!(scene.starts(), 1);
    scene.expect(&["stop"], 0);
    scene.expect_silence();
}
