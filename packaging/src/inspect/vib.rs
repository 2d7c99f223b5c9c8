//! A VIB of 5.0 and later: descriptor, signature, payloads, in one forward pass (FORMAT.md A4, A5).

use std::collections::BTreeMap;
use std::io::Read;

use serde::Serialize;

use super::ar::{Member, Reader};
use super::descriptor::Descriptor;
use super::limits::Meter;
use super::payload::Payload;
use super::stream::whole;
use super::supply_chain::SupplyChain;
use super::xml::Node;
use super::{Expected, Observer, ReadError, XmlKind, xml};
use crate::sign::SignatureCheck;

pub(crate) const DESCRIPTOR: &str = "descriptor.xml";
pub(crate) const SIGNATURE: &str = "sig.pkcs7";

/// A VIB of 5.0 and later.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Vib {
    /// What it says about itself.
    pub descriptor: Descriptor,
    /// What its signature member holds.
    pub signature: Signature,
    /// Who signed, and what is wrong with the signature; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_check: Option<SignatureCheck>,
    /// Whether signers are looked for at CAs: then a signature is wanted.
    #[serde(skip)]
    pub(crate) wants_signature: bool,
    /// The payloads, in the order of the descriptor.
    pub payloads: Vec<Payload>,
    /// Bills of materials and licence texts in them.
    pub supply_chain: SupplyChain,
    /// All members, in the order of the archive.
    pub members: Vec<Member>,
}

/// What the signature member looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Signature {
    /// Nothing: unsigned.
    Empty,
    /// `-----BEGIN PKCS7-----`, as hosts read it.
    Pem,
    /// Something else, which no host reads.
    NotPem,
}

/// Reads on behind the header of the first member. The elements of the descriptor come along, for
/// comparison.
pub(super) fn read<R: Read>(
    archive: &mut Reader<'_, R>,
    first: Member,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<(Vib, Node), ReadError> {
    let text = whole(archive, meter.limits.xml_bytes, DESCRIPTOR, first.offset)?;
    let document =
        xml::parse(&text, XmlKind::Descriptor, meter).map_err(ReadError::within(DESCRIPTOR))?;
    observer.member(DESCRIPTOR, &mut text.as_slice())?;
    let descriptor_text = text;
    let descriptor = Descriptor::new(&document);
    let mut members = vec![first];

    let second = match archive.next_member()? {
        Some(second) if second.name == SIGNATURE => second,
        other => return Err(archive.unexpected(other, Expected::Signature)),
    };
    let text = whole(
        archive,
        meter.limits.signature_bytes,
        SIGNATURE,
        second.offset,
    )?;
    observer.member(SIGNATURE, &mut text.as_slice())?;
    let signature = match text.as_slice() {
        b"" => Signature::Empty,
        text if text.starts_with(b"-----BEGIN PKCS7-----") => Signature::Pem,
        _ => Signature::NotPem,
    };
    let signature_check = meter.signature(&descriptor_text, &text);
    drop((descriptor_text, text));
    members.push(second);

    let mut found = BTreeMap::new();
    while let Some(member) = archive.next_member()? {
        let declared = descriptor
            .payloads
            .iter()
            .find(|payload| payload.name == member.name);
        match declared {
            Some(declared) => {
                let payload = Payload::read(declared, archive, meter, observer)?;
                found.insert(member.name.clone(), payload);
            }
            None => observer.undeclared(&member.name),
        }
        members.push(member);
    }
    let payloads: Vec<_> = descriptor
        .payloads
        .iter()
        .map(|declared| {
            found
                .remove(&declared.name)
                .unwrap_or_else(|| Payload::absent(declared))
        })
        .collect();
    let vib = Vib {
        supply_chain: SupplyChain::of(&payloads, meter)?,
        payloads,
        descriptor,
        signature,
        signature_check,
        wants_signature: meter.trusts(),
        members,
    };
    Ok((vib, document.root))
}
