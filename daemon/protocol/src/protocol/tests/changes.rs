//! What changes files without a data connection.

use super::rig::{Rig, path};
use crate::{
    protocol::interface::Action,
    request::{Failure, Operation, Outcome, PathRole, Timestamp},
};

const EPOCH: Timestamp = Timestamp {
    seconds: 0,
    nanoseconds: 0,
};

fn modified(name: &str) -> Operation {
    let (path, modified) = (path(name), EPOCH);
    Operation::SetModified { path, modified }
}

fn mode(name: &str, mode: u32) -> Operation {
    let path = path(name);
    Operation::SetMode { path, mode }
}

/// Compares the one line of the reply, and what the storage was asked for it. Single quotes stand
/// for double ones.
#[track_caller]
fn check(rig: &mut Rig, line: &str, reply: &str, operation: Operation) {
    let [sent, expected] = [line, reply].map(|text| text.replace('\'', "\""));
    assert_eq!(rig.send(&sent), format!("{expected}\r\n"), "{line}");
    assert_eq!(rig.operations.pop(), Some(operation), "{line}");
}

#[test]
fn directories_and_files_come_and_go() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    let made = |name: &str| Operation::MakeDirectory(path(name));
    let removed = |name: &str| Operation::RemoveDirectory(path(name));
    let file = |name: &str| Operation::RemoveFile(path(name));
    for (line, reply, operation) in [
        ("MKD a b", "257 '/dir/a b' was made.", made("/dir/a b")),
        ("XMKD /a", "257 '/a' was made.", made("/a")),
        // Programs read this name.
        ("MKD a'b", "257 '/dir/a''b' was made.", made("/dir/a\"b")),
        ("RMD a", "250 '/dir/a' was removed.", removed("/dir/a")),
        ("XRMD a", "250 '/dir/a' was removed.", removed("/dir/a")),
        ("DELE ../a", "250 '/a' was removed.", file("/a")),
    ] {
        check(&mut rig, line, reply, operation);
    }
    // It takes nothing but the storage.
    assert_eq!(rig.done(), []);
}

#[test]
fn renames_and_copies_take_two_commands_in_a_row() {
    let (from, to) = (path("a.txt"), path("b"));
    let rename = Operation::Rename {
        from: from.clone(),
        to: to.clone(),
    };
    let copy = Operation::Copy { from, to };
    for (first, second, reply, operation) in [
        ("RNFR a.txt", "RNTO b", "250 Renamed to '/b'.", rename),
        (
            "SITE CPFR a.txt",
            "SITE CPTO b",
            "250 Copied to '/b'.",
            copy,
        ),
    ] {
        let mut rig = Rig::logged_in();
        rig.expect(second, "503");
        rig.expect(first, "350");
        check(&mut rig, second, reply, operation);
        rig.expect(second, "503");
        for between in [
            "ABOR",
            "DELE c",
            "MKD c",
            "SITE CHMOD 644 c",
            "USER bob",
            "REIN",
        ] {
            rig.expect(first, "350");
            rig.send(between);
            if matches!(between, "USER bob" | "REIN") {
                rig.log_in();
            }
            rig.expect(second, "503");
        }
        rig.expect(first, "350");
        rig.outcomes.push_back(Err(Failure::NotFound));
        rig.expect(first, "550");
        rig.expect(second, "503");
        let lines = [first, second, second].join("\r\n");
        rig.expect_codes(&lines, &[350, 250, 503]);
    }
    // Files only are copied.
    Rig::logged_in().talk("SITE CPFR dir | SITE CPTO b", &[550, 503]);
}

#[test]
fn a_rename_or_copy_survives_commands_that_change_nothing() {
    let lines = "NOOP | TYPE I | PWD | SIZE a.txt | FEAT | CWD / | EPSV | SITE HELP | SITE DF | \
        MDTM a.txt | LIST | RETR a.txt | XYZZY | STAT";
    for (first, second) in [("RNFR a.txt", "RNTO b"), ("SITE CPFR a.txt", "SITE CPTO b")] {
        for between in lines.split(" | ") {
            let mut rig = Rig::logged_in();
            rig.expect(first, "350");
            rig.send(between);
            let reply = rig.send(second);
            assert!(reply.starts_with("250"), "{between}: {reply}");
        }
    }
}

#[test]
fn times_and_modes_are_set_by_all_the_commands_in_use() {
    let mut rig = Rig::logged_in();
    for line in [
        "MFMT 19700101000000 a b",
        "MDTM 19700101000000 a b",
        "SITE UTIME 19700101000000 a b",
        "SITE UTIME 197001010000 a b",
        "SITE UTIME a b 20000101000000 19700101000000 20000101000000 UTC",
        "MFF modify=19700101000000; a b",
    ] {
        let reply = "213 Modify=19700101000000; '/a b'";
        check(&mut rig, line, reply, modified("a b"));
    }
    for (line, reply) in [
        ("SITE CHMOD 640 a b", "200 The mode of '/a b' is 0640."),
        ("MFF UNIX.mode=0640; a b", "213 UNIX.mode=0640; '/a b'"),
    ] {
        check(&mut rig, line, reply, mode("a b", 0o640));
    }
    rig.each(
        "501",
        "MFMT a | MFMT 1970 a | SITE UTIME a | MFF modify=x; a | MFF ; a",
    );
    rig.each(
        "501",
        "SITE CHMOD u+s a | SITE CHMOD 4755 a | SITE CHMOD 644 | SITE CHMOD nonsense a",
    );
    for line in [
        "MFF UNIX.owner=0; a",
        "MFF modify=19700101000000;UNIX.group=0; a",
    ] {
        let reply = rig.expect(line, "504");
        assert!(reply.contains("UNIX."), "{reply}");
    }
    assert_eq!(rig.operations, []);
}

#[test]
fn symbolic_modes_change_the_bits_that_are_there() {
    let mut rig = Rig::logged_in();
    // It has 0644.
    for (line, bits) in [
        ("SITE CHMOD u+x a.txt", 0o744),
        ("SITE CHMOD go-r,u+x a.txt", 0o700),
        ("SITE CHMOD a= a.txt", 0),
    ] {
        let reply = format!("200 The mode of '/a.txt' is 0{bits:03o}.");
        check(&mut rig, line, &reply, mode("a.txt", bits));
        assert_eq!(rig.operations.pop(), Some(Operation::Facts(path("/a.txt"))));
    }
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("SITE CHMOD u+x a", "550");
}

#[test]
fn several_facts_are_set_in_turn() {
    let line = "MFF UNIX.mode=0600;modify=19700101000000; a";
    let reply = "213 Modify=19700101000000;UNIX.mode=0600; '/a'";
    let mut rig = Rig::logged_in();
    check(&mut rig, line, reply, mode("a", 0o600));
    assert_eq!(rig.operations.pop(), Some(modified("a")));
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect(line, "550");
    assert_eq!(rig.operations, [modified("a")]);
    let set = Ok(Outcome::Done);
    rig.outcomes.extend([set, Err(Failure::PermissionDenied)]);
    rig.expect(
        line,
        "550 The time is set, the mode is not: permission denied.",
    );
}

#[test]
fn a_rename_or_copy_that_fails_blames_the_path_that_is_the_cause() {
    for (first, second) in [("RNFR a.txt", "RNTO b"), ("SITE CPFR a.txt", "SITE CPTO b")] {
        for (role, failure, reply) in [
            (
                PathRole::Source,
                Failure::NotFound,
                "550 \"/a.txt\": no such file or directory.\r\n",
            ),
            (
                PathRole::Source,
                Failure::BeingWritten,
                "450 \"/a.txt\": another session is writing this file, try again later.\r\n",
            ),
            (
                PathRole::Target,
                Failure::NotFound,
                "550 \"/b\": no such file or directory.\r\n",
            ),
        ] {
            let mut rig = Rig::logged_in();
            rig.expect(first, "350");
            rig.role = role;
            rig.outcomes.push_back(Err(failure));
            assert_eq!(rig.send(second), reply, "{second}");
        }
    }
}

#[test]
fn failures_name_the_path() {
    let mut rig = Rig::logged_in();
    let lines = "MKD a | RMD a | DELE a | SITE CHMOD 644 a | MFMT 19700101000000 a";
    for line in lines.split(" | ") {
        rig.outcomes.push_back(Err(Failure::PermissionDenied));
        assert_eq!(rig.send(line), "550 \"/a\": permission denied.\r\n");
    }
}

/// An administrator asks why somebody could not store a file.
#[test]
fn what_is_refused_is_noted_with_its_command_and_code() {
    let noted = |line: &str, failure| {
        let mut rig = Rig::logged_in();
        rig.talk(
            "RNFR /old.txt | SITE CPFR /old.txt | EPSV",
            &[350, 350, 229],
        );
        rig.outcomes.push_back(Err(failure));
        rig.send(line);
        let [
            Action::Refused {
                verb,
                path,
                code,
                cause,
                is_denial,
            },
        ] = &rig.refused[..]
        else {
            panic!("{line}: {:?}", rig.refused);
        };
        assert_eq!(*cause, failure.text());
        (*verb, path.clone(), *code, *is_denial)
    };
    let new = Some(path("/new"));
    for (line, verb) in [
        ("DELE /new", "DELE"),
        ("XMKD /new", "XMKD"),
        ("RNTO /new", "RNTO"),
        ("SITE CPTO /new", "SITE CPTO"),
        ("SITE CHMOD 600 /new", "SITE CHMOD"),
        ("STOR /new", "STOR"),
        ("RETR /new", "RETR"),
    ] {
        assert_eq!(
            noted(line, Failure::AccountForbids),
            (verb, new.clone(), 550, true)
        );
        assert_eq!(
            noted(line, Failure::NoSpace),
            (verb, new.clone(), 452, true)
        );
        assert_eq!(noted(line, Failure::Locked), (verb, new.clone(), 450, true));
        assert_eq!(
            noted(line, Failure::NotFound),
            (verb, new.clone(), 550, false)
        );
    }
}
