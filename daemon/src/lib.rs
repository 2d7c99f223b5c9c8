//! esxftpd: an FTP service for VMware ESXi hosts.
//!
//! Layers, from the top down; an arrow never points up:
//!
//! ```text
//! main -> cli -> serve | parts -> admin -> server -> session -> transfer -> storage -> accounts
//! session -> protocol (a crate without I/O) ;  all -> task, protocol::{request, wire, virtual_path}
//! server -> libunftp (the other engine) -> session ;  config -> sys ;  logging -> floods, origin
//! ```
//!
//! Reading order: [`cli`] parses the command line and calls [`serve`], which loads the [`config`],
//! sets up [`logging`] and runs the [`server`]. The server accepts control connections and hands
//! each to a session with a thread of its own, which carries bytes and events to the `protocol` and
//! does what it says: `transfer` moves bytes over data connections, [`storage`] has the files.

pub mod accounts;
mod admin;
pub mod cli;
pub mod config;
mod floods;
#[cfg(feature = "libunftp")]
mod libunftp;
pub mod logging;
mod origin;
mod parts;
pub mod probe;
pub mod serve;
pub mod server;
mod session;
pub mod storage;
mod sys;
mod task;
#[cfg(test)]
mod tests;
mod tls;
mod transfer;
