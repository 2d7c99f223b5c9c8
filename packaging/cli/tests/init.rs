//! `vib init`: every template as reviewed, built and verified; the shell accepts its scripts.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a command is tested by running it, and what fails ends the test"
)]

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn vib(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vib"))
        .args(args)
        .current_dir(folder)
        .env("SOURCE_DATE_EPOCH", "1768435200")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What `init` with these arguments has made.
fn made(args: &[&str]) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let output = vib(folder.path(), &[&["init"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let base = folder.path().canonicalize().unwrap();
    let paths = text(&output.stdout)
        .lines()
        .map(|line| {
            let path = fs::canonicalize(line).unwrap();
            path.strip_prefix(&base).unwrap().display().to_string()
        })
        .collect();
    (folder, paths)
}

/// Compares with a golden file, or writes it when `UPDATE_GOLDEN=1`.
fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(GOLDEN).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::create_dir_all(GOLDEN).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{name} differs from its golden file. If that is meant, run the tests with UPDATE_GOLDEN=1 \
         and review the difference:\n{actual}"
    );
}

/// Builds and verifies a package: not even a note is left.
fn sound(folder: &Path, package: &str) {
    let description = format!("{package}/package.toml");
    let output = vib(folder, &["build", &description, "--out", "out"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("warning"), "{output:?}");
    for line in text(&output.stdout)
        .lines()
        .filter(|line| !line.ends_with("SUMS"))
    {
        let output = vib(folder, &["verify", line]);
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{stdout}");
        assert_eq!(stdout, format!("{line}: 0 errors, 0 warnings\n"));
    }
}

#[test]
fn every_template_is_as_reviewed_and_builds_without_a_finding() {
    for (template, args) in [
        ("firewall", &["sample", "--template", "firewall"][..]),
        ("script", &["sample", "--template", "script"]),
        ("daemon", &["sample", "--template", "daemon"]),
        ("esxcli-plugin", &["sample", "--template", "esxcli-plugin"]),
        (
            "one-rule",
            &["--firewall", "tcp:51402:out", "--dir", "sample"],
        ),
        (
            "several-rules",
            &[
                "sample",
                "--firewall",
                "tcp:80:in",
                "--firewall",
                "udp:5000-5010:out",
            ],
        ),
    ] {
        let (folder, paths) = made(args);
        let mut all = String::new();
        for path in &paths {
            let file = folder.path().join(path);
            let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o111;
            let executable = if mode == 0 { "" } else { " (executable)" };
            writeln!(all, "=== {path}{executable}").unwrap();
            all += &fs::read_to_string(&file).unwrap();
        }
        assert_golden(&format!("init-{template}.txt"), &all);
        sound(folder.path(), "sample");
    }
}

#[test]
fn a_rule_is_a_whole_package_in_one_line() {
    let (folder, paths) = made(&["--firewall", "tcp:51402:out"]);
    assert_eq!(
        paths,
        ["tcp-51402-out/package.toml", "tcp-51402-out/firewall.xml"]
    );
    sound(folder.path(), "tcp-51402-out");
    assert!(folder.path().join("out/tcp-51402-out-1.0.0-1.vib").exists());
}

#[test]
fn nothing_but_a_name_makes_a_daemon_with_its_service() {
    let (folder, paths) = made(&["my-service"]);
    let names: Vec<_> = paths
        .iter()
        .filter_map(|path| path.strip_prefix("my-service/"))
        .collect();
    assert_eq!(
        names,
        [
            "package.toml",
            "bin/my-service",
            "init.d/my-service",
            "service.xml",
            "firewall.xml"
        ]
    );
    sound(folder.path(), "my-service");
}

#[test]
fn a_tree_of_files_is_described_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (path, mode) in [
        ("root/opt/tool/bin/tool", 0o755),
        ("root/opt/tool/README", 0o644),
        ("root/etc/config/tool/tool.conf", 0o644),
    ] {
        let path = here.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink("README", here.join("root/opt/tool/link")).unwrap();
    let output = vib(here, &["init", "tool", "--from", "root", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("link is neither a file nor a directory"),
        "{stderr}"
    );
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["files"].as_array().unwrap().len(), 1);
    let description = fs::read_to_string(here.join("tool/package.toml")).unwrap();
    let (_, rows) = description.split_once("[[contents]]").unwrap();
    assert_golden("init-from-rows.txt", &format!("[[contents]]{rows}"));
    sound(here, "tool");

    // What no community package may bring is said at once.
    fs::create_dir_all(here.join("other/bin")).unwrap();
    fs::write(here.join("other/bin/sh"), "").unwrap();
    let output = vib(here, &["init", "other-tool", "--from", "other"]);
    assert!(output.status.success());
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("warning: package.toml is not complete; correct:")
            && stderr.contains("FORMAT.md L3"),
        "{stderr}"
    );
}

#[test]
fn the_shell_accepts_the_scripts() {
    for template in ["script", "daemon", "esxcli-plugin"] {
        let (folder, paths) = made(&["sample", "--template", template]);
        for path in paths
            .iter()
            .filter(|path| !path.contains('.') || path.contains("init.d/"))
        {
            let output = Command::new("shellcheck")
                .arg(folder.path().join(path))
                .output()
                .unwrap_or_else(|error| panic!("{error}; `cargo xtask test` installs it"));
            assert!(output.status.success(), "{}", text(&output.stdout));
        }
    }
    let (folder, _) = made(&["sample", "--template", "daemon"]);
    let run = |word: &str| {
        let script = folder.path().join("sample/init.d/sample");
        let mut command = Command::new("busybox");
        command.arg("ash").arg(script).arg(word);
        command.output().unwrap().status.code()
    };
    // The program is not where it will be.
    let words = ["start", "stop", "restart", "status", "dance"];
    assert_eq!(words.map(run), [0, 0, 0, 3, 2].map(Some));
    let (folder, _) = made(&["sample", "--template", "esxcli-plugin"]);
    let output = Command::new("busybox")
        .arg("ash")
        .arg(folder.path().join("sample/bin/sample"))
        .arg("get")
        .output()
        .unwrap();
    assert!(text(&output.stdout).starts_with("<?xml version=\"1.0\"?>\n<output "));
}

#[test]
fn what_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("thesis")).unwrap();
    fs::write(folder.path().join("thesis/chapter"), "1").unwrap();
    let output = vib(folder.path(), &["init", "thesis"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("name another one with --dir"),
        "{output:?}"
    );
    assert_eq!(
        fs::read_dir(folder.path().join("thesis")).unwrap().count(),
        1
    );
    // Usage is told by the parser of the command line.
    for (args, wanted) in [
        (&["init"][..], "<NAME|--firewall <RULE>>"),
        (&["init", "No"], "lower-case letters"),
        (&["init", "--firewall", "tcp:x:in"], "such as tcp:51402:out"),
    ] {
        let output = vib(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let stderr = text(&output.stderr);
        assert!(
            stderr.contains(wanted) || wanted.starts_with('<'),
            "{stderr}"
        );
    }
}
