//! The offline bundle: a zip with one or more VIBs and the depot metadata that describes them
//! (FORMAT.md B1 to B9).
//!
//! One file here per member of the bundle. What the bundle knows of a VIB is its description, not
//! its insides.

mod bulletin;
mod index;
mod metadata;
mod vendor_index;
mod vmware;
mod zip;

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, Write};

use crate::digest::{Digesting, Sha256};
use crate::error::Findings;
use crate::listing::Listing;
use crate::rules::{Finding, ONE_DEPOT};
use crate::{Error, Vib};

/// Name of the index file of a vendor, in the bundle and again in its metadata.
const VENDOR_INDEX: &str = "vendor-index.xml";
/// Product line of hosts with the VMkernel.
const PRODUCT_LINE: &str = "embeddedEsx";

/// What was written as an offline bundle. The bytes are where the caller wanted them.
#[derive(Debug, Clone)]
pub struct Bundle {
    file_name: String,
    entries: Listing,
    metadata: Listing,
    size: u64,
    sha256: String,
}

impl Bundle {
    /// Writes a bundle with these VIBs to `out`, each as a component of its own. The first one
    /// names the bundle.
    ///
    /// `open` gives the bytes of a VIB when it is its turn. `out` is written from its current
    /// position on and then read again for its checksum, because zip goes back to fill in sizes.
    ///
    /// # Errors
    /// [`Error::Refused`] for no VIB at all, a VIB or component twice, or VIBs of different vendors
    /// (FORMAT.md B9); [`Error::Source`] if a VIB cannot be read or is not the one that was
    /// written; [`Error::Write`] if `out` fails. What was written until then is of no use.
    pub fn write<R: Read>(
        vibs: &[Vib],
        mut open: impl FnMut(&Vib) -> io::Result<R>,
        mut out: impl Read + Write + Seek,
    ) -> Result<Self, Error> {
        let first = check(vibs)?;
        let epoch = vibs
            .iter()
            .map(|vib| vib.facts.epoch)
            .fold(first.facts.epoch, Ord::max);
        let metadata_name = format!("{}-metadata.zip", first.facts.stem());
        let vendor_index =
            vendor_index::vendor_index(&platforms(vibs), &metadata_name).to_lines()?;
        let mut metadata_zip = io::Cursor::new(Vec::new());
        let mut archive = zip::Writer::new(&mut metadata_zip, epoch);
        for (path, data) in metadata::entries(vibs, epoch, &vendor_index)? {
            archive.file(&path, &data)?;
        }
        let metadata = archive.finish()?;

        let start = out.stream_position().map_err(Error::writing("bundle"))?;
        let mut archive = zip::Writer::new(&mut out, epoch);
        let index = index::index(&first.facts.manifest).to_lines()?;
        archive.file("index.xml", index.as_bytes())?;
        archive.file(VENDOR_INDEX, vendor_index.as_bytes())?;
        archive.file(&metadata_name, metadata_zip.get_ref())?;
        for vib in vibs {
            archive.vib(vib, &mut open)?;
        }
        let entries = archive.finish()?;
        let (size, sha256) = sum(&mut out, start).map_err(Error::writing("bundle"))?;
        Ok(Self {
            file_name: format!("{}-offline-bundle.zip", first.facts.stem()),
            entries,
            metadata,
            size,
            sha256,
        })
    }

    /// `NAME-VERSION-offline-bundle.zip`.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Size of the bundle in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the bundle, in lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Entries of the bundle: two index files, the metadata zip and the VIBs.
    pub fn entries(&self) -> &Listing {
        &self.entries
    }

    /// Entries of the metadata zip inside the bundle.
    pub fn metadata(&self) -> &Listing {
        &self.metadata
    }
}

/// The VIB that names the bundle, if all of them can share one.
fn check(vibs: &[Vib]) -> Result<&Vib, Error> {
    let Some(first) = vibs.first() else {
        let remedy = "give it at least one";
        let finding = Finding::new(ONE_DEPOT, "bundle", "holds no VIB", remedy);
        return Err(Error::Refused(Findings::new(vec![finding])));
    };
    let findings = strangers(first, vibs);
    if findings.is_empty() {
        Ok(first)
    } else {
        Err(Error::Refused(Findings::new(findings)))
    }
}

fn strangers(first: &Vib, vibs: &[Vib]) -> Vec<Finding> {
    let (vendor, code) = vendor(first);
    let mut findings = Vec::new();
    let mut ids = BTreeSet::new();
    let mut components = BTreeSet::new();
    for vib in vibs {
        let place = format!("VIB {}", vib.id());
        let mut found = |problem: String, remedy: &str| {
            findings.push(Finding::new(ONE_DEPOT, &place, problem, remedy));
        };
        if self::vendor(vib) != (vendor, code) {
            let problem = format!(
                "is not of the vendor {vendor:?} with the code {code:?}, as the first VIB is"
            );
            found(problem, "make a bundle for each vendor");
        }
        let component = bulletin::id(vib);
        if !ids.insert(vib.id()) {
            found("is in the bundle twice".to_owned(), "give it once");
        } else if !components.insert(component.clone()) {
            let problem = format!("is the component {component}, as another VIB is");
            found(problem, "give each its own component.name");
        }
    }
    findings
}

/// Name and code of the vendor.
fn vendor(vib: &Vib) -> (&str, &str) {
    let manifest = &vib.facts.manifest;
    (&manifest.vendor, &manifest.vendor_code)
}

/// Releases that any of the VIBs names, in the order of their first mention.
fn platforms(vibs: &[Vib]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let all = vibs
        .iter()
        .flat_map(|vib| &vib.facts.manifest.platforms)
        .map(String::as_str);
    all.filter(|platform| seen.insert(*platform)).collect()
}

/// Length and SHA-256 of what was written from `start` on.
fn sum(out: &mut (impl Read + Seek), start: u64) -> io::Result<(u64, String)> {
    out.seek(io::SeekFrom::Start(start))?;
    let mut hashed = Digesting::<_, Sha256>::new(io::sink());
    io::copy(out, &mut hashed)?;
    let (_, sum) = hashed.finish();
    Ok((sum.length, sum.hex))
}
