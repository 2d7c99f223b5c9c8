//! Part files that interrupted uploads have left: what there is, and how they go.

use super::*;
use crate::storage::leftovers;

const PART: &str = ".f.esxftpd-part";

/// A directory with the part file of an upload to `/up/f`.
fn sample(choice: RootChoice, rights: Rights) -> Sample {
    let sample = Sample::new(choice, rights);
    fs::create_dir(sample.path("up")).unwrap();
    sample.write(&format!("up/{PART}"), "0123456789");
    sample
}

#[test]
fn a_name_that_has_only_a_part_file_does_not_exist() {
    for choice in BOTH {
        let sample = sample(choice, Rights::default());
        let modified = Timestamp {
            seconds: 951_782_400,
            nanoseconds: 0,
        };
        for operation in [
            Operation::Facts(path("/up/f")),
            Operation::Entry(path("/up/f")),
            Operation::RemoveFile(path("/up/f")),
            rename("/up/f", "/g"),
            copy("/up/f", "/g"),
            digest("/up/f", Algorithm::Md5, 0, None),
            long_lines("/up/f"),
            Operation::SetMode {
                path: path("/up/f"),
                mode: 0o600,
            },
            Operation::SetModified {
                path: path("/up/f"),
                modified,
            },
        ] {
            let answer = do_it(&sample.files, operation.clone());
            assert_eq!(answer, Err(Failure::NotFound), "{operation:?}");
        }
        // Where to resume.
        let Ok(Outcome::Facts(facts)) = do_it(&sample.files, Operation::Size(path("/up/f"))) else {
            panic!("no size");
        };
        assert_eq!(facts.size, Some(10));
    }
}

#[test]
fn a_directory_with_nothing_but_part_files_is_removed() {
    for choice in BOTH {
        let sample = sample(choice, Rights::default());
        let remove = || do_it(&sample.files, Operation::RemoveDirectory(path("/up")));
        let writing = Writing::begin(sample.files.root(), &path("/up/f")).unwrap();
        assert_eq!(remove(), Err(Failure::BeingWritten));
        drop(writing);
        sample.write("up/other", "");
        assert_eq!(remove(), Err(Failure::NotEmpty));
        assert_eq!(sample.read(&format!("up/{PART}")), b"0123456789");
        fs::remove_file(sample.path("up/other")).unwrap();
        fs::create_dir(sample.path("up/.d.esxftpd-part")).unwrap();
        assert_eq!(remove(), Err(Failure::NotEmpty), "that is not a part file");
        fs::remove_dir(sample.path("up/.d.esxftpd-part")).unwrap();
        assert_eq!(sample.read(&format!("up/{PART}")), b"0123456789");
        assert_eq!(remove(), Ok(Outcome::Done));
        assert!(!sample.path("up").exists());
    }
}

#[test]
fn old_part_files_are_removed_by_those_who_list_them() {
    for choice in BOTH {
        let sample = sample(choice, Rights::default());
        let old = |files: &Files, name: &str, oldest| {
            leftovers::remove_older(files, &path("/up"), name.as_bytes(), oldest)
        };
        sample.write("up/f", "");
        let (past, future) = (0, i64::MAX);
        assert_eq!(old(&sample.files, PART, past), Ok(false));
        assert_eq!(old(&sample.files, "f", future), Ok(false));
        let locked = sample.seen_with(Rights::no_delete());
        assert_eq!(old(&locked, PART, future), Ok(false));
        let writing = Writing::begin(sample.files.root(), &path("/up/f")).unwrap();
        assert_eq!(old(&sample.files, PART, future), Err(Failure::BeingWritten));
        drop(writing);
        // One of today stays when it is listed.
        do_it(&sample.files, long_lines("/up")).unwrap();
        assert_eq!(fs::read_dir(sample.path("up")).unwrap().count(), 2);
        assert_eq!(old(&sample.files, PART, future), Ok(true));
        assert_eq!(fs::read_dir(sample.path("up")).unwrap().count(), 1);
    }
}
