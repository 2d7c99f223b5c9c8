//! One suite for both kinds of root.

mod opened;

use std::{
    ffi::CString,
    fs,
    io::{Read as _, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use tempfile::TempDir;

use super::*;

const KINDS: [RootKind; 2] = [RootKind::Confined, RootKind::Paths];

fn path(text: &str) -> VirtualPath {
    VirtualPath::root().join(text.as_bytes()).unwrap()
}

/// A directory with a root in it, and something beside the root.
struct Host {
    directory: TempDir,
    root: Root,
}

impl Host {
    fn new(kind: RootKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        let root = Root::open(&directory.path().join("root"), kind).unwrap();
        Self { directory, root }
    }

    /// A path of the host below the root.
    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join("root").join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.at(name), content).unwrap();
    }

    /// The names in a directory.
    fn names(&self, directory: &str) -> Vec<CString> {
        let mut names = Vec::new();
        let entries = self.root.read_dir(&path(directory)).unwrap();
        let read = entries.names(&mut |name| {
            names.push(name.to_owned());
            Ok(())
        });
        assert_eq!(read, Ok(()));
        names
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        let (mut file, _stat) = self.root.open_read(&path(name))?;
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        Ok(content)
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.at(name)).unwrap();
    }
}

/// Runs a test for both kinds.
fn with_both(test: impl Fn(Host)) {
    for kind in KINDS {
        test(Host::new(kind));
    }
}

#[test]
fn files_are_made_read_changed_and_removed() {
    with_both(|host| {
        let name = path("/a");
        let mut file = host.root.create_new(&name, 0o640).unwrap();
        file.write_all(b"one").unwrap();
        let stat = host.root.stat(&name).unwrap();
        assert_eq!((stat.what, stat.size, stat.links), (What::File, 3, 1));
        assert_eq!(
            host.root.create_new(&name, 0o600).unwrap_err(),
            Failure::Exists
        );
        let (mut file, stat) = host.root.open_write(&name).unwrap();
        assert_eq!(stat.size, 3);
        file.write_all(b"two!").unwrap();
        assert_eq!(host.read("/a").unwrap(), "two!");
        host.root.set_mode(&name, 0o604).unwrap();
        assert_eq!(host.root.stat(&name).unwrap().mode, 0o604);
        host.root.rename(&name, &path("/b")).unwrap();
        assert_eq!(host.root.stat(&name), Err(Failure::NotFound));
        host.root.remove_file(&path("/b")).unwrap();
        assert_eq!(host.root.remove_file(&path("/b")), Err(Failure::NotFound));
    });
}

#[test]
fn directories_are_made_listed_and_removed() {
    with_both(|host| {
        host.root.make_dir(&path("/d"), 0o750).unwrap();
        assert_eq!(host.root.make_dir(&path("/d"), 0o750), Err(Failure::Exists));
        assert_eq!(
            host.root.make_dir(&path("/x/y"), 0o750),
            Err(Failure::NotFound)
        );
        host.write("d/f", "1");
        assert_eq!(host.root.remove_dir(&path("/d")), Err(Failure::NotEmpty));
        assert_eq!(
            host.root.remove_file(&path("/d")),
            Err(Failure::IsADirectory)
        );
        assert_eq!(
            host.root.remove_dir(&path("/d/f")),
            Err(Failure::NotADirectory)
        );
        assert_eq!(host.root.stat(&path("/d/f/g")), Err(Failure::NotADirectory));
        let entries = host.root.read_dir(&path("/d")).unwrap();
        assert_eq!(host.names("/d"), [c"f".to_owned()]);
        assert_eq!(entries.look(c"f").unwrap().unwrap().what, What::File);
        assert_eq!(entries.look(c"g"), Ok(None));
        assert_eq!(
            host.root.read_dir(&path("/d/f")).unwrap_err(),
            Failure::NotADirectory
        );
        host.root.remove_file(&path("/d/f")).unwrap();
        host.root.sync_dir(&path("/d")).unwrap();
        host.root.remove_dir(&path("/d")).unwrap();
    });
}

#[test]
fn the_root_itself_stays() {
    with_both(|host| {
        let root = VirtualPath::root();
        assert_eq!(host.root.stat(&root).unwrap().what, What::Directory);
        assert_eq!(host.root.remove_dir(&root), Err(Failure::PermissionDenied));
        assert_eq!(
            host.root.rename(&root, &path("/x")),
            Err(Failure::PermissionDenied)
        );
        assert_eq!(host.root.make_dir(&root, 0o755), Err(Failure::Exists));
        host.root.set_mode(&root, 0o700).unwrap();
        assert!(host.root.space(&root).unwrap().total > 0);
    });
}

#[test]
fn times_are_set() {
    with_both(|host| {
        host.write("f", "");
        host.root.make_dir(&path("/d"), 0o755).unwrap();
        host.link("f", "l");
        for name in ["/f", "/d", "/l"] {
            let modified = Timestamp {
                seconds: 951_782_400,
                nanoseconds: 7_000_000,
            };
            host.root.set_modified(&path(name), modified).unwrap();
            assert_eq!(host.root.stat(&path(name)).unwrap().modified, modified);
        }
        let link = host.root.entry(&path("/l")).unwrap();
        assert_ne!(link.modified.seconds, 951_782_400, "the link is followed");
    });
}

#[test]
fn a_time_that_the_file_system_cannot_hold_is_refused_and_changes_nothing() {
    with_both(|host| {
        host.write("f", "");
        let at = |seconds| Timestamp {
            seconds,
            nanoseconds: 0,
        };
        let old = at(951_782_400);
        host.root.set_modified(&path("/f"), old).unwrap();
        // The years 1 and 9999. Some file systems hold even these.
        for seconds in [-62_135_596_800, 253_402_300_799] {
            let expected = match host.root.set_modified(&path("/f"), at(seconds)) {
                Ok(()) => at(seconds),
                Err(refused) => {
                    assert_eq!(refused, Failure::InvalidTime);
                    old
                }
            };
            let held = host.root.stat(&path("/f")).unwrap().modified;
            assert_eq!(held, expected);
            host.root.set_modified(&path("/f"), old).unwrap();
        }
    });
}

#[test]
fn links_inside_work() {
    with_both(|host| {
        fs::create_dir_all(host.at("d/e")).unwrap();
        host.write("d/f", "content");
        host.link("d/f", "relative");
        host.link(host.at("d/f"), "absolute");
        host.link("d", "directory");
        host.link("../f", "d/e/up");
        host.link("directory/e/up", "chain");
        host.link("d/e/../../d/./f", "dots");
        host.link(".", "here");
        for name in [
            "/relative",
            "/absolute",
            "/directory/f",
            "/chain",
            "/dots",
            "/here/here/d/f",
        ] {
            assert_eq!(host.read(name).as_deref(), Ok("content"), "{name}");
            assert_eq!(host.root.resolve(&path(name)).unwrap(), path("/d/f"));
        }
        assert_eq!(
            host.root.stat(&path("/directory")).unwrap().what,
            What::Directory
        );
        assert_eq!(
            host.root.entry(&path("/directory")).unwrap().what,
            What::Link
        );
        assert_eq!(host.names("/here").len(), 7);
    });
}

#[test]
fn links_that_leave_are_refused() {
    with_both(|host| {
        let outside = host.directory.path().to_owned();
        fs::create_dir(host.at("d")).unwrap();
        host.link("..", "up");
        host.link("../secret", "secret");
        host.link("d/../../secret", "detour");
        host.link(&outside, "absolute");
        host.link(outside.join("root/../secret"), "lexical");
        // Its name begins like the root's.
        fs::create_dir(outside.join("root2")).unwrap();
        fs::write(outside.join("root2/secret"), "secret").unwrap();
        host.link(outside.join("root2"), "neighbour");
        for name in [
            "/up/secret",
            "/secret",
            "/detour",
            "/absolute/secret",
            "/lexical",
            "/neighbour/secret",
        ] {
            let name = path(name);
            let refused = Failure::LinkRefused;
            assert_eq!(host.root.open_read(&name).unwrap_err(), refused, "{name:?}");
            assert_eq!(host.root.open_write(&name).unwrap_err(), refused);
            assert_eq!(host.root.stat(&name), Err(refused));
            assert_eq!(host.root.set_mode(&name, 0o777), Err(refused));
            assert_eq!(host.root.resolve(&name), Err(refused));
        }
        for name in ["/up/new", "/absolute/new"] {
            let name = path(name);
            assert!(host.root.create_new(&name, 0o644).is_err());
            assert!(host.root.make_dir(&name, 0o755).is_err());
            assert!(host.root.rename(&path("/d"), &name).is_err());
        }
        assert!(host.root.read_dir(&path("/up")).is_err());
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    });
}

#[test]
fn links_in_a_circle_end() {
    with_both(|host| {
        host.link("b", "a");
        host.link("a", "b");
        host.link("self/x", "self");
        for name in ["/a", "/self", "/a/b"] {
            assert_eq!(host.root.stat(&path(name)), Err(Failure::LinkRefused));
        }
        assert_eq!(host.root.entry(&path("/a")).unwrap().what, What::Link);
    });
}

#[test]
fn a_link_itself_is_renamed_and_removed() {
    with_both(|host| {
        host.write("f", "content");
        host.link("f", "l");
        host.link("nowhere", "dangling");
        host.root.rename(&path("/l"), &path("/m")).unwrap();
        host.root.rename(&path("/dangling"), &path("/n")).unwrap();
        assert_eq!(host.root.stat(&path("/n")), Err(Failure::TargetMissing));
        assert_eq!(host.root.resolve(&path("/n")), Ok(path("/nowhere")));
        assert_eq!(
            host.root.create_new(&path("/n"), 0o644).unwrap_err(),
            Failure::Exists,
            "a dangling link is no way to make a file"
        );
        for name in ["/m", "/n"] {
            host.root.remove_file(&path(name)).unwrap();
        }
        assert_eq!(host.read("/f").unwrap(), "content");
    });
}

#[test]
fn a_root_behind_a_link_has_two_names() {
    for kind in KINDS {
        let host = Host::new(kind);
        let label = host.directory.path().join("label");
        symlink("root", &label).unwrap();
        host.write("f", "content");
        host.link(host.at("f"), "by-directory");
        host.link(label.join("f"), "by-label");
        let root = Root::open(&label, kind).unwrap();
        for name in ["/f", "/by-directory", "/by-label"] {
            assert!(root.open_read(&path(name)).is_ok(), "{name}");
        }
    }
}

#[test]
fn every_byte_can_be_in_a_name() {
    with_both(|host| {
        for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
            let name = [b'x', byte, b'y'];
            let file = VirtualPath::root().join(&name).unwrap();
            host.root.create_new(&file, 0o644).unwrap();
            let renamed = VirtualPath::root().join(&[b'z', byte]).unwrap();
            host.root.rename(&file, &renamed).unwrap();
            assert!(host.root.open_read(&renamed).is_ok());
            let host_name = std::ffi::OsStr::from_bytes(renamed.file_name().unwrap()).to_owned();
            assert!(host.at("").join(host_name).is_file());
        }
        assert_eq!(host.names("/").len(), 254);
        let long = VirtualPath::root().join(&[b'n'; 255]).unwrap();
        host.root.create_new(&long, 0o644).unwrap();
        host.root.remove_file(&long).unwrap();
    });
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    with_both(|host| {
        mkfifo(&host.at("fifo"), Mode::S_IRWXU).unwrap();
        let _socket = UnixListener::bind(host.at("socket")).unwrap();
        host.link("fifo", "link");
        let start = Instant::now();
        for name in ["/fifo", "/socket", "/link"] {
            let name = path(name);
            assert_eq!(host.root.stat(&name).unwrap().what, What::Special);
            assert_eq!(host.root.open_read(&name).unwrap_err(), Failure::NotAFile);
            assert_eq!(host.root.open_write(&name).unwrap_err(), Failure::NotAFile);
            assert_eq!(host.root.set_mode(&name, 0o600), Err(Failure::NotAFile));
        }
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "nothing waited for the other end"
        );
        host.root.rename(&path("/fifo"), &path("/pipe")).unwrap();
        host.root.remove_file(&path("/pipe")).unwrap();
        host.root.remove_file(&path("/socket")).unwrap();
    });
    // Devices, which only an administrator can make.
    for kind in KINDS {
        let devices = Root::open(Path::new("/dev"), kind).unwrap();
        assert_eq!(
            devices.open_read(&path("/null")).unwrap_err(),
            Failure::NotAFile
        );
        assert_eq!(
            devices.open_write(&path("/null")).unwrap_err(),
            Failure::NotAFile
        );
    }
}

#[test]
fn the_whole_host_can_be_a_root() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("f"), "content").unwrap();
        symlink(directory.path().join("f"), directory.path().join("l")).unwrap();
        let root = Root::open(Path::new("/"), kind).unwrap();
        let link = path(directory.path().join("l").to_str().unwrap());
        assert!(root.open_read(&link).is_ok());
    }
}

#[test]
fn a_root_may_come_later() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(&directory.path().join("later"), kind).unwrap();
        assert_eq!(root.stat(&VirtualPath::root()), Err(Failure::NotFound));
        assert_eq!(root.read_dir(&path("/")).unwrap_err(), Failure::NotFound);
        fs::create_dir(directory.path().join("later")).unwrap();
        assert!(root.stat(&VirtualPath::root()).is_ok());
    }
    assert!(Root::open(Path::new("relative"), RootKind::Paths).is_err());
}

#[test]
fn entries_that_vanish_are_left_out() {
    with_both(|host| {
        for number in 0..2000 {
            host.write(&number.to_string(), "");
        }
        let entries = host.root.read_dir(&path("/")).unwrap();
        let mut seen = 0;
        let read = entries.names(&mut |name| {
            if seen == 0 {
                fs::remove_dir_all(host.at("")).unwrap();
            }
            // The kernel may have given some names already.
            seen += 1;
            assert_eq!(entries.look(name), Ok(None));
            Ok(())
        });
        assert!(read.is_ok() && seen < 2000, "{read:?} after {seen}");
    });
}

#[test]
fn nothing_stays_open() {
    with_both(|host| {
        host.write("f", "content");
        let count = || fs::read_dir("/proc/self/fd").unwrap().count();
        // Other tests of this process open and close files, too: what leaks only grows.
        let grown = || {
            let before = count();
            for _ in 0..500 {
                assert!(host.root.open_read(&path("/f")).is_ok());
                assert_eq!(host.names("/").len(), 1);
                assert!(host.root.open_read(&path("/x")).is_err());
            }
            count().saturating_sub(before)
        };
        assert!(grown() < 400);
    });
}

/// Swaps `name` between a directory and a link to `outside` until it is told to stop.
fn attack(inside: PathBuf, outside: PathBuf, stop: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let (aside, link) = (
            inside.with_extension("aside"),
            inside.with_extension("link"),
        );
        symlink(&outside, &link).unwrap();
        while !stop.load(Ordering::Relaxed) {
            fs::rename(&inside, &aside).unwrap();
            fs::rename(&link, &inside).unwrap();
            fs::rename(&inside, &link).unwrap();
            fs::rename(&aside, &inside).unwrap();
        }
    })
}

#[test]
fn a_directory_swapped_for_a_link_leads_nowhere() {
    // By paths there is a moment between two calls that cannot be closed; see `RootKind::Paths`.
    let host = Host::new(RootKind::Confined);
    let outside = host.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(host.at("d")).unwrap();
    fs::write(outside.join("f"), "secret").unwrap();
    host.write("d/f", "inside");
    let stop = Arc::new(AtomicBool::new(false));
    let attacker = attack(host.at("d"), outside.clone(), stop.clone());
    let mut read = 0;
    for number in 0..20_000 {
        match host.read("/d/f").as_deref() {
            Ok("inside") => read += 1,
            Ok(_) => panic!("read from outside"),
            Err(_) => {}
        }
        let new = path(&format!("/d/new{number}"));
        if host.root.create_new(&new, 0o644).is_ok() {
            let _moved = host.root.remove_file(&new);
        }
        let _made = host.root.make_dir(&path("/d/made"), 0o755);
        let _removed = host.root.remove_dir(&path("/d/made"));
    }
    stop.store(true, Ordering::Relaxed);
    attacker.join().unwrap();
    assert!(read > 0, "the attack never let a read through");
    let left: Vec<_> = fs::read_dir(&outside).unwrap().collect();
    assert_eq!(left.len(), 1, "something was made outside");
}
