//! Directories whose entries are worth a second thread.

use super::*;

const COUNT: usize = 6000;

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
            // In parts that are not worth a second thread.
            let parts = ["0[0-2]*", "0[3-5]*", "label"];
            let parts = parts.map(|pattern| matching("/", pattern, form));
            let mut alone: Vec<_> = parts
                .iter()
                .flat_map(|part| lines(&sample.files, part))
                .collect();
            let mut shared = lines(&sample.files, &listing("/", form));
            shared.retain(|line| !line.contains("type=cdir"));
            if form == LONG {
                assert!(alone == shared, "{choice:?}: the order of the names");
            }
            alone.sort();
            shared.sort();
            assert_eq!(alone.len(), COUNT + 1);
            assert!(alone == shared, "{choice:?} {form:?}");
        }
    }
}

#[test]
fn what_vanishes_while_others_are_sent_is_left_out() {
    for choice in BOTH {
        let sample = sample(choice);
        let mut text = Vec::new();
        let listing = listing("/", LONG);
        let written = write(&sample.files, &listing, &Task::default(), &mut |chunk| {
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
        let task = Task::default();
        let mut chunks = 0;
        let written = write(&sample.files, &listing("/", LONG), &task, &mut |_chunk| {
            chunks += 1;
            task.cancel();
            Ok(())
        });
        assert_eq!((written, chunks), (Err(Failure::Cancelled), 1));
    }
}
