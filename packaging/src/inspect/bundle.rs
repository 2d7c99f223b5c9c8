//! An offline bundle, followed from its index to its VIBs (FORMAT.md B1 to B8).

use std::collections::BTreeSet;
use std::io::Read;

use serde::Serialize;

use super::ar::Reader;
use super::compared::differences;
use super::depot::{Bulletin, Metadata, Record, Vendor};
use super::descriptor::{DeclaredChecksum, DeclaredSize, Descriptor};
use super::limits::Meter;
use super::spelling::Misspelt;
use super::stream::Hashed;
use super::vib::{self, Vib};
use super::xml::{BeyondAscii, Node};
use super::zip::{Zip, ZipEntry};
use super::{Expected, Ignore, ReadError, XmlKind, is_leftover, xml};
use crate::rules::Releases;

pub(super) const INDEX: &str = "index.xml";

/// An offline bundle.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Bundle {
    /// Vendors of `index.xml`, with the releases that they offer something for.
    pub vendors: Vec<Vendor>,
    /// Names of the metadata zips that were read.
    pub metadata: Vec<String>,
    /// Bulletins, in the order of their files.
    pub bulletins: Vec<Bulletin>,
    /// What `vmware.xml` says about VIBs, by bulletin.
    pub records: Vec<Record>,
    /// Bulletins of `vmware.xml`.
    pub repeated_bulletins: Vec<Bulletin>,
    /// Whether the copies of the vendor's index are the same inside and outside the metadata.
    pub index_copies_agree: bool,
    /// VIBs that the metadata describes.
    pub vibs: Vec<DepotVib>,
    /// VIBs that the metadata does not describe.
    pub undescribed: Vec<String>,
    /// Names of image profiles.
    pub profiles: Vec<String>,
    /// All entries of the bundle.
    pub entries: Vec<ZipEntry>,
    /// Bytes behind the end of the zip, which belong to nothing.
    pub behind: u64,
}

/// A VIB that the metadata describes, and its file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DepotVib {
    /// File of the metadata that describes it.
    pub record: String,
    /// Path of the VIB, relative to the bundle.
    pub relative_path: Option<String>,
    /// Size of the VIB in bytes, as declared.
    pub packed_size: Option<DeclaredSize>,
    /// SHA-256 of the VIB, as declared.
    pub sha256: Option<String>,
    /// All checksums of the VIB, as declared.
    pub checksums: Vec<DeclaredChecksum>,
    /// Size of the file in bytes; absent if there is none.
    pub actual_size: Option<u64>,
    /// SHA-256 of the file; absent if there is none.
    pub actual_sha256: Option<String>,
    /// The VIB itself; absent if the bundle does not have it.
    pub vib: Option<Vib>,
    /// Id of the VIB, by the metadata.
    pub id: String,
    /// What stands in the record beyond ASCII (FORMAT.md D11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond_ascii: Option<BeyondAscii>,
    /// Releases that the index offers its metadata for; absent if it does not say.
    #[serde(skip)]
    pub(crate) offered: Option<Releases>,
    /// Elements of the record that hosts ignore, because they know them by another spelling.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub misspelt: Vec<Misspelt>,
    /// Elements in which the metadata and the VIB's own descriptor differ; `softwarePlatform`, which
    /// is a part of `system-requires`, counts by itself.
    pub differences: Vec<String>,
}

/// Reads a bundle from its index on.
pub(super) fn read(zip: &Zip<'_, '_>, meter: &Meter) -> Result<Bundle, ReadError> {
    let mut bundle = Bundle {
        vendors: Vec::new(),
        metadata: Vec::new(),
        bulletins: Vec::new(),
        records: Vec::new(),
        repeated_bulletins: Vec::new(),
        index_copies_agree: true,
        vibs: Vec::new(),
        undescribed: Vec::new(),
        profiles: Vec::new(),
        entries: zip.entries().to_vec(),
        behind: zip.behind(),
    };
    let mut seen = BTreeSet::new();
    for mut vendor in Vendor::read(&document(zip, INDEX, XmlKind::Index, meter)?) {
        let folder = vendor.relative_path.as_deref().unwrap_or_default();
        let index = vendor.index_file.as_deref().unwrap_or("vendor-index.xml");
        let listed = document(zip, &join(folder, index), XmlKind::VendorIndex, meter)?;
        let listed = Metadata::read(&listed);
        for url in listed.iter().filter_map(|metadata| metadata.url.as_deref()) {
            let entry = zip.get(&join(folder, url))?;
            if seen.insert(entry.offset) {
                let (path, known) = (entry.path.clone(), bundle.vibs.len());
                let metadata = zip.inner(entry).and_then(|inner| Zip::new(inner, meter));
                metadata
                    .and_then(|metadata| read_metadata(&metadata, &listed, zip, &mut bundle, meter))
                    .map_err(ReadError::within(format!("by way of {path}")))?;
                let leads_there = |one: &&Metadata| one.url.as_deref() == Some(url);
                let versions = listed.iter().filter(leads_there);
                let offered = Releases::named(versions.filter_map(|one| one.version.as_deref()));
                for vib in bundle.vibs.iter_mut().skip(known) {
                    vib.offered = offered;
                }
                bundle.metadata.push(path);
            }
        }
        vendor.metadata = listed;
        bundle.vendors.push(vendor);
    }
    let known: BTreeSet<_> = bundle
        .vibs
        .iter()
        .filter_map(|vib| Some(zip.find(vib.relative_path.as_deref()?)?.path.clone()))
        .collect();
    let files = bundle.entries.iter().map(|entry| &entry.path);
    bundle.undescribed = files
        .filter(|path| is_vib(path) && !is_leftover(path) && !known.contains(*path))
        .cloned()
        .collect();
    Ok(bundle)
}

fn document(
    zip: &Zip<'_, '_>,
    path: &str,
    kind: XmlKind,
    meter: &Meter,
) -> Result<Node, ReadError> {
    let bytes = zip.whole(path, meter.limits.xml_bytes)?;
    let document = xml::parse(&bytes, kind, meter).map_err(ReadError::within(path))?;
    Ok(document.root)
}

/// Takes the metadata zip apart. Hosts go by the folder of a file, not by its name (FORMAT.md B4).
fn read_metadata(
    zip: &Zip<'_, '_>,
    listed: &[Metadata],
    depot: &Zip<'_, '_>,
    bundle: &mut Bundle,
    meter: &Meter,
) -> Result<(), ReadError> {
    for entry in zip.entries() {
        let path = entry.path.as_str();
        match path.split_once('/') {
            None if path == "vmware.xml" => {
                let root = document(zip, path, XmlKind::Response, meter)?;
                for bulletin in root.named("bulletin") {
                    bundle.repeated_bulletins.push(Bulletin::read(bulletin));
                    bundle.records.extend(Record::read(bulletin));
                }
            }
            None if path == "vendor-index.xml" => {
                let copy = Metadata::read(&document(zip, path, XmlKind::VendorIndex, meter)?);
                bundle.index_copies_agree &= copy == listed;
            }
            Some(("vibs", name)) if !name.is_empty() => {
                bundle.vibs.push(described(zip, path, depot, meter)?);
            }
            Some(("bulletins", name)) if !name.is_empty() => {
                let root = document(zip, path, XmlKind::Bulletin, meter)?;
                bundle.bulletins.push(Bulletin::read(&root));
            }
            Some(("profiles", name)) if !name.is_empty() => {
                let root = document(zip, path, XmlKind::Profile, meter)?;
                bundle
                    .profiles
                    .push(root.string("name").unwrap_or_default());
            }
            _ => {}
        }
    }
    Ok(())
}

/// A VIB of the metadata with its file. Only one pair of descriptors is in memory at a time.
fn described(
    metadata: &Zip<'_, '_>,
    path: &str,
    depot: &Zip<'_, '_>,
    meter: &Meter,
) -> Result<DepotVib, ReadError> {
    let bytes = metadata.whole(path, meter.limits.xml_bytes)?;
    let document = xml::parse(&bytes, XmlKind::Record, meter).map_err(ReadError::within(path))?;
    drop(bytes);
    let root = &document.root;
    let checksums = DeclaredChecksum::list(root);
    let sha256 = checksums.iter().find(|sum| sum.kind == "sha-256");
    let own = Descriptor::new(&document);
    let mut described = DepotVib {
        record: path.to_owned(),
        relative_path: root.string("relative-path"),
        packed_size: root.text_of("packed-size").map(DeclaredSize::new),
        sha256: sha256.map(|sum| sum.value.clone()),
        checksums,
        actual_size: None,
        actual_sha256: None,
        vib: None,
        id: own.id,
        misspelt: own.misspelt,
        beyond_ascii: document.beyond_ascii.clone(),
        offered: None,
        differences: Vec::new(),
    };
    let path = described.relative_path.as_deref().unwrap_or_default();
    if let Some(entry) = depot.find(path) {
        let mut file = Hashed::new(depot.open(entry)?);
        let (vib, own) =
            read_vib(&mut file, meter).map_err(ReadError::within(entry.path.clone()))?;
        let (sums, _) = file
            .finish()
            .map_err(ReadError::reading(entry.path.clone(), entry.offset))?;
        described.differences = differences(root, &own);
        described.vib = Some(vib);
        described.actual_size = Some(sums.length);
        described.actual_sha256 = Some(sums.sha256);
    }
    Ok(described)
}

fn read_vib(file: &mut dyn Read, meter: &Meter) -> Result<(Vib, Node), ReadError> {
    let mut archive = Reader::new(file, meter)?;
    match archive.next_member()? {
        Some(first) if first.name == vib::DESCRIPTOR => {
            vib::read(&mut archive, first, meter, &mut Ignore)
        }
        other => Err(archive.unexpected(other, Expected::Descriptor)),
    }
}

/// A path in the bundle from a folder and what is relative to it.
fn join(folder: &str, path: &str) -> String {
    match folder.trim_matches('/') {
        "" => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}

pub(super) fn is_vib(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("vib"))
}
