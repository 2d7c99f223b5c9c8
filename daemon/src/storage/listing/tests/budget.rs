//! Listings that share little memory.

use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, mpsc},
};

use super::*;
use crate::storage::listing::budget::BASE_BYTES;

const COUNT: usize = 20_000;

/// Each name of 200 bytes.
fn name(number: usize) -> String {
    format!("{:05} {}", number * 7919 % COUNT, "x".repeat(194))
}

fn large(choice: crate::config::RootChoice) -> Sample {
    let sample = Sample::new(choice, Rights::default());
    for number in 0..COUNT {
        sample.write(&name(number), "");
    }
    sample
}

fn write_within(
    budget: Budget,
    files: &Files,
    listing: &Listing,
    task: &Task,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let _base = budget.begin()?;
    let long = LongLines::new(NOW, 0);
    write_with(files, listing, task, long, Bounds::of(budget), sink)
}

/// The names in a listing.
fn names_in(text: &[u8]) -> Vec<String> {
    let text = str::from_utf8(text).unwrap();
    let lines = text.split_terminator("\r\n");
    let names = lines.filter_map(|line| {
        let digits = line.len().checked_sub(200)?;
        line.get(digits..).map(ToOwned::to_owned)
    });
    names.collect()
}

fn by(by: OrderBy) -> ListForm {
    ListForm::Long {
        all: false,
        recursive: false,
        order: Order {
            by,
            reversed: false,
        },
        itself: false,
    }
}

#[test]
fn a_directory_that_is_too_large_to_be_sorted_is_listed_all_the_same() {
    for choice in BOTH {
        let sample = large(choice);
        let wanted: BTreeSet<_> = (0..COUNT).map(name).collect();
        // The names take 4 MiB.
        for (total, form, is_sorted) in [
            (16 << 20, LONG, true),
            (2 << 20, LONG, false),
            (BASE_BYTES, LONG, false),
            (BASE_BYTES, NAMES, false),
            (BASE_BYTES, ListForm::Machine(FactSet::ALL), false),
            (8 << 20, by(OrderBy::Modified), true),
            (BASE_BYTES, by(OrderBy::Size), false),
        ] {
            let budget = Budget::alone(total);
            let mut text = Vec::new();
            let mut most = 0;
            let task = Task::default();
            write_within(
                budget,
                &sample.files,
                &listing("", form),
                &task,
                &mut |chunk| {
                    most = budget.used().max(most);
                    text.extend_from_slice(chunk);
                    Ok(())
                },
            )
            .unwrap();
            assert!((BASE_BYTES..=total).contains(&most), "{most} of {total}");
            wait_until("all memory is given back", || budget.used() == 0);
            let mut names = names_in(&text);
            let dots = names.iter().filter(|name| name.ends_with("; .")).count();
            assert!(dots <= 1);
            names.retain(|name| name.ends_with('x'));
            assert_eq!(names.len(), COUNT, "{total} {form:?}");
            if form == LONG {
                assert_eq!(names.is_sorted(), is_sorted, "{total}");
            }
            assert!(
                names.into_iter().collect::<BTreeSet<_>>() == wanted,
                "{total} {form:?}"
            );
        }
    }
}

/// Sinks that take nothing until they are opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn wait(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Opens it also if the test fails.
struct Opens<'g>(&'g Gate);

impl Drop for Opens<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[test]
fn many_slow_listings_stay_within_the_budget_and_give_it_back() {
    const SESSIONS: usize = 24;
    const TOTAL: usize = 8 << 20;
    let sample = large(BOTH[0]);
    let budget = Budget::alone(TOTAL);
    let gate = Gate::default();
    let tasks: Vec<_> = (0..SESSIONS).map(|_| Task::default()).collect();
    let (told, states) = mpsc::channel();
    thread::scope(|scope| {
        for (number, task) in tasks.iter().enumerate() {
            let (gate, files, told) = (&gate, &sample.files, told.clone());
            scope.spawn(move || {
                let mut bytes = Vec::new();
                let listed = write_within(budget, files, &listing("", LONG), task, &mut |chunk| {
                    if bytes.is_empty() {
                        told.send(None).unwrap();
                        gate.wait();
                    }
                    bytes.extend_from_slice(chunk);
                    // The third's client has gone.
                    if number == 2 {
                        Err(Failure::ConnectionLost)
                    } else {
                        Ok(())
                    }
                });
                told.send(Some((listed, names_in(&bytes).len()))).unwrap();
            });
        }
        let opens = Opens(&gate);
        // Each is refused, or waits for its client.
        let met: Vec<_> = states.iter().take(SESSIONS).collect();
        let refused: Vec<_> = met.into_iter().flatten().collect();
        let waiting = SESSIONS - refused.len();
        let most = TOTAL / BASE_BYTES;
        assert!((4..=most).contains(&waiting), "{waiting}");
        assert!(
            refused
                .iter()
                .all(|it| *it == (Err(Failure::ListingsFull), 0))
        );
        let used = budget.used();
        assert!((waiting * BASE_BYTES..=TOTAL).contains(&used), "{used}");
        // ABOR.
        for task in tasks.iter().skip(3).step_by(3) {
            task.cancel();
        }
        drop(opens);
        for _ in 0..waiting {
            match states.recv().unwrap().unwrap() {
                (Ok(()), names) => assert_eq!(names, COUNT),
                (Err(failure), names) => {
                    let is_given_up =
                        matches!(failure, Failure::Cancelled | Failure::ConnectionLost);
                    assert!(is_given_up && names < COUNT, "{failure}");
                }
            }
        }
    });
    wait_until("second threads end", || budget.used() == 0);
    assert!(budget.begin().is_ok());
}

#[test]
fn directories_that_wait_for_a_recursive_listing_are_counted() {
    let sample = Sample::new(BOTH[0], Rights::default());
    for number in 0..2000 {
        fs::create_dir(sample.path(&name(number))).unwrap();
    }
    let form = ListForm::Names {
        all: false,
        recursive: true,
        order: Order::default(),
    };
    let list = |budget: Budget| {
        let task = Task::default();
        let listed = write_within(
            budget,
            &sample.files,
            &listing("/", form),
            &task,
            &mut |_chunk| Ok(()),
        );
        wait_until("all memory is given back", || budget.used() == 0);
        listed
    };
    assert_eq!(list(Budget::alone(8 << 20)), Ok(()));
    assert_eq!(list(Budget::alone(BASE_BYTES)), Err(Failure::ListingsFull));
}

#[test]
fn a_listing_of_many_links_with_long_targets_is_bounded() {
    let sample = Sample::new(BOTH[0], Rights::default());
    let target = "t/".repeat(1900);
    for number in 0..1000 {
        symlink(&target, sample.path(&format!("{number:04}"))).unwrap();
    }
    let budget = Budget::alone(1 << 20);
    let mut most = 0;
    let mut lines = 0;
    let form = listing("", by(OrderBy::Modified));
    let task = Task::default();
    write_within(budget, &sample.files, &form, &task, &mut |chunk| {
        most = budget.used().max(most);
        lines += String::from_utf8_lossy(chunk).matches('\n').count();
        Ok(())
    })
    .unwrap();
    assert!(lines == 1000 && most <= 1 << 20, "{lines} {most}");
    wait_until("all memory is given back", || budget.used() == 0);
}
