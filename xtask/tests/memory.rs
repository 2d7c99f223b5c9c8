//! Hostile files, read by the commands themselves under the limits that they have: whatever a file
//! claims, a reader takes 64 MiB of memory at most.
#![expect(
    clippy::disallowed_methods,
    reason = "the peak of a process is measured from outside"
)]

use std::{
    path::Path,
    process::{Command, Output},
};

/// Bytes of memory that a reader may take, its own code included.
const MOST: u64 = 64 << 20;

/// Runs a command and prints the peak of its memory in KiB as the last line of standard error. The
/// kernel counts a process from before it becomes another program, so that the program that starts
/// it has to be a small one.
const MEASURE: &str = "import os, sys
pid = os.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))";

/// What the script can make.
fn names() -> Vec<String> {
    let script = include_str!("hostile.py");
    let (_, table) = script
        .split_once("FILES = {")
        .expect("the script has a table");
    let rows = table.lines().filter_map(|line| line.strip_prefix("    \""));
    let names: Vec<_> = rows
        .map(|row| row.split('"').next().unwrap_or_default().to_owned())
        .collect();
    assert!(names.len() > 15, "{names:?}");
    names
}

fn make(name: &str, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile.py");
    let made = Command::new("python3")
        .arg(script)
        .arg(name)
        .current_dir(folder)
        .output()
        .expect("python3 is there; on Debian: apt-get install python3");
    assert!(
        made.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// Runs `cargo xtask` and tells the peak of its memory in bytes.
fn measured(args: &[&str], folder: &Path) -> (Output, u64) {
    let output = Command::new("python3")
        .args(["-c", MEASURE, env!("CARGO_BIN_EXE_xtask")])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("python3 is there");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let peak = errors
        .lines()
        .next_back()
        .and_then(|line| line.parse().ok());
    assert!(peak.is_some(), "no measurement: {errors}");
    let peak: u64 = peak.unwrap_or_default();
    (output, peak << 10)
}

#[test]
fn a_reader_takes_64_mib_whatever_a_file_claims() {
    let mut over = Vec::new();
    for name in names() {
        let folder = tempfile::tempdir().unwrap();
        make(&name, folder.path());
        let path = folder.path().join("out");
        let file = path.to_str().unwrap();
        let target = folder.path().join("unpacked");
        for args in [
            &["verify", "--json", file][..],
            &["inspect", "--json", file],
            &["extract", file, target.to_str().unwrap()],
        ] {
            let (output, peak) = measured(args, folder.path());
            // Neither a panic nor a signal.
            let code = output.status.code();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                matches!(code, Some(0 | 1 | 3)),
                "{name}: {args:?}: {errors}"
            );
            assert!(!errors.contains("panicked"), "{name}: {args:?}: {errors}");
            if peak > MOST {
                over.push(format!("{name}: {}: {} KiB", args.join(" "), peak >> 10));
            }
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}
