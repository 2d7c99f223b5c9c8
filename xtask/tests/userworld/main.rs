//! The simulated VMkernel against its own table: a program that makes each call gets what the table
//! promises, under both profiles and with every toggle. Needs root and a C compiler.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start processes, and end at the first surprise"
)]

mod table;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use nix::errno::Errno;
use syscalls::Sysno;
use tempfile::TempDir;

use self::table::{Row, rows, toggles};

const PROFILES: [&str; 2] = ["esxi-6", "esxi-7"];

/// The program that makes the calls.
struct Caller {
    program: PathBuf,
    dir: TempDir,
}

impl Caller {
    fn build() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("caller");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/userworld/caller.c");
        let built = Command::new("cc")
            .args(["-static", "-O1", "-Wall", "-Werror", "-o"])
            .args([&program, &source])
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", shown(&built));
        Self { program, dir }
    }

    /// The results of some calls, and the calls that were answered otherwise than by Linux.
    fn run(&self, arguments: &[String], calls: &[String]) -> (Vec<i64>, BTreeMap<String, String>) {
        let report = self.dir.path().join("report");
        let output = userworld(arguments)
            .arg("--report")
            .args([&report, Path::new("--"), &self.program])
            .args(calls)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", shown(&output));
        let stdout = String::from_utf8(output.stdout).unwrap();
        let results = stdout.lines().map(|line| line.parse().unwrap()).collect();
        let report: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
        let answers = report.as_array().unwrap().iter().map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            (text("call"), text("answer"))
        });
        (results, answers.collect())
    }
}

fn userworld(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("userworld").args(arguments);
    command
}

fn shown(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Calls that end the program, or are nothing without a signal.
const ENDS: &[Sysno] = &[Sysno::exit, Sysno::exit_group, Sysno::rt_sigreturn];

/// A call that the row is about, harmless where it is allowed.
fn example(row: &Row, call: Sysno) -> String {
    let harmless = match call {
        Sysno::kill => &["0x7fffffff", "0"][..],
        Sysno::futex => &["u", "1"],
        _ if row.flag().is_none() => &["-1"; 6],
        _ => &[],
    };
    let mut arguments = ["0"; 6].map(str::to_owned);
    let mut set = |first: usize, texts: &[&str]| {
        for (place, text) in arguments[first..].iter_mut().zip(texts) {
            (*text).clone_into(place);
        }
    };
    set(0, harmless);
    for (argument, value) in row.conditions() {
        set(argument, &[&value.to_string()]);
    }
    // A flag is looked for on something that has it.
    match row.inspects().as_deref() {
        Some("epoll-rdhup") => set(0, &["e", "1", "p", "E"]),
        Some("poll-rdhup") => set(0, &["P", "1"]),
        Some("not-a-socket") => set(0, &["p"]),
        Some("random-device") => set(0, &["r"]),
        _ if call == Sysno::ioctl && row.flag().is_some() => {
            set(0, &["s"]);
            set(2, &["u"]);
        }
        _ => {}
    }
    format!("{},{}", call.id(), arguments.join(","))
}

fn name(row: &Row, call: Sysno) -> String {
    match row.flag() {
        Some(flag) => format!("{call} ({flag})"),
        None => call.to_string(),
    }
}

/// Every row, call by call, under one profile with one toggle set or none.
fn check(caller: &Caller, profile: &str, setting: Option<(&str, &str)>) {
    let rows = rows();
    let plain_answer = |call: Sysno| {
        let plain = rows
            .iter()
            .find(|row| row.flag().is_none() && row.calls().contains(&call));
        plain.unwrap().answer(profile, setting)
    };
    let mut expected = Vec::new();
    for row in &rows {
        // These have tests of their own.
        if matches!(row.inspects().as_deref(), Some("every-seventh" | "uname")) {
            continue;
        }
        for call in row.calls().into_iter().filter(|call| !ENDS.contains(call)) {
            // A call that is missing is missing whatever its flags are.
            let (name, answer) = match plain_answer(call).as_str() {
                "allow" => (name(row, call), row.answer(profile, setting)),
                missing => (call.to_string(), missing.to_owned()),
            };
            expected.push((example(row, call), name, answer));
        }
    }
    let mut arguments = vec!["--profile".to_owned(), profile.to_owned()];
    // Unless it is what is tested, nothing is interrupted.
    let quiet = Some(("eintr", "allow"));
    let quiet = quiet.filter(|_| setting.is_none_or(|(toggle, _)| toggle != "eintr"));
    for (toggle, value) in quiet.into_iter().chain(setting) {
        arguments.extend(["--toggle".to_owned(), format!("{toggle}={value}")]);
    }
    let calls: Vec<_> = expected.iter().map(|(call, ..)| call.clone()).collect();
    let (results, answers) = caller.run(&arguments, &calls);
    assert_eq!(results.len(), expected.len());
    for ((call, name, answer), result) in expected.iter().zip(results) {
        let of = format!("{profile} {setting:?}: {name} as {call}: {result}");
        if answer == "allow" {
            assert_ne!(result, -i64::from(Errno::ENOSYS as i32), "{of}");
            let refused = answers.get(name).filter(|answer| *answer != "allow");
            assert_eq!(refused, None, "{of}");
        } else {
            let errno = Errno::from_raw(i32::try_from(-result).unwrap_or_default());
            assert_eq!(format!("{errno:?}"), *answer, "{of}");
            assert_eq!(answers.get(name), Some(answer), "{of}");
        }
    }
}

#[test]
fn every_call_gets_the_promised_answer() {
    let caller = Caller::build();
    for profile in PROFILES {
        check(&caller, profile, None);
    }
}

#[test]
fn every_toggle_changes_what_it_should_and_nothing_else() {
    let caller = Caller::build();
    for profile in PROFILES {
        for (toggle, values) in toggles() {
            for value in values {
                check(&caller, profile, Some((&toggle, &value)));
            }
        }
    }
}

#[test]
fn call_that_the_table_does_not_know_is_missing_and_named() {
    let caller = Caller::build();
    for profile in PROFILES {
        let unknown =
            [Sysno::landlock_create_ruleset, Sysno::getitimer].map(|n| n.id().to_string());
        let beyond = [unknown.as_slice(), &["5000".to_owned()]].concat();
        let arguments = ["--profile".to_owned(), profile.to_owned()];
        let (results, answers) = caller.run(&arguments, &beyond);
        assert_eq!(results, [-38, -38, -38], "{profile}");
        for name in ["landlock_create_ruleset", "getitimer", "call 5000"] {
            assert_eq!(answers[name], "ENOSYS", "{profile}");
        }
    }
}

/// What the table allows and the daemon must not do.
#[test]
fn unwanted_call_is_named_where_it_is_allowed() {
    for (script, name) in [
        ("cat /proc/version", "openat (below /proc or /sys)"),
        ("ls /sys", "openat (below /proc or /sys)"),
        ("true | true", "clone (a process of its own)"),
    ] {
        let output = userworld(&["--profile".to_owned(), "esxi-7".to_owned()])
            .args(["--toggle", "eintr=allow", "--", "busybox", "sh", "-c"])
            .arg(script)
            .output()
            .unwrap();
        let told = shown(&output);
        let is_told = |line: &str| line.starts_with(name) && line.ends_with("unwanted");
        assert!(told.lines().any(is_told), "{script}: {told}");
    }
    let output = userworld(&["--profile".to_owned(), "esxi-7".to_owned()])
        .args(["--toggle", "eintr=allow", "--", "busybox", "cat"])
        .args(["/dev/null", "/process", "/system"])
        .output()
        .unwrap();
    // glibc looks for the program's own path, by readlink.
    let told = shown(&output);
    assert!(!told.contains("openat (below"), "{told}");
}

#[test]
fn every_seventh_look_at_a_file_is_interrupted() {
    let caller = Caller::build();
    let stats = vec![format!("{},0,0", Sysno::stat.id()); 21];
    let arguments = ["--profile", "esxi-6"].map(str::to_owned);
    let (results, _) = caller.run(&arguments, &stats);
    let interrupted = results.iter().filter(|result| **result == -4).count();
    assert_eq!(interrupted, 3, "{results:?}");
    let quiet = [
        arguments.as_slice(),
        &["--toggle".to_owned(), "eintr=allow".to_owned()],
    ]
    .concat();
    let (results, _) = caller.run(&quiet, &stats);
    assert!(results.iter().all(|result| *result == -14), "{results:?}");
}

#[test]
fn kernel_is_called_vmkernel() {
    let output = userworld(&["--profile".to_owned(), "esxi-7".to_owned()])
        .args(["--", "busybox", "uname", "-s"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "VMkernel\n",
        "{}",
        shown(&output)
    );
}

#[test]
fn clock_is_asked_through_the_kernel() {
    let output = userworld(&["--profile".to_owned(), "esxi-7".to_owned()])
        .args(["--toggle", "eintr=allow", "--", "busybox", "date"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    // glibc has this call only because no vDSO answers it.
    assert!(
        shown(&output).contains("time: ENOSYS"),
        "{}",
        shown(&output)
    );
}

#[test]
fn random_device_can_be_one_that_never_answers() {
    let wait = "timeout 1 head -c 1 /dev/random | wc -c";
    for (value, bytes) in [("readable", "1\n"), ("never-readable", "0\n")] {
        let output = userworld(&["--profile".to_owned(), "esxi-7".to_owned()])
            .args([
                "--toggle",
                &format!("dev-random={value}"),
                "--toggle",
                "eintr=allow",
            ])
            .args(["--", "busybox", "sh", "-c", wait])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            bytes,
            "{}",
            shown(&output)
        );
    }
}

#[test]
fn faults_begin_and_end_with_their_file() {
    let dir = tempfile::tempdir().unwrap();
    let faults = dir.path().join("faults");
    // The date of busybox asks otherwise.
    let date = "python3 -c 'import time; print(int(time.time()))'";
    let script = format!(
        "cd {}; mkdir a; echo 'mkdir EROFS' > faults; mkdir b; rm faults; mkdir c; \
         echo 'realtime -100000000' > faults; {date}; rm faults; {date}",
        dir.path().display()
    );
    let output = userworld(&["--profile".to_owned(), "esxi-7".to_owned()])
        .args(["--toggle", "eintr=allow", "--faults"])
        .arg(&faults)
        .args(["--", "busybox", "sh", "-c", &script])
        .output()
        .unwrap();
    let made = ["a", "b", "c"].map(|name| dir.path().join(name).exists());
    assert_eq!(made, [true, false, true], "{}", shown(&output));
    assert!(shown(&output).contains("Read-only"), "{}", shown(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    let told: Vec<i64> = told.lines().map(|line| line.parse().unwrap()).collect();
    let between = told[1] - told[0];
    assert!((100_000_000..100_000_100).contains(&between), "{told:?}");
}

#[test]
fn exit_status_is_that_of_the_command() {
    for (script, status) in [
        ("exit 3", 3),
        ("kill -9 $$", 137),
        ("(sleep 1; exit 5) & exit 0", 0),
    ] {
        let output = userworld(&["--profile".to_owned(), "esxi-6".to_owned()])
            .args(["--", "busybox", "sh", "-c", script])
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(status),
            "{script}: {}",
            shown(&output)
        );
    }
}

#[test]
fn what_cannot_be_run_is_explained() {
    for (arguments, part) in [
        (&["--profile", "esxi-5", "--", "true"][..], "esxi-6, esxi-7"),
        (
            &[
                "--profile",
                "esxi-6",
                "--toggle",
                "banana=allow",
                "--",
                "true",
            ],
            "there is no toggle",
        ),
        (
            &["--profile", "esxi-6", "--toggle", "at=EPERM", "--", "true"],
            "allow, ENOSYS",
        ),
        (
            &["--profile", "esxi-6", "--toggle", "at", "--", "true"],
            "NAME=VALUE",
        ),
        (
            &["--profile", "esxi-6", "--", "/no/such/program"],
            "cannot be executed",
        ),
        (
            &[
                "--profile",
                "esxi-6",
                "--root",
                "/no/such/root",
                "--",
                "true",
            ],
            "chroot /no/such/root",
        ),
        (&["--profile", "esxi-6"], "COMMAND"),
    ] {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let output = userworld(&arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            shown(&output).contains(part),
            "{arguments:?}: {}",
            shown(&output)
        );
    }
}

#[test]
fn without_root_it_is_said_what_is_needed() {
    let program = env!("CARGO_BIN_EXE_xtask");
    // The program may lie where nobody else may look.
    let dir = tempfile::Builder::new().tempdir_in("/var/tmp").unwrap();
    let copy = dir.path().join("xtask");
    fs::copy(program, &copy).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir.path(), mode).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups"])
        .arg(&copy)
        .args(["userworld", "--profile", "esxi-6", "--", "true"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(shown(&output).contains("needs root"), "{}", shown(&output));
}
