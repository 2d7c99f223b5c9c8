//! A package that shall go onto a medium.

use std::io::{Read, Seek};

use quick_xml::Reader;
use quick_xml::events::Event;

use super::MediaError;
use super::imgdb::NewRecord;
use crate::inspect::{
    Contents, DESCRIPTOR, Documents, Inspection, Limits, Node, Packed, Payload, Vib, packed,
};
use crate::rules::{Finding, MODULE_PAYLOAD, Releases};
use crate::verify::{Severity, verify_on};
use crate::xml::Element;
use crate::{Epoch, digest};

/// What the boot loader checks or takes for its own, by base name.
const RESERVED: [&str; 4] = ["s", "sb", "esxcore", "esxupdt"];
/// Behind this element a database has what the descriptor lacks (FORMAT.md B5).
const LAST_BEFORE_DEPOT_FACTS: &str = "software-tags";
/// Size of the header of an ar member.
const MEMBER_HEADER: u64 = 60;

/// A VIB that was read whole.
#[derive(Debug)]
pub struct Addition {
    pub(super) vib: Vib,
    pub(super) root: Node,
    inspection: Inspection,
    descriptor: Vec<u8>,
    signature: Vec<u8>,
    size: u64,
    sha256: String,
}

impl Addition {
    /// Reads a VIB.
    ///
    /// # Errors
    /// If it is none of 5.0 or later, or damaged.
    pub fn read<R: Read + Seek>(input: R, limits: &Limits) -> Result<Self, MediaError> {
        let Packed {
            inspection,
            descriptor,
            signature,
            size,
            sha256,
        } = packed(input, limits).map_err(MediaError::read("package"))?;
        let Contents::Vib(vib) = &inspection.contents else {
            return Err(MediaError::one(
                MODULE_PAYLOAD,
                "package",
                "is no VIB of 5.0 or later",
                "give a VIB, or an offline bundle that holds some",
            ));
        };
        let documents = Documents::new();
        let (_, root) = documents
            .record(&descriptor)
            .map_err(MediaError::read(DESCRIPTOR))?;
        Ok(Self {
            vib: Vib::clone(vib),
            root,
            inspection,
            descriptor,
            signature,
            size,
            sha256,
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.vib.descriptor.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.vib.descriptor.name
    }

    /// What the hosts of a release, or the media of one, do not take of it.
    pub(super) fn findings(&self, release: Releases) -> Vec<Finding> {
        let errors = verify_on(&self.inspection, release);
        let errors = errors
            .into_iter()
            .filter(|one| one.severity == Severity::Error);
        let mut findings: Vec<_> = errors.map(|one| one.finding).collect();
        let descriptor = &self.vib.descriptor;
        let mut refuse = |place: String, problem: &str, remedy: &str| {
            findings.push(Finding::new(MODULE_PAYLOAD, place, problem, remedy));
        };
        if descriptor.kind != "bootbank" {
            refuse(
                format!("{}: type {:?}", descriptor.id, descriptor.kind),
                "is not installed from a module of its own",
                "use the vendor's Image Builder for it",
            );
        }
        if descriptor.overlay.as_deref() == Some("true") {
            refuse(
                format!("{}: overlay", descriptor.id),
                "lets it replace files of others, which is not looked after here",
                "use the vendor's Image Builder for it",
            );
        }
        for payload in &self.vib.payloads {
            let place = format!("{}: payload {:?}", descriptor.id, payload.name);
            if !matches!(payload.kind.as_str(), "tgz" | "vgz") {
                refuse(
                    place,
                    &format!(
                        "is of type {:?}, which does not come from a module alone",
                        payload.kind
                    ),
                    "use the vendor's Image Builder for it",
                );
            } else if RESERVED.contains(&payload.name.to_ascii_lowercase().as_str()) {
                refuse(
                    place,
                    "has a name by which the boot loader knows another module",
                    "rename the payload and pack the package again",
                );
            } else if payload.stored_sums.is_none() || self.member(payload).is_none() {
                refuse(place, "is not in the package", "pack the package again");
            }
        }
        findings
    }

    /// Where the bytes of a payload lie in the VIB, how many there are, and their SHA-256.
    pub(super) fn member(&self, payload: &Payload) -> Option<(u64, u64, String)> {
        let members = &self.vib.members;
        let member = members.iter().find(|member| member.name == payload.name)?;
        let sums = payload.stored_sums.as_ref()?;
        let sha256 = sums.of("sha-256")?.to_owned();
        Some((member.offset + MEMBER_HEADER, member.size, sha256))
    }

    /// When it was released.
    pub(super) fn released(&self) -> Option<Epoch> {
        let text = self.vib.descriptor.release_date.as_deref()?;
        let instant = crate::rules::value::instant(text)? / 1_000_000_000;
        Epoch::from_unix(i64::try_from(instant).ok()?).ok()
    }

    /// What a database keeps of it. The number in the name follows from the VIB's digest.
    pub(super) fn record(&self) -> Result<NewRecord, MediaError> {
        let number = digest::sha256(self.sha256.as_bytes());
        let number = number
            .get(..8)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let descriptor = &self.vib.descriptor;
        let facts = [
            (
                "relative-path",
                Element::text(
                    "relative-path",
                    format!("vib20/{}/{}.vib", descriptor.name, descriptor.id),
                ),
            ),
            (
                "packed-size",
                Element::text("packed-size", self.size.to_string()),
            ),
            (
                "checksum",
                Element::text("checksum", &self.sha256).attribute("checksum-type", "sha-256"),
            ),
        ];
        let mut text = String::new();
        for (name, element) in facts {
            if self.root.child(name).is_none() {
                text.push_str(&element.to_line()?);
            }
        }
        let mut record = self.descriptor.clone();
        let place = behind(&self.descriptor, LAST_BEFORE_DEPOT_FACTS);
        let place = place.unwrap_or(record.len());
        record.splice(place..place, text.into_bytes());
        Ok(NewRecord {
            file: format!("{}-{:010}.xml", descriptor.name, number.unwrap_or_default()),
            record,
            original: self.descriptor.clone(),
            signature: self.signature.clone(),
        })
    }
}

/// Where a child of the root ends; without such a child, where the root's end begins.
fn behind(xml: &[u8], name: &str) -> Option<usize> {
    let text = std::str::from_utf8(xml).ok()?;
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        let before = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let after = usize::try_from(reader.buffer_position()).ok()?;
        match event {
            Event::Start(_) => depth += 1,
            Event::Empty(start) if depth == 1 && start.name().as_ref() == name => {
                return Some(after);
            }
            Event::End(end) => {
                depth = depth.checked_sub(1)?;
                if depth == 1 && end.name().as_ref() == name {
                    return Some(after);
                }
                if depth == 0 {
                    return Some(before);
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}
