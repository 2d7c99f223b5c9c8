//! How much of a file this reader takes on (FORMAT.md R6).

use std::cell::Cell;

use super::ReadError;
use crate::sign::{Fault, SignatureCheck};
#[cfg(feature = "signatures")]
use crate::sign::{Trust, check};

/// Bounds on what a file may hold. Everything that is kept in memory has one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of an XML file.
    pub xml_bytes: u64,
    /// Nesting of XML elements.
    pub xml_depth: usize,
    /// Elements and attributes of an XML file.
    pub xml_elements: usize,
    /// Bytes of all XML files in the file together.
    pub xml_bytes_total: u64,
    /// Elements and attributes of all XML files in the file together.
    pub xml_elements_total: u64,
    /// Bytes of a signature.
    pub signature_bytes: u64,
    /// Signatures that are checked; more are shown, not checked.
    pub signatures: u64,
    /// Members of a VIB.
    pub members: usize,
    /// Entries of all archives in the file together.
    pub entries: u64,
    /// Bytes of all names in the file together.
    pub name_bytes: u64,
    /// Bytes of the record before a tar header that holds one long name, in GNU's or pax's form.
    pub long_name_bytes: u64,
    /// Bytes of the table of all long names of an ar archive.
    pub long_names_bytes: u64,
    /// Bytes that all compressed parts of the file may unpack to, together.
    pub unpacked_bytes: u64,
    /// Bytes of a compressed zip inside a zip, which is unpacked in memory. One that is stored as it
    /// is has no such limit.
    pub inner_zip_bytes: u64,
    /// Bytes of a program whose ELF tables are read; bigger ones are left alone.
    pub elf_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            xml_bytes: 4 << 20,
            xml_depth: 32,
            xml_elements: 60_000,
            xml_bytes_total: 20 << 20,
            xml_elements_total: 320_000,
            signature_bytes: 1 << 20,
            signatures: 256,
            members: 1024,
            entries: 80_000,
            name_bytes: 8 << 20,
            long_name_bytes: 4096,
            long_names_bytes: 64 << 10,
            unpacked_bytes: 16 << 30,
            inner_zip_bytes: 24 << 20,
            elf_bytes: 16 << 20,
        }
    }
}

/// Counts against the limits that hold for the file as a whole.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    #[cfg(feature = "signatures")]
    trust: Option<Trust>,
    signatures: Cell<u64>,
    entries: Cell<u64>,
    name_bytes: Cell<u64>,
    unpacked_bytes: Cell<u64>,
    xml_bytes: Cell<u64>,
    xml_elements: Cell<u64>,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            #[cfg(feature = "signatures")]
            trust: None,
            signatures: Cell::new(0),
            entries: Cell::new(0),
            name_bytes: Cell::new(0),
            unpacked_bytes: Cell::new(0),
            xml_bytes: Cell::new(0),
            xml_elements: Cell::new(0),
        }
    }

    /// As [`Meter::new`], with CAs to look for signers at.
    #[cfg(feature = "signatures")]
    pub(crate) fn trusting(limits: Limits, trust: Trust) -> Self {
        Self {
            trust: Some(trust),
            ..Self::new(limits)
        }
    }

    /// One more signature; `None` for an empty one.
    pub(crate) fn signature(&self, descriptor: &[u8], text: &[u8]) -> Option<SignatureCheck> {
        if text.is_empty() {
            return None;
        }
        let limit = self.limits.signatures;
        self.signatures.set(self.signatures.get().saturating_add(1));
        if self.signatures.get() > limit {
            return Some(SignatureCheck::refused(Fault::TooMany(limit)));
        }
        Some(self.check(descriptor, text))
    }

    #[cfg(feature = "signatures")]
    fn check(&self, descriptor: &[u8], text: &[u8]) -> SignatureCheck {
        check(descriptor, text, self.trust.as_ref())
    }

    #[cfg(not(feature = "signatures"))]
    #[expect(
        clippy::unused_self,
        reason = "the same call with the feature and without"
    )]
    fn check(&self, _descriptor: &[u8], _text: &[u8]) -> SignatureCheck {
        SignatureCheck::refused(Fault::Unchecked)
    }

    /// Whether signers are looked for at CAs.
    #[cfg(feature = "signatures")]
    pub(crate) fn trusts(&self) -> bool {
        self.trust.is_some()
    }

    /// Signers cannot be looked for.
    #[cfg(not(feature = "signatures"))]
    #[expect(
        clippy::unused_self,
        reason = "the same call with the feature and without"
    )]
    pub(crate) fn trusts(&self) -> bool {
        false
    }

    /// One more entry, with a name of so many bytes.
    pub(crate) fn entry(&self, name_bytes: usize, offset: u64) -> Result<(), ReadError> {
        let (entries, names) = (self.limits.entries, self.limits.name_bytes);
        count(&self.entries, 1, entries, "entries", offset)?;
        count(
            &self.name_bytes,
            name_bytes as u64,
            names,
            "bytes of names",
            offset,
        )
    }

    /// So many more bytes of names.
    pub(crate) fn names(&self, bytes: usize, offset: u64) -> Result<(), ReadError> {
        let limit = self.limits.name_bytes;
        count(
            &self.name_bytes,
            bytes as u64,
            limit,
            "bytes of names",
            offset,
        )
    }

    /// So much more XML.
    pub(crate) fn xml(&self, bytes: usize, elements: u64) -> Result<(), ReadError> {
        let (most_bytes, most) = (self.limits.xml_bytes_total, self.limits.xml_elements_total);
        count(&self.xml_bytes, bytes as u64, most_bytes, "bytes of XML", 0)?;
        count(&self.xml_elements, elements, most, "elements of XML", 0)
    }

    /// So many more bytes came out of a decompressor.
    pub(crate) fn unpacked(&self, bytes: usize, offset: u64) -> Result<(), ReadError> {
        let limit = self.limits.unpacked_bytes;
        count(&self.unpacked_bytes, bytes as u64, limit, "bytes", offset)
    }
}

fn count(
    counter: &Cell<u64>,
    more: u64,
    limit: u64,
    unit: &'static str,
    offset: u64,
) -> Result<(), ReadError> {
    counter.set(counter.get().saturating_add(more));
    if counter.get() <= limit {
        return Ok(());
    }
    Err(ReadError::TooLarge {
        part: "unpacked contents".to_owned(),
        offset,
        limit,
        unit,
    })
}
