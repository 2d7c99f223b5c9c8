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

use crate::error::Findings;
use crate::listing::{Item, Listing};
use crate::rules::{Finding, ONE_DEPOT};
use crate::{Error, Vib, digest};

/// Name of the index file of a vendor, in the bundle and again in its metadata.
const VENDOR_INDEX: &str = "vendor-index.xml";
/// Product line of hosts with the VMkernel.
const PRODUCT_LINE: &str = "embeddedEsx";

/// A finished offline bundle.
#[derive(Debug)]
pub struct Bundle {
    file_name: String,
    entries: Listing,
    metadata: Listing,
    bytes: Vec<u8>,
    sha256: String,
}

impl Bundle {
    /// Writes a bundle with these VIBs, each as a component of its own. The first one names the
    /// bundle.
    ///
    /// # Errors
    /// [`Error::Refused`] for no VIB at all, a VIB or component twice, or VIBs of different vendors
    /// (FORMAT.md B9).
    pub fn build(vibs: &[Vib]) -> Result<Self, Error> {
        let [first, ..] = vibs else {
            return refuse(vec![Finding::new(
                ONE_DEPOT,
                "bundle",
                "holds no VIB",
                "give it at least one",
            )]);
        };
        let findings = check(first, vibs);
        if !findings.is_empty() {
            return refuse(findings);
        }
        let epoch = vibs
            .iter()
            .map(|vib| vib.facts.epoch)
            .fold(first.facts.epoch, Ord::max);
        let metadata_name = format!("{}-metadata.zip", first.facts.stem());
        let vendor_index =
            vendor_index::vendor_index(&platforms(vibs), &metadata_name).to_lines()?;
        let metadata = metadata::entries(vibs, epoch, &vendor_index)?;

        let mut entries = vec![
            (
                "index.xml".to_owned(),
                index::index(&first.facts.manifest).to_lines()?.into_bytes(),
            ),
            (VENDOR_INDEX.to_owned(), vendor_index.into_bytes()),
            (metadata_name, zip::archive(&metadata, epoch)?),
        ];
        entries.extend(
            vibs.iter()
                .map(|vib| (vib.path_in_depot(), vib.bytes().to_vec())),
        );
        let bytes = zip::archive(&entries, epoch)?;

        Ok(Self {
            file_name: format!("{}-offline-bundle.zip", first.facts.stem()),
            entries: listing(&entries),
            metadata: listing(&metadata),
            sha256: digest::sha256(&bytes),
            bytes,
        })
    }

    /// `NAME-VERSION-offline-bundle.zip`.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The bundle itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of [`Bundle::bytes`], in lower-case hexadecimal digits.
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

fn refuse(findings: Vec<Finding>) -> Result<Bundle, Error> {
    Err(Error::Refused(Findings::new(findings)))
}

fn check(first: &Vib, vibs: &[Vib]) -> Vec<Finding> {
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

fn listing(entries: &[(String, Vec<u8>)]) -> Listing {
    Listing::new(entries.iter().map(|(path, data)| Item {
        path: path.clone(),
        mode: None,
        size: data.len() as u64,
    }))
}
