//! Bulletins, components, and the records for Update Manager (FORMAT.md B6 to B9).

use std::collections::{BTreeMap, BTreeSet};

use super::Severity::{Error, Warning};
use super::report::Report;
use crate::Version;
use crate::inspect::{Bulletin, Bundle, DeclaredSize, DepotVib, Record};
use crate::rules::{self, Releases};

pub(super) fn check(bundle: &Bundle, report: &mut Report) {
    let has_component = |bulletin: &Bulletin| bulletin.component.is_some();
    if !bundle.bulletins.iter().any(has_component) {
        report.add(
            Warning,
            rules::BULLETIN.on(Releases::from(7, 0)),
            "bulletins",
            "hold no component, without which images of 7.0 and later cannot take the bundle",
            "add a bulletin with componentNameSpec and componentVersionSpec",
        );
    }
    let known: BTreeSet<_> = bundle.vibs.iter().map(|vib| vib.id.as_str()).collect();
    let repeated: BTreeMap<_, _> = bundle
        .repeated_bulletins
        .iter()
        .map(|bulletin| (bulletin.id.as_str(), bulletin))
        .collect();
    let mut ids = BTreeSet::new();
    for bulletin in &bundle.bulletins {
        let place = format!("bulletin {:?}", bulletin.id);
        if !ids.insert(bulletin.id.as_str()) {
            report.add(
                Error,
                rules::ONE_DEPOT,
                &place,
                "is in the bundle twice",
                "give each bulletin its own id",
            );
        }
        check_bulletin(&place, bulletin, report);
        for id in bulletin
            .vibs
            .iter()
            .filter(|id| !known.contains(id.as_str()))
        {
            report.add(
                Error,
                rules::BULLETIN,
                &place,
                format!("names the VIB {id:?}, which the bundle does not describe"),
                "add the VIB or remove its name",
            );
        }
        let problem = match repeated.get(bulletin.id.as_str()) {
            _ if repeated.is_empty() => continue,
            Some(other) if *other == bulletin => continue,
            Some(_) => "says something else in vmware.xml",
            None => "is not in vmware.xml",
        };
        report.add(
            Warning,
            rules::UPDATE_MANAGER,
            place,
            problem,
            "repeat it there as it is",
        );
    }
    check_records(bundle, report);
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
            report.add(
                Warning,
                rules::BULLETIN,
                format!("{place}, {element}"),
                "is empty or missing",
                "fill it in",
            );
        }
    }
    if bulletin.vibs.is_empty() {
        report.add(
            Error,
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
        report.found(Warning, finding);
    }
    let (name, version) = (&component.name, &component.version);
    if bulletin.id != format!("{name}_{version}") && bulletin.id != format!("{name}-{version}") {
        report.add(
            Warning,
            rules::BULLETIN,
            place,
            format!("has another id than its component {name}_{version}"),
            "give it the id NAME_VERSION",
        );
    }
}

/// What `vmware.xml` says about the files, if it says anything.
fn check_records(bundle: &Bundle, report: &mut Report) {
    // Of several with one id, the first.
    let described = bundle.vibs.iter().rev();
    let files: BTreeMap<_, _> = described.map(|file| (file.id.as_str(), file)).collect();
    for record in &bundle.records {
        let file = files.get(record.id.as_str());
        if !file.is_some_and(|file| agrees(record, file)) {
            report.add(
                Warning,
                rules::UPDATE_MANAGER,
                format!("vmware.xml, VIB {:?}", record.id),
                "has another path, size or checksum than the file",
                "write the metadata again",
            );
        }
    }
}

fn agrees(record: &Record, file: &DepotVib) -> bool {
    let size = record.packed_size.as_ref().and_then(DeclaredSize::bytes);
    record.relative_path == file.relative_path
        && size == file.actual_size
        && record.sha256 == file.actual_sha256
}
