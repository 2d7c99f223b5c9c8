//! What changes files without a data connection.

use super::rig::{Rig, path};
use crate::storage::{Failure, Operation, Timestamp};

const EPOCH: Timestamp = Timestamp {
    seconds: 0,
    nanoseconds: 0,
};

#[track_caller]
fn check(rig: &mut Rig, line: &str, reply: &str, operation: &Operation) {
    assert_eq!(rig.send(line), format!("{reply}\r\n"), "{line}");
    assert_eq!(rig.operations.last(), Some(operation), "{line}");
}

#[test]
fn directories_and_files_come_and_go() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    let made = Operation::MakeDirectory(path("/dir/a b"));
    check(&mut rig, "MKD a b", "257 \"/dir/a b\" was made.", &made);
    check(
        &mut rig,
        "XMKD /dir/a b",
        "257 \"/dir/a b\" was made.",
        &made,
    );
    let removed = Operation::RemoveDirectory(path("/dir/a"));
    check(&mut rig, "RMD a", "250 \"/dir/a\" was removed.", &removed);
    check(&mut rig, "XRMD a", "250 \"/dir/a\" was removed.", &removed);
    let removed = Operation::RemoveFile(path("/a"));
    check(&mut rig, "DELE ../a", "250 \"/a\" was removed.", &removed);
}

#[test]
fn mkdir_reply_is_quoted() {
    let mut rig = Rig::logged_in();
    rig.expect("MKD a\"b", "257 \"/a\"\"b\" ");
}

#[test]
fn a_rename_takes_two_commands_in_a_row() {
    let mut rig = Rig::logged_in();
    rig.expect("RNTO b", "503");
    rig.expect("RNFR a", "350");
    let rename = Operation::Rename {
        from: path("a"),
        to: path("b"),
    };
    check(&mut rig, "RNTO b", "250 Renamed to \"/b\".", &rename);
    rig.expect("RNTO b", "503");
    rig.expect("RNFR a", "350");
    rig.expect("NOOP", "200");
    rig.expect("RNTO b", "503");
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("RNFR a", "550");
    rig.expect("RNTO b", "503");
    rig.expect_codes("RNFR a\r\nRNTO b\r\nRNTO c", &[350, 250, 503]);
}

#[test]
fn a_copy_takes_two_commands_in_a_row() {
    let mut rig = Rig::logged_in();
    rig.expect("SITE CPTO b", "503");
    rig.expect("SITE CPFR a.txt", "350");
    let copy = Operation::Copy {
        from: path("a.txt"),
        to: path("b"),
    };
    check(&mut rig, "SITE CPTO b", "250 Copied to \"/b\".", &copy);
    rig.expect("SITE CPTO b", "503");
    rig.expect("SITE CPFR a.txt", "350");
    rig.expect("SITE HELP", "214");
    rig.expect("SITE CPTO b", "503");
    rig.expect("SITE CPFR dir", "550");
    rig.expect("SITE CPTO b", "503");
}

#[test]
fn times_are_set_by_all_the_commands_in_use() {
    let mut rig = Rig::logged_in();
    let set = Operation::SetModified {
        path: path("a b"),
        modified: EPOCH,
    };
    for line in [
        "MFMT 19700101000000 a b",
        "MDTM 19700101000000 a b",
        "SITE UTIME 19700101000000 a b",
        "SITE UTIME 197001010000 a b",
        "SITE UTIME a b 20000101000000 19700101000000 20000101000000 UTC",
        "MFF modify=19700101000000; a b",
    ] {
        check(&mut rig, line, "213 Modify=19700101000000; \"/a b\"", &set);
    }
    for line in [
        "MFMT a",
        "MFMT 1970 a",
        "SITE UTIME a",
        "MFF modify=x; a",
        "MFF ; a",
    ] {
        rig.expect(line, "501");
    }
}

#[test]
fn modes_are_set_by_all_the_commands_in_use() {
    let mut rig = Rig::logged_in();
    let set = Operation::SetMode {
        path: path("a b"),
        mode: 0o640,
    };
    check(
        &mut rig,
        "SITE CHMOD 640 a b",
        "200 The mode of \"/a b\" is 0640.",
        &set,
    );
    check(
        &mut rig,
        "MFF UNIX.mode=0640; a b",
        "213 UNIX.mode=0640; \"/a b\"",
        &set,
    );
    rig.expect("SITE CHMOD u+x a", "501");
    rig.expect("SITE CHMOD 4755 a", "501");
    rig.expect("SITE CHMOD 644", "501");
}

#[test]
fn several_facts_are_set_in_turn() {
    let mut rig = Rig::logged_in();
    assert_eq!(
        rig.send("MFF UNIX.mode=0600;modify=19700101000000; a"),
        "213 Modify=19700101000000;UNIX.mode=0600; \"/a\"\r\n"
    );
    assert_eq!(
        rig.operations,
        [
            Operation::SetModified {
                path: path("a"),
                modified: EPOCH
            },
            Operation::SetMode {
                path: path("a"),
                mode: 0o600
            },
        ]
    );
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("MFF UNIX.mode=0600;modify=19700101000000; a", "550");
    assert_eq!(rig.operations.len(), 3);
}

#[test]
fn facts_that_cannot_be_set_are_named_and_nothing_is_done() {
    let mut rig = Rig::logged_in();
    for line in [
        "MFF UNIX.owner=0; a",
        "MFF modify=19700101000000;UNIX.group=0; a",
    ] {
        let reply = rig.expect(line, "504");
        assert!(reply.contains("UNIX."), "{reply}");
    }
    assert!(rig.operations.is_empty());
}

#[test]
fn failures_name_the_path() {
    let mut rig = Rig::logged_in();
    for line in [
        "MKD a",
        "RMD a",
        "DELE a",
        "SITE CHMOD 644 a",
        "MFMT 19700101000000 a",
    ] {
        rig.outcomes.push_back(Err(Failure::PermissionDenied));
        assert_eq!(rig.send(line), "550 \"/a\": permission denied.\r\n");
    }
}
