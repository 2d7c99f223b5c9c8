//! The gate, tested by feeding events: the rig plays client, engine and storage, and makes the
//! time.

use super::{command, line, verb};
use crate::{session::gate, storage, virtual_path};

mod aborts;
mod answers;
mod changes;
mod checks;
mod commands;
mod corpora;
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
