//! `hash-password` at a terminal.

use std::{
    fs::File,
    io::Write as _,
    os::fd::OwnedFd,
    process::{Child, Command, Output, Stdio},
};

use nix::{
    pty::{OpenptyResult, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, tcgetattr},
    },
    unistd::Pid,
};

use crate::harness::{PROGRAM, eventually};

struct Terminal {
    ours: OwnedFd,
    theirs: OwnedFd,
}

impl Terminal {
    fn open() -> Self {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        Self {
            ours: master,
            theirs: slave,
        }
    }

    fn shows_what_is_typed(&self) -> bool {
        let flags = tcgetattr(&self.theirs).unwrap().local_flags;
        flags.contains(LocalFlags::ECHO)
    }

    /// `hash-password` at this terminal, and at its prompt.
    fn hash_password(&self) -> Child {
        let child = Command::new(PROGRAM)
            .arg("hash-password")
            .stdin(self.theirs.try_clone().unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let silent = eventually(|| !self.shows_what_is_typed());
        assert!(silent, "a password would be shown");
        child
    }

    fn type_in(&self, text: &str) {
        let mut ours = File::from(self.ours.try_clone().unwrap());
        ours.write_all(text.as_bytes()).unwrap();
    }
}

fn hash_of(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap().trim_end()
}

#[test]
fn a_signal_at_the_prompt_leaves_the_terminal_as_it_was() {
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let terminal = Terminal::open();
        assert!(terminal.shows_what_is_typed());
        let mut child = terminal.hash_password();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(128 + signal as i32), "{signal}");
        assert!(terminal.shows_what_is_typed(), "{signal}");
    }
}

/// No terminal controls these tests, so there is no `/dev/tty`.
#[test]
fn a_password_is_read_twice_from_the_terminal_that_is_stdin() {
    for (typed, same) in [("secret\nsecret\n", true), ("secret\nother\n", false)] {
        let terminal = Terminal::open();
        let child = terminal.hash_password();
        terminal.type_in(typed);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.success(), same, "{output:?}");
        assert_eq!(hash_of(&output).starts_with("$argon2id$"), same);
        assert!(terminal.shows_what_is_typed());
        let asked = String::from_utf8(output.stderr).unwrap();
        assert!(asked.starts_with("Password: Again: "), "{asked}");
    }
}
