//! Tests of the built program: real processes, sockets and signals, on loopback and ports that the
//! kernel chooses.
#![expect(clippy::disallowed_methods, reason = "these tests start the program")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

mod administration;
mod blocked_log;
mod busy_control_socket;
mod certificate;
mod command_line;
mod data_plane;
mod descriptors;
mod destroy;
mod endings;
mod faults;
mod ftp;
mod guard;
mod harness;
mod hostile;
mod left;
#[cfg(feature = "libunftp")]
mod libunftp;
mod limits;
mod listings;
mod log_answers;
mod log_ins;
mod logs;
mod memory;
mod parts;
mod rates;
mod refusals;
mod reload;
mod signals;
mod start;
mod terminal;
mod tls;
mod transfers;

use std::time::Duration;

/// No step of a test takes this long, unless it never ends.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
