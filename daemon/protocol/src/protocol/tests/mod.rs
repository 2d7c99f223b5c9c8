//! The protocol, tested by feeding events: the rig plays everybody around it, and makes the time.

mod aborts;
mod changes;
mod commands;
mod corpora;
mod data_connections;
mod data_setup;
mod invariants;
mod lines;
mod log_ins;
mod rig;
mod timers;
mod tls;
mod transfers;
