mod busy;
mod escape;
mod leftovers;
mod long;
mod protected;
mod shrinking;

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink},
};

use protocol::request::{Algorithm, FactSet, Kind, ListForm, Order, PathRole, Space, Timestamp};

use super::*;
use crate::{
    accounts::{Account, Rights},
    config::{ByteSize, Config, Required, RootChoice},
    storage::sample::{BOTH, Sample, SmallDisk, path},
};

fn do_it(files: &Files, operation: Operation) -> Result<Outcome, Failure> {
    perform(files, &Task::default(), operation).map_err(|refused| refused.failure)
}

fn rename(from: &str, to: &str) -> Operation {
    Operation::Rename {
        from: path(from),
        to: path(to),
    }
}

fn copy(from: &str, to: &str) -> Operation {
    Operation::Copy {
        from: path(from),
        to: path(to),
    }
}

fn digest(name: &str, algorithm: Algorithm, start: u64, end: Option<u64>) -> Operation {
    Operation::Digest {
        path: path(name),
        algorithm,
        start,
        end,
    }
}

fn long_lines(name: &str) -> Operation {
    let form = ListForm::Long {
        all: false,
        recursive: false,
        order: Order::default(),
        itself: false,
    };
    Operation::Lines(Listing {
        path: path(name),
        named: name.into(),
        pattern: None,
        form,
    })
}

/// Everything that changes something, or reads content.
fn all_operations() -> Vec<(&'static str, Operation)> {
    let modified = Timestamp {
        seconds: 0,
        nanoseconds: 0,
    };
    vec![
        ("make", Operation::MakeDirectory(path("/new"))),
        ("remove directory", Operation::RemoveDirectory(path("/d"))),
        ("remove file", Operation::RemoveFile(path("/f"))),
        ("rename", rename("/f", "/renamed")),
        ("rename over", rename("/f", "/g")),
        ("copy", copy("/f", "/copy")),
        ("copy over", copy("/f", "/g")),
        (
            "mode",
            Operation::SetMode {
                path: path("/f"),
                mode: 0o600,
            },
        ),
        (
            "time",
            Operation::SetModified {
                path: path("/f"),
                modified,
            },
        ),
        ("digest", digest("/f", Algorithm::Md5, 0, None)),
    ]
}

/// The operations that an account may not do.
fn forbidden(rights: &Rights, choice: RootChoice) -> Vec<&'static str> {
    let mut forbidden = Vec::new();
    for (name, operation) in all_operations() {
        let sample = Sample::new(choice, rights.clone());
        sample.write("f", "f");
        sample.write("g", "g");
        fs::create_dir(sample.path("d")).unwrap();
        match do_it(&sample.files, operation) {
            Ok(_) => {}
            Err(Failure::AccountForbids) => {
                forbidden.push(name);
                assert_eq!(sample.read("f"), b"f", "{name}");
                assert_eq!(sample.read("g"), b"g", "{name}");
                assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 3);
            }
            Err(failure) => panic!("{name}: {failure}"),
        }
    }
    forbidden
}

#[test]
fn accounts_do_what_they_may_and_no_more() {
    for choice in BOTH {
        assert_eq!(forbidden(&Rights::default(), choice), [""; 0]);
        let read_only = forbidden(&Rights::read_only(), choice);
        assert_eq!(read_only.len(), all_operations().len() - 1, "{read_only:?}");
        assert!(!read_only.contains(&"digest"));
        assert_eq!(
            forbidden(&Rights::no_delete(), choice),
            ["remove directory", "remove file"]
        );
        assert_eq!(
            forbidden(&Rights::no_overwrite(), choice),
            ["rename over", "copy over", "mode", "time"]
        );
        assert_eq!(
            forbidden(&Rights::upload_only(), choice),
            [
                "remove directory",
                "remove file",
                "rename",
                "rename over",
                "copy",
                "copy over",
                "mode",
                "time",
                "digest"
            ]
        );
    }
}

#[test]
fn new_directories_have_the_mode_of_the_account() {
    for choice in BOTH {
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        let sample = Sample::new(choice, Rights::default());
        do_it(&sample.files, Operation::MakeDirectory(path("/d"))).unwrap();
        let mode = fs::metadata(sample.path("d")).unwrap().permissions().mode();
        nix::sys::stat::umask(before);
        assert_eq!(mode & 0o777, 0o755);
    }
}

#[test]
fn facts_follow_links_and_name_what_is_wrong_with_them() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "12345");
        fs::create_dir(sample.path("d")).unwrap();
        symlink("f", sample.path("l")).unwrap();
        symlink("d", sample.path("label")).unwrap();
        symlink("nowhere", sample.path("dangling")).unwrap();
        symlink("/", sample.path("out")).unwrap();
        let facts = |name: &str| match do_it(&sample.files, Operation::Facts(path(name))) {
            Ok(Outcome::Facts(facts)) => facts,
            other => panic!("{other:?}"),
        };
        assert_eq!((facts("/l").kind, facts("/l").size), (Kind::File, Some(5)));
        assert_eq!(facts("/label").kind, Kind::Directory);
        assert_eq!(facts("/label").unique, facts("/d").unique);
        for (name, failure) in [
            ("/dangling", Failure::TargetMissing),
            ("/out", Failure::LinkRefused),
        ] {
            let followed = do_it(&sample.files, Operation::Facts(path(name)));
            assert_eq!(followed, Err(failure), "{name}");
            let Ok(Outcome::Facts(link)) = do_it(&sample.files, Operation::Entry(path(name)))
            else {
                panic!("{name}");
            };
            assert_eq!((link.kind, link.size), (Kind::Link, None), "{name}");
        }
        assert!(!facts("/").permissions.delete && facts("/d").permissions.delete);
        let missing = do_it(&sample.files, Operation::Facts(path("/x")));
        assert_eq!(missing, Err(Failure::NotFound));
        let locked = sample.seen_with(Rights::read_only());
        let file = locked.facts(&path("/f")).unwrap().permissions;
        assert!(file.retrieve && !file.write && !file.append && !file.delete && !file.rename);
    }
}

#[test]
fn renaming_replaces_files_but_no_directories() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("a", "a");
        sample.write("b", "b");
        fs::create_dir_all(sample.path("d/inner")).unwrap();
        fs::create_dir(sample.path("empty")).unwrap();
        let rename = |from, to| do_it(&sample.files, rename(from, to));
        rename("/a", "/b").unwrap();
        assert_eq!(sample.read("b"), b"a");
        assert_eq!(rename("/a", "/c"), Err(Failure::NotFound));
        assert_eq!(rename("/d", "/empty"), Err(Failure::Exists));
        assert_eq!(rename("/b", "/empty"), Err(Failure::Exists));
        assert!(rename("/d", "/d/inner/d").is_err(), "into itself");
        rename("/d", "/moved").unwrap();
        rename("/b", "/moved/inner/b").unwrap();
        assert_eq!(sample.read("moved/inner/b"), b"a");
        rename("/moved", "/moved").unwrap();
    }
}

#[test]
fn names_of_part_files_are_left_to_uploads() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("a", "a");
        for operation in [
            Operation::MakeDirectory(path("/.f.esxftpd-part")),
            copy("/a", "/.f.esxftpd-part"),
            rename("/a", "/.f.esxftpd-part"),
        ] {
            let refused = do_it(&sample.files, operation.clone());
            assert_eq!(refused, Err(Failure::PartName), "{operation:?}");
            assert!(Failure::PartName.to_string().contains("server refuses"));
        }
        assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 1);
    }
}

#[test]
fn nothing_is_renamed_to_where_an_upload_would_write_over_it() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::no_overwrite());
        sample.write("a", "a");
        let writing = Writing::begin(sample.files.root(), &path("/f")).unwrap();
        let stored = do_it(&sample.files, rename("/a", "/f"));
        assert_eq!(stored, Err(Failure::BeingWritten));
        drop(writing);
        do_it(&sample.files, rename("/a", "/f")).unwrap();
        assert_eq!(sample.read("f"), b"a");
    }
}

#[test]
fn copies_are_whole_and_keep_holes() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        let disk = File::create(sample.path("disk")).unwrap();
        disk.set_len(64 << 20).unwrap();
        disk.write_all_at(b"begin", 0).unwrap();
        disk.write_all_at(&vec![7; 3 << 20], (20 << 20) + 1)
            .unwrap();
        fs::set_permissions(sample.path("disk"), fs::Permissions::from_mode(0o666)).unwrap();
        do_it(&sample.files, copy("/disk", "/copy")).unwrap();
        assert!(sample.read("disk") == sample.read("copy"));
        let copied = fs::metadata(sample.path("copy")).unwrap();
        assert_eq!(copied.permissions().mode() & 0o777, 0o644);
        let blocks = disk.metadata().unwrap().blocks();
        assert!(
            copied.blocks() <= blocks + 64,
            "{} {blocks}",
            copied.blocks()
        );
        assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 2);
    }
}

#[test]
fn a_copy_replaces_what_a_link_leads_to() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "new");
        fs::create_dir(sample.path("d")).unwrap();
        sample.write("d/target", "old");
        symlink("d/target", sample.path("l")).unwrap();
        do_it(&sample.files, copy("/f", "/l")).unwrap();
        assert_eq!(sample.read("d/target"), b"new");
        assert!(sample.path("l").is_symlink());
        assert_eq!(do_it(&sample.files, copy("/f", "/f")), Err(Failure::Exists));
        let onto_directory = do_it(&sample.files, copy("/f", "/d"));
        assert_eq!(onto_directory, Err(Failure::IsADirectory));
        assert_eq!(
            do_it(&sample.files, copy("/d", "/x")),
            Err(Failure::IsADirectory)
        );
    }
}

#[test]
fn a_rename_or_copy_blames_the_path_that_is_the_cause() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "f");
        fs::create_dir(sample.path("d")).unwrap();
        let role = |operation| {
            let refused = perform(&sample.files, &Task::default(), operation);
            refused.unwrap_err().role
        };
        for two in [rename, copy] {
            assert_eq!(role(two("/gone", "/g")), PathRole::Source);
            assert_eq!(role(two("/gone/f", "/g")), PathRole::Source);
            assert_eq!(role(two("/f", "/gone/g")), PathRole::Target);
            assert_eq!(role(two("/f", "/d")), PathRole::Target);
        }
        let begin = |name| Writing::begin(sample.files.root(), &path(name)).unwrap();
        let writing = begin("/f");
        assert_eq!(role(rename("/f", "/g")), PathRole::Source);
        drop(writing);
        let _writing = begin("/g");
        assert_eq!(role(rename("/f", "/g")), PathRole::Target);
        assert_eq!(role(copy("/f", "/g")), PathRole::Target);
    }
}

#[test]
fn a_copy_that_ends_early_leaves_nothing() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", vec![1; 4 << 20]);
        sample.write("g", "old");
        let task = Task::default();
        task.cancel();
        let cancelled = perform(&sample.files, &task, copy("/f", "/g"));
        assert_eq!(cancelled, Err(Failure::Cancelled.into()));
        assert_eq!(sample.read("g"), b"old");
        assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 2);
        let cancelled = perform(&sample.files, &task, digest("/f", Algorithm::Sha1, 0, None));
        assert_eq!(cancelled, Err(Failure::Cancelled.into()));
    }
}

#[test]
fn a_copy_stops_before_the_reserve() {
    let sample = Sample::new(RootChoice::Auto, Rights::default());
    sample.write("f", "content");
    let mut config = Config::default();
    config.storage.reserve = ByteSize(u64::MAX);
    let account = Account {
        name: "alice".to_owned(),
        root: sample.directory.path().to_owned(),
        rights: Rights::default(),
        tls_required: Required::Nothing,
        rate: ByteSize(0),
        place: None,
    };
    let files = Files::new(account.into(), config.into()).unwrap();
    assert_eq!(do_it(&files, copy("/f", "/g")), Err(Failure::NoSpace));
    assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 1);
    let Ok(Outcome::Space(Space { total, available })) =
        do_it(&files, Operation::Space(path("/not-yet-there")))
    else {
        panic!("no space");
    };
    assert!(total > 0 && available == 0);
}

#[test]
fn a_copy_to_a_full_disk_leaves_nothing() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        let Some(disk) = SmallDisk::mount(sample.directory.path()) else {
            eprintln!("NOT TESTED: mounting a small file system needs root");
            return;
        };
        sample.write("f", vec![1; 1200 * 1024]);
        sample.write("g", "old");
        assert_eq!(
            do_it(&sample.files, copy("/f", "/g")),
            Err(Failure::NoSpace)
        );
        assert_eq!(sample.read("g"), b"old");
        assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 2);
        drop(disk);
    }
}

#[test]
fn digests_are_those_of_the_standards() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "xxabcxx");
        for (algorithm, expected) in [
            (Algorithm::Crc32, "352441c2"),
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Algorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                Algorithm::Sha512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            let expected = Outcome::Digest {
                hex: expected.to_owned(),
                start: 2,
                end: 5,
            };
            assert_eq!(
                do_it(&sample.files, digest("/f", algorithm, 2, Some(5))),
                Ok(expected)
            );
        }
        for (start, end) in [(8, None), (0, Some(8)), (3, Some(2))] {
            let behind = do_it(&sample.files, digest("/f", Algorithm::Md5, start, end));
            assert_eq!(behind, Err(Failure::BehindEnd));
        }
        let whole = do_it(&sample.files, digest("/f", Algorithm::Md5, 7, None));
        assert!(whole.is_ok(), "nothing is a part, too");
    }
}

#[test]
fn lines_on_the_control_connection_are_bounded() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        for number in 0..1200 {
            sample.write(&format!("file{number:04}"), "");
        }
        let Ok(Outcome::Lines { lines, cut }) = do_it(&sample.files, long_lines("/")) else {
            panic!("no lines");
        };
        assert!(
            cut && (500..=1000).contains(&lines.len()),
            "{}",
            lines.len()
        );
        assert!(lines[0].ends_with(" file0000") && lines[499].ends_with(" file0499"));
        let one = do_it(&sample.files, long_lines("/file0007")).unwrap();
        assert!(matches!(one, Outcome::Lines { lines, cut: false } if lines.len() == 1));
    }
}

#[test]
fn only_what_is_meant_is_removed_and_links_are_not_followed() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        fs::create_dir_all(sample.path("d/full")).unwrap();
        sample.write("d/full/f", "");
        fs::create_dir(sample.path("d/empty")).unwrap();
        symlink(sample.path("d"), sample.path("absolute")).unwrap();
        symlink("nowhere", sample.path("dangling")).unwrap();
        nix::unistd::mkfifo(&sample.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let file = |name| Operation::RemoveFile(path(name));
        let directory = |name| Operation::RemoveDirectory(path(name));
        for (operation, result) in [
            (directory("/d/full"), Err(Failure::NotEmpty)),
            (directory("/d/full/f"), Err(Failure::NotADirectory)),
            (file("/d/full"), Err(Failure::IsADirectory)),
            (file("/d/x"), Err(Failure::NotFound)),
            (directory("/"), Err(Failure::PermissionDenied)),
            (file("/absolute/full/f"), Ok(Outcome::Done)),
            (directory("/absolute/empty"), Ok(Outcome::Done)),
            (directory("/d/full"), Ok(Outcome::Done)),
            (file("/absolute"), Ok(Outcome::Done)),
            (file("/dangling"), Ok(Outcome::Done)),
            (file("/fifo"), Ok(Outcome::Done)),
            (directory("/d"), Ok(Outcome::Done)),
        ] {
            let removed = do_it(&sample.files, operation.clone());
            assert_eq!(removed, result, "{choice:?} {operation:?}");
        }
        assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 0);
        let refused = do_it(&sample.seen_with(Rights::no_delete()), file("/f"));
        assert_eq!(refused, Err(Failure::AccountForbids));
    }
}

#[test]
fn facts_and_listings_are_bounded_to_directories() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "");
        let listing = Listing {
            path: path("/f"),
            named: b"/f".to_vec(),
            pattern: None,
            form: ListForm::Machine(FactSet::ALL),
        };
        let refused = do_it(&sample.files, Operation::Lines(listing));
        assert_eq!(refused, Err(Failure::NotADirectory));
    }
}
