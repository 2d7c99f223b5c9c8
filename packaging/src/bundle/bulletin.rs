//! The bulletin of a VIB. With its two specs it is a component, which hosts from 7.0 on ask for
//! (FORMAT.md B6).

use super::PRODUCT_LINE;
use crate::Vib;
use crate::xml::Element;

/// Identifies the bulletin: name and version of its component.
pub(super) fn id(vib: &Vib) -> String {
    format!(
        "{}_{}",
        vib.facts.manifest.component.name, vib.facts.version
    )
}

/// The bulletin as a file of its own, which names its VIB.
pub(super) fn bulletin(vib: &Vib) -> Element {
    bulletin_with(vib, Element::text("vibID", vib.id()))
}

/// The bulletin around a mention of its VIB; `vmware.xml` holds more than the name there.
pub(super) fn bulletin_with(vib: &Vib, mention: Element) -> Element {
    let manifest = &vib.facts.manifest;
    let version = vib.facts.version.to_string();
    let platforms = manifest
        .platforms
        .iter()
        .map(|platform| software_platform("softwarePlatform", platform));
    Element::new("bulletin")
        .child(Element::text("id", id(vib)))
        .child(Element::text("vendor", &manifest.vendor))
        .child(Element::text("summary", &manifest.summary))
        .child(Element::text("severity", "general"))
        .child(Element::text("category", "enhancement"))
        .child(Element::text("urgency", "important"))
        .child(Element::text("releaseType", "extension"))
        .child(Element::text("description", &manifest.description))
        .child(Element::text("kbUrl", &manifest.bulletin.kb_url))
        .child(Element::text("contact", &manifest.bulletin.contact))
        .child(
            Element::new("componentNameSpec")
                .attribute("name", &manifest.component.name)
                .attribute("uiString", &manifest.component.ui_string),
        )
        .child(
            Element::new("componentVersionSpec")
                .attribute("version", &version)
                .attribute("uiString", &version),
        )
        .child(Element::text("releaseDate", vib.facts.epoch.in_bulletin()))
        .child(Element::new("platforms").children(platforms))
        .child(Element::new("vibList").child(mention))
}

/// A release of the host; an empty one means any.
pub(super) fn software_platform(element: &'static str, release: &str) -> Element {
    Element::new(element)
        .attribute("version", release)
        .attribute("locale", "")
        .attribute("productLineID", PRODUCT_LINE)
}
