mod resume;
mod space;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    thread,
    time::Duration,
};

use proptest::{collection::vec, prelude::*};
use tempfile::TempDir;

use super::*;
use crate::{config::ByteSize, storage::root::RootKind};

/// A directory to store into.
struct Place {
    directory: TempDir,
    root: Root,
    config: Config,
}

impl Place {
    /// One below each kind of root.
    fn both() -> [Self; 2] {
        [RootKind::Confined, RootKind::Paths].map(Self::new)
    }

    fn new(kind: RootKind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path(), kind).unwrap();
        let mut config = Config::default();
        config.storage.reserve = ByteSize(0);
        config.transfers.sync = false;
        Self {
            directory,
            root,
            config,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn prepare_with(
        &self,
        rights: &Rights,
        name: &str,
        start: UploadStart,
    ) -> Result<Upload, Failure> {
        Upload::prepare(&self.root, rights, &self.config, &path(name), start, false)
    }

    fn prepare(&self, name: &str, start: UploadStart) -> Result<Upload, Failure> {
        self.prepare_with(&Rights::default(), name, start)
    }

    /// Stores bytes; `whole` or interrupted behind them.
    fn store(
        &self,
        name: &str,
        start: UploadStart,
        bytes: &[u8],
        whole: bool,
    ) -> Result<(), Failure> {
        let mut upload = self.prepare(name, start)?;
        upload.begin()?;
        upload.write(bytes)?;
        if whole { upload.finish() } else { Ok(()) }
    }

    /// The names that there are, sorted.
    fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let names = fs::read_dir(self.directory.path()).unwrap().map(name);
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn path(name: &str) -> VirtualPath {
    VirtualPath::root().join(name.as_bytes()).unwrap()
}

const PART: &str = ".f.esxftpd-part";

#[test]
fn an_upload_replaces_its_target_when_it_is_complete() {
    for place in Place::both() {
        place
            .store("f", UploadStart::Replace, b"old", true)
            .unwrap();
        assert_eq!(place.names(), ["f"]);
        let mode = fs::metadata(place.path("f")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o644);

        fs::set_permissions(place.path("f"), fs::Permissions::from_mode(0o600)).unwrap();
        let mut upload = place.prepare("f", UploadStart::Replace).unwrap();
        upload.begin().unwrap();
        upload.write(b"newer").unwrap();
        assert_eq!(place.read("f"), b"old", "not before it is complete");
        upload.finish().unwrap();
        assert_eq!(place.read("f"), b"newer");
        assert_eq!(place.names(), ["f"]);
        let mode = fs::metadata(place.path("f")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "the mode is the file's");
    }
}

#[test]
fn without_the_right_to_overwrite_a_file_that_has_come_meanwhile_stays() {
    for place in Place::both() {
        let rights = Rights::no_overwrite();
        let prepared = place.prepare_with(&rights, "f", UploadStart::Replace);
        let mut upload = prepared.unwrap();
        upload.begin().unwrap();
        upload.write(b"new").unwrap();
        fs::write(place.path("f"), "precious").unwrap();
        assert_eq!(upload.finish(), Err(Failure::AccountForbids));
        assert_eq!(place.read("f"), b"precious");
    }
}

#[test]
fn an_interrupted_upload_leaves_the_target_and_can_be_resumed() {
    for place in Place::both() {
        fs::write(place.path("f"), "old").unwrap();
        place
            .store("f", UploadStart::Replace, b"01234567", false)
            .unwrap();
        assert_eq!(place.read("f"), b"old");
        assert_eq!(place.read(PART), b"01234567");

        // REST in the middle of what has come.
        place.store("f", UploadStart::At(5), b"abc", false).unwrap();
        assert_eq!(place.read(PART), b"01234abc");
        assert_eq!(
            place.prepare("f", UploadStart::At(9)).map(drop),
            Err(Failure::Unfinished)
        );
        place.store("f", UploadStart::At(8), b"!", true).unwrap();
        assert_eq!(place.read("f"), b"01234abc!");
        assert_eq!(place.names(), ["f"]);
    }
}

#[test]
fn what_is_only_prepared_changes_nothing() {
    for place in Place::both() {
        fs::write(place.path("f"), "old").unwrap();
        fs::write(place.path(PART), "part").unwrap();
        for start in [UploadStart::Replace, UploadStart::At(2), UploadStart::End] {
            let prepared = place.prepare("f", start).map(drop);
            let refused = start == UploadStart::End;
            let expected = if refused {
                Err(Failure::Unfinished)
            } else {
                Ok(())
            };
            assert_eq!(prepared, expected);
            assert_eq!(place.read("f"), b"old");
            assert_eq!(place.read(PART), b"part");
        }
        drop(place.prepare("g", UploadStart::Replace).unwrap());
        drop(place.prepare("/", UploadStart::Unique).unwrap());
        assert_eq!(place.names(), [PART, "f"]);
    }
}

#[test]
fn a_new_upload_does_not_keep_bytes_of_an_interrupted_one() {
    for place in Place::both() {
        place
            .store("f", UploadStart::Replace, b"0123456789", false)
            .unwrap();
        place
            .store("f", UploadStart::Replace, b"new", true)
            .unwrap();
        assert_eq!(place.read("f"), b"new");
    }
}

#[test]
fn rest_into_a_complete_file_keeps_what_is_before_and_cuts_what_is_behind() {
    for place in Place::both() {
        fs::write(place.path("f"), "0123456789").unwrap();
        place.store("f", UploadStart::At(4), b"ab", true).unwrap();
        assert_eq!(place.read("f"), b"0123ab");
        assert_eq!(
            place.prepare("f", UploadStart::At(7)).map(drop),
            Err(Failure::BehindEnd)
        );
        assert_eq!(
            place.prepare("missing", UploadStart::At(1)).map(drop),
            Err(Failure::BehindEnd)
        );
        assert_eq!(place.names(), ["f"]);
    }
}

#[test]
fn appending_goes_to_the_end_or_on_with_an_interrupted_upload() {
    for place in Place::both() {
        place.store("f", UploadStart::End, b"one", true).unwrap();
        place.store("f", UploadStart::End, b"two", true).unwrap();
        assert_eq!(place.read("f"), b"onetwo");
        // Interrupted: what has come stays, because it cannot be told from what was there.
        place.store("f", UploadStart::End, b"3", false).unwrap();
        assert_eq!(place.read("f"), b"onetwo3");

        place
            .store("g", UploadStart::Replace, b"half", false)
            .unwrap();
        place.store("g", UploadStart::End, b"whole", true).unwrap();
        assert_eq!(place.read("g"), b"halfwhole");
    }
}

#[test]
fn a_suggested_name_is_used_if_it_is_free() {
    for place in Place::both() {
        fs::create_dir(place.path("d")).unwrap();
        let prepare = |name: &str| {
            let upload = place.prepare(name, UploadStart::Suggested).unwrap();
            (upload.path().as_bytes().to_vec(), upload)
        };
        let (path, _upload) = prepare("d/f");
        assert_eq!(path, b"/d/f");
        // Being written, there, and not a name for a file of a user.
        fs::write(place.path("d/g"), "old").unwrap();
        for taken in ["d/f", "d/g", "d/.f.esxftpd-part"] {
            let (path, _upload) = prepare(taken);
            assert!(path.starts_with(b"/d/stou."), "{}", path.escape_ascii());
        }
        assert_eq!(place.read("d/g"), b"old");
    }
}

#[test]
fn a_unique_upload_gets_a_name_of_its_own() {
    for place in Place::both() {
        let mut uploads = Vec::new();
        for content in [b"a", b"b"] {
            let mut upload = place.prepare("/", UploadStart::Unique).unwrap();
            upload.begin().unwrap();
            upload.write(content).unwrap();
            uploads.push(upload.path().clone());
            upload.finish().unwrap();
        }
        assert_ne!(uploads[0], uploads[1]);
        for (path, content) in uploads.iter().zip(["a", "b"]) {
            let name = String::from_utf8(path.file_name().unwrap().to_vec()).unwrap();
            assert_eq!(place.read(&name), content.as_bytes());
        }
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_has_ended() {
    for place in Place::both() {
        fs::write(place.path("f"), "old").unwrap();
        std::os::unix::fs::symlink("f", place.path("link")).unwrap();
        for start in [UploadStart::Replace, UploadStart::At(1), UploadStart::End] {
            let first = place.prepare("f", start).unwrap();
            for name in ["f", "link"] {
                let second = place.prepare(name, UploadStart::End);
                assert_eq!(second.map(drop), Err(Failure::BeingWritten), "{name}");
            }
            drop(first);
        }
        place
            .store("link", UploadStart::Replace, b"new", true)
            .unwrap();
        assert_eq!(place.read("f"), b"new", "the link stays a link");
        assert!(
            fs::symlink_metadata(place.path("link"))
                .unwrap()
                .is_symlink()
        );
    }
}

#[test]
fn an_account_stores_only_what_it_may() {
    for place in Place::both() {
        fs::write(place.path("f"), "old").unwrap();
        let forbidden = Err(Failure::AccountForbids);
        for (rights, name, allowed) in [
            (Rights::read_only(), "new", false),
            (Rights::no_overwrite(), "f", false),
            (Rights::no_overwrite(), "new", true),
            (Rights::upload_only(), "f", false),
            (Rights::upload_only(), "new", true),
            (Rights::no_delete(), "f", true),
        ] {
            for start in [UploadStart::Replace, UploadStart::End] {
                let result = place.prepare_with(&rights, name, start).map(drop);
                assert_eq!(result.is_ok(), allowed, "{rights:?} {name}");
                assert!(allowed || result == forbidden);
            }
        }
        assert_eq!(place.names(), ["f"]);
    }
}

#[test]
fn impossible_targets_are_named() {
    for place in Place::both() {
        fs::create_dir(place.path("dir")).unwrap();
        nix::unistd::mkfifo(&place.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, failure) in [
            ("/", Failure::IsADirectory),
            ("dir", Failure::IsADirectory),
            ("fifo", Failure::NotAFile),
            ("none/f", Failure::NotFound),
            (".x.esxftpd-part", Failure::PartName),
        ] {
            let result = place.prepare(name, UploadStart::Replace);
            assert_eq!(result.map(drop), Err(failure), "{name}");
        }
        assert_eq!(place.names(), ["dir", "fifo"]);
    }
}

/// The kernel refuses it, as VMFS does for the disk of a running virtual machine.
#[test]
#[expect(clippy::disallowed_methods, reason = "a program has to task")]
fn a_file_that_runs_is_locked_until_it_ends() {
    for place in Place::both() {
        fs::copy("/bin/sleep", place.path("f")).unwrap();
        let mut running = loop {
            match std::process::Command::new(place.path("f"))
                .arg("60")
                .spawn()
            {
                Ok(running) => break running,
                // A process that another test begins has what we wrote through open for a moment.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        };
        for start in [UploadStart::Replace, UploadStart::At(1), UploadStart::End] {
            let refused = place.prepare("f", start).map(drop);
            assert_eq!(refused, Err(Failure::Locked), "{start:?}");
        }
        assert_eq!(place.names(), ["f"]);
        running.kill().unwrap();
        running.wait().unwrap();
        place
            .store("f", UploadStart::Replace, b"new", true)
            .unwrap();
        assert_eq!(place.read("f"), b"new");
    }
}

#[test]
fn text_is_stored_with_line_feeds() {
    for place in Place::both() {
        let (root, rights) = (&place.root, Rights::default());
        let start = UploadStart::Replace;
        let mut upload =
            Upload::prepare(root, &rights, &place.config, &path("f"), start, true).unwrap();
        upload.begin().unwrap();
        upload.write(b"a\r").unwrap();
        upload.write(b"\nb\r").unwrap();
        upload.finish().unwrap();
        assert_eq!(place.read("f"), b"a\nb\r");
    }
}

proptest! {
    #[test]
    fn pieces_arrive_in_order_wherever_they_begin(
        pieces in vec((any::<bool>(), 0_usize..200_000), 0..6),
        interrupted_at in 0_usize..6,
        kind in prop_oneof![Just(RootKind::Confined), Just(RootKind::Paths)],
    ) {
        let place = Place::new(kind);
        let mut expected = Vec::new();
        let mut upload = place.prepare("f", UploadStart::Replace).unwrap();
        upload.begin().unwrap();
        for (index, (zeros, length)) in pieces.into_iter().enumerate() {
            if index == interrupted_at && !expected.is_empty() {
                drop(upload);
                upload = place
                    .prepare("f", UploadStart::At(expected.len() as u64))
                    .unwrap();
                upload.begin().unwrap();
            }
            let fill = if zeros { 0 } else { u8::try_from(index + 1).unwrap() };
            let piece = vec![fill; length];
            upload.write(&piece).unwrap();
            expected.extend_from_slice(&piece);
        }
        upload.finish().unwrap();
        prop_assert!(place.read("f") == expected);
    }
}

/// What the process of the next test stores, in turn.
fn versions() -> [Vec<u8>; 2] {
    [vec![b'a'; 1_000_000], vec![b'b'; 700_000]]
}

const ROOT: &str = "ESXFTPD_TEST_ROOT";

/// Not a test but the process that the next one kills.
#[test]
#[ignore = "stores until it is killed; a test starts it"]
fn store_until_killed() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let root = Root::open(Path::new(&root), RootKind::Paths).unwrap();
    let mut config = Config::default();
    config.storage.reserve = ByteSize(0);
    for version in versions().iter().cycle() {
        let start = UploadStart::Replace;
        let mut upload =
            Upload::prepare(&root, &Rights::default(), &config, &path("f"), start, false).unwrap();
        upload.begin().unwrap();
        for piece in version.chunks(10_000) {
            upload.write(piece).unwrap();
        }
        upload.finish().unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this test kills a process")]
fn a_killed_upload_leaves_the_old_or_the_new_file() {
    let place = Place::new(RootKind::Paths);
    let versions = versions();
    fs::write(place.path("f"), &versions[0]).unwrap();
    let mut random = RandomState::new().build_hasher().finish();
    let mut interrupted = 0;
    for _ in 0..100 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storage::upload::tests::store_until_killed"])
            .arg("--ignored")
            .env(ROOT, place.directory.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let before = fs::metadata(place.path("f")).unwrap().ino();
        // It replaces the file, and so shows that it is at work.
        while fs::metadata(place.path("f")).unwrap().ino() == before {
            assert!(child.try_wait().unwrap().is_none(), "it has ended");
            thread::sleep(Duration::from_millis(1));
        }
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        thread::sleep(Duration::from_micros(random >> 51));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(versions.contains(&place.read("f")), "neither old nor new");
        interrupted += usize::from(place.path(PART).exists());
    }
    assert!(interrupted > 10, "{interrupted} of 100 were in the middle");
}
