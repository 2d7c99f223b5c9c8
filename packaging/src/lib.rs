//! Packages for VMware ESXi hosts: VIBs and offline bundles, without the vendor's tools.
//!
//! Bytes in, bytes out. The crate reads no clock, no environment and no files, starts no program
//! and prints nothing: the same input gives the same bytes, on any machine. The format it writes is
//! described in `FORMAT.md`, rule by rule with its sources; numbers such as `L3` in the
//! documentation and in messages are rules of that file.
//!
//! # A tour
//!
//! A package is described by a `package.toml` ([`Manifest`]). The caller opens the files that it
//! names ([`Sources`]); [`Package::new`] checks the whole against the rules and tells everything
//! that is wrong at once. [`Vib::write`] writes the package, [`Bundle::write`] wraps VIBs into a
//! depot. Both pass files on in pieces, so that memory does not grow with them.
//!
//! ```
//! use std::{collections::BTreeMap, io::Cursor};
//! use packaging::{Bundle, Manifest, Package, Vib};
//!
//! let manifest = Manifest::parse(r#"
//!     name = "hello"
//!     vendor = "acme"
//!     vendor-code = "acm"
//!     release = "1"
//!     release-date = 2026-01-15T00:00:00Z
//!     summary = "Greets whoever logs in"
//!     description = "A script that says hello"
//!     payloads = [{ name = "hello" }]
//!     platforms = ["7.*", "8.*"]
//!     component = { name = "hello", ui-string = "Hello" }
//!     bulletin = { kb-url = "https://acme.example/hello", contact = "https://acme.example" }
//!
//!     [[contents]]
//!     source = "hello.sh"
//!     destination = "opt/hello/bin/hello"
//!     mode = "0755"
//! "#)?.with_version("1.2.0");
//!
//! let sources = BTreeMap::from([("hello.sh".to_owned(), b"#!/bin/sh\necho hello\n".to_vec())]);
//! let epoch = manifest.release_date;
//! let package = Package::new(manifest, &sources, epoch)?;
//! let (mut spool, mut bytes) = (Cursor::new(Vec::new()), Vec::new());
//! let vib = Vib::write(&package, &sources, &mut spool, &mut bytes)?;
//! assert_eq!(vib.file_name(), "hello-1.2.0-1.vib");
//! assert_eq!(vib.id(), "acme_bootbank_hello_1.2.0-1");
//!
//! let mut zip = Cursor::new(Vec::new());
//! let bundle = Bundle::write(&[vib], |_| Ok(bytes.as_slice()), &mut zip)?;
//! assert_eq!(bundle.file_name(), "hello-1.2.0-1-offline-bundle.zip");
//! assert_eq!(bundle.entries().items()[3].path, "vib20/hello/acme_bootbank_hello_1.2.0-1.vib");
//! # Ok::<(), packaging::Error>(())
//! ```
//!
//! Finished files are read by [`inspect`](inspect::inspect), unpacked by
//! [`extract`](inspect::extract) and judged by [`verify`](verify::verify()), ours and those of
//! others:
//!
//! ```
//! # use std::io::Cursor;
//! use packaging::{inspect::{inspect, Limits}, verify::{unreadable, verify}};
//!
//! # let file = Cursor::new(b"!<arch>\nno member");
//! let diagnoses = match inspect(file, &Limits::default()) {
//!     Ok(inspection) => verify(&inspection),
//!     Err(error) => vec![unreadable(&error)],
//! };
//! assert!(diagnoses[0].to_string().starts_with("error: file: ar header at byte 8: "));
//! ```
//!
//! The programs in `packaging/examples/` show it whole: `build_in_memory`, `verify_one` and
//! `list_bundle`. The program `vib` in `packaging/cli` is the command line for all of it.
//!
//! # Features
//!
//! `signatures`, on by default: [`mod@sign`] makes and checks signatures. Without it the crate needs
//! no C compiler, and a signature is reported as not checked.
//!
//! # From the outside to the inside
//!
//! | layer | module |
//! | --- | --- |
//! | offline bundle: zip, index files, metadata, VIBs | [`bundle`] |
//! | VIB: ar with descriptor, signature, payloads | [`vib`], [`ar`] |
//! | descriptor: XML | [`xml`] and `descriptor` |
//! | payload: gzip around tar or vmtar | [`payload`], [`tar`], [`vmtar`], [`digest`] |
//! | bytes of files | [`source`] |
//! | files and directories, and what they may be | [`contents`], [`rules`] |
//! | description | [`manifest`], [`version`], [`epoch`] |
//! | finished files | [`mod@inspect`], [`mod@verify`] |
//! | signatures | [`mod@sign`] |
//! | installer media | [`media`] |

pub mod ar;
pub mod bundle;
pub mod contents;
mod descriptor;
pub mod digest;
pub mod elf;
pub mod epoch;
pub mod error;
pub mod inspect;
pub mod listing;
pub mod manifest;
pub mod media;
pub mod package;
pub mod payload;
pub mod rules;
pub mod sign;
pub mod source;
pub mod tar;
pub mod verify;
pub mod version;
pub mod vib;
pub mod vmtar;
pub mod xml;

pub use bundle::Bundle;
pub use elf::Elf;
pub use epoch::Epoch;
pub use error::Error;
pub use listing::Listing;
pub use manifest::Manifest;
pub use package::Package;
pub use source::{Source, Sources};
pub use version::Version;
pub use vib::Vib;
