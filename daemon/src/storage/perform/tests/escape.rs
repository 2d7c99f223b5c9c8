//! Sessions that rename directories and links for one another while others use the names.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use protocol::request::UploadStart;

use super::*;
use crate::storage::{download::Download, upload::Upload};

/// How long each kind of root is attacked. `STRESS_SECONDS` makes it longer.
fn duration() -> Duration {
    let seconds = std::env::var("STRESS_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// What there is outside the root: names, modes, times and content.
fn outside(directory: &Path) -> Vec<String> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        let content = fs::read(entry.path()).unwrap_or_default();
        entries.push(format!(
            "{:?} {:o} {} {content:?}",
            entry.file_name(),
            found.mode(),
            found.mtime()
        ));
    }
    entries.sort();
    entries
}

/// Puts the link `out` in the place of the directory and back.
///
/// Returns how many of the steps were done.
fn swap(files: &Files, directory: &str, out: &str, aside: &str) -> u64 {
    let mut done = 0;
    for (from, to) in [
        (directory, aside),
        (out, directory),
        (directory, out),
        (aside, directory),
    ] {
        // In the order in which it works; if a step fails, others bring everything back.
        done += u64::from(do_it(files, rename(from, to)).is_ok());
    }
    done
}

fn store(files: &Files, name: &str) -> Result<(), Failure> {
    let mut config = Config::default();
    config.storage.reserve = ByteSize(0);
    config.transfers.sync = false;
    let start = UploadStart::Replace;
    let mut upload = Upload::prepare(
        files.root(),
        files.rights(),
        &config,
        &path(name),
        start,
        false,
    )?;
    upload.begin()?;
    upload.write(b"stored")?;
    upload.finish()
}

/// Uses names in a directory in every way; returns what came from outside.
fn use_names(files: &Files, round: u64, secret: (u64, u64)) -> Option<&'static str> {
    let directory = if round.is_multiple_of(2) { "/d" } else { "/e" };
    let name = |name: &str| format!("{directory}/{name}");
    let operation = match round / 2 % 8 {
        0 => digest(&name("f"), Algorithm::Md5, 0, None),
        1 => Operation::MakeDirectory(path(&name("made"))),
        2 => Operation::SetMode {
            path: path(&name("f")),
            mode: 0o777,
        },
        3 => Operation::SetModified {
            path: path(&name("f")),
            modified: Timestamp {
                seconds: 951_782_400,
                nanoseconds: 0,
            },
        },
        4 => Operation::RemoveDirectory(path(&name("made"))),
        5 => Operation::Lines(Listing {
            path: path(directory),
            named: Vec::new(),
            pattern: None,
            form: ListForm::Machine(FactSet::ALL),
        }),
        6 => copy("/g", &name("copied")),
        _ => {
            let _stored = store(files, &name("stored"));
            Operation::RemoveFile(path(&name("stored")))
        }
    };
    if let Ok(Outcome::Lines { lines, .. }) = do_it(files, operation)
        && lines.iter().any(|line| line.ends_with(" only-outside"))
    {
        return Some("a listing");
    }
    let known = |facts: &protocol::request::Facts| facts.unique == secret;
    if files
        .facts(&path(&name("f")))
        .is_ok_and(|facts| known(&facts))
    {
        return Some("facts");
    }
    if let Ok(download) = Download::open(files.root(), &path(&name("f")), 0, None) {
        let found = download.file().metadata().unwrap();
        if (found.dev(), found.ino()) == secret {
            return Some("content");
        }
    }
    None
}

#[test]
fn no_session_leads_another_out_of_the_root() {
    for choice in BOTH {
        let host = tempfile::tempdir().unwrap();
        let away = host.path().join("away");
        fs::create_dir(&away).unwrap();
        for name in ["f", "only-outside"] {
            fs::write(away.join(name), "secret").unwrap();
            fs::set_permissions(away.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let secret = fs::metadata(away.join("f")).unwrap();
        let secret = (secret.dev(), secret.ino());
        let before = outside(&away);
        let sample = Sample::new(choice, Rights::default());
        let inside: PathBuf = sample.directory.path().to_owned();
        fs::create_dir_all(inside.join("d")).unwrap();
        fs::create_dir_all(inside.join("e")).unwrap();
        sample.write("d/f", "inside");
        sample.write("e/f", "inside");
        sample.write("g", "copied");
        symlink(&away, inside.join("out")).unwrap();
        // Harmless where it is; from the root it leads to the directory beside it.
        fs::create_dir_all(inside.join("deep")).unwrap();
        let up = away.strip_prefix(inside.parent().unwrap()).unwrap();
        fs::create_dir_all(inside.join(up)).unwrap();
        symlink(PathBuf::from("..").join(up), inside.join("deep/rel")).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (rounds, renamed) = (AtomicU64::new(0), AtomicU64::new(0));
        let began = Instant::now();
        thread::scope(|scope| {
            for (directory, out, aside) in [("/d", "/out", "/aside"), ("/e", "/deep/rel", "/away2")]
            {
                let (files, stop, renamed) = (&sample.files, &stop, &renamed);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let done = swap(files, directory, out, aside);
                        renamed.fetch_add(done, Ordering::Relaxed);
                    }
                });
            }
            let users: Vec<_> = (0..3)
                .map(|_| {
                    let (files, rounds) = (&sample.files, &rounds);
                    scope.spawn(move || {
                        let mut leaked = None;
                        while leaked.is_none() && began.elapsed() < duration() {
                            let round = rounds.fetch_add(1, Ordering::Relaxed);
                            leaked = use_names(files, round, secret);
                        }
                        leaked
                    })
                })
                .collect();
            let leaked: Vec<_> = users.into_iter().map(|user| user.join().unwrap()).collect();
            stop.store(true, Ordering::Relaxed);
            assert_eq!(leaked, [None; 3], "{choice:?}");
        });
        assert_eq!(outside(&away), before, "{choice:?}");
        let took = began.elapsed();
        assert!(took < duration() + Duration::from_secs(15), "{took:?}");
        let (rounds, renamed) = (rounds.into_inner(), renamed.into_inner());
        assert!(rounds > 100 && renamed > 100, "{rounds} {renamed}");
        eprintln!("{choice:?}: {rounds} rounds, {renamed} renames");
    }
}
