//! A package on installation media starts in the installer, too, and must not serve there. The boot
//! options tell.

use std::time::Duration;

use super::scene::{
    Scene,
    Supervision::{ByHand, Watchdog},
};

const SOURCES: [Source; 3] = [
    Source {
        path: "/sbin/bootOption",
        arguments: "-roC",
        before: "",
    },
    Source {
        path: "/bin/bootOption",
        arguments: "-roC",
        before: "",
    },
    Source {
        path: "/bin/vsish",
        arguments: "-e get /system/bootCmdLine",
        before: "Boot command line {\n",
    },
];

/// A program that prints the boot options, for one call only.
struct Source {
    path: &'static str,
    arguments: &'static str,
    /// What it prints before them.
    before: &'static str,
}

impl Source {
    fn prints(&self, scene: &Scene, line: &str) {
        let Self {
            path,
            arguments,
            before,
        } = self;
        let script = format!(
            "#!/bin/sh\n[ \"$*\" = '{arguments}' ] || exit 64\ncat <<'END'\n{before}{line}\nEND\n"
        );
        scene.install(path, &script);
    }
}

#[track_caller]
fn expect_nothing_started(scene: &Scene, option: &str) {
    let started = scene.expect(&["start"], 0);
    let said = format!(
        "esxftpd: not started: this is the ESXi installer (boot option {option}); \
         the installed host starts the service\n"
    );
    assert_eq!(started.stderr, said);
    assert_eq!(scene.starts(), 0);
    scene.expect_silence();
}

#[test]
fn service_does_not_start_in_the_installer() {
    for source in &SOURCES {
        let scene = Scene::new(Watchdog);
        for (line, option) in [
            ("runweasel", "runweasel"),
            (
                "vmbTrustedBoot=FALSE runweasel cdromBoot BOOTIF=01-aa",
                "runweasel",
            ),
            ("ks=http://user:secret@192.0.2.1/ks.cfg", "ks="),
            ("a  ks=cdrom:/KS.CFG  b", "ks="),
        ] {
            source.prints(&scene, line);
            expect_nothing_started(&scene, option);
        }
    }
}

#[test]
fn installer_is_recognized_by_every_call_that_starts() {
    let scene = Scene::new(ByHand);
    SOURCES[0].prints(&scene, "runweasel");
    scene.expect(&["start", "install"], 0);
    scene.expect(&["restart"], 0);
    scene.expect(&["status"], 3);
    scene.expect(&["stop"], 0);
    assert_eq!(scene.starts(), 0);
}

#[test]
fn boot_options_that_only_look_like_the_installers_do_not_keep_the_service_from_starting() {
    const LOOK_ALIKES: &str = "esxftpd.note=runweasel runweasel2 norunweasel RUNWEASEL=no \
        packer_ks_rootpw=x esxftpd.ks=y ks esxftpd.note=a\\ ks=b\\ runweasel * ? [a-z]*";
    for source in &SOURCES {
        for line in [LOOK_ALIKES, ""] {
            let scene = Scene::new(ByHand);
            source.prints(&scene, line);
            let started = scene.expect(&["start"], 0);
            assert_eq!(started.stdout, "esxftpd: started\n", "{line:?}: {started}");
            scene.pid();
        }
    }
}

/// Only the second line of its answer is the boot line.
#[test]
fn other_lines_of_the_kernels_answer_are_not_boot_options() {
    let scene = Scene::new(ByHand);
    scene.install(
        "/bin/vsish",
        "#!/bin/sh\nprintf 'runweasel\\nquiet\\nks=x\\n'\n",
    );
    scene.start();
}

#[test]
fn next_source_is_asked_where_one_fails_or_prints_nothing() {
    for broken in [
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\necho quiet; exit 1\n",
        "#!/bin/no-such-shell\n",
    ] {
        for last in 1..SOURCES.len() {
            let scene = Scene::new(ByHand);
            for source in &SOURCES[..last] {
                scene.install(source.path, broken);
            }
            SOURCES[last].prints(&scene, "quiet runweasel");
            expect_nothing_started(&scene, "runweasel");
        }
    }
}

#[test]
fn first_source_that_answers_counts() {
    let scene = Scene::new(ByHand);
    SOURCES[0].prints(&scene, "quiet");
    SOURCES[1].prints(&scene, "runweasel");
    SOURCES[2].prints(&scene, "runweasel");
    scene.start();
}

#[test]
fn service_starts_where_nothing_tells_the_boot_options() {
    for broken in [
        None,
        Some("#!/bin/sh\necho runweasel; exit 1\n"),
        Some("#!/bin/sh\n"),
    ] {
        let scene = Scene::new(Watchdog);
        for source in &SOURCES {
            if let Some(broken) = broken {
                scene.install(source.path, broken);
            }
        }
        let started = scene.expect(&["start"], 0);
        assert_eq!(started.stdout, "esxftpd: started\n", "{broken:?}");
        assert_eq!(started.stderr, "", "{broken:?}");
    }
}

#[test]
fn source_that_hangs_does_not_hold_up_the_start() {
    for hanging in 1..=SOURCES.len() {
        let scene = Scene::new(ByHand);
        for source in &SOURCES[..hanging] {
            // Without any patience for signals but the one that nobody can refuse.
            scene.install(
                source.path,
                "#!/bin/sh\necho $$ >>/tmp/hung\ntrap '' TERM HUP INT\nexec sleep 300\n",
            );
        }
        let started = scene.expect(&["start"], 0);
        assert_eq!(started.stdout, "esxftpd: started\n");
        assert_eq!(started.stderr, "");
        // At most 2 s for them and 1 s to see the daemon stay up; a loaded machine may take longer.
        assert!(
            started.took < Duration::from_secs(15),
            "{hanging}: {:?}",
            started.took
        );
        let hung = scene.read("/tmp/hung");
        assert!((1..=2).contains(&hung.lines().count()), "{hanging}: {hung}");
        for pid in hung.lines() {
            assert!(
                !scene.host.is_running(pid.parse().unwrap()),
                "{hanging}: {pid} was left behind"
            );
        }
    }
}

#[test]
fn installer_is_recognized_by_the_next_source_where_one_hangs() {
    let scene = Scene::new(ByHand);
    scene.install(SOURCES[0].path, "#!/bin/sh\nexec sleep 300\n");
    SOURCES[2].prints(&scene, "runweasel");
    expect_nothing_started(&scene, "runweasel");
}
