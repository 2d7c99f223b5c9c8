//! The time of day, for what is a question about now.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use packaging::Epoch;

/// Now.
///
/// # Errors
/// If the clock of this machine is set wrong.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a certificate is valid now, and when a description was written"
)]
pub(crate) fn now() -> Result<Epoch> {
    let passed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock of this machine stands before 1970")?;
    Ok(Epoch::from_unix(i64::try_from(passed.as_secs())?)?)
}
