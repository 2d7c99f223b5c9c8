//! What uploads take on the medium: holes, space that is to stay free, large files.

use super::*;
use crate::storage::{sample::SmallDisk, zeros::HOLE_BYTES};

#[test]
fn a_thin_disk_stays_thin() {
    for mut place in Place::both() {
        let mut disk = vec![0; 4 << 20];
        disk[1 << 20..(1 << 20) + 1000].fill(7);
        place.store("f", UploadStart::Replace, &disk, true).unwrap();
        assert!(place.read("f") == disk);
        let used = used_by(&place, "f");
        assert!(used <= 2 * HOLE_BYTES as u64, "{used} bytes on the medium");

        place.config.transfers.sparse = false;
        place.store("g", UploadStart::Replace, &disk, true).unwrap();
        let used = used_by(&place, "g");
        assert!(used >= disk.len() as u64, "{used} bytes on the medium");
    }
}

#[test]
fn a_file_of_more_than_two_tebibytes_is_right_to_the_byte() {
    const END: u64 = (2 << 40) + 12_345;
    for place in Place::both() {
        fs::write(place.path(PART), "head").unwrap();
        File::options()
            .write(true)
            .open(place.path(PART))
            .unwrap()
            .set_len(END)
            .unwrap();
        place
            .store("f", UploadStart::At(END), b"tail", true)
            .unwrap();
        let file = File::open(place.path("f")).unwrap();
        assert_eq!(file.metadata().unwrap().len(), END + 4);
        let mut tail = [0; 6];
        file.read_exact_at(&mut tail, END - 2).unwrap();
        assert_eq!(&tail, b"\0\0tail");
    }
}

#[test]
fn an_upload_stops_before_the_reserve_is_touched() {
    for mut place in Place::both() {
        place.config.storage.reserve = ByteSize(u64::MAX);
        let mut upload = place.prepare("f", UploadStart::Replace).unwrap();
        assert_eq!(upload.reserve_space(None), Err(Failure::NoSpace));
        upload.begin().unwrap();
        assert_eq!(upload.write(b"x"), Err(Failure::NoSpaceRemoved));
        drop(upload);
        assert_eq!(place.names(), [""; 0]);

        place.config.storage.reserve = ByteSize(0);
        let mut upload = place.prepare("f", UploadStart::Replace).unwrap();
        assert_eq!(upload.reserve_space(Some(1)), Ok(()));
        assert_eq!(upload.reserve_space(Some(1 << 60)), Err(Failure::NoSpace));
    }
}

/// Bytes of a file that are on the medium.
fn used_by(place: &Place, name: &str) -> u64 {
    fs::metadata(place.path(name)).unwrap().blocks() * 512
}

/// Limits on the rate and on memory make pieces small.
#[test]
fn a_thin_disk_that_comes_in_small_pieces_stays_thin() {
    for place in Place::both() {
        let mut disk = vec![0; 2 << 20];
        disk[1 << 20..(1 << 20) + 1000].fill(7);
        for piece in [10_000, 75_000, 100_000] {
            let mut upload = place.prepare("f", UploadStart::Replace).unwrap();
            upload.begin().unwrap();
            for piece in disk.chunks(piece) {
                upload.write(piece).unwrap();
            }
            upload.finish().unwrap();
            assert!(place.read("f") == disk);
            let used = used_by(&place, "f");
            assert!(
                used <= 2 * HOLE_BYTES as u64,
                "{piece}: {used} bytes on the medium"
            );
        }
    }
}

/// What the interrupted upload has taken is free again as soon as this one begins.
#[test]
fn an_upload_may_take_the_place_of_its_own_part_file() {
    for place in Place::both() {
        let Some(disk) = SmallDisk::mount(place.directory.path()) else {
            eprintln!("NOT TESTED: mounting a small file system needs root");
            return;
        };
        let (part, file) = (vec![7; 3 << 19], vec![8; 7 << 18]);
        place
            .store("f", UploadStart::Replace, &part, false)
            .unwrap();
        let reserve = |start, size| {
            let mut upload = place.prepare("f", start).unwrap();
            upload.reserve_space(Some(size))
        };
        assert_eq!(reserve(UploadStart::At(3 << 19), 7 << 18), Ok(()));
        assert_eq!(
            reserve(UploadStart::Replace, 5 << 19),
            Err(Failure::NoSpace)
        );
        let mut upload = place.prepare("f", UploadStart::Replace).unwrap();
        assert_eq!(upload.reserve_space(Some(7 << 18)), Ok(()));
        upload.begin().unwrap();
        upload.write(&file).unwrap();
        upload.finish().unwrap();
        assert!(place.read("f") == file);
        drop(disk);
    }
}

/// Each of them looked only now and then, and took what it had seen for its own.
#[test]
fn many_uploads_together_leave_the_reserve_alone() {
    for mut place in Place::both() {
        let Some(_disk) = SmallDisk::mount(place.directory.path()) else {
            eprintln!("NOT TESTED: mounting a small file system needs root");
            return;
        };
        place.config.storage.reserve = ByteSize(1 << 20);
        let names: Vec<_> = (0..16).map(|number| format!("f{number}")).collect();
        let mut uploads: Vec<_> = names
            .iter()
            .map(|name| place.prepare(name, UploadStart::Replace).unwrap())
            .collect();
        for upload in &mut uploads {
            upload.reserve_space(None).unwrap();
            upload.begin().unwrap();
        }
        let mut refused = 0;
        for _ in 0..20 {
            for upload in &mut uploads {
                match upload.write(&[7; 16 << 10]) {
                    Ok(()) => {}
                    Err(Failure::NoSpaceRemoved) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
                let space = place.root.space(&VirtualPath::root()).unwrap();
                assert!(space.available >= 1 << 20, "{} bytes", space.available);
            }
        }
        assert!(refused > 0);
    }
}

/// What a failed upload has stored is hidden, so nobody would find what fills the datastore.
#[test]
fn a_datastore_that_an_upload_filled_does_not_stay_full() {
    for mut place in Place::both() {
        let Some(_disk) = SmallDisk::mount(place.directory.path()) else {
            eprintln!("NOT TESTED: mounting a small file system needs root");
            return;
        };
        place.config.storage.reserve = ByteSize(1 << 20);
        let fill = |upload: &mut Upload| {
            let piece = vec![7; 64 << 10];
            (0..64).find_map(|_| upload.write(&piece).err())
        };
        for (name, start) in [("big", UploadStart::Replace), ("", UploadStart::Unique)] {
            let mut upload = place.prepare(name, start).unwrap();
            upload.begin().unwrap();
            assert_eq!(fill(&mut upload), Some(Failure::NoSpaceRemoved));
            drop(upload);
            assert_eq!(place.names(), [""; 0], "{start:?}");
        }
        // An upload that goes on leaves what was there before.
        place
            .store("big", UploadStart::Replace, &[1; 1000], false)
            .unwrap();
        let mut upload = place.prepare("big", UploadStart::At(900)).unwrap();
        upload.begin().unwrap();
        assert_eq!(fill(&mut upload), Some(Failure::NoSpaceRemoved));
        drop(upload);
        assert_eq!(place.read(".big.esxftpd-part"), [1; 900]);
        fs::remove_file(place.path(".big.esxftpd-part")).unwrap();
        // One that writes to the file itself leaves what everybody sees.
        fs::write(place.path("f"), "old").unwrap();
        let mut upload = place.prepare("f", UploadStart::End).unwrap();
        upload.begin().unwrap();
        assert_eq!(fill(&mut upload), Some(Failure::NoSpace));
        drop(upload);
        assert!(place.read("f").starts_with(b"old"));
        fs::remove_file(place.path("f")).unwrap();
        // Its directory was moved meanwhile.
        fs::create_dir(place.path("d")).unwrap();
        let mut upload = place.prepare("d/big", UploadStart::Replace).unwrap();
        upload.begin().unwrap();
        upload.write(&[7; 1000]).unwrap();
        fs::rename(place.path("d"), place.path("moved")).unwrap();
        assert_eq!(fill(&mut upload), Some(Failure::NoSpaceRemoved));
        drop(upload);
        for left in fs::read_dir(place.path("moved")).unwrap() {
            // By paths, it is not found again.
            assert_eq!(left.unwrap().metadata().unwrap().len(), 0);
            assert_eq!(place.root.kind(), RootKind::Paths);
        }
        place
            .store("small", UploadStart::Replace, &[1; 1000], true)
            .unwrap();
    }
}
