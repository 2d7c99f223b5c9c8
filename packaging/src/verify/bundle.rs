//! A bundle: the way from its index to its VIBs, and whether its metadata says what they say
//! (FORMAT.md B1 to B5).

use std::collections::BTreeSet;

use super::Severity::{Error, Warning};
use super::releases::Offers;
use super::report::Report;
use super::{bulletins, descriptor, leftovers, vib};
use crate::inspect::{Bundle, DepotVib, Vendor};
use crate::rules::{self, Releases, Rule, name, value};

const FORMAT_ERROR: &str = "[MetadataFormatError] Element .. was expected, but not found";
const NO_VIB: &str = "[VibDownloadError] Unable to download VIB from any of the URLs";
const UNEQUAL: &str =
    "[InstallationError] VIBs .. and .. have unequal values of the '..' attribute";

/// Releases that are known to compare `stateless-ready`.
const OF_5_X: Releases = Releases::up_to(5, 5);

pub(super) fn check(bundle: &Bundle, report: &mut Report) {
    let metadata = bundle.vendors.iter().flat_map(|vendor| &vendor.metadata);
    let offered = Releases::named(metadata.filter_map(|one| one.version.as_deref()));
    report.offered(offered, |report| check_parts(bundle, report));
}

fn check_parts(bundle: &Bundle, report: &mut Report) {
    check_zip(bundle, report);
    leftovers::check_zip(bundle, report);
    if bundle.vendors.is_empty() {
        report
            .add(
                Error,
                rules::INDEX,
                "index.xml",
                "names no vendor",
                "add one",
            )
            .says(FORMAT_ERROR);
    }
    for vendor in &bundle.vendors {
        check_vendor(vendor, report);
    }
    check_releases(bundle, report);
    if bundle.vibs.is_empty() {
        report
            .add(
                Error,
                rules::METADATA,
                "metadata",
                "describes no VIB",
                "add a file to vibs/ for each VIB",
            )
            .says("Host is not changed.");
    }
    for path in &bundle.undescribed {
        report.add(
            Warning,
            rules::METADATA,
            format!("entry {path:?}"),
            "is a VIB that the metadata does not describe, so that no host sees it",
            "add a file to vibs/ for it",
        );
    }
    bulletins::check(bundle, report);
    let offers = Offers::new(bundle);
    let mut ids = BTreeSet::new();
    for file in &bundle.vibs {
        let id = &file.id;
        if !ids.insert(id) {
            report.add(
                Error,
                rules::ONE_DEPOT,
                format!("VIB {id:?}"),
                "is described twice",
                "describe it once",
            );
        }
        report.offered(offers.of(file), |report| check_vib(file, &offers, report));
    }
}

fn check_zip(bundle: &Bundle, report: &mut Report) {
    if bundle.behind > 0 {
        report.add(
            Warning,
            rules::WHOLE,
            "zip",
            format!(
                "is followed by {} bytes that belong to nothing",
                bundle.behind
            ),
            "cut them off",
        );
    }
    for entry in bundle.entries.iter().filter(|entry| entry.crooked) {
        report
            .add(
                Warning,
                rules::DEPOT_PATHS,
                format!("entry {:?} at byte {}", entry.path, entry.offset),
                "is stored in a longer form, by which hosts do not find it",
                "store it without \"./\" and \"//\"",
            )
            .at(entry.offset);
    }
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
                .add(
                    Error,
                    rules::INDEX,
                    place,
                    "is missing",
                    "add it; it may be empty",
                )
                .says(FORMAT_ERROR);
        }
    }
    let code = vendor.code.as_deref();
    if let Some(finding) = code.and_then(|code| name::vendor_code("index.xml, code", code)) {
        report.found(Warning, finding);
    }
    if vendor.metadata.is_empty() {
        report
            .add(
                Error,
                rules::VENDOR_INDEX,
                "vendor index",
                "lists no metadata",
                "add one for each release of the host",
            )
            .says(FORMAT_ERROR);
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
                    .add(Error, rules::VENDOR_INDEX, place, "is missing", "add it")
                    .says(FORMAT_ERROR);
            }
        }
        if let Some(url) = &metadata.url {
            check_form("vendor index, metadata, url", url, report);
        }
    }
}

/// Index, its copy and the bulletins offer the bundle for the same releases, and for those that are
/// asked for.
fn check_releases(bundle: &Bundle, report: &mut Report) {
    if !bundle.index_copies_agree {
        report.add(
            Warning,
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
        let platforms = bulletin.platforms.iter();
        for release in platforms.filter(|release| !offered.contains(release.as_str())) {
            report.add(
                Warning,
                rules::PLATFORM,
                format!("bulletin {:?}", bulletin.id),
                format!("is for release {release:?}, which the vendor index does not offer"),
                "name the same releases in both",
            );
        }
    }
    let mut known = Releases::NONE;
    for release in &offered {
        match release.parse::<Releases>() {
            Ok(releases) => known = known.or(releases),
            Err(_) => report_release(release, report),
        }
    }
    let missing = report.releases().without(known);
    if report.is_asked() && !missing.is_empty() {
        report
            .add(
                Warning,
                rules::PLATFORM.on(missing),
                "vendor index",
                format!("does not offer the bundle for {missing}"),
                "add a metadata element for each release, here, in the copy and in the bulletins",
            )
            .says("invalid package (Update Manager)");
    }
}

fn report_release(release: &str, report: &mut Report) {
    let place = "vendor index, metadata, version";
    match name::platform(place, release) {
        Some(finding) => report.found(Warning, finding),
        None => report.add(
            Warning,
            rules::PLATFORM,
            format!("{place} {release:?}"),
            "is none of the releases that are known",
            r#"write it like "6.*" or "7.0.3""#,
        ),
    };
}

/// The file is there, is the one that was described, and says of itself what the metadata says.
fn check_vib(file: &DepotVib, offers: &Offers<'_>, report: &mut Report) {
    descriptor::check_ascii(&file.record, file.beyond_ascii.as_ref(), report);
    report.inside(&file.record, |report| {
        descriptor::check_spelling(&file.misspelt, report);
    });
    let path = file.relative_path.clone().unwrap_or_default();
    let Some(found) = &file.vib else {
        report
            .add(
                Error,
                rules::DEPOT_PATHS,
                format!("{}, relative-path {path:?}", file.record),
                "leads to no file of the bundle",
                "add the VIB there, or mend the path",
            )
            .says(NO_VIB);
        return;
    };
    check_form(&format!("{}, relative-path", file.record), &path, report);
    check_checksum(file, report);
    check_packed_size(file, report);
    check_differences(file, report);
    report.inside(&path, |report| {
        offers.check(file, report);
        vib::check(found, report);
    });
}

/// This reader finds files by any spelling of their path. Hosts put addresses together.
fn check_form(place: &str, path: &str, report: &mut Report) {
    let is_plain = |name: &str| !matches!(name, "" | "." | "..");
    if !path.split('/').all(is_plain) {
        report.add(
            Warning,
            rules::DEPOT_PATHS,
            format!("{place} {path:?}"),
            "is not in its shortest form",
            "write it without \"./\", \"//\" and slashes at either end",
        );
    }
}

fn check_checksum(file: &DepotVib, report: &mut Report) {
    let place = format!("{}, checksum", file.record);
    for checksum in &file.checksums {
        if !value::is_digest(&checksum.kind, &checksum.value) {
            report.add(
                Error,
                rules::RECORD,
                format!("{place} {}", checksum.label()),
                format!("is {:?}, which is no digest of its type", checksum.value),
                "write it as hexadecimal digits",
            );
        }
    }
    match (&file.sha256, &file.actual_sha256) {
        (None, _) => {
            report.add(
                Error,
                rules::RECORD,
                format!("{place} sha-256"),
                "is missing",
                "add the SHA-256 of the VIB",
            );
        }
        (Some(declared), Some(actual))
            if declared != actual && value::is_digest("sha-256", declared) =>
        {
            report.add(
                Error,
                rules::RECORD,
                place,
                format!("is {declared}, but that of the file is {actual}"),
                "write the metadata again",
            );
        }
        _ => {}
    }
}

fn check_packed_size(file: &DepotVib, report: &mut Report) {
    let place = format!("{}, packed-size", file.record);
    let problem = match (&file.packed_size, file.actual_size) {
        (None, _) => "is missing".to_owned(),
        (Some(declared), actual) => match (declared.bytes(), actual) {
            (None, _) => format!("is {:?}, which is no number of bytes", declared.text()),
            (Some(bytes), Some(actual)) if bytes != actual => {
                format!("is {bytes}, but that of the file is {actual}")
            }
            _ => return,
        },
    };
    report.add(
        Error,
        rules::RECORD,
        place,
        problem,
        "write the metadata again",
    );
}

fn check_differences(file: &DepotVib, report: &mut Report) {
    let is_for_5_x = report.judges_any_of(OF_5_X);
    for element in &file.differences {
        let place = format!("{}, {element}", file.record);
        let mut add = |severity, rule: Rule, which: &str| {
            let problem = format!("differs from the VIB's own descriptor{which}");
            let reported = report.add(severity, rule, &place, problem, "write the metadata again");
            if severity == Error {
                reported.says(UNEQUAL);
            }
        };
        match element.as_str() {
            // Of two with different dates, the newer wins without a comparison.
            "release-date" => add(Warning, rules::RECORD, ""),
            "stateless-ready" if is_for_5_x => add(Error, rules::RECORD.on(OF_5_X), ""),
            "stateless-ready" => add(
                Warning,
                rules::RECORD,
                ", which 5.x compared and 6.7 does not",
            ),
            "softwarePlatform" => add(
                Warning,
                rules::RECORD,
                ", which Image Builder compares and 6.7 does not",
            ),
            _ => add(Error, rules::RECORD, ""),
        }
    }
}
