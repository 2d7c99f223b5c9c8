//! `vendor-index.xml`: the way from a vendor to the metadata, once per release of the host
//! (FORMAT.md B3).

use super::PRODUCT_LINE;
use crate::xml::Element;

pub(super) fn vendor_index(platforms: &[&str], metadata_name: &str) -> Element {
    let metadata = platforms.iter().map(|platform| {
        Element::new("metadata")
            .child(Element::text("productId", PRODUCT_LINE))
            .child(Element::text("version", *platform))
            .child(Element::text("locale", ""))
            .child(Element::text("url", metadata_name))
            .child(Element::text("channelName", "default"))
    });
    Element::new("metaList").children(metadata)
}
