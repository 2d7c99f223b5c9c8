//! The gate, tested by feeding events: the rig plays client, engine and storage, and makes the time.

use crate::{session::gate, storage};

mod aborts;
mod answers;
mod changes;
mod commands;
mod data_setup;
mod engine;
mod invariants;
mod lines;
mod log_ins;
mod rig;
mod timers;
mod tls;
mod transfers;
mod world;
