//! esxftpd: an FTP service for VMware ESXi hosts.
//!
//! Reading order: [`cli`] parses the command line and calls [`serve`], which loads the [`config`],
//! sets up [`logging`] and runs the [`server`]. The server accepts control connections and hands
//! each to a [`session`] with a thread and a runtime of its own. A session lets libunftp speak FTP
//! (`session/engine.rs`) in front of our [`accounts`] and [`storage`].

pub mod accounts;
pub mod cli;
pub mod config;
mod control;
pub mod logging;
pub mod probe;
pub mod serve;
pub mod server;
pub mod session;
pub mod storage;
mod sys;
mod tls;
pub mod virtual_path;
pub mod wire_name;
