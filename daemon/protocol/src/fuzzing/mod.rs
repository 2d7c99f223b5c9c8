//! What the fuzz targets do with their input. The tests replay the corpora through the same
//! functions, with a stable compiler.

pub(crate) mod answers;
mod checks;
mod world;

use std::time::Instant;

pub use self::{
    checks::{command, lines},
    world::play,
};

/// Where the time of a test begins. From there on it is made by hand.
#[expect(
    clippy::disallowed_methods,
    reason = "an instant cannot be had without a clock"
)]
pub(crate) fn first_instant() -> Instant {
    Instant::now()
}
