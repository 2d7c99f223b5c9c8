mod budget;
mod many;

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, chown, symlink},
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use protocol::request::{Fact, FactSet, Order, OrderBy, Timestamp};

use super::*;
use crate::{
    accounts::Rights,
    storage::{
        listing::owners::Owners,
        sample::{BOTH, Sample, path},
    },
    tests::wait_until,
};

/// 2026-11-21 08:17:05 UTC.
const NOW: i64 = 1_795_249_025;

const LONG: ListForm = ListForm::Long {
    all: false,
    recursive: false,
    order: Order {
        by: OrderBy::Name,
        reversed: false,
    },
    itself: false,
};

const NAMES: ListForm = ListForm::Names {
    all: false,
    recursive: false,
    order: Order {
        by: OrderBy::Name,
        reversed: false,
    },
};

/// A listing in the root of what a client calls so.
fn listing(named: &str, form: ListForm) -> Listing {
    Listing {
        path: path(named),
        named: named.into(),
        pattern: None,
        form,
    }
}

fn matching(directory: &str, pattern: &str, form: ListForm) -> Listing {
    Listing {
        pattern: Some(pattern.as_bytes().to_vec()),
        ..listing(directory, form)
    }
}

fn list(files: &Files, listing: &Listing) -> Result<String, Failure> {
    let owners = Owners::parse(b"root:x:0:0::/:\nvpxuser:x:500:0::/:\n", b"root:x:0:\n");
    let long = LongLines::new(NOW, files.settings().utc_offset.0).with_owners(owners);
    let mut text = Vec::new();
    let task = Task::default();
    let bounds = Bounds::of(Budget::alone(64 << 20));
    write_with(files, listing, &task, long, bounds, &mut |chunk| {
        text.extend_from_slice(chunk);
        Ok(())
    })?;
    wait_until("all memory is given back", || bounds.budget.used() == 0);
    Ok(String::from_utf8(text).unwrap())
}

fn lines(files: &Files, listing: &Listing) -> Vec<String> {
    let text = list(files, listing).unwrap();
    assert!(text.is_empty() || text.ends_with("\r\n"));
    text.split_terminator("\r\n")
        .map(ToOwned::to_owned)
        .collect()
}

/// A file with everything set that a listing shows. Only root can give files away.
fn put(sample: &Sample, name: &str, size: usize, mode: u32, age: i64) {
    sample.write(name, vec![0; size]);
    let at = sample.path(name);
    fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
    let modified = Timestamp {
        seconds: NOW - age,
        nanoseconds: 0,
    };
    let name = path(name);
    sample.files.root().set_modified(&name, modified).unwrap();
}

const DAY: i64 = 86_400;

#[test]
fn long_lines_look_like_those_of_ls() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        put(&sample, "new.vmdk", 1234, 0o600, DAY);
        put(&sample, "old.iso", 5, 0o4755, 400 * DAY);
        put(&sample, ".hidden", 5, 0o644, DAY);
        fs::create_dir(sample.path("vm")).unwrap();
        put(&sample, "vm/x", 0, 0o644, DAY);
        fs::set_permissions(sample.path("vm"), fs::Permissions::from_mode(0o1777)).unwrap();
        let time = Timestamp {
            seconds: NOW - 60,
            nanoseconds: 0,
        };
        sample
            .files
            .root()
            .set_modified(&path("/vm"), time)
            .unwrap();
        symlink("vm", sample.path("label")).unwrap();
        symlink("new.vmdk", sample.path("disk")).unwrap();
        let shown = lines(&sample.files, &listing("/", LONG));
        let links = fs::symlink_metadata(sample.path("vm")).unwrap();
        let links = std::os::unix::fs::MetadataExt::nlink(&links);
        let size = fs::metadata(sample.path("vm")).unwrap().len();
        let directory = |name| {
            format!("drwxrwxrwt {links:>3} root     root     {size:>12} Nov 21 08:16 {name}")
        };
        let link = |name: &str, target: &str| {
            let path = fs::symlink_metadata(sample.path(name)).unwrap();
            let modified = std::os::unix::fs::MetadataExt::mtime(&path);
            let mut date = LineBuffer::default();
            dates::write_date(&mut date, modified, NOW, 0);
            let date = String::from_utf8_lossy(date.as_bytes()).into_owned();
            let size = target.len();
            format!("lrwxrwxrwx   1 root     root     {size:>12} {date} {name} -> {target}")
        };
        let file =
            |name| format!("-rw-------   1 root     root             1234 Nov 20 08:17 {name}");
        if std::os::unix::fs::MetadataExt::uid(&fs::metadata(sample.path("disk")).unwrap()) == 0 {
            assert_eq!(
                shown,
                [
                    link("disk", "new.vmdk"),
                    link("label", "vm"),
                    file("new.vmdk"),
                    "-rwsr-xr-x   1 root     root                5 Oct 17  2025 old.iso".to_owned(),
                    directory("vm"),
                ]
            );
            chown(sample.path("old.iso"), Some(500), Some(777)).unwrap();
            // The kernel takes set-id away.
            assert_eq!(
                lines(&sample.files, &listing("/old.iso", LONG)),
                ["-rwxr-xr-x   1 vpxuser  777                 5 Oct 17  2025 old.iso"]
            );
        } else {
            assert_eq!(shown.len(), 5);
        }
    }
}

#[test]
fn options_of_long_lists_work() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        put(&sample, "b", 30, 0o644, 3 * DAY);
        put(&sample, "a", 20, 0o644, DAY);
        put(&sample, ".c", 10, 0o644, 2 * DAY);
        let names = |all, by, reversed| {
            let form = ListForm::Long {
                all,
                recursive: false,
                order: Order { by, reversed },
                itself: false,
            };
            let lines = lines(&sample.files, &listing("/", form));
            let names = lines.iter().filter_map(|line| line.split(' ').next_back());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(false, OrderBy::Name, false), "a b");
        assert_eq!(names(true, OrderBy::Name, false), ". .. .c a b");
        assert_eq!(names(false, OrderBy::Name, true), "b a");
        assert_eq!(names(true, OrderBy::Modified, false), ". .. a .c b");
        assert_eq!(names(true, OrderBy::Size, true), ". .. .c a b");
        let itself = ListForm::Long {
            all: false,
            recursive: false,
            order: Order::default(),
            itself: true,
        };
        let shown = lines(&sample.files, &listing("/", itself));
        assert!(shown.len() == 1 && shown[0].starts_with('d') && shown[0].ends_with(" ."));
    }
}

#[test]
fn recursive_lists_have_headings_and_follow_no_links() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        fs::create_dir_all(sample.path("top/b/c")).unwrap();
        fs::create_dir(sample.path("top/a")).unwrap();
        sample.write("top/b/f", "");
        sample.write("top/b/c/g", "");
        symlink("..", sample.path("top/loop")).unwrap();
        let form = ListForm::Long {
            all: false,
            recursive: true,
            order: Order::default(),
            itself: false,
        };
        let shown = |listing: &Listing| {
            let lines = lines(&sample.files, listing);
            let names = lines
                .iter()
                .filter_map(|line| line.split(" -> ").next()?.split(' ').next_back());
            names.collect::<Vec<_>>().join(" ")
        };
        for (named, head) in [
            ("/top", "/top/"),
            ("top", "top/"),
            ("./top/", "./top/"),
            ("", "./top/"),
        ] {
            let expected = format!("a b loop  {head}a:  {head}b: c f  {head}b/c: g");
            let expected = match named {
                "" => format!("top  ./top: {expected}"),
                _ => expected,
            };
            assert_eq!(shown(&listing(named, form)), expected, "{named}");
        }
        let matched = shown(&matching("", "t*", form));
        assert_eq!(
            matched,
            "top  top: a b loop  top/a:  top/b: c f  top/b/c: g"
        );
        let matched = shown(&matching("/top/", "b", form));
        assert_eq!(matched, "b  /top/b: c f  /top/b/c: g");
    }
}

#[test]
fn names_are_names() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        for name in ["z", "a b", ".dot", "größe"] {
            sample.write(name, "");
        }
        fs::create_dir(sample.path("dir")).unwrap();
        symlink("nowhere", sample.path("dangling")).unwrap();
        let names = list(&sample.files, &listing("", NAMES)).unwrap();
        assert_eq!(names, "a b\r\ndangling\r\ndir\r\ngröße\r\nz\r\n");
        assert_eq!(list(&sample.files, &listing("z", NAMES)).unwrap(), "z\r\n");
        assert_eq!(list(&sample.files, &listing("/dir", NAMES)).unwrap(), "");
        assert_eq!(
            list(&sample.files, &listing("/x", NAMES)),
            Err(Failure::NotFound)
        );
        let newest = ListForm::Names {
            all: true,
            recursive: false,
            order: Order {
                by: OrderBy::Size,
                reversed: false,
            },
        };
        assert_eq!(lines(&sample.files, &listing("/", newest)).len(), 6);
    }
}

/// Each line is what RETR and DELE take in the same working directory; otherwise `mdelete old/*`
/// removes what has the same name in the working directory.
#[test]
fn names_keep_the_directory_that_was_asked_for() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        fs::create_dir_all(sample.path("old/inner")).unwrap();
        for name in ["disk1.vmdk", "old/disk1.vmdk", "old/.hidden", "old/inner/f"] {
            sample.write(name, "");
        }
        let names = |listing: &Listing| lines(&sample.files, listing).join(" ");
        for (named, expected) in [
            ("old", "old/disk1.vmdk old/inner"),
            ("old/", "old/disk1.vmdk old/inner"),
            ("./old", "./old/disk1.vmdk ./old/inner"),
            ("/old", "/old/disk1.vmdk /old/inner"),
            ("../old", "../old/disk1.vmdk ../old/inner"),
            ("old/disk1.vmdk", "old/disk1.vmdk"),
            ("/", "/disk1.vmdk /old"),
            (".", "disk1.vmdk old"),
            ("old/inner/..", "old/inner/../disk1.vmdk old/inner/../inner"),
        ] {
            assert_eq!(names(&listing(named, NAMES)), expected, "{named}");
            for name in expected.split(' ') {
                assert!(sample.files.root().stat(&path(name)).is_ok(), "{name}");
            }
        }
        for (named, expected) in [
            ("old/", "old/disk1.vmdk"),
            ("./old/", "./old/disk1.vmdk"),
            ("/old/", "/old/disk1.vmdk"),
            ("", "disk1.vmdk"),
            ("./", "./disk1.vmdk"),
        ] {
            assert_eq!(
                names(&matching(named, "*.vmdk", NAMES)),
                expected,
                "{named}"
            );
        }
        let recursive = |all| ListForm::Names {
            all,
            recursive: true,
            order: Order::default(),
        };
        assert_eq!(
            names(&listing("old", recursive(true))),
            "old/.hidden old/disk1.vmdk old/inner old/inner/f"
        );
        assert_eq!(
            names(&listing("", recursive(false))),
            "disk1.vmdk old old/disk1.vmdk old/inner old/inner/f"
        );
        assert_eq!(
            names(&matching("", "o*", recursive(false))),
            "old old/disk1.vmdk old/inner old/inner/f"
        );
    }
}

#[test]
fn patterns_choose_names() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        for name in ["a.vmdk", "b.vmdk", "a.vmx", ".c.vmdk"] {
            sample.write(name, "");
        }
        fs::create_dir(sample.path("d.vmdk")).unwrap();
        sample.write("d.vmdk/inner", "");
        let names = |pattern| lines(&sample.files, &matching("", pattern, NAMES)).join(" ");
        assert_eq!(names("*.vmdk"), "a.vmdk b.vmdk d.vmdk");
        assert_eq!(names(".*"), ".c.vmdk");
        assert_eq!(names("[ab].vm?"), "a.vmx");
        assert_eq!(names("x*"), "");
        let long = lines(&sample.files, &matching("/", "d*", LONG));
        assert!(long.len() == 1 && long[0].starts_with('d'), "{long:?}");
        let in_file = list(&sample.files, &matching("/a.vmx", "*", LONG));
        assert_eq!(in_file, Err(Failure::NotADirectory));
    }
}

#[test]
fn machine_lists_tell_facts() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::no_delete());
        fs::create_dir(sample.path("d")).unwrap();
        put(&sample, "d/f", 3, 0o640, 0);
        symlink("../d", sample.path("d/label")).unwrap();
        symlink("nowhere", sample.path("d/dangling")).unwrap();
        let wanted = FactSet::NONE
            .with(Fact::Type)
            .with(Fact::Size)
            .with(Fact::Modify);
        let wanted = wanted.with(Fact::Perm).with(Fact::Mode);
        let form = ListForm::Machine(wanted);
        let shown = lines(&sample.files, &listing("/d", form));
        let heads: Vec<_> = shown
            .iter()
            .map(|line| {
                (
                    line.split(';').next().unwrap(),
                    line.split(' ').next_back().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            heads,
            [
                ("type=cdir", "."),
                ("type=pdir", ".."),
                ("type=OS.unix=slink", "dangling"),
                ("type=file", "f"),
                ("type=OS.unix=slink", "label"),
            ]
        );
        assert_eq!(
            shown[3],
            "type=file;size=3;modify=20261121081705;perm=afrw;UNIX.mode=0640; f"
        );
        assert!(shown[0].contains(";perm=cefl"), "{}", shown[0]);
        let top = lines(&sample.files, &listing("/", form));
        assert_eq!(top.len(), 2, "nothing is above the root");
    }
}

#[test]
fn uuid_twins_of_labels_are_hidden() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        let twin = "5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd";
        let alone = "5f0c2a1e-8d4b7c3a-1f2e-000c29ab34ff";
        for name in [twin, alone, "plain"] {
            fs::create_dir(sample.path(name)).unwrap();
        }
        symlink(twin, sample.path("datastore1")).unwrap();
        symlink("plain", sample.path("other")).unwrap();
        let names = lines(&sample.files, &listing("", NAMES));
        assert_eq!(names, [alone, "datastore1", "other", "plain"]);
        let long = lines(&sample.files, &listing("/", LONG));
        let kinds: String = long.iter().filter_map(|line| line.chars().next()).collect();
        assert_eq!(
            kinds, "ddld",
            "only the label of a datastore is shown as a directory"
        );
    }
}

#[test]
fn hidden_names_are_left_out() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::hiding(&["*.key", "private"]));
        for name in ["a.key", "private", "public"] {
            sample.write(name, "");
        }
        for form in [LONG, NAMES, ListForm::Machine(FactSet::ALL)] {
            let text = list(&sample.files, &listing("/", form)).unwrap();
            assert!(text.contains("public") && !text.contains("key") && !text.contains("private"));
        }
    }
}

#[test]
fn no_name_can_forge_a_line() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
            let name = [b'x', byte, b'\n', b'y'];
            fs::write(
                sample
                    .directory
                    .path()
                    .join(std::ffi::OsStr::from_bytes(&name)),
                "",
            )
            .unwrap();
        }
        for form in [LONG, NAMES] {
            assert_eq!(lines(&sample.files, &listing("/", form)).len(), 254);
        }
    }
}

#[test]
fn a_directory_that_changes_is_listed_all_the_same() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("stays", "");
        let stop = Arc::new(AtomicBool::new(false));
        let churn = {
            let (stop, directory) = (stop.clone(), sample.directory.path().to_owned());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for number in 0..50 {
                        fs::write(directory.join(format!("f{number}")), "").unwrap();
                    }
                    for number in 0..50 {
                        fs::remove_file(directory.join(format!("f{number}"))).unwrap();
                    }
                }
            })
        };
        for _ in 0..200 {
            let text = list(&sample.files, &listing("/", LONG)).unwrap();
            assert!(text.contains(" stays\r\n"));
        }
        stop.store(true, Ordering::Relaxed);
        churn.join().unwrap();
    }
}

#[test]
fn a_listing_stops_when_told_to() {
    let sample = Sample::new(BOTH[0], Rights::default());
    sample.write("f", "");
    let task = Task::default();
    task.cancel();
    let stopped = write(&sample.files, &listing("/", LONG), &task, &mut |_| Ok(()));
    assert_eq!(stopped, Err(Failure::Cancelled));
    let refused = write(
        &sample.files,
        &listing("/", LONG),
        &Task::default(),
        &mut |_| Err(Failure::ConnectionLost),
    );
    assert_eq!(refused, Err(Failure::ConnectionLost));
}
