//! Directories whose entries are worth a second thread.

use std::sync::mpsc::channel;

use tokio::runtime::{Builder, Runtime};

use super::*;

const COUNT: usize = 6000;

/// Its one thread for blocking work is the second.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.max_blocking_threads(1).build().unwrap()
}

fn name(number: usize) -> String {
    format!("{number:05} {}", "x".repeat(40))
}

fn sample(choice: crate::config::RootChoice) -> Sample {
    let sample = Sample::new(choice, Rights::default());
    for number in 0..COUNT {
        sample.write(&name(number), vec![0; number % 7]);
    }
    symlink(name(1), sample.path("label")).unwrap();
    sample
}

fn forms() -> [ListForm; 4] {
    let by = |by, reversed| ListForm::Long {
        all: false,
        recursive: false,
        order: Order { by, reversed },
        itself: false,
    };
    [
        LONG,
        by(OrderBy::Name, true),
        by(OrderBy::Size, false),
        ListForm::Machine(FactSet::ALL),
    ]
}

#[test]
fn two_threads_list_what_one_does() {
    for choice in BOTH {
        let sample = sample(choice);
        for form in forms() {
            let alone = lines(&sample.files, &listing("/", form));
            let runtime = runtime();
            let shared = {
                let _inside = runtime.enter();
                lines(&sample.files, &listing("/", form))
            };
            assert!(alone.len() > COUNT && alone == shared, "{form:?}");
        }
        let names = lines(&sample.files, &listing("/", LONG));
        let names = names.iter().map(|line| line.split_at(59).1);
        assert!(names.is_sorted());
    }
}

#[test]
fn without_a_free_thread_one_does_it() {
    let sample = sample(BOTH[0]);
    let runtime = runtime();
    let (release, released) = channel::<()>();
    let busy = runtime.spawn_blocking(move || released.recv());
    let _inside = runtime.enter();
    assert_eq!(lines(&sample.files, &listing("/", LONG)).len(), COUNT + 1);
    drop(release);
    assert!(runtime.block_on(busy).unwrap().is_err());
}

#[test]
fn what_vanishes_while_others_are_sent_is_left_out() {
    for choice in BOTH {
        let sample = sample(choice);
        let runtime = runtime();
        let _inside = runtime.enter();
        let mut text = Vec::new();
        let listing = listing("/", LONG);
        let written = write(&sample.files, &listing, &Run::default(), &mut |chunk| {
            if text.is_empty() {
                for number in (0..COUNT).filter(|number| number % 2 == 1) {
                    fs::remove_file(sample.path(&name(number))).unwrap();
                }
            }
            text.extend_from_slice(chunk);
            Ok(())
        });
        assert_eq!(written, Ok(()));
        let text = String::from_utf8(text).unwrap();
        let numbers: Vec<usize> = text
            .lines()
            .filter_map(|line| line.get(59..64)?.parse().ok())
            .collect();
        assert!(numbers.is_sorted());
        let even = numbers.iter().filter(|number| *number % 2 == 0);
        assert_eq!(even.count(), COUNT / 2);
        assert!(numbers.len() < COUNT - 1000, "{}", numbers.len());
    }
}

#[test]
fn many_are_no_longer_listed_when_told_to_stop() {
    for choice in BOTH {
        let sample = sample(choice);
        let runtime = runtime();
        let _inside = runtime.enter();
        let run = Run::default();
        let mut chunks = 0;
        let written = write(&sample.files, &listing("/", LONG), &run, &mut |_chunk| {
            chunks += 1;
            run.cancel();
            Ok(())
        });
        assert_eq!((written, chunks), (Err(Failure::Cancelled), 1));
    }
}
