//! `vmware.xml`: the bulletins once more, with a record of each VIB, for Update Manager (FORMAT.md
//! B7).

use super::bulletin::{bulletin_with, software_platform};
use crate::xml::Element;
use crate::{Epoch, Vib, descriptor};

/// Version of the record's layout, the same since 4.x. It says nothing about the VIB that is
/// described.
const RECORD_VERSION: &str = "1.4.5";

pub(super) fn response(vibs: &[Vib], epoch: Epoch) -> Element {
    Element::new("metadataResponse")
        .child(Element::text("version", "3.0"))
        .child(Element::text("timestamp", epoch.in_response()))
        .children(vibs.iter().map(|vib| bulletin_with(vib, record(vib))))
}

fn record(vib: &Vib) -> Element {
    let manifest = &vib.facts.manifest;
    Element::new("vib")
        .child(Element::text("vibVersion", RECORD_VERSION))
        .child(Element::text("vibID", vib.id()))
        .child(Element::text("name", &manifest.name))
        .child(Element::text("version", vib.facts.version.to_string()))
        .child(Element::text("vendor", &manifest.vendor))
        .child(Element::text("vibType", "bootbank"))
        .child(Element::text("summary", &manifest.summary))
        .child(
            Element::new("systemReqs")
                .child(Element::flag(
                    "maintenanceMode",
                    manifest.maintenance_mode.on_install || manifest.maintenance_mode.on_remove,
                ))
                .child(software_platform("swPlatform", ""))
                .children(descriptor::hardware("hwPlatform", manifest)),
        )
        .child(descriptor::relationships(&manifest.relationships))
        .child(
            Element::new("postInstall")
                .child(Element::flag(
                    "rebootRequired",
                    !manifest.live_install_allowed,
                ))
                .child(Element::flag("hostdRestart", false)),
        )
        .children(software_tags(&manifest.software_tags))
        .child(
            Element::new("vibFile")
                .child(Element::text("sourceUrl", ""))
                .child(Element::text("relativePath", vib.path_in_depot()))
                .child(Element::text("packedSize", vib.size().to_string()))
                .child(
                    Element::new("checksum")
                        .child(Element::text("checksumType", "sha-256"))
                        .child(Element::text("checksum", vib.sha256())),
                ),
        )
}

/// Only there if there are tags (FORMAT.md B7).
fn software_tags(tags: &[String]) -> Option<Element> {
    let tags = tags.iter().map(|tag| Element::text("tag", tag));
    (tags.len() > 0).then(|| Element::new("softwareTags").children(tags))
}
