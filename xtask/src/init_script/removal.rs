//! Removal and upgrade: no process of the binary may be left, or its file system stays busy.

use std::fs;

use super::scene::{
    PIDOF, Scene,
    Supervision::{ByHand, Watchdog},
    script_text, wait_until,
};
use crate::host::{PID_FILE, PIDOF_SCRIPT, SCRIPT};

/// Where the package puts the script that the installer runs before it unmounts.
const SHUTDOWN: &str = "/etc/vmware/shutdown/shutdown.d/esxftpd";
const SHUTDOWN_SCRIPT: &str = include_str!("../../../packaging/host/shutdown.sh");

/// The stand-in has to print just what the real one does, trailing blank included.
#[test]
fn stand_in_prints_pids_as_the_hosts_pidof_does() {
    let scene = Scene::new(ByHand);
    let pidof = |arguments: &[&str]| {
        let finished = scene.host.run(&[&[PIDOF], arguments].concat()).unwrap();
        (finished.code, finished.stdout)
    };
    let binary = "/opt/esxftpd/bin/esxftpd";
    assert_eq!(pidof(&[binary]), (Some(1), String::new()));
    let pids = sorted(&[scene.start(), scene.prompt()]);
    // A script by that name, which is found with -x only.
    scene.install("/tmp/esxftpd", "#!/bin/sh\nwhile :; do sleep 1; done\n");
    let script = scene.spawn("/tmp/esxftpd");
    let with_script = sorted(&[pids[0], pids[1], script]);
    for (arguments, expected) in [
        (&[binary][..], &pids),
        (&["/elsewhere/esxftpd"], &pids),
        (&["-x", "esxftpd"], &with_script),
    ] {
        // A shell that is about to start another program is a second process for a moment.
        wait_until(&format!("pidof {arguments:?} prints {expected:?}"), || {
            let (code, line) = pidof(arguments);
            assert_eq!(code, Some(0));
            let words = line.strip_suffix(" \n").expect("a blank behind each pid");
            let found: Vec<i32> = words.split(' ').map(|pid| pid.parse().unwrap()).collect();
            sorted(&found) == *expected
        });
    }
    let (_, one) = pidof(&["-s", binary]);
    assert!(one.strip_suffix(" \n").unwrap().parse::<i32>().is_ok());
}

fn sorted(pids: &[i32]) -> Vec<i32> {
    let mut sorted = pids.to_vec();
    sorted.sort_unstable();
    sorted
}

#[test]
fn password_prompt_keeps_the_binary_busy_after_stop_remove() {
    for reason in ["remove", "upgrade"] {
        let scene = Scene::new(Watchdog);
        scene.start();
        let prompts = [scene.prompt(), scene.prompt()];
        let stopped = scene.expect(&["stop", reason], 0);
        assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{stopped}");
        for prompt in prompts {
            assert!(!scene.host.is_running(prompt), "{reason}");
        }
        scene.expect_silence();
    }
}

#[test]
fn password_prompt_alone_keeps_the_binary_busy_after_stop_remove() {
    let scene = Scene::new(ByHand);
    let prompt = scene.prompt();
    scene.expect(&["stop", "remove"], 0);
    assert!(!scene.host.is_running(prompt));
}

/// Somebody may be about to add an account.
#[test]
fn stop_and_restart_leave_a_password_prompt_alone() {
    let scene = Scene::new(Watchdog);
    scene.start();
    let prompt = scene.prompt();
    scene.expect(&["restart"], 0);
    scene.expect(&["stop"], 0);
    assert!(scene.host.is_running(prompt));
}

/// A pidof that also finds scripts would name the script itself, and the one that called it.
#[test]
fn script_does_not_end_itself() {
    let scene = Scene::new(ByHand);
    let with_scripts = PIDOF_SCRIPT.replacen("scripts=\n", "scripts=yes\n", 1);
    assert_ne!(with_scripts, PIDOF_SCRIPT);
    scene.install(PIDOF, &with_scripts);
    scene.install(SHUTDOWN, SHUTDOWN_SCRIPT);
    let daemon = scene.start();
    fs::remove_file(scene.host.path(PID_FILE)).unwrap();
    let stopped = scene.host.run(&[SHUTDOWN]).unwrap();
    assert_eq!(stopped.code, Some(0), "{stopped}");
    assert_eq!(stopped.stdout, "esxftpd: stopped\n", "{stopped}");
    assert!(!scene.host.is_running(daemon));
}

#[test]
fn daemon_that_is_switched_off_keeps_running_through_a_removal() {
    for supervision in [ByHand, Watchdog] {
        let scene = Scene::new(supervision);
        scene.install(SHUTDOWN, SHUTDOWN_SCRIPT);
        scene.start();
        // The installer skips the init script of a service that is off, and runs this.
        let stopped = scene.host.run(&[SHUTDOWN]).unwrap();
        assert_eq!(stopped.code, Some(0), "{stopped}");
        scene.expect_silence();
    }
}

#[test]
fn script_of_the_installer_never_fails() {
    let scene = Scene::new(ByHand);
    scene.install(SHUTDOWN, SHUTDOWN_SCRIPT);
    for script in [Some("#!/bin/sh\nexit 1\n"), Some(&script_text()), None] {
        match script {
            Some(text) => scene.install(SCRIPT, text),
            None => fs::remove_file(scene.host.path(SCRIPT)).unwrap(),
        }
        let stopped = scene.host.run(&[SHUTDOWN]).unwrap();
        assert_eq!(stopped.code, Some(0), "{stopped}");
    }
}

/// Whatever it is, the files stay busy.
#[test]
fn stop_does_not_claim_success_when_something_else_starts_the_daemon_again() {
    let scene = Scene::new(ByHand);
    let daemon = scene.start();
    scene.install(
        "/tmp/other-supervisor",
        "#!/bin/sh\nwhile :; do /opt/esxftpd/bin/esxftpd serve --config c --pid-file /var/run/esxftpd.pid; done\n",
    );
    scene.spawn("/tmp/other-supervisor");
    let stopped = scene.expect(&["stop", "remove"], 1);
    assert!(
        stopped.stderr.contains("something else started"),
        "{stopped}"
    );
    assert!(!scene.host.is_running(daemon));
}
