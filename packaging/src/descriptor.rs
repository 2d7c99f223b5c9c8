//! `descriptor.xml`: what a host knows about a package (FORMAT.md D1 to D6).

use crate::Package;
use crate::manifest::{Constraint, Relationships};
use crate::package::Facts;
use crate::payload::Sums;
use crate::xml::Element;

/// Behind this element a bundle's metadata inserts what it adds to the descriptor (FORMAT.md B5).
pub(crate) const LAST_BEFORE_DEPOT_FACTS: &str = "software-tags";

/// The descriptor, its elements in the schema's order (FORMAT.md D3).
pub(crate) fn descriptor(package: &Package, sums: &Sums) -> Element {
    let Facts {
        manifest,
        version,
        epoch,
    } = &package.facts;
    let urls = manifest
        .urls
        .iter()
        .map(|(key, url)| Element::text("url", url).attribute("key", key));
    let files = package.entries.iter().filter(|entry| !entry.is_directory());
    Element::new("vib")
        .attribute("version", "5.0")
        .child(Element::text("type", "bootbank"))
        .child(Element::text("name", &manifest.name))
        .child(Element::text("version", version.to_string()))
        .child(Element::text("vendor", &manifest.vendor))
        .child(Element::text("summary", &manifest.summary))
        .child(Element::text("description", &manifest.description))
        .child(Element::text("release-date", epoch.in_descriptor()))
        .child(Element::new("urls").children(urls))
        .child(relationships(&manifest.relationships))
        .child(Element::new("software-tags"))
        .child(
            Element::new("system-requires")
                .child(Element::flag("maintenance-mode", manifest.maintenance_mode)),
        )
        .child(
            Element::new("file-list").children(files.map(|file| Element::text("file", &file.path))),
        )
        .child(Element::text(
            "acceptance-level",
            manifest.acceptance_level.to_string(),
        ))
        .child(Element::flag(
            "live-install-allowed",
            manifest.live_install_allowed,
        ))
        .child(Element::flag(
            "live-remove-allowed",
            manifest.live_remove_allowed,
        ))
        .child(Element::flag("cimom-restart", manifest.cimom_restart))
        .child(Element::flag("stateless-ready", manifest.stateless_ready))
        // Only the host's vendor may put files over those of another package (FORMAT.md D5).
        .child(Element::flag("overlay", false))
        .child(Element::new("payloads").child(payload(&manifest.payload, sums)))
}

/// All five lists, also when empty. `vmware.xml` repeats this element.
pub(crate) fn relationships(relationships: &Relationships) -> Element {
    let lists = relationships.in_order().map(|(name, constraints)| {
        // What is provided is not compared with anything and has an element name of its own.
        let item = if name == "provides" {
            "provide"
        } else {
            "constraint"
        };
        Element::new(name).children(constraints.iter().map(|one| constraint(item, one)))
    });
    Element::new("relationships").children(lists)
}

fn constraint(element: &'static str, constraint: &Constraint) -> Element {
    let mut element = Element::new(element).attribute("name", &constraint.name);
    if let Some(relation) = constraint.relation {
        element = element.attribute("relation", relation.to_string());
    }
    if let Some(version) = &constraint.version {
        element = element.attribute("version", version);
    }
    element
}

/// The order of the checksums matters: up to 6.5 the last SHA-256 wins and must be that of the
/// packed bytes (FORMAT.md C2).
fn payload(name: &str, sums: &Sums) -> Element {
    let checksum =
        |kind: &str, hex: &str| Element::text("checksum", hex).attribute("checksum-type", kind);
    let unpacked =
        |kind: &str, hex: &str| checksum(kind, hex).attribute("verify-process", "gunzip");
    Element::new("payload")
        .attribute("name", name)
        .attribute("type", "tgz")
        .attribute("size", sums.packed_sha256.length.to_string())
        .child(unpacked("sha-256", &sums.tar_sha256.hex))
        .child(checksum("sha-256", &sums.packed_sha256.hex))
        .child(unpacked("sha-1", &sums.tar_sha1.hex))
}
