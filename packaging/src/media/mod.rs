//! Installer media: what an extracted tree or an ISO image holds, and how a package gets into its
//! image database (FORMAT.md M1 to M15).
//!
//! Nothing is written here: an edit is a list of [`Changes`], which the caller applies to a copy.
//! The same medium and the same packages give the same changes.

mod addition;
mod bootcfg;
mod changes;
mod check;
mod edit;
mod error;
mod image;
mod imgdb;
mod iso;
mod names;
mod profile;
mod removal;
mod show;

pub use self::addition::Addition;
pub use self::bootcfg::{BootConfig, Module};
pub use self::changes::{Change, Changes, Content, Options};
pub use self::error::MediaError;
pub use self::image::{Image, Medium, MediumFile};
pub use self::imgdb::{Database, Record};
pub use self::iso::{Iso, Patch, Plan};
pub use self::profile::{Listed, Profile};
pub use self::show::Summary;
