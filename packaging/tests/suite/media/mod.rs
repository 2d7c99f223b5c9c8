//! Installer media: synthetic ones, made from the documented formats and by the system's tools.

mod bootcfg;
mod database;
mod edits;
pub(crate) mod fixture;
mod images;
mod layouts;
mod readers;
mod refused;
