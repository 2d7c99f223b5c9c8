//! A VIB: its descriptor, its members, and whether they speak of the same files.

use std::collections::BTreeSet;

use super::{Report, Severity, checksums, entries};
use crate::Version;
use crate::inspect::{Descriptor, EntryKind, Payload, Vib};
use crate::rules::{self, Finding, name, path};

const PARSE_VERSION: &str = "Could not parse VIB XML data: .. invalid version";
const PARSE_PAYLOAD: &str = "invalid payload: Invalid value .. for name";
const PARSE_DECLARATION: &str =
    "Could not parse VIB XML data: Unicode strings with encoding declaration";
const PATH_LIST: &str = "[VibValidationError] .. violates extensibility rule checks";
const LEVELS: [&str; 4] = ["community", "partner", "accepted", "certified"];
/// Types of payloads, the last one from 9.0 on.
const TYPES: [&str; 12] = [
    "tgz",
    "vgz",
    "boot",
    "upgrade",
    "boot_com32_bios",
    "boot_iso_bios",
    "boot_pxe_bios",
    "boot_loader_efi",
    "eltorito_image_efi",
    "text",
    "installer_vgz",
    "vzstd",
];

pub(super) fn check(vib: &Vib, report: &mut Report) {
    check_descriptor(&vib.descriptor, report);
    check_level(vib, report);
    check_members(vib, report);
    for payload in &vib.payloads {
        report.inside(&format!("payload {:?}", payload.name), |report| {
            check_payload(payload, report);
        });
    }
    check_file_list(vib, report);
}

fn check_descriptor(descriptor: &Descriptor, report: &mut Report) {
    if descriptor.names_encoding {
        report
            .error(
                rules::NO_DECLARATION,
                "descriptor.xml",
                "has an XML declaration that names an encoding",
                "remove the declaration",
            )
            .host_message = Some(PARSE_DECLARATION);
    }
    if descriptor.format_version.as_deref() != Some("5.0") {
        report.warning(
            rules::DESCRIPTOR_ROOT,
            "descriptor.xml",
            "is not of version 5.0",
            "write <vib version=\"5.0\">",
        );
    }
    for (element, value) in [
        ("type", &descriptor.kind),
        ("name", &descriptor.name),
        ("vendor", &descriptor.vendor),
    ] {
        if value.is_empty() {
            report.error(
                rules::IDENTITY,
                element,
                "is empty or missing",
                "fill it in",
            );
        }
    }
    if let Err(finding) = Version::parse(&descriptor.version) {
        // Only the schema insists on the dash.
        let severity = if descriptor.version.contains('-') {
            Severity::Error
        } else {
            Severity::Warning
        };
        let diagnosis = report.found(severity, finding);
        diagnosis.host_message = (severity == Severity::Error).then_some(PARSE_VERSION);
    }
    // These are rules of the vendor's build tool. Hosts take more.
    let mut findings = Vec::from_iter(name::name("name", &descriptor.name));
    findings.extend(name::name("vendor", &descriptor.vendor));
    findings.extend(name::summary(
        "summary",
        descriptor.summary.as_deref().unwrap_or_default(),
    ));
    for url in &descriptor.urls {
        findings.extend(name::url("urls", &url.key, &url.url));
    }
    for finding in findings {
        report.found(Severity::Warning, finding);
    }
}

/// What the level allows, and what it demands.
fn check_level(vib: &Vib, report: &mut Report) {
    let level = vib
        .descriptor
        .acceptance_level
        .as_deref()
        .unwrap_or_default();
    let place = format!("acceptance-level {level:?}");
    if !LEVELS.contains(&level) {
        report
            .error(
                rules::SIGNATURE,
                place,
                "is unknown",
                format!("use one of {}", LEVELS.join(", ")),
            )
            .host_message = Some("has invalid acceptance level");
        return;
    }
    let demanded = level != "community";
    check_signature(vib, place, demanded, report);
    if demanded {
        return;
    }
    if vib
        .descriptor
        .overlay
        .as_deref()
        .is_some_and(|overlay| overlay != "false")
    {
        report
            .error(
                rules::OVERLAY,
                "overlay",
                "is not false in a community package",
                "set it to false",
            )
            .host_message = Some(PATH_LIST);
    }
    for file in &vib.descriptor.files {
        if let Some(finding) = path::community_location(&format!("file-list {file:?}"), file) {
            report.found(Severity::Error, finding).host_message = Some(PATH_LIST);
        }
    }
}

/// A signature that is there must hold: above community, and wherever signers are looked for, at the
/// price of an error. Else hosts never look at it (FORMAT.md S1).
fn check_signature(vib: &Vib, level: String, demanded: bool, report: &mut Report) {
    let Some(check) = &vib.signature_check else {
        if demanded || vib.wants_signature {
            report
                .error(
                    rules::SIGNATURE,
                    level,
                    "needs a signature, and there is none",
                    "sign it",
                )
                .host_message = demanded.then_some("does not contain a signature");
        }
        return;
    };
    let severity = if demanded || check.trust_checked {
        Severity::Error
    } else {
        Severity::Warning
    };
    for fault in &check.faults {
        let severity = if fault.is_minor() {
            Severity::Warning
        } else {
            severity
        };
        let finding = Finding::new(fault.rule(), "sig.pkcs7", fault.to_string(), fault.remedy());
        report.found(severity, finding).host_message = fault.host_message().filter(|_| demanded);
    }
    if demanded && check.holds() && !check.trust_checked {
        report.warning(
            rules::TRUST,
            level,
            "needs a trusted signer, and whether this one is trusted was not checked",
            "give the vendor's CA with --ca",
        );
    }
}

/// Every payload has its member, in the order of names.
fn check_members(vib: &Vib, report: &mut Report) {
    let payloads: Vec<_> = vib
        .members
        .iter()
        .skip(2)
        .map(|member| member.name.as_str())
        .collect();
    if !payloads.is_sorted() {
        report.error(
            rules::MEMBER_ORDER,
            format!("members {}", payloads.join(", ")),
            "are not sorted by name, and hosts read forward in that order",
            "sort the payloads",
        );
    }
    for name in &payloads {
        if !vib.payloads.iter().any(|payload| payload.name == *name) {
            report.warning(
                rules::MEMBER_ORDER,
                format!("member {name:?}"),
                "is no payload of the descriptor",
                "declare it or leave it out",
            );
        }
    }
    let mut names = BTreeSet::new();
    for payload in &vib.payloads {
        let place = format!("payload {:?}", payload.name);
        if let Some(finding) = name::payload_name("payload", &payload.name) {
            report.found(Severity::Error, finding).host_message = Some(PARSE_PAYLOAD);
        }
        if !names.insert(&payload.name) {
            report
                .error(
                    rules::PAYLOAD_NAME,
                    &place,
                    "is declared twice",
                    "give each its own name",
                )
                .host_message = Some(PARSE_PAYLOAD);
        }
        if payload.size.is_none() {
            report.error(
                rules::MEMBER_ORDER,
                place,
                "has no member in the VIB",
                "add the member, or remove the payload from the descriptor",
            );
        }
    }
}

fn check_payload(payload: &Payload, report: &mut Report) {
    if !TYPES.contains(&payload.kind.as_str()) {
        report.warning(
            rules::PAYLOAD_TYPE,
            format!("type {:?}", payload.kind),
            "is none that hosts are known to take",
            "use tgz",
        );
    }
    if let (Some(declared), Some(actual)) = (payload.declared_size, payload.size)
        && declared != actual
    {
        report.warning(
            rules::PAYLOAD_SIZE,
            "size",
            format!("is declared as {declared} bytes, but there are {actual}"),
            "write the size as stored",
        );
    }
    checksums::check(payload, report);
    if let Some(archive) = &payload.archive {
        entries::check(Some(&payload.kind), archive, report);
    }
}

/// The file list names exactly the files of the payloads.
fn check_file_list(vib: &Vib, report: &mut Report) {
    let mut listed = BTreeSet::new();
    for file in &vib.descriptor.files {
        let place = format!("file-list {file:?}");
        if !listed.insert(file.as_str()) {
            report.warning(
                rules::ONE_ENTRY_PER_PATH,
                &place,
                "is listed twice",
                "list it once",
            );
        }
        let finding = path::form(&place, file).or_else(|| path::length(&place, file));
        // Names of vendors hold characters that we would not use.
        report_all(finding, report);
    }
    if vib.payloads.iter().any(|payload| payload.archive.is_none()) {
        if !listed.is_empty() {
            let remedy = "compare them on a host";
            report.warning(
                rules::FILE_LIST,
                "file-list",
                "cannot be compared: not every payload was unpacked",
                remedy,
            );
        }
        return;
    }
    let archives = vib
        .payloads
        .iter()
        .filter_map(|payload| payload.archive.as_ref());
    let packed: BTreeSet<_> = archives
        .flat_map(|archive| &archive.entries)
        .filter(|entry| entry.kind != EntryKind::Directory)
        .map(|entry| entry.path.as_str())
        .collect();
    for file in listed.difference(&packed) {
        report.error(
            rules::FILE_LIST,
            format!("file-list {file:?}"),
            "is in no payload",
            "list exactly the files of the payloads",
        );
    }
    for file in packed.difference(&listed) {
        report.error(
            rules::FILE_LIST,
            format!("entry {file:?}"),
            "is not in the file list, so that no conflict over it is noticed",
            "list exactly the files of the payloads",
        );
    }
}

fn report_all(findings: impl IntoIterator<Item = Finding>, report: &mut Report) {
    for finding in findings {
        report.found(Severity::Warning, finding);
    }
}
