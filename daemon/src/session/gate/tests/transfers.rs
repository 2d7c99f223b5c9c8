//! Data connections and what goes over them.

use super::rig::{Rig, codes, path, settings};
use crate::{
    session::gate::{Settings, StorageEvent},
    storage::{
        FactSet, Failure, ListForm, Listing, Operation, Order, OrderBy, Outcome, Transfer,
        UploadStart,
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

#[test]
fn a_download_is_prepared_announced_and_concluded() {
    let mut rig = Rig::with_engine();
    rig.expect("EPSV", "229 Extended passive mode (|||50000|)\r\n");
    assert_eq!(
        rig.send("RETR a.txt"),
        "150 Sending \"/a.txt\" (1234 bytes).\r\n226 Complete, 1234 bytes.\r\n"
    );
    assert_eq!(*prepared(&rig), download("/a.txt", 0, None));
    assert_eq!(rig.engine_lines, ["EPSV", "RETR /t"]);
    // The data connection has been used.
    rig.expect("RETR a.txt", "425");
}

#[test]
fn an_upload_has_its_own_word() {
    let mut rig = Rig::logged_in();
    rig.expect("PASV", "227 Passive mode (10,0,0,1,195,80)\r\n");
    rig.expect("ALLO 500", "200");
    rig.expect_codes("STOR dir/a b", &[150, 226]);
    let expected = upload("/dir/a b", UploadStart::Replace, Some(500));
    assert_eq!(*prepared(&rig), expected);
    assert_eq!(rig.engine_lines.last().unwrap(), "STOR /t");
    // ALLO was for that one.
    rig.expect("PASV", "227");
    rig.expect_codes("APPE a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), upload("/a.txt", UploadStart::End, None));
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
        (Failure::LinkRefused, 550),
        (Failure::PermissionDenied, 550),
        (Failure::ReadOnly, 550),
        (Failure::AccountForbids, 550),
        (Failure::BehindEnd, 554),
        (Failure::Unfinished, 550),
        (Failure::BeingWritten, 450),
        (Failure::Locked, 450),
        (Failure::NoSpace, 452),
        (Failure::Quota, 552),
        (Failure::TooLarge, 552),
        (Failure::Device, 451),
        (Failure::Displaced, 451),
        (Failure::Unsynced, 451),
        (Failure::Unsupported, 504),
        (Failure::TooMuch, 451),
        (Failure::ConnectionLost, 426),
        (Failure::Handshake, 522),
        (Failure::NotResumed, 522),
        (Failure::Truncated, 426),
        (Failure::Cancelled, 426),
        (Failure::NoConnection, 425),
        (Failure::Resources, 451),
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
fn the_position_is_for_the_very_next_transfer() {
    let mut rig = Rig::logged_in();
    rig.expect("REST 100", "350");
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), download("/a.txt", 100, None));
    rig.expect("EPSV", "229");
    rig.expect_codes("STOR a.txt", &[150, 226]);
    assert_eq!(
        *prepared(&rig),
        upload("/a.txt", UploadStart::Replace, None)
    );
    rig.expect("REST 100", "350");
    rig.expect("PASV", "227");
    rig.expect_codes("STOR a.txt", &[150, 226]);
    assert_eq!(
        *prepared(&rig),
        upload("/a.txt", UploadStart::At(100), None)
    );
}

#[test]
fn the_position_is_forgotten_by_failures_and_other_commands() {
    for between in [
        "NOOP", "PWD", "RETR", "XYZZY", "TYPE I", "REST x", "RANG 1 0",
    ] {
        let mut rig = Rig::logged_in();
        rig.expect("EPSV", "229");
        rig.expect("REST 100", "350");
        rig.send(between);
        rig.expect_codes("STOR a.txt", &[150, 226]);
        let expected = upload("/a.txt", UploadStart::Replace, None);
        assert_eq!(*prepared(&rig), expected, "{between}");
    }
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    rig.expect("REST 100", "350");
    rig.outcomes.push_back(Err(Failure::NotFound));
    rig.expect("RETR b.txt", "550");
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), download("/a.txt", 0, None));
}

#[test]
fn a_range_is_for_downloads() {
    let mut rig = Rig::logged_in();
    rig.expect("EPSV", "229");
    rig.expect("RANG 10 19", "350");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), download("/a.txt", 10, Some(20)));
    rig.expect("EPSV", "229");
    rig.expect("RANG 10 19", "350");
    rig.expect("STOR a.txt", "503");
    rig.expect("RANG 10 19", "350");
    rig.expect("RANG 1 0", "350");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), download("/a.txt", 0, None));
    rig.expect("RANG 0 18446744073709551615", "501");
    rig.expect("RANG 1", "501");
}

#[test]
fn a_file_with_a_name_of_our_choice_is_named() {
    let mut rig = Rig::logged_in();
    let ready = || {
        Ok(Outcome::Ready {
            size: None,
            path: path("/dir/x.1"),
        })
    };
    rig.expect("CWD dir", "250");
    rig.expect("EPSV", "229");
    rig.outcomes.push_back(ready());
    let reply = rig.expect("STOU", "150 FILE: /dir/x.1\r\n226 ");
    assert!(reply.contains("/dir/x.1\r\n"), "{reply}");
    assert_eq!(*prepared(&rig), upload("/dir", UploadStart::Unique, None));
    rig.expect("EPSV", "229");
    rig.outcomes.push_back(ready());
    rig.expect_codes("STOU name", &[150, 226]);
    assert_eq!(*prepared(&rig), upload("/dir", UploadStart::Unique, None));
}

fn listed(rig: &mut Rig, line: &str) -> Listing {
    rig.expect("EPSV", "229");
    rig.expect_codes(line, &[150, 226]);
    match prepared(rig) {
        Transfer::List(listing) => listing.clone(),
        other => panic!("no listing: {other:?}"),
    }
}

#[test]
fn listings_take_options_and_globs() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    let plain = ListForm::Long {
        all: false,
        recursive: false,
        order: Order::default(),
        itself: false,
    };
    let mut check = |line: &str, directory: &str, form: ListForm| {
        let expected = Listing {
            path: path(directory),
            pattern: None,
            form,
        };
        assert_eq!(listed(&mut rig, line), expected, "{line}");
    };
    check("LIST", "/dir", plain);
    check("LIST -l", "/dir", plain);
    check("LIST sub", "/dir/sub", plain);
    let order = Order {
        by: OrderBy::Modified,
        reversed: true,
    };
    let form = ListForm::Long {
        all: true,
        recursive: true,
        order,
        itself: true,
    };
    check("LIST -alRtd -r /x y", "/x y", form);
    let order = Order {
        by: OrderBy::Size,
        reversed: false,
    };
    let names = ListForm::Names { all: true, order };
    check("NLST -aS sub", "/dir/sub", names);
    check("MLSD", "/dir", ListForm::Machine(FactSet::ALL));
    check("MLSD *", "/dir/*", ListForm::Machine(FactSet::ALL));
    // Something has this name, so it is no glob.
    check("LIST a[1]", "/dir/a[1]", plain);
}

#[test]
fn a_glob_that_is_no_name_is_matched() {
    let mut rig = Rig::logged_in();
    rig.expect("CWD dir", "250");
    for (line, directory, pattern) in [
        ("NLST *.vmdk", "/dir", "*.vmdk"),
        ("LIST sub/a?", "/dir/sub", "a?"),
        ("LIST -a /[a-z]*", "/", "[a-z]*"),
    ] {
        rig.outcomes.push_back(Err(Failure::NotFound));
        let listing = listed(&mut rig, line);
        assert_eq!(listing.path, path(directory), "{line}");
        assert_eq!(
            listing.pattern.as_deref(),
            Some(pattern.as_bytes()),
            "{line}"
        );
    }
}

#[test]
fn events_may_overtake_the_engine() {
    let mut rig = Rig::logged_in();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.outcomes.push_back(Ok(Outcome::Ready {
        size: None,
        path: path("a.txt"),
    }));
    rig.engine = false;
    rig.send("RETR a.txt");
    for event in [StorageEvent::Began, StorageEvent::Ended(Ok(3))] {
        assert_eq!(rig.event(event), "");
    }
    assert_eq!(
        codes(rig.engine_says("150 x\r\n226 x").as_bytes()),
        [150, 226]
    );
}

#[test]
fn an_engine_that_cannot_send_is_believed() {
    let mut rig = Rig::logged_in();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    rig.event(StorageEvent::Began);
    rig.event(StorageEvent::Ended(Ok(3)));
    assert_eq!(codes(rig.engine_says("426 x").as_bytes()), [426]);
    // It never got a connection.
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150]);
    assert_eq!(codes(rig.engine_says("425 x").as_bytes()), [425]);
    rig.expect("NOOP", "200");
}

#[test]
fn text_is_converted_only_if_that_is_configured() {
    let mut rig = Rig::logged_in();
    rig.expect("TYPE A", "200");
    rig.expect("EPSV", "229");
    rig.expect_codes("RETR a.txt", &[150, 226]);
    assert_eq!(*prepared(&rig), download("/a.txt", 0, None));
    rig.expect("SIZE a.txt", "213");
    let mut rig = Rig::logged_in_with(Settings {
        ascii: true,
        ..settings()
    });
    rig.expect("SIZE a.txt", "213");
    rig.expect("TYPE A", "200");
    rig.expect("SIZE a.txt", "550");
    rig.expect("REST 5", "504");
    rig.expect("RANG 0 5", "504");
    rig.expect("REST 0", "350");
    rig.expect("EPSV", "229");
    rig.expect_codes("STOR a.txt", &[150, 226]);
    let expected = Transfer::Upload {
        path: path("a.txt"),
        start: UploadStart::Replace,
        expected: None,
        ascii: true,
    };
    assert_eq!(*prepared(&rig), expected);
}

#[test]
fn a_client_that_leaves_after_its_last_byte_has_its_file_stored() {
    let mut rig = Rig::logged_in();
    rig.transfer = None;
    rig.expect("EPSV", "229");
    rig.expect_codes("STOR a.txt", &[150]);
    rig.gate.client_closed(rig.now);
    rig.run();
    assert!(!rig.closed);
    rig.event(StorageEvent::Began);
    rig.event(StorageEvent::Ended(Ok(5)));
    rig.engine_says("226 x");
    assert!(rig.closed);
}
