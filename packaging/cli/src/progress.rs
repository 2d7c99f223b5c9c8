//! Shows on a terminal how far a long task is.

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Read},
};

use indicatif::{ProgressBar, ProgressBarIter, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// Bytes of a task that is over before anybody would look.
const SHORT: u64 = 64 << 20;

/// Counts bytes against a known total.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins a task of so many bytes. Nothing is shown of a short one, nor where stderr is no
    /// terminal.
    pub(crate) fn new(what: impl Into<Cow<'static, str>>, total: u64) -> Self {
        if total <= SHORT || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg}: {bytes} of {total_bytes}, {eta} left");
        Self(
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(what)
                .with_finish(ProgressFinish::AndClear),
        )
    }

    /// Counts what is read.
    pub(crate) fn reading<R: Read>(&self, inner: R) -> Reading<R> {
        self.0.wrap_read(inner)
    }
}

/// Passes bytes on and counts them.
pub(crate) type Reading<R> = ProgressBarIter<R>;
