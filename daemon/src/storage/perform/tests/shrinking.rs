//! Files that become shorter while they are copied.

use std::{
    thread,
    time::{Duration, Instant},
};

use protocol::request::PathFailure;

use super::*;
use crate::task::Pace;

const PIECE: u64 = 64 << 20;

/// Takes its time for each block, so that the file shrinks before the last one on a busy machine, too.
#[derive(Debug)]
struct Slow;

impl Pace for Slow {
    fn charge(&self, _bytes: u64, now: Instant) -> Option<Instant> {
        Some(now + Duration::from_millis(20))
    }
}

#[test]
fn a_file_with_holes_that_shrinks_is_not_copied_as_zeros() {
    for choice in BOTH {
        for rest in [PIECE * 2 - 4096, PIECE] {
            let sample = Sample::new(choice, Rights::default());
            let disk = File::create(sample.path("disk")).unwrap();
            disk.set_len(PIECE * 3).unwrap();
            disk.write_all_at(&vec![7; 64 << 20], 0).unwrap();
            disk.write_all_at(b"end", PIECE * 3 - 3).unwrap();
            let task = Task::paced(Slow);
            let shrinking = {
                let task = task.clone();
                thread::spawn(move || {
                    while task.moved() == 0 {
                        thread::yield_now();
                    }
                    disk.set_len(rest).unwrap();
                })
            };
            let copied = perform(&sample.files, &task, copy("/disk", "/copy"));
            shrinking.join().unwrap();
            assert_eq!(
                copied,
                Err(PathFailure::source(Failure::Shortened)),
                "{rest}"
            );
            assert_eq!(fs::read_dir(sample.directory.path()).unwrap().count(), 1);
        }
    }
}

#[test]
fn a_file_that_shrinks_has_no_digest() {
    let sample = Sample::new(BOTH[0], Rights::default());
    sample.write("f", vec![1; 64 << 20]);
    let task = Task::paced(Slow);
    let shrinking = {
        let (task, file) = (task.clone(), sample.path("f"));
        thread::spawn(move || {
            while task.moved() == 0 {
                thread::yield_now();
            }
            File::options()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(10)
                .unwrap();
        })
    };
    let done = perform(
        &sample.files,
        &task,
        digest("/f", Algorithm::Sha512, 0, None),
    );
    shrinking.join().unwrap();
    assert_eq!(done, Err(Failure::Shortened.into()));
}
