//! A list of checks that all run, whatever the others say, and are counted at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Runs checks one after the other and remembers those that failed.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    passed: usize,
    failed: Vec<&'static str>,
}

impl Steps {
    /// Runs a check. It says itself what went wrong; here it is only noted.
    pub(crate) fn run(&mut self, name: &'static str, check: impl FnOnce() -> Result<()>) {
        println!("\n== {name}");
        let start = Instant::now();
        let result = check();
        self.note(name, start.elapsed(), result);
    }

    /// Notes how a check has ended.
    pub(crate) fn note(&mut self, name: &'static str, took: Duration, result: Result<()>) {
        let seconds = took.as_secs();
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("== {name}: passed in {seconds} s");
            }
            Err(error) => {
                self.failed.push(name);
                eprintln!("== {name}: FAILED after {seconds} s: {error:#}");
            }
        }
    }

    /// Says how many checks passed.
    ///
    /// # Errors
    /// If one failed; names all that did.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n{} passed, {} failed", self.passed, self.failed.len());
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", self.failed.join(", "))
    }
}
