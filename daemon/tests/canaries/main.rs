//! Canaries: each shows a fault of bare libunftp or unftp-sbe-fs that we work around. One that
//! fails tells that upstream has mended the fault, and which work-around can go.
//!
//! Every test has the work-around in its comment. Tests that only wait are marked as slow by their
//! names; none takes longer than half a minute.
//!
//! These faults have no canary:
//!
//! | fault | why not |
//! | --- | --- |
//! | C17: releases log no commands | it is fixed when slog is compiled, and our log is our own |
//! | D14: an upload in the clear that ends early counts as whole | so does the protocol (RFC 959, 3.4.1) |
//! | S1: nothing works without `openat` and its relatives | `cargo xtask matrix` has kernels without them |
//! | S4: large directories are listed slowly, entry by entry | it is a matter of time, not of what happens |
//! | S10: times that are out of any range | no file system here keeps one |
//! | V1: without descriptors, `listen` spins | it would take those of all other tests away |
//! | V4: hundreds of threads | they are tokio's default, for whoever makes the runtime |
//! | `ftps_manual` is behind a feature | a feature is not seen by what is compiled without it |

#![expect(clippy::disallowed_methods, reason = "a test makes a FIFO")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod bare;
mod control;
mod data;
mod files;
#[path = "../daemon/ftp.rs"]
mod ftp;
mod log_ins;
mod seam;
mod tls;

use std::time::Duration;

/// No step takes this long, unless it never ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long to listen for something that does not come.
pub(crate) const LITTLE_WHILE: Duration = Duration::from_secs(2);

/// Lets a session wait for each reply no longer than this.
pub(crate) fn set_patience(ftp: &ftp::Ftp, patience: Duration) {
    ftp.tcp().set_read_timeout(Some(patience)).unwrap();
}
