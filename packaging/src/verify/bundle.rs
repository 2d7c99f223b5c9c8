//! A bundle: the way from its index to its VIBs, and whether its metadata says what they say.

use std::collections::BTreeSet;

use super::{Report, Severity, vib};
use crate::Version;
use crate::inspect::{Bulletin, Bundle, DepotVib, Record, Vendor};
use crate::rules::{self, name};

const FORMAT_ERROR: &str = "[MetadataFormatError] Element .. was expected, but not found";
const NO_VIB: &str = "[VibDownloadError] Unable to download VIB from any of the URLs";
const UNEQUAL: &str =
    "[InstallationError] VIBs .. and .. have unequal values of the '..' attribute";
pub(super) fn check(bundle: &Bundle, report: &mut Report) {
    if bundle.vendors.is_empty() {
        report
            .error(rules::INDEX, "index.xml", "names no vendor", "add one")
            .host_message = Some(FORMAT_ERROR);
    }
    for vendor in &bundle.vendors {
        check_vendor(vendor, report);
    }
    check_releases(bundle, report);
    if bundle.vibs.is_empty() {
        report
            .error(
                rules::METADATA,
                "metadata",
                "describes no VIB",
                "add a file to vibs/ for each VIB",
            )
            .host_message = Some("Host is not changed.");
    }
    for path in &bundle.undescribed {
        report.warning(
            rules::METADATA,
            format!("entry {path:?}"),
            "is a VIB that the metadata does not describe, so that no host sees it",
            "add a file to vibs/ for it",
        );
    }
    check_bulletins(bundle, report);
    let mut ids = BTreeSet::new();
    for file in &bundle.vibs {
        let id = &file.id;
        if !ids.insert(id) {
            report.error(
                rules::ONE_DEPOT,
                format!("VIB {id:?}"),
                "is described twice",
                "describe it once",
            );
        }
        check_vib(file, report);
    }
    check_records(bundle, report);
}

fn check_vendor(vendor: &Vendor, report: &mut Report) {
    for (element, value) in [
        ("name", &vendor.name),
        ("code", &vendor.code),
        ("indexfile", &vendor.index_file),
        ("relativePath", &vendor.relative_path),
    ] {
        if value.is_none() {
            let place = format!("index.xml, vendor, {element}");
            report
                .error(rules::INDEX, place, "is missing", "add it; it may be empty")
                .host_message = Some(FORMAT_ERROR);
        }
    }
    if let Some(finding) = vendor
        .code
        .as_deref()
        .and_then(|code| name::vendor_code("index.xml, code", code))
    {
        report.found(Severity::Warning, finding);
    }
    if vendor.metadata.is_empty() {
        report
            .error(
                rules::VENDOR_INDEX,
                "vendor index",
                "lists no metadata",
                "add one for each release of the host",
            )
            .host_message = Some(FORMAT_ERROR);
    }
    for metadata in &vendor.metadata {
        for (element, value) in [
            ("productId", &metadata.product),
            ("version", &metadata.version),
            ("locale", &metadata.locale),
            ("url", &metadata.url),
        ] {
            if value.is_none() {
                let place = format!("vendor index, metadata, {element}");
                report
                    .error(rules::VENDOR_INDEX, place, "is missing", "add it")
                    .host_message = Some(FORMAT_ERROR);
            }
        }
    }
}

/// Index, its copy and the bulletins offer the bundle for the same releases.
fn check_releases(bundle: &Bundle, report: &mut Report) {
    if !bundle.index_copies_agree {
        report.warning(
            rules::PLATFORM,
            "vendor index",
            "differs from its copy in the metadata",
            "write the same file twice",
        );
    }
    let metadata = bundle.vendors.iter().flat_map(|vendor| &vendor.metadata);
    let offered: BTreeSet<_> = metadata
        .filter_map(|metadata| metadata.version.as_deref())
        .collect();
    for bulletin in &bundle.bulletins {
        for release in bulletin
            .platforms
            .iter()
            .filter(|release| !offered.contains(release.as_str()))
        {
            report.warning(
                rules::PLATFORM,
                format!("bulletin {:?}", bulletin.id),
                format!("is for release {release:?}, which the vendor index does not offer"),
                "name the same releases in both",
            );
        }
    }
}

fn check_bulletins(bundle: &Bundle, report: &mut Report) {
    if bundle
        .bulletins
        .iter()
        .all(|bulletin| bulletin.component.is_none())
    {
        report.warning(
            rules::BULLETIN,
            "bulletins",
            "hold no component, without which images of 7.0 and later cannot take the bundle",
            "add a bulletin with componentNameSpec and componentVersionSpec",
        );
    }
    let known: BTreeSet<_> = bundle.vibs.iter().map(|vib| vib.id.as_str()).collect();
    for bulletin in &bundle.bulletins {
        let place = format!("bulletin {:?}", bulletin.id);
        check_bulletin(&place, bulletin, report);
        for id in bulletin
            .vibs
            .iter()
            .filter(|id| !known.contains(id.as_str()))
        {
            report.error(
                rules::BULLETIN,
                &place,
                format!("names the VIB {id:?}, which the bundle does not describe"),
                "add the VIB or remove its name",
            );
        }
        let repeated = bundle
            .repeated_bulletins
            .iter()
            .find(|other| other.id == bulletin.id);
        if !bundle.repeated_bulletins.is_empty() && repeated != Some(bulletin) {
            let problem = match repeated {
                Some(_) => "says something else in vmware.xml",
                None => "is not in vmware.xml",
            };
            report.warning(
                rules::UPDATE_MANAGER,
                place,
                problem,
                "repeat it there as it is",
            );
        }
    }
}

fn check_bulletin(place: &str, bulletin: &Bulletin, report: &mut Report) {
    let id = Some(bulletin.id.clone());
    for (element, value) in [
        ("id", &id),
        ("vendor", &bulletin.vendor),
        ("summary", &bulletin.summary),
        ("category", &bulletin.category),
        ("urgency", &bulletin.urgency),
        ("description", &bulletin.description),
        ("kbUrl", &bulletin.kb_url),
        ("contact", &bulletin.contact),
    ] {
        if value.as_deref().unwrap_or_default().is_empty() {
            report.warning(
                rules::BULLETIN,
                format!("{place}, {element}"),
                "is empty or missing",
                "fill it in",
            );
        }
    }
    if bulletin.vibs.is_empty() {
        report.error(
            rules::BULLETIN,
            place,
            "names no VIB",
            "name those that it is about",
        );
    }
    let Some(component) = &bulletin.component else {
        return;
    };
    if let Err(finding) = Version::parse(&component.version) {
        report.found(Severity::Warning, finding);
    }
    let (name, version) = (&component.name, &component.version);
    if bulletin.id != format!("{name}_{version}") && bulletin.id != format!("{name}-{version}") {
        report.warning(
            rules::BULLETIN,
            place,
            format!("has another id than its component {name}_{version}"),
            "give it the id NAME_VERSION",
        );
    }
}

/// The file is there, is the one that was described, and says of itself what the metadata says.
fn check_vib(file: &DepotVib, report: &mut Report) {
    let path = file.relative_path.clone().unwrap_or_default();
    let Some(found) = &file.vib else {
        report
            .error(
                rules::DEPOT_PATHS,
                format!("{}, relative-path {path:?}", file.record),
                "leads to no file of the bundle",
                "add the VIB there, or mend the path",
            )
            .host_message = Some(NO_VIB);
        return;
    };
    let mut differs = |element: &str, declared: &str, actual: &str| {
        report.error(
            rules::RECORD,
            format!("{}, {element}", file.record),
            format!("is {declared}, but that of the file is {actual}"),
            "write the metadata again",
        );
    };
    match (&file.sha256, &file.actual_sha256) {
        (Some(declared), Some(actual)) if declared != actual => {
            differs("checksum", declared, actual);
        }
        _ => {}
    }
    match (file.packed_size, file.actual_size) {
        (Some(declared), Some(actual)) if declared != actual => {
            differs("packed-size", &declared.to_string(), &actual.to_string());
        }
        _ => {}
    }
    check_differences(file, report);
    report.inside(&path, |report| vib::check(found, report));
}

fn check_differences(file: &DepotVib, report: &mut Report) {
    for element in &file.differences {
        let place = format!("{}, {element}", file.record);
        let problem = "differs from the VIB's own descriptor";
        let remedy = "write the metadata again";
        // Of two with different dates, the newer wins without a comparison.
        if element == "release-date" {
            report.warning(rules::RECORD, place, problem, remedy);
        } else {
            report
                .error(rules::RECORD, place, problem, remedy)
                .host_message = Some(UNEQUAL);
        }
    }
}

/// What `vmware.xml` says about the files, if it says anything.
fn check_records(bundle: &Bundle, report: &mut Report) {
    for record in &bundle.records {
        let Record {
            id,
            relative_path,
            packed_size,
            sha256,
        } = record;
        let file = bundle.vibs.iter().find(|file| file.id == *id);
        let agrees = file.is_some_and(|file| {
            *relative_path == file.relative_path
                && *packed_size == file.actual_size
                && *sha256 == file.actual_sha256
        });
        if !agrees {
            report.warning(
                rules::UPDATE_MANAGER,
                format!("vmware.xml, VIB {id:?}"),
                "has another path, size or checksum than the file",
                "write the metadata again",
            );
        }
    }
}
