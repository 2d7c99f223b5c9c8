//! Which bytes an upload goes on with that does not begin with the first.

use super::*;

/// Puts the file there anew until the kernel's clock tells it from the part file.
fn put_after_part(place: &Place, content: &str) {
    let changed = |name| {
        let metadata = fs::metadata(place.path(name)).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    // A time that somebody has set, as with `cp -p`, does not count.
    let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    loop {
        fs::write(place.path("f"), content).unwrap();
        let file = File::options().write(true).open(place.path("f")).unwrap();
        file.set_times(long_ago).unwrap();
        if changed("f") > changed(PART) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_newer_part_file_is_gone_on_with() {
    for place in Place::both() {
        fs::write(place.path("f"), "old").unwrap();
        place
            .store("f", UploadStart::Replace, b"01234567", false)
            .unwrap();
        place.store("f", UploadStart::At(3), b"345", true).unwrap();
        assert_eq!(place.read("f"), b"012345");
    }
}

/// The client asks for the size, gets that of the old file, and goes on behind it: with what it has
/// in that place, but the old file has something else before.
#[test]
fn a_file_is_not_made_of_an_old_one_and_the_rest_of_a_new_one() {
    for place in Place::both() {
        fs::write(place.path("f"), "old and long").unwrap();
        place
            .store("f", UploadStart::Replace, b"new", false)
            .unwrap();
        for start in [UploadStart::At(12), UploadStart::At(4), UploadStart::End] {
            let refused = place.prepare("f", start).map(drop);
            assert_eq!(refused, Err(Failure::Unfinished), "{start:?}");
        }
        assert_eq!(place.read("f"), b"old and long");
        place
            .store("f", UploadStart::Replace, b"new and whole", true)
            .unwrap();
        place.store("f", UploadStart::End, b"!", true).unwrap();
        assert_eq!(place.read("f"), b"new and whole!");
    }
}

/// The bytes before the position come from the file whose size the client was told.
#[test]
fn a_part_file_that_is_older_than_the_file_is_left_alone() {
    for place in Place::both() {
        place
            .store("f", UploadStart::Replace, b"0123456789", false)
            .unwrap();
        put_after_part(&place, "abcd");
        place.store("f", UploadStart::At(4), b"ef", true).unwrap();
        assert_eq!(place.read("f"), b"abcdef");
        put_after_part(&place, "abcd");
        place.store("f", UploadStart::End, b"gh", true).unwrap();
        assert_eq!(place.read("f"), b"abcdgh");
        let behind = place.prepare("f", UploadStart::At(7)).map(drop);
        assert_eq!(behind, Err(Failure::BehindEnd));
        assert_eq!(place.read(PART), b"0123456789");
    }
}
