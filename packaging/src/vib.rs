//! The VIB: descriptor, signature and payloads in one ar archive.

use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use crate::digest::{Digesting, Sha256};
use crate::listing::{Item, Listing};
use crate::package::Facts;
#[cfg(feature = "signatures")]
use crate::sign::{SignError, Signer};
use crate::source::Sources;
use crate::xml::Element;
use crate::{Error, Package, Version, ar, descriptor};

/// What was written as a VIB. The bytes are where the caller wanted them.
#[derive(Debug, Clone)]
pub struct Vib {
    pub(crate) facts: Facts,
    pub(crate) descriptor: Element,
    descriptor_text: String,
    members: Listing,
    files: Listing,
    size: u64,
    sha256: String,
}

impl Vib {
    /// Writes the package as a VIB to `out`.
    ///
    /// The descriptor stands in front and holds the checksums of what follows, so that the payloads
    /// are written to `spool` first, from its current position on, and then copied. Memory does not
    /// grow with their size.
    ///
    /// # Errors
    /// [`Error::Source`] if a source is no longer as it was when the package was checked,
    /// [`Error::FieldOverflow`] if a part is too big for its archive, [`Error::Write`] if `spool`
    /// or `out` fails. What was written until then is of no use.
    pub fn write(
        package: &Package,
        sources: &dyn Sources,
        spool: impl Read + Write + Seek,
        out: impl Write,
    ) -> Result<Self, Error> {
        Self::write_with(package, sources, spool, out, |_| Ok(Vec::new()))
    }

    /// As [`Vib::write`], with a signature.
    ///
    /// # Errors
    /// As [`Vib::write`]; also if the signer cannot sign.
    #[cfg(feature = "signatures")]
    pub fn write_signed(
        package: &Package,
        sources: &dyn Sources,
        spool: impl Read + Write + Seek,
        out: impl Write,
        signer: &Signer,
    ) -> Result<Self, SignError> {
        Self::write_with(package, sources, spool, out, |descriptor| {
            signer.sign(descriptor).map(String::into_bytes)
        })
    }

    fn write_with<E: From<Error>>(
        package: &Package,
        sources: &dyn Sources,
        mut spool: impl Read + Write + Seek,
        out: impl Write,
        signature: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let spooling = Error::writing("spool");
        let start = spool.stream_position().map_err(&spooling)?;
        let mut sums = Vec::new();
        for payload in &package.payloads {
            sums.push(payload.write(sources, package.facts.epoch, &mut spool)?);
        }
        spool.seek(SeekFrom::Start(start)).map_err(&spooling)?;

        let descriptor = descriptor::descriptor(package, &sums);
        let descriptor_text = descriptor.to_line()?;
        let hashed = Digesting::<_, Sha256>::new(out);
        let mut archive = ar::Writer::new(BufWriter::new(hashed))?;
        let mut members = Vec::new();
        let mut member = |name: &str, size: u64, data: &mut dyn Read| {
            members.push(item(name, None, size));
            archive.member(name, size, data)
        };
        // Hosts read forward and want these two first; the signature of an unsigned VIB is empty,
        // not absent (FORMAT.md A4, A5).
        let text = descriptor_text.as_bytes();
        member("descriptor.xml", text.len() as u64, &mut &*text)?;
        let signature = signature(text)?;
        member(
            "sig.pkcs7",
            signature.len() as u64,
            &mut signature.as_slice(),
        )?;
        for (payload, sums) in package.payloads.iter().zip(&sums) {
            let size = sums.packed_sha256.length;
            member(
                &payload.name,
                size,
                &mut Read::by_ref(&mut spool).take(size),
            )?;
        }
        let hashed = archive.finish().into_inner();
        let (mut out, sum) = hashed
            .map_err(|error| Error::writing("ar")(error.into_error()))?
            .finish();
        out.flush().map_err(Error::writing("ar"))?;

        let entries = package.payloads.iter().flat_map(|payload| &payload.entries);
        Ok(Self {
            facts: package.facts.clone(),
            descriptor,
            descriptor_text,
            members: Listing::new(members),
            files: Listing::new(
                entries.map(|entry| item(&entry.path, Some(entry.mode), entry.size())),
            ),
            size: sum.length,
            sha256: sum.hex,
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

    /// Size of the VIB in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the VIB, in lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The exact text of `descriptor.xml`.
    pub fn descriptor(&self) -> &str {
        &self.descriptor_text
    }

    /// Members of the VIB: descriptor, signature, payloads.
    pub fn members(&self) -> &Listing {
        &self.members
    }

    /// Files and directories, payload by payload.
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
