//! What a terminal shows and a pipe does not, and completions of the command line.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a command is tested by running it, and what fails ends the test"
)]

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

/// Runs a command on a terminal of its own and hands on what that shows.
const TERMINAL: &str = "import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// What a command shows on a terminal.
fn shown(folder: &Path, args: &[&str], no_color: &str) -> String {
    let output = Command::new("python3")
        .args(["-c", TERMINAL, env!("CARGO_BIN_EXE_vib")])
        .args(args)
        .current_dir(folder)
        .env("TERM", "xterm-256color")
        .env("NO_COLOR", no_color)
        .env_remove("CLICOLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command writes into pipes.
fn written(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vib"))
        .args(args)
        .current_dir(folder)
        .env("TERM", "xterm-256color")
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let all = [output.stdout, output.stderr].concat();
    String::from_utf8(all).unwrap()
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("page.vib"), "nothing").unwrap();
    let finding = ["verify", "page.vib"];
    let failure = ["inspect", "page.vib"];
    for args in [finding, failure] {
        let text = shown(here, &args, "");
        assert!(text.contains("\x1b[1m\x1b[31merror\x1b[0m: "), "{text:?}");
        let text = shown(here, &args, "1");
        assert!(
            text.starts_with("error: ") && !text.contains('\x1b'),
            "{text:?}"
        );
        let text = written(here, &args);
        assert!(
            text.starts_with("error: ") && !text.contains('\x1b'),
            "{text:?}"
        );
    }
}

#[test]
fn progress_is_for_terminals_and_large_files() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (name, mib) in [("small", 1), ("large", 80)] {
        let path = here.join(format!("{name}-root/opt/{name}/file"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Takes no room on the disk.
        File::create(&path)
            .and_then(|file| file.set_len(mib << 20))
            .unwrap();
        let root = format!("{name}-root");
        written(here, &["init", name, "--from", &root]);
        let description = format!("{name}/package.toml");
        let args = ["build", &description, "--out", name];
        let args = [args[0], args[1], args[2], &format!("{name}-out")];
        let text = shown(here, &args, "1");
        let bar = format!("packing custom_bootbank_{name}_1.0.0-1: ");
        assert_eq!(text.contains(&bar), name == "large", "{text:?}");
        assert!(text.contains("-offline-bundle.zip"), "{text:?}");
        let text = written(here, &args);
        assert!(!text.contains(&bar) && !text.contains('\r'), "{text:?}");
    }
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = written(folder.path(), &["completions", shell]);
        for word in ["inspect", "verify", "diff", "--template"] {
            let word = if shell == "fish" {
                word.trim_start_matches('-')
            } else {
                word
            };
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = written(folder.path(), &["completions", "bash"]);
    fs::write(folder.path().join("vib.bash"), script).unwrap();
    let asked = "source ./vib.bash; COMP_WORDS=(vib ver); COMP_CWORD=1; _vib vib ver vib; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash")
        .args(["-c", asked])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "verify\n");
}
