//! What a run has done, and what the daemon kept of it.

use std::fmt;

use anyhow::{Result, ensure};

use super::resources::Resources;
use super::session::Counts;

/// KiB of private memory that the daemon may have beyond what it had after every session had done
/// everything once. The allocator gives pages back to the kernel only where nothing in them is in
/// use, so what remains depends on the order in which sessions end; what is lost for each file or
/// session grows beyond any bound.
const KEPT_KIB: f64 = 2_048.0;

/// The table.
pub(super) struct Report {
    pub(super) version: String,
    pub(super) sessions: u16,
    pub(super) counts: Counts,
    /// Sessions that met a difference or ended early.
    pub(super) failed: usize,
    /// Before the first session.
    pub(super) start: Resources,
    /// When every session had done everything once and left.
    pub(super) warm: Resources,
    pub(super) most: Resources,
    pub(super) end: Resources,
}

impl Report {
    fn is_clean(&self) -> bool {
        self.counts_are_back() && self.memory_is_back()
    }

    fn counts_are_back(&self) -> bool {
        let start = self.start.counts();
        self.warm.counts() == start && self.end.counts() == start
    }

    fn memory_is_back(&self) -> bool {
        self.end.private_kib <= self.warm.private_kib + KEPT_KIB
    }

    /// # Errors
    /// If a session met a difference, or if the daemon kept something.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.failed == 0,
            "{} sessions met a difference or ended early; stderr has what they met",
            self.failed
        );
        ensure!(
            self.is_clean(),
            "the daemon kept something of sessions that have left"
        );
        Ok(())
    }
}

/// Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            sessions,
            uploads,
            downloads,
            listings,
            aborts,
            bytes,
        } = self.counts;
        writeln!(f, "esxftpd {}, {} clients\n", self.version, self.sessions)?;
        writeln!(f, "| what | number |\n| --- | ---: |")?;
        for (what, number) in [
            ("sessions", sessions),
            ("uploads", uploads),
            ("downloads, compared", downloads),
            ("MiB compared", bytes >> 20),
            ("listings, compared", listings),
            ("transfers broken off", aborts),
            ("sessions that failed", self.failed as u64),
        ] {
            writeln!(f, "| {what} | {number} |")?;
        }
        let Self {
            start,
            warm,
            most,
            end,
            ..
        } = self;
        let verdict = |good| if good { "as at the start" } else { "**kept**" };
        writeln!(
            f,
            "\n| of the daemon | start | after one of each | most | end | |\n\
             | --- | ---: | ---: | ---: | ---: | --- |"
        )?;
        let all = [start, warm, most, end];
        let [threads, descriptors] = [
            all.map(|at| at.threads.to_string()).join(" | "),
            all.map(|at| at.descriptors.to_string()).join(" | "),
        ];
        let memory = all.map(|at| format!("{:.0}", at.private_kib)).join(" | ");
        let same = |count: fn(&Resources) -> usize| {
            verdict(count(warm) == count(start) && count(end) == count(start))
        };
        writeln!(f, "| threads | {threads} | {} |", same(|at| at.threads))?;
        writeln!(
            f,
            "| descriptors | {descriptors} | {} |",
            same(|at| at.descriptors)
        )?;
        let memory_verdict = if self.memory_is_back() {
            format!("within {KEPT_KIB} KiB of one of each")
        } else {
            "**kept**".to_owned()
        };
        writeln!(f, "| private memory, KiB | {memory} | {memory_verdict} |")
    }
}

/// A line for those who wait.
pub(super) fn progress(counts: Counts, now: Resources) -> String {
    format!(
        "{} uploads, {} downloads, {} MiB, {} listings, {} broken off, {} sessions; {} threads, {} \
         descriptors, {:.0} KiB",
        counts.uploads,
        counts.downloads,
        counts.bytes >> 20,
        counts.listings,
        counts.aborts,
        counts.sessions,
        now.threads,
        now.descriptors,
        now.private_kib
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(threads: usize, descriptors: usize, private_kib: f64) -> Report {
        let start = Resources {
            threads: 2,
            descriptors: 9,
            private_kib: 500.0,
        };
        let warm = Resources {
            private_kib: 900.0,
            ..start
        };
        let end = Resources {
            threads,
            descriptors,
            private_kib,
        };
        Report {
            version: "1".to_owned(),
            sessions: 3,
            counts: Counts::default(),
            failed: 0,
            start,
            warm,
            most: end,
            end,
        }
    }

    #[test]
    fn one_thread_or_descriptor_more_or_less_is_told() {
        assert!(report(2, 9, 900.0).check().is_ok());
        for other in [
            report(3, 9, 900.0),
            report(2, 10, 900.0),
            report(2, 8, 900.0),
        ] {
            assert!(other.check().is_err());
            assert_eq!(other.to_string().matches("**kept**").count(), 1);
        }
    }

    #[test]
    fn a_session_that_failed_is_told() {
        let mut failed = report(2, 9, 900.0);
        failed.failed = 1;
        assert!(failed.check().is_err());
        assert!(failed.to_string().contains("| sessions that failed | 1 |"));
    }

    #[test]
    fn memory_has_a_bound() {
        assert!(report(2, 9, 900.0 + KEPT_KIB).check().is_ok());
        let more = report(2, 9, 901.0 + KEPT_KIB);
        assert!(more.check().is_err());
        assert!(more.to_string().contains("**kept**"));
    }
}
