//! What others may do with a file while somebody writes it.

use protocol::request::UploadStart;

use super::*;
use crate::storage::upload::Upload;

const PART: &str = "/.f.esxftpd-part";

fn begin(sample: &Sample, start: UploadStart) -> Upload {
    let target = match start {
        UploadStart::Unique => "/",
        _ => "/f",
    };
    begin_at(sample, target, start)
}

fn begin_at(sample: &Sample, target: &str, start: UploadStart) -> Upload {
    let mut config = Config::default();
    config.storage.reserve = ByteSize(0);
    let (root, rights) = (sample.files.root(), sample.files.rights());
    let mut upload = Upload::prepare(root, rights, &config, &path(target), start, false).unwrap();
    upload.begin().unwrap();
    upload.write(b"new").unwrap();
    upload
}

#[test]
fn a_file_that_is_written_is_neither_removed_nor_renamed() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "old");
        sample.write("a", "a");
        symlink("f", sample.path("l")).unwrap();
        for start in [UploadStart::Replace, UploadStart::At(1), UploadStart::End] {
            let upload = begin(&sample, start);
            for operation in [
                Operation::RemoveFile(path("/f")),
                rename("/f", "/moved"),
                rename("/a", "/f"),
                rename("/f", "/f"),
                copy("/a", "/f"),
                copy("/f", "/copied"),
                copy("/l", "/copied"),
            ] {
                let refused = do_it(&sample.files, operation.clone());
                assert_eq!(refused, Err(Failure::BeingWritten), "{operation:?}");
            }
            if start == UploadStart::Replace {
                for operation in [Operation::RemoveFile(path(PART)), rename(PART, "/moved")] {
                    let refused = do_it(&sample.files, operation.clone());
                    assert_eq!(refused, Err(Failure::BeingWritten), "{operation:?}");
                }
                assert_eq!(sample.read("f"), b"old");
            }
            upload.finish().unwrap();
        }
        // The link is not the file.
        let upload = begin(&sample, UploadStart::Replace);
        do_it(&sample.files, Operation::RemoveFile(path("/l"))).unwrap();
        drop(upload);
        // What nobody writes can be put right by hand.
        do_it(&sample.files, rename(PART, "/f")).unwrap();
        assert_eq!(sample.read("f"), b"new");
        do_it(&sample.files, rename("/f", "/f")).unwrap();
        do_it(&sample.files, Operation::RemoveFile(path("/f"))).unwrap();
        assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_unique_upload_keeps_its_file() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        let upload = begin(&sample, UploadStart::Unique);
        let name = upload.path().clone();
        let refused = do_it(&sample.files, Operation::RemoveFile(name.clone()));
        assert_eq!(refused, Err(Failure::BeingWritten));
        upload.finish().unwrap();
        do_it(&sample.files, Operation::RemoveFile(name)).unwrap();
    }
}

#[test]
fn an_upload_whose_directory_is_moved_says_so_and_loses_nothing() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        fs::create_dir(sample.path("d")).unwrap();
        let upload = begin_at(&sample, "/d/f", UploadStart::Replace);
        let full = do_it(&sample.files, Operation::RemoveDirectory(path("/d")));
        assert_eq!(full, Err(Failure::BeingWritten));
        do_it(&sample.files, rename("/d", "/e")).unwrap();
        assert_eq!(upload.finish(), Err(Failure::Displaced));
        assert_eq!(sample.read("e/.f.esxftpd-part"), b"new");
        // Something else has come to the place.
        fs::create_dir(sample.path("d")).unwrap();
        let mut upload = begin_at(&sample, "/d/f", UploadStart::Replace);
        upload.write(b"er").unwrap();
        do_it(&sample.files, rename("/d", "/g")).unwrap();
        fs::create_dir(sample.path("d")).unwrap();
        sample.write("d/f", "other");
        sample.write("d/.f.esxftpd-part", "other part");
        assert_eq!(upload.finish(), Err(Failure::Displaced));
        assert_eq!(sample.read("d/f"), b"other");
        assert_eq!(sample.read("d/.f.esxftpd-part"), b"other part");
        assert_eq!(sample.read("g/.f.esxftpd-part"), b"newer");
    }
}

/// An attacker on the host, or two clients that rename.
#[test]
fn an_upload_whose_directory_is_swapped_for_a_link_touches_nothing_elsewhere() {
    for choice in BOTH {
        let outside = tempfile::tempdir().unwrap();
        let sample = Sample::new(choice, Rights::default());
        for elsewhere in [outside.path().to_owned(), sample.path("inside")] {
            fs::create_dir_all(&elsewhere).unwrap();
            let others = [("f", "theirs"), (&PART[1..], "their part")];
            for (name, content) in others {
                fs::write(elsewhere.join(name), content).unwrap();
            }
            for written in [false, true] {
                fs::create_dir(sample.path("d")).unwrap();
                let mut config = Config::default();
                config.storage.reserve = ByteSize(0);
                let (root, rights) = (sample.files.root(), sample.files.rights());
                let start = UploadStart::Replace;
                let upload = Upload::prepare(root, rights, &config, &path("/d/f"), start, false);
                let mut upload = upload.unwrap();
                fs::rename(sample.path("d"), sample.path("away")).unwrap();
                symlink(&elsewhere, sample.path("d")).unwrap();
                if written {
                    upload.begin().unwrap();
                    upload.write(b"new").unwrap();
                    assert_eq!(upload.finish(), Err(Failure::Displaced));
                    assert_eq!(sample.read(&format!("away{PART}")), b"new");
                } else {
                    drop(upload);
                }
                for (name, content) in others {
                    let found = fs::read_to_string(elsewhere.join(name));
                    assert_eq!(found.unwrap(), content, "{choice:?} {written}");
                }
                fs::remove_file(sample.path("d")).unwrap();
                fs::remove_dir_all(sample.path("away")).unwrap();
            }
        }
    }
}

/// RFC 3659, section 4: the bytes that RETR would send.
#[test]
fn the_size_is_that_of_the_part_file_only_where_there_is_no_file() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        let size = || match do_it(&sample.files, Operation::Size(path("/f"))) {
            Ok(Outcome::Facts(facts)) => facts.size,
            other => panic!("{other:?}"),
        };
        sample.write(&PART[1..], "0123456789");
        assert_eq!(size(), Some(10));
        sample.write("f", "old");
        sample.write(&PART[1..], "newer");
        assert_eq!(size(), Some(3));
    }
}

/// The later of two appends would write over what the earlier one has written.
#[test]
fn two_appends_through_hard_links_do_not_lose_one_of_them() {
    for choice in BOTH {
        let sample = Sample::new(choice, Rights::default());
        sample.write("f", "old");
        fs::hard_link(sample.path("f"), sample.path("other")).unwrap();
        let mut config = Config::default();
        config.storage.reserve = ByteSize(0);
        let (root, rights) = (sample.files.root(), sample.files.rights());
        let begin = |name: &str, start| {
            Upload::prepare(root, rights, &config, &path(name), start, false).map(drop)
        };
        for start in [UploadStart::End, UploadStart::At(1)] {
            let mut first = begin_at(&sample, "/f", start);
            for second in [UploadStart::End, UploadStart::At(3)] {
                assert_eq!(begin("/other", second), Err(Failure::BeingWritten));
            }
            let copied = do_it(&sample.files, copy("/other", "/copied"));
            assert_eq!(copied, Err(Failure::BeingWritten));
            // It gets a file of its own.
            assert_eq!(begin("/other", UploadStart::Replace), Ok(()));
            first.write(b"!").unwrap();
            first.finish().unwrap();
        }
        assert_eq!(begin("/other", UploadStart::End), Ok(()));
        assert_eq!(sample.read("other"), sample.read("f"));
        // A part file can have other names, too.
        let upload = begin_at(&sample, "/new", UploadStart::Replace);
        fs::hard_link(sample.path(".new.esxftpd-part"), sample.path("third")).unwrap();
        assert_eq!(
            begin("/third", UploadStart::End),
            Err(Failure::BeingWritten)
        );
        upload.finish().unwrap();
    }
}
