//! Canaries: each shows a fault of bare libunftp or unftp-sbe-fs that we work around. One that
//! fails tells that upstream has mended the fault, and which work-around can go.
//!
//! Every test has the work-around in its comment. Tests that only wait are marked as slow by their
//! names; none takes longer than half a minute.

#![expect(clippy::disallowed_methods, reason = "a test makes a FIFO")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod bare;
mod control;
mod data;
mod files;
#[path = "../daemon/ftp.rs"]
mod ftp;

use std::time::Duration;

/// No step takes this long, unless it never ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long to listen for something that does not come.
pub(crate) const LITTLE_WHILE: Duration = Duration::from_secs(2);

/// Lets a session wait for each reply no longer than this.
pub(crate) fn set_patience(ftp: &ftp::Ftp, patience: Duration) {
    ftp.tcp().set_read_timeout(Some(patience)).unwrap();
}
