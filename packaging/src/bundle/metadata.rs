//! The metadata zip: descriptors and bulletins, so that a host can plan before it fetches a VIB
//! (FORMAT.md B4, B5).

use super::{VENDOR_INDEX, bulletin, vmware};
use crate::descriptor::LAST_BEFORE_DEPOT_FACTS;
use crate::xml::Element;
use crate::{Epoch, Error, Vib, digest};

pub(super) fn entries(
    vibs: &[Vib],
    epoch: Epoch,
    vendor_index: &str,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut entries = vec![
        (VENDOR_INDEX.to_owned(), vendor_index.as_bytes().to_vec()),
        (
            "vmware.xml".to_owned(),
            vmware::response(vibs, epoch).to_lines()?.into_bytes(),
        ),
    ];
    for vib in vibs {
        entries.push((record_path(vib), record(vib).to_line()?.into_bytes()));
    }
    for vib in vibs {
        entries.push((
            format!("bulletins/{}.xml", bulletin::id(vib)),
            bulletin::bulletin(vib).to_line()?.into_bytes(),
        ));
    }
    Ok(entries)
}

/// The descriptor with where the VIB lies, how big it is and what it hashes to. Hosts compare
/// everything else with the descriptor inside the VIB.
fn record(vib: &Vib) -> Element {
    let facts = [
        Element::text("relative-path", vib.path_in_depot()),
        Element::text("packed-size", vib.size().to_string()),
        Element::text("checksum", vib.sha256()).attribute("checksum-type", "sha-256"),
    ];
    vib.descriptor
        .clone()
        .children_after(LAST_BEFORE_DEPOT_FACTS, facts)
}

/// `vibs/NAME-NUMBER.xml`. Vendors roll dice for the number; ours follows from the VIB's id, so
/// that two versions in one bundle differ and two builds do not.
fn record_path(vib: &Vib) -> String {
    let digest = digest::sha256(vib.id().as_bytes());
    let number = digest
        .get(..8)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .unwrap_or_default();
    format!("vibs/{}-{number:010}.xml", vib.facts.manifest.name)
}
