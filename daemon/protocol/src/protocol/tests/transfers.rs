//! Data connections and what goes over them.

use super::rig::{Rig, path, ready, settings};
use crate::{
    protocol::{
        Protocol,
        interface::{Action, Event, Settings},
    },
    request::{
        FactSet, Failure, ListForm, Listing, Operation, Order, OrderBy, Transfer, UploadStart,
    },
};

/// The transfer that was prepared last.
fn prepared(rig: &Rig) -> &Transfer {
    match rig.operations.last() {
        Some(Operation::Prepare(transfer)) => transfer,
        other => panic!("no transfer: {other:?}"),
    }
}

fn download(name: &str, start: u64, end: Option<u64>) -> Transfer {
    Transfer::Download {
        path: path(name),
        start,
        end,
        ascii: false,
    }
}

fn upload(name: &str, start: UploadStart, expected: Option<u64>) -> Transfer {
    Transfer::Upload {
        path: path(name),
        start,
        expected,
        ascii: false,
    }
}

/// Sends a line that sets up a data connection, then a transfer, and gives what was prepared.
#[track_caller]
fn transferred(rig: &mut Rig, line: &str) -> Transfer {
    rig.expect("EPSV", "229");
    rig.expect_codes(line, &[150, 226]);
    prepared(rig).clone()
}

#[test]
fn a_download_is_prepared_announced_and_concluded() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229 Entering Extended Passive Mode (|||50000|)\r\n");
    assert_eq!(
        rig.send("RETR a.txt"),
        "150 Sending \"/a.txt\" (1234 bytes).\r\n226 Complete, 1234 bytes.\r\n"
    );
    assert_eq!(*prepared(&rig), download("/a.txt", 0, None));
    assert_eq!(rig.done(), [Action::Listen, Action::BeginTransfer]);
    // The data connection has been used.
    rig.expect("RETR a.txt", "425");
}

#[test]
fn a_transfer_goes_from_event_to_event() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    (rig.storage, rig.transfer) = (false, None);
    assert_eq!(rig.send("STOR a.txt"), "");
    assert_eq!(rig.done(), [Action::Listen]);
    rig.expect_after(Event::Performed(Ok(ready("a.txt"))), &[150]);
    assert_eq!(rig.done(), [Action::BeginTransfer]);
    rig.ignores([Event::Began, Event::Moved(5)]);
    rig.expect_after(Event::Ended(Ok(5)), &[226]);
    assert_eq!(rig.done(), []);
}

#[test]
fn an_upload_has_its_own_word() {
    let mut rig = Rig::logged_in();
    rig.expect("PASV", "227 Entering Passive Mode (10,0,0,1,195,80)\r\n");
    rig.expect("ALLO 500", "200");
    let reply = rig.expect_codes("STOR dir/a b", &[150, 226]);
    assert!(reply.starts_with("150 Ready to receive \"/dir/a b\"."));
    let expected = upload("/dir/a b", UploadStart::Replace, Some(500));
    assert_eq!(*prepared(&rig), expected);
    // ALLO was for that one.
    let expected = upload("/a.txt", UploadStart::End, None);
    assert_eq!(transferred(&mut rig, "APPE a.txt"), expected);
}

#[test]
fn a_size_that_no_file_can_have_is_not_held_against_the_next_upload() {
    let mut rig = Rig::logged_in();
    rig.talk("EPSV | ALLO 18446744073709551615", &[229, 504]);
    rig.expect_codes("STOR a.txt", &[150, 226]);
    let expected = upload("/a.txt", UploadStart::Replace, None);
    assert_eq!(*prepared(&rig), expected);
}

#[test]
fn what_cannot_be_done_is_refused_before_150() {
    for (failure, code) in [
        (Failure::NotFound, 550),
        (Failure::Exists, 550),
        (Failure::NotADirectory, 550),
        (Failure::IsADirectory, 550),
        (Failure::NotAFile, 550),
        (Failure::NotEmpty, 550),
        (Failure::InvalidName, 553),
        (Failure::TargetMissing, 550),
        (Failure::IsALink, 550),
        (Failure::LinkRefused, 550),
        (Failure::PermissionDenied, 550),
        (Failure::ReadOnly, 550),
        (Failure::AccountForbids, 550),
        (Failure::BehindEnd, 554),
        (Failure::Unfinished, 550),
        (Failure::BeingWritten, 450),
        (Failure::Locked, 450),
        (Failure::NoSpace, 452),
        (Failure::NoSpaceRemoved, 452),
        (Failure::PartName, 553),
        (Failure::Quota, 552),
        (Failure::TooLarge, 552),
        (Failure::Device, 451),
        (Failure::Shortened, 451),
        (Failure::Displaced, 451),
        (Failure::Unsynced, 451),
        (Failure::InvalidTime, 504),
        (Failure::Unsupported, 504),
        (Failure::TooMuch, 451),
        (Failure::ConnectionLost, 426),
        (Failure::Handshake, 522),
        (Failure::NotResumed, 522),
        (Failure::Truncated, 426),
        (Failure::Cancelled, 426),
        (Failure::NoConnection, 425),
        (Failure::Resources, 452),
        (Failure::ListingsFull, 450),
        (Failure::Internal, 451),
    ] {
        let mut rig = Rig::logged_in();
        rig.expect("EPSV", "229");
        rig.outcomes.push_back(Err(failure));
        rig.expect_codes("RETR a.txt", &[code]);
        rig.expect("NOOP", "200");
        // The same after 150.
        rig.expect("EPSV", "229");
        rig.transfer = Some(Err(failure));
        rig.expect_codes("STOR a.txt", &[150, code]);
        rig.expect("NOOP", "200");
    }
}

#[test]
fn the_position_is_for_the_next_transfer_alone() {
    use UploadStart::{At, End, Replace};
    let mut rig = Rig::logged_in();
    for (before, line, expected) in [
        ("REST 100", "RETR a.txt", download("/a.txt", 100, None)),
        ("EPSV", "STOR a.txt", upload("/a.txt", Replace, None)),
        ("REST 100", "STOR a.txt", upload("/a.txt", At(100), None)),
        ("REST 100", "APPE a.txt", upload("/a.txt", End, None)),
        ("RANG 10 19", "RETR a.txt", download("/a.txt", 10, Some(20))),
        ("EPSV", "RETR a.txt", download("/a.txt", 0, None)),
    ] {
        rig.send(before);
        assert_eq!(transferred(&mut rig, line), expected, "{before}, {line}");
    }
}

#[test]
fn a_confirmed_position_is_not_forgotten_and_the_file_not_replaced() {
    for between in [
        "NOOP",
        "PWD",
        "TYPE I",
        "TYPE A",
        "SIZE a.txt",
        "CWD /",
        "MODE S",
        "STRU F",
        "FEAT",
        "STAT",
        "LIST",
        "MKD d",
        "HASH a.txt",
        "RETR",
        "XYZZY",
        "REST x",
        "RNFR a.txt",
        "SITE HELP",
        "EPSV",
    ] {
        let mut rig = Rig::logged_in();
        rig.talk("EPSV | REST 100", &[229, 350]);
        rig.send(between);
        rig.expect("EPSV", "229");
        rig.expect_codes("STOR a.txt", &[150, 226]);
        let expected = upload("/a.txt", UploadStart::At(100), None);
        assert_eq!(*prepared(&rig), expected, "{between}");
    }
    let mut rig = Rig::logged_in();
    rig.talk("REST 100 | ALLO 10 | EPSV", &[350, 200, 229]);
    rig.expect_codes("STOR a.txt", &[150, 226]);
    let expected = upload("/a.txt", UploadStart::At(100), Some(10));
    assert_eq!(*prepared(&rig), expected);
}

#[test]
fn a_range_is_kept_until_a_transfer_or_digest_uses_it() {
    for between in [
        "NOOP",
        "TYPE I",
        "CWD /",
        "SIZE a.txt",
        "LIST",
        "XCRC a.txt",
    ] {
        let mut rig = Rig::logged_in();
        rig.talk("EPSV | RANG 10 19", &[229, 350]);
        rig.send(between);
        rig.expect("EPSV", "229");
        rig.expect_codes("RETR a.txt", &[150, 226]);
        let expected = download("/a.txt", 10, Some(20));
        assert_eq!(*prepared(&rig), expected, "{between}");
    }
}

#[test]
fn the_position_ends_with_what_uses_or_replaces_it() {
    let lines = "ABOR | REST 0 | RANG 1 0 | REIN | USER alice | STOU | APPE b.txt | RETR b.txt";
    for between in lines.split(" | ") {
        let mut rig = Rig::logged_in();
        rig.talk("EPSV | REST 100", &[229, 350]);
        rig.send(between);
        if matches!(between, "REIN" | "USER alice") {
            rig.log_in();
        }
        rig.expect("EPSV", "229");
        rig.expect_codes("STOR a.txt", &[150, 226]);
        let expected = upload("/a.txt", UploadStart::Replace, None);
        assert_eq!(*prepared(&rig), expected, "{between}");
    }
    let mut rig = Rig::logged_in();
    rig.expect_codes("EPSV\r\nREST 100", &[229, 350]);
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("RETR b.txt", "550");
    let expected = download("/a.txt", 0, None);
    assert_eq!(transferred(&mut rig, "RETR a.txt"), expected);
}

#[test]
fn a_range_is_for_downloads() {
    let mut rig = Rig::logged_in();
    rig.talk("EPSV | RANG 10 19 | STOR a.txt", &[229, 350, 503]);
    rig.each("350", "RANG 10 19 | RANG 1 0");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), download("/a.txt", 0, None));
    rig.each("501", "RANG 0 18446744073709551615 | RANG 1");
}

#[test]
fn a_file_with_a_name_of_our_choice_is_named() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    for (line, asked, start) in [
        ("STOU", "/dir", UploadStart::Unique),
        ("STOU /", "/", UploadStart::Unique),
        ("STOU name", "/dir/name", UploadStart::Suggested),
    ] {
        rig.expect("EPSV", "229");
        rig.outcomes.push_back(Ok(ready("/dir/x.1")));
        let replies = "150 FILE: /dir/x.1\r\n226 Received 1234 bytes as /dir/x.1\r\n";
        assert_eq!(rig.send(line), replies);
        assert_eq!(*prepared(&rig), upload(asked, start, None));
    }
}

#[test]
fn listings_take_options_and_globs() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    let long = |all, recursive, order, itself| ListForm::Long {
        all,
        recursive,
        order,
        itself,
    };
    let ordered = |by, reversed| Order { by, reversed };
    let plain = long(false, false, Order::default(), false);
    let full = long(true, true, ordered(OrderBy::Modified, true), true);
    let names = |recursive| ListForm::Names {
        all: true,
        recursive,
        order: ordered(OrderBy::Size, false),
    };
    let machine = ListForm::Machine(FactSet::ALL);
    for (line, directory, named, form) in [
        ("LIST", "/dir", "", plain),
        ("LIST -l", "/dir", "", plain),
        ("LIST sub", "/dir/sub", "sub", plain),
        ("LIST -alRtd -r /x y", "/x y", "/x y", full),
        ("NLST -aS sub", "/dir/sub", "sub", names(false)),
        ("NLST -aSR ../sub/", "/sub", "../sub/", names(true)),
        ("MLSD", "/dir", "", machine),
        ("MLSD *", "/dir/*", "*", machine),
        // Something has this name, so it is no glob.
        ("LIST a[1]", "/dir/a[1]", "a[1]", plain),
    ] {
        let expected = Transfer::List(Listing {
            path: path(directory),
            named: named.into(),
            pattern: None,
            form,
        });
        assert_eq!(transferred(&mut rig, line), expected, "{line}");
    }
}

#[test]
fn mlsd_of_a_file_is_501() {
    for (line, failure, code) in [
        ("MLSD a.txt", Failure::NotADirectory, 501),
        ("MLSD a.txt", Failure::NotFound, 550),
        ("LIST a.txt/", Failure::NotADirectory, 550),
    ] {
        let mut rig = Rig::logged_in();
        rig.expect("EPSV", "229");
        rig.outcomes.push_back(Err(failure));
        rig.expect_codes(line, &[code]);
    }
}

#[test]
fn a_glob_that_is_no_name_is_matched() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    for (line, directory, named, pattern) in [
        ("NLST *.vmdk", "/dir", "", "*.vmdk"),
        ("LIST sub/a?", "/dir/sub", "sub/", "a?"),
        ("LIST -a /[a-z]*", "/", "/", "[a-z]*"),
    ] {
        rig.outcomes.push_back(Err(Failure::NotFound));
        let Transfer::List(listing) = transferred(&mut rig, line) else {
            panic!("no listing");
        };
        assert_eq!(listing.path, path(directory), "{line}");
        assert_eq!(listing.named, named.as_bytes(), "{line}");
        assert_eq!(listing.pattern, Some(pattern.into()), "{line}");
    }
}

#[test]
fn a_transfer_that_ends_before_it_begins_is_told() {
    let mut rig = Rig::logged_in();
    for (result, code) in [
        (Err(Failure::NoConnection), 425),
        (Err(Failure::Handshake), 522),
        (Ok(0), 226),
    ] {
        rig.announce("RETR a.txt");
        rig.expect_after(Event::Ended(result), &[code]);
        rig.expect("NOOP", "200");
    }
}

#[test]
fn text_is_converted_only_if_that_is_configured() {
    let mut rig = Rig::logged_in();
    rig.expect("TYPE A", "200");
    let expected = download("/a.txt", 0, None);
    assert_eq!(transferred(&mut rig, "RETR a.txt"), expected);
    rig.expect("SIZE a.txt", "213");
    let mut rig = Rig::logged_in_with(Settings {
        ascii: true,
        ..settings()
    });
    rig.talk("SIZE a.txt | TYPE A | SIZE a.txt", &[213, 200, 550]);
    rig.talk("REST 5 | RANG 0 5 | REST 0", &[504, 504, 350]);
    // A position that TYPE A has made meaningless is refused, not ignored.
    for transfer in ["RETR a.txt", "STOR a.txt"] {
        rig.talk("TYPE I | REST 5 | TYPE A | EPSV", &[200, 350, 200, 229]);
        rig.expect(transfer, "504");
    }
    let expected = Transfer::Upload {
        path: path("a.txt"),
        start: UploadStart::Replace,
        expected: None,
        ascii: true,
    };
    assert_eq!(transferred(&mut rig, "STOR a.txt"), expected);
}

#[test]
fn a_client_that_leaves_after_its_last_byte_has_its_file_stored() {
    let mut rig = Rig::announced("STOR a.txt");
    rig.call(Protocol::client_closed);
    rig.event(Event::Began);
    assert!(!rig.closed);
    rig.expect_after(Event::Ended(Ok(5)), &[226]);
    assert!(rig.closed);
}
