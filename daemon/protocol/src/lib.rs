//! RFC 959's server-PI: the control connection as a state machine without I/O, with the words that
//! it shares with the rest of the daemon.
//!
//! | module | what |
//! | --- | --- |
//! | [`protocol`](mod@protocol) | the state machine: bytes, events and the time go in, [`Action`]s come out |
//! | `parse` | bytes to lines, lines to commands |
//! | `commands` | what each command does, by topic |
//! | [`request`] | what is asked of the storage and of the accounts, and what they answer |
//! | [`wire`] | names, times, facts and patterns as they are on the wire |
//! | [`virtual_path`] | paths as clients see them |
//!
//! Nothing here opens a socket or a file, reads a clock, waits or starts a thread; `clippy.toml`
//! beside `Cargo.toml` refuses what would.

mod commands;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod parse;
pub mod protocol;
mod reply;
pub mod request;
pub mod virtual_path;
pub mod wire;

pub use self::protocol::{
    Protocol,
    interface::{Action, Activity, DataFailure, Ending, Event, Settings, Times, TlsPolicy},
};
