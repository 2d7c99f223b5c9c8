//! `index.xml`: the way from a depot to its vendor's index (FORMAT.md B2).

use super::VENDOR_INDEX;
use crate::manifest::Manifest;
use crate::xml::Element;

pub(super) fn index(manifest: &Manifest) -> Element {
    let content = Element::new("content")
        .child(Element::text("name", "VMware ESX"))
        // A name, not an address: nothing is fetched from it.
        .child(Element::text(
            "type",
            "http://www.vmware.com/depotmanagement/esx",
        ));
    let vendor = Element::new("vendor")
        .child(Element::text("name", &manifest.vendor))
        .child(Element::text("code", &manifest.vendor_code))
        .child(Element::text("indexfile", VENDOR_INDEX))
        .child(Element::text("patchUrl", ""))
        .child(Element::text("relativePath", ""))
        .child(content);
    Element::new("vendorList").child(vendor)
}
