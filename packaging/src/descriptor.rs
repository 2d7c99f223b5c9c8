//! `descriptor.xml`: what a host knows about a package (FORMAT.md D1 to D9).

use crate::Package;
use crate::manifest::{Constraint, Manifest, Relationships};
use crate::package::Facts;
use crate::payload::{Payload, Sums};
use crate::xml::Element;

/// Behind this element a bundle's metadata inserts what it adds to the descriptor (FORMAT.md B5).
pub(crate) const LAST_BEFORE_DEPOT_FACTS: &str = "software-tags";

/// The descriptor, its elements in the schema's order (FORMAT.md D3). `sums` are those of the
/// package's payloads, in their order.
pub(crate) fn descriptor(package: &Package, sums: &[Sums]) -> Element {
    let Facts {
        manifest,
        version,
        epoch,
    } = &package.facts;
    let urls = manifest
        .urls
        .iter()
        .map(|(key, url)| Element::text("url", url).attribute("key", key));
    let tags = manifest.software_tags.iter();
    let mut files: Vec<_> = package
        .payloads
        .iter()
        .flat_map(|payload| &payload.entries)
        .filter(|entry| !entry.is_directory())
        .map(|entry| &entry.path)
        .collect();
    files.sort_unstable();
    let payloads = package.payloads.iter().zip(sums);
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
        .child(Element::new("software-tags").children(tags.map(|tag| Element::text("tag", tag))))
        .child(system_requires(manifest))
        .child(
            Element::new("file-list")
                .children(files.into_iter().map(|path| Element::text("file", path))),
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
        .child(Element::flag("overlay", manifest.overlay))
        .child(Element::new("payloads").children(payloads.map(|(one, sums)| payload(one, sums))))
}

/// Maintenance mode is a word where installation and removal agree, else attributes (FORMAT.md
/// D8).
fn system_requires(manifest: &Manifest) -> Element {
    let mode = manifest.maintenance_mode;
    let maintenance = if mode.on_install == mode.on_remove {
        Element::flag("maintenance-mode", mode.on_install)
    } else {
        Element::new("maintenance-mode")
            .attribute("on-install", mode.on_install.to_string())
            .attribute("on-remove", mode.on_remove.to_string())
    };
    Element::new("system-requires")
        .child(maintenance)
        .children(hardware("hwplatform", manifest))
}

/// One element for each platform. `vmware.xml` spells its name in another way.
pub(crate) fn hardware(
    element: &'static str,
    manifest: &Manifest,
) -> impl Iterator<Item = Element> {
    manifest.hwplatform.iter().map(move |platform| {
        let vendor = Element::new(element).attribute("vendor", &platform.vendor);
        match &platform.model {
            Some(model) => vendor.attribute("model", model),
            None => vendor,
        }
    })
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
fn payload(payload: &Payload, sums: &Sums) -> Element {
    let checksum =
        |kind: &str, hex: &str| Element::text("checksum", hex).attribute("checksum-type", kind);
    let unpacked =
        |kind: &str, hex: &str| checksum(kind, hex).attribute("verify-process", "gunzip");
    let mut element = Element::new("payload")
        .attribute("name", &payload.name)
        .attribute("type", payload.kind.to_string())
        .attribute("size", sums.packed_sha256.length.to_string());
    if let Some(name) = &payload.vfat_name {
        element = element.attribute("vfat-name", name);
    }
    element
        .child(unpacked("sha-256", &sums.plain_sha256.hex))
        .child(checksum("sha-256", &sums.packed_sha256.hex))
        .child(unpacked("sha-1", &sums.plain_sha1.hex))
}
