//! The users' files: roots, uploads by part file and rename, downloads, listings, changes. It knows no
//! session and no socket: files, a task and an operation go in, an outcome comes out.

pub(crate) mod ascii;
pub(crate) mod blocks;
pub(crate) mod changes;
mod copy;
mod digest;
pub(crate) mod download;
pub(crate) mod errno;
pub(crate) mod files;
pub(crate) mod leftovers;
mod links;
mod listing;
mod part;
pub(crate) mod perform;
pub(crate) mod prepare;
pub(crate) mod root;
#[cfg(test)]
pub(crate) mod sample;
mod space;
pub(crate) mod upload;
pub mod zeros;

pub use self::listing::long_lines;
