//! An offline bundle, followed from its index to its VIBs (FORMAT.md B1 to B8).

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek};

use serde::Serialize;

use super::ar::Reader;
use super::depot::{Bulletin, Metadata, Record, Vendor};
use super::descriptor::{Descriptor, checksums};
use super::limits::Meter;
use super::stream::Hashed;
use super::vib::{self, Vib};
use super::xml::Node;
use super::zip::{Zip, ZipEntry};
use super::{Ignore, ReadError, xml};

/// What the metadata adds to a descriptor, and what a host's database does (FORMAT.md B5).
const NOT_COMPARED: [&str; 4] = ["relative-path", "packed-size", "checksum", "installdate"];

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
    pub packed_size: Option<u64>,
    /// SHA-256 of the VIB, as declared.
    pub sha256: Option<String>,
    /// Size of the file in bytes; absent if there is none.
    pub actual_size: Option<u64>,
    /// SHA-256 of the file; absent if there is none.
    pub actual_sha256: Option<String>,
    /// The VIB itself; absent if the bundle does not have it.
    pub vib: Option<Vib>,
    /// Id of the VIB, by the metadata.
    pub id: String,
    /// Elements in which the metadata and the VIB's own descriptor differ.
    pub differences: Vec<String>,
}

/// Reads a bundle from its index on.
pub(super) fn read<R: Read + Seek>(
    mut zip: Zip<'_, R>,
    meter: &Meter,
) -> Result<Bundle, ReadError> {
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
    };
    let mut seen = BTreeSet::new();
    for mut vendor in Vendor::read(&document(&mut zip, INDEX, "vendorList", meter)?) {
        let folder = vendor.relative_path.as_deref().unwrap_or_default();
        let index = vendor.index_file.as_deref().unwrap_or("vendor-index.xml");
        let listed = document(&mut zip, &join(folder, index), "metaList", meter)?;
        let listed = Metadata::read(&listed);
        for url in listed.iter().filter_map(|metadata| metadata.url.as_deref()) {
            let path = join(folder, url);
            if seen.insert(path.clone()) {
                let bytes = zip.whole(&path, meter.limits.inner_zip_bytes)?;
                read_metadata(&bytes, &listed, &mut zip, &mut bundle, meter)
                    .map_err(ReadError::within(format!("by way of {path}")))?;
                bundle.metadata.push(path);
            }
        }
        vendor.metadata = listed;
        bundle.vendors.push(vendor);
    }
    let known: BTreeSet<_> = bundle
        .vibs
        .iter()
        .filter_map(|vib| vib.relative_path.clone())
        .collect();
    let files = bundle.entries.iter().map(|entry| &entry.path);
    bundle.undescribed = files
        .filter(|path| is_vib(path) && !known.contains(*path))
        .cloned()
        .collect();
    Ok(bundle)
}

fn document<R: Read + Seek>(
    zip: &mut Zip<'_, R>,
    path: &str,
    root: &str,
    meter: &Meter,
) -> Result<Node, ReadError> {
    let bytes = zip.whole(path, meter.limits.xml_bytes)?;
    let document = xml::parse(&bytes, root, meter).map_err(ReadError::within(path))?;
    Ok(document.root)
}

/// Takes the metadata zip apart. Hosts go by the folder of a file, not by its name (FORMAT.md B4).
fn read_metadata<R: Read + Seek>(
    bytes: &[u8],
    listed: &[Metadata],
    depot: &mut Zip<'_, R>,
    bundle: &mut Bundle,
    meter: &Meter,
) -> Result<(), ReadError> {
    let mut zip = Zip::new(Cursor::new(bytes), meter)?;
    for entry in zip.entries().to_vec() {
        let path = entry.path.as_str();
        match path.split_once('/') {
            None if path == "vmware.xml" => {
                let root = document(&mut zip, path, "metadataResponse", meter)?;
                for bulletin in root
                    .children
                    .iter()
                    .filter(|child| child.name == "bulletin")
                {
                    bundle.repeated_bulletins.push(Bulletin::read(bulletin));
                    bundle.records.extend(Record::read(bulletin));
                }
            }
            None if path == "vendor-index.xml" => {
                let copy = Metadata::read(&document(&mut zip, path, "metaList", meter)?);
                bundle.index_copies_agree &= copy == listed;
            }
            Some(("vibs", name)) if !name.is_empty() => {
                bundle.vibs.push(described(&mut zip, path, depot, meter)?);
            }
            Some(("bulletins", name)) if !name.is_empty() => {
                let root = document(&mut zip, path, "bulletin", meter)?;
                bundle.bulletins.push(Bulletin::read(&root));
            }
            Some(("profiles", name)) if !name.is_empty() => {
                let root = document(&mut zip, path, "imageprofile", meter)?;
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
fn described<M: Read + Seek, R: Read + Seek>(
    metadata: &mut Zip<'_, M>,
    path: &str,
    depot: &mut Zip<'_, R>,
    meter: &Meter,
) -> Result<DepotVib, ReadError> {
    let bytes = metadata.whole(path, meter.limits.xml_bytes)?;
    let document = xml::parse(&bytes, "vib", meter).map_err(ReadError::within(path))?;
    drop(bytes);
    let root = &document.root;
    let mut described = DepotVib {
        record: path.to_owned(),
        relative_path: root.string("relative-path"),
        packed_size: root
            .text_of("packed-size")
            .and_then(|size| size.parse().ok()),
        sha256: checksums(root)
            .into_iter()
            .find(|(kind, ..)| kind == "sha-256")
            .map(|(.., value)| value),
        actual_size: None,
        actual_sha256: None,
        vib: None,
        id: Descriptor::new(&document).id,
        differences: Vec::new(),
    };
    let path = described.relative_path.as_deref().unwrap_or_default();
    if let Some(entry) = depot.find(path).cloned() {
        let mut file = Hashed::new(depot.open(&entry)?);
        let (vib, own) =
            read_vib(&mut file, meter).map_err(ReadError::within(entry.path.clone()))?;
        let sums = file
            .finish()
            .map_err(ReadError::reading(entry.path, entry.offset))?;
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
        other => Err(archive.unexpected(other, vib::DESCRIPTOR)),
    }
}

/// Names of the elements that are not the same in both.
fn differences(described: &Node, own: &Node) -> Vec<String> {
    let named = |root: &Node| {
        let names = root.children.iter().map(|child| child.name.clone());
        names
            .filter(|name| !NOT_COMPARED.contains(&name.as_str()))
            .collect::<BTreeSet<_>>()
    };
    let differs = |name: &String| match (described.child(name), own.child(name)) {
        (Some(one), Some(two)) => !one.means(two),
        _ => true,
    };
    let all = &named(described) | &named(own);
    all.into_iter().filter(differs).collect()
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
