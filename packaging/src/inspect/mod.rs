//! The reader: tells what a file is, and shows what it holds.
//!
//! It takes the kinds of FORMAT.md R1 and is as tolerant as the hosts that had to read them; what
//! they or a careful packager would object to is said by [`verify`](crate::verify). It reads
//! forward, keeps names and facts but no files, and stops at [`Limits`], so that a hostile file
//! costs time and memory within bounds. It shares no code with the writer but the digests and the
//! ELF reader.
//!
//! ```
//! use std::io::Cursor;
//! use packaging::inspect::{inspect, Limits};
//!
//! let error = inspect(Cursor::new(b"MZ\x90"), &Limits::default()).unwrap_err();
//! assert!(error.to_string().starts_with("unknown kind of file: "));
//! ```

mod ar;
mod archive;
mod bundle;
mod compared;
mod database;
mod depot;
mod descriptor;
mod directory;
mod entry;
mod error;
mod extract;
mod gunzip;
mod header;
mod legacy;
mod limits;
mod mistaken;
mod packed;
mod payload;
#[cfg(feature = "signatures")]
mod signable;
mod source;
mod spelling;
mod startable;
mod stream;
mod supply_chain;
mod text;
mod vib;
mod wellformed;
mod xml;
mod zip;

use std::cell::RefCell;
use std::io::{BufReader, Read, Seek};

use serde::Serialize;

pub use self::ar::Member;
pub use self::archive::Archive;
pub use self::bundle::{Bundle, DepotVib};
pub use self::depot::{Bulletin, Component, Metadata, Record, Vendor};
pub use self::descriptor::{
    DeclaredChecksum, DeclaredSize, Descriptor, Relation, Relationships, Url,
};
pub use self::entry::{Entry, EntryKind, Extension, Flavour, Program};
pub use self::error::{Expected, ReadError};
pub use self::extract::{Extracted, Sink, extract};
pub use self::legacy::LegacyVib;
pub use self::limits::Limits;
pub use self::payload::{Checksum, ChecksumState, Payload};
pub use self::spelling::Misspelt;
pub use self::startable::Script;
pub use self::supply_chain::SupplyChain;
pub use self::vib::{Signature, Vib};
pub use self::xml::{BeyondAscii, XmlKind};
pub use self::zip::ZipEntry;

pub(crate) use self::compared::differences;
pub(crate) use self::database::{Database as Archived, Documents, Kept};
pub(crate) use self::mistaken::is_leftover;
pub(crate) use self::packed::{Packed, packed};
#[cfg(feature = "signatures")]
pub(crate) use self::signable::signable;
pub(crate) use self::startable::is_started;
pub(crate) use self::vib::DESCRIPTOR;
#[cfg(feature = "signatures")]
pub(crate) use self::vib::SIGNATURE;
pub(crate) use self::xml::Node;

use self::limits::Meter;
use self::source::Source;
use self::stream::fill;
use self::zip::Zip;
#[cfg(feature = "signatures")]
use crate::sign::Trust;

/// What a file is and holds.
///
/// Its JSON form is an object with `format`, the number of this layout, and `contents`, an object
/// whose `kind` is `vib`, `legacy-vib`, `bundle`, `wrapped-bundle` or `archive` and whose other
/// keys are the fields of [`Vib`], [`LegacyVib`], [`Bundle`] or [`Archive`] in kebab-case; for
/// `wrapped-bundle` they are `inner`, the path of the bundle, and `bundle`. Optional facts that a
/// file lacks are null or absent. Keys may be added within one number; one that is renamed or
/// removed raises it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Inspection {
    /// Number of the JSON layout: 1.
    pub format: u32,
    /// The contents.
    pub contents: Contents,
}

/// The kinds of files, with what they hold (FORMAT.md R1).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Contents {
    /// A VIB of 5.0 and later.
    Vib(Box<Vib>),
    /// A VIB of 4.x.
    LegacyVib(Box<LegacyVib>),
    /// An offline bundle.
    Bundle(Box<Bundle>),
    /// A zip around an offline bundle. Hosts want the inner one.
    WrappedBundle {
        /// Path of the bundle in the zip.
        inner: String,
        /// The bundle.
        bundle: Box<Bundle>,
    },
    /// A gzipped tar, as `oem.tgz` of 3.5 to 4.x or a module that is appended to `boot.cfg`.
    Archive(Archive),
}

/// Sees what passes while a file is read.
pub(crate) trait Observer {
    /// A member that is not unpacked further.
    fn member(&mut self, name: &str, data: &mut dyn Read) -> Result<(), ReadError>;

    /// An entry of the archive that is unpacked into `folder`.
    fn entry(&mut self, folder: &str, entry: &Entry, data: &mut dyn Read) -> Result<(), ReadError>;

    /// A member that its package does not declare.
    fn undeclared(&mut self, name: &str);
}

/// Sees nothing.
pub(crate) struct Ignore;

/// Reads a file and tells what it holds.
///
/// # Errors
/// [`ReadError`] with place and reason, if the file is of no known kind, damaged, or beyond the
/// limits. That its checksums differ is no error here: see [`ChecksumState`].
pub fn inspect<R: Read + Seek>(input: R, limits: &Limits) -> Result<Inspection, ReadError> {
    inspect_with(input, &Meter::new(limits.clone()), &mut Ignore)
}

/// As [`inspect`]; also looks for the signers of VIBs among trusted CAs (FORMAT.md S4).
///
/// # Errors
/// As [`inspect`]. What is wrong with a signature is no error here: see [`Vib::signature_check`].
#[cfg(feature = "signatures")]
pub fn inspect_trusting<R: Read + Seek>(
    input: R,
    limits: &Limits,
    trust: Trust,
) -> Result<Inspection, ReadError> {
    let meter = Meter::trusting(limits.clone(), trust);
    inspect_with(input, &meter, &mut Ignore)
}

fn inspect_with<R: Read + Seek>(
    mut input: R,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<Inspection, ReadError> {
    let mut magic = [0; ar::MAGIC.len()];
    let length = fill(&mut input, &mut magic).map_err(ReadError::reading("file", 0))?;
    input.rewind().map_err(ReadError::reading("file", 0))?;
    let (magic, _) = magic.split_at(length);
    let contents = if magic == ar::MAGIC {
        read_ar(input, meter, observer)?
    } else if magic.starts_with(payload::GZIP) {
        let mut input = BufReader::new(input);
        let found = payload::gunzip_archive(&mut input, "", meter, observer)?;
        Contents::Archive(found.archive)
    } else if magic.starts_with(b"PK\x03\x04") || magic.starts_with(b"PK\x05\x06") {
        read_zip(input, meter)?
    } else {
        if let Some(error) = mistaken::known(&mistaken::head(&[], &mut input)) {
            return Err(error);
        }
        return Err(ReadError::UnknownKind {
            found: match magic {
                [] => "it is empty".to_owned(),
                magic => format!("it begins with \"{}\"", magic.escape_ascii()),
            },
        });
    };
    Ok(Inspection {
        format: 1,
        contents,
    })
}

fn read_ar<R: Read>(
    input: R,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<Contents, ReadError> {
    let mut archive = ar::Reader::new(BufReader::new(input), meter)?;
    let first = archive.next_member()?;
    match first {
        Some(first) if first.name == DESCRIPTOR => {
            let (vib, _) = vib::read(&mut archive, first, meter, observer)?;
            Ok(Contents::Vib(Box::new(vib)))
        }
        Some(first) if legacy::begins_with(&first.name) => {
            let vib = legacy::read(&mut archive, first, meter, observer)?;
            Ok(Contents::LegacyVib(Box::new(vib)))
        }
        other => Err(archive.unexpected(other, Expected::Descriptor)),
    }
}

/// A bundle, or the first bundle in the zips of a zip. Those are not searched further (FORMAT.md
/// R5).
fn read_zip<R: Read + Seek>(input: R, meter: &Meter) -> Result<Contents, ReadError> {
    let file = RefCell::new(input);
    let source = Source::file(&file).map_err(ReadError::reading("zip", 0))?;
    let zip = Zip::new(source, meter)?;
    if zip.find(bundle::INDEX).is_some() {
        return Ok(Contents::Bundle(Box::new(bundle::read(&zip, meter)?)));
    }
    if let Some(error) = mistaken::zipped_folder(zip.entries(), bundle::INDEX) {
        return Err(error);
    }
    let is_zip = |path: &str| {
        path.rsplit_once('.')
            .is_some_and(|(_, end)| end.eq_ignore_ascii_case("zip"))
    };
    for entry in zip.entries().iter().filter(|entry| is_zip(&entry.path)) {
        let within = || ReadError::within(entry.path.clone());
        let inner = zip.inner(entry)?;
        let inner = Zip::new(inner, meter).map_err(within())?;
        if inner.find(bundle::INDEX).is_some() {
            let bundle = bundle::read(&inner, meter).map_err(within())?;
            return Ok(Contents::WrappedBundle {
                inner: entry.path.clone(),
                bundle: Box::new(bundle),
            });
        }
    }
    Err(ReadError::UnknownKind {
        found: match zip
            .entries()
            .iter()
            .find(|entry| bundle::is_vib(&entry.path))
        {
            Some(entry) => format!(
                "it is a zip without index.xml, but with {:?}; unpack that VIB",
                entry.path
            ),
            None => "it is a zip without index.xml, and holds no zip that has one".to_owned(),
        },
    })
}
