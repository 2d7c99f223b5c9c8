//! Lines that a log did not take. No session waits for a log; what is lost is counted, and the
//! number is the first line that the log takes again.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use super::Severity;

/// Lines lost since the log took one.
#[derive(Debug, Default)]
pub(super) struct Lost(AtomicU64);

impl Lost {
    /// Has `write` take a line, after the number of those that were lost.
    ///
    /// # Errors
    /// Those of `write`; the line counts as lost then.
    pub(super) fn write(
        &self,
        (severity, text): (Severity, &str),
        write: impl Fn(Severity, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        let before = self.0.swap(0, Ordering::Relaxed);
        if before > 0 {
            let lost = format!("lost log lines: {before}; the log could not take them");
            write(Severity::Warning, &lost).inspect_err(|_error| self.count(before + 1))?;
        }
        write(severity, text).inspect_err(|_error| self.count(1))
    }

    fn count(&self, lines: u64) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_first_line_after_lost_ones_says_how_many_they_were() {
        let (lost, written) = (Lost::default(), Mutex::new(Vec::new()));
        let room = AtomicU64::new(1);
        let write = |text: &str| {
            let written = lost.write((Severity::Info, text), |_, text| {
                if room.load(Ordering::Relaxed) == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                room.fetch_sub(1, Ordering::Relaxed);
                written.lock().unwrap().push(text.to_owned());
                Ok(())
            });
            written.is_ok()
        };
        assert!(write("one"));
        assert!(!write("two") && !write("three"));
        // There is room for their number, and not for the line after it.
        room.store(1, Ordering::Relaxed);
        assert!(!write("four"));
        room.store(9, Ordering::Relaxed);
        assert!(write("five"));
        assert!(write("six"));
        let told = |lines| format!("lost log lines: {lines}; the log could not take them");
        let expected = ["one", &told(2), &told(1), "five", "six"];
        assert_eq!(*written.lock().unwrap(), expected);
    }
}
