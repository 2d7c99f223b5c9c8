//! The gate: the control connection as a state machine without I/O.
//!
//! It reads what the client sends, decides, and speaks the strict subset of FTP to the engine that
//! the engine handles well. Bytes, events and the time go in through method calls; what is to be
//! done comes out as [`Action`]s. It has no socket and no clock, never waits and never spawns, so
//! every order of events can be tested and fuzzed as it stands. `session/driver.rs` owns the
//! sockets and carries bytes and events across.

mod interface;

pub use self::interface::{
    Access, Action, Denied, Password, Settings, StorageEvent, Times, TlsEvent, TlsPolicy,
};
