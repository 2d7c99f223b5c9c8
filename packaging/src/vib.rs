//! The VIB: descriptor, signature and payload in one ar archive.

use crate::listing::{Item, Listing};
use crate::package::Facts;
use crate::payload::Payload;
use crate::xml::Element;
use crate::{Error, Package, Version, ar, descriptor, digest};

/// A finished VIB.
#[derive(Debug)]
pub struct Vib {
    pub(crate) facts: Facts,
    pub(crate) descriptor: Element,
    descriptor_text: String,
    members: Listing,
    files: Listing,
    bytes: Vec<u8>,
    sha256: String,
}

impl Vib {
    /// Writes the package as a VIB.
    ///
    /// # Errors
    /// [`Error::FieldOverflow`] if a part is too big for its archive. Everything else was checked
    /// by [`Package::new`].
    pub fn build(package: &Package) -> Result<Self, Error> {
        let Payload {
            bytes: payload,
            sums,
        } = Payload::build(package)?;
        let descriptor = descriptor::descriptor(package, &sums);
        let descriptor_text = descriptor.to_line()?;

        // Hosts read forward and want these two first; the signature of a community VIB is empty,
        // not absent (FORMAT.md A4, A5).
        let members: [(&str, &[u8]); 3] = [
            ("descriptor.xml", descriptor_text.as_bytes()),
            ("sig.pkcs7", b""),
            (&package.facts.manifest.payload, &payload),
        ];
        let mut archive = ar::Writer::new(Vec::new())?;
        for (name, data) in members {
            archive.member(name, data)?;
        }
        let members = Listing::new(members.map(|(name, data)| item(name, None, data.len() as u64)));
        let bytes = archive.finish();

        Ok(Self {
            sha256: digest::sha256(&bytes),
            files: Listing::new(
                package
                    .entries
                    .iter()
                    .map(|entry| item(&entry.path, Some(entry.mode), entry.size())),
            ),
            facts: package.facts.clone(),
            descriptor,
            descriptor_text,
            members,
            bytes,
        })
    }

    /// `VENDOR_bootbank_NAME_VERSION`, by which hosts know the package (FORMAT.md I1).
    pub fn id(&self) -> String {
        self.facts.id()
    }

    /// `NAME-VERSION.vib`.
    pub fn file_name(&self) -> String {
        format!("{}.vib", self.facts.stem())
    }

    /// Version of the package, as the host sees it.
    pub fn version(&self) -> &Version {
        &self.facts.version
    }

    /// The VIB itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of [`Vib::bytes`], in lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The exact text of `descriptor.xml`.
    pub fn descriptor(&self) -> &str {
        &self.descriptor_text
    }

    /// Members of the VIB: descriptor, signature, payload.
    pub fn members(&self) -> &Listing {
        &self.members
    }

    /// Files and directories of the payload.
    pub fn files(&self) -> &Listing {
        &self.files
    }

    /// Where a bundle keeps this VIB (FORMAT.md B1).
    pub(crate) fn path_in_depot(&self) -> String {
        format!("vib20/{}/{}.vib", self.facts.manifest.name, self.id())
    }
}

fn item(path: &str, mode: Option<u32>, size: u64) -> Item {
    Item {
        path: path.to_owned(),
        mode,
        size,
    }
}
