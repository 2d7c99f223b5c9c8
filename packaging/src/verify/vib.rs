//! A VIB: its members and payloads, and whether they and the descriptor speak of the same files.

use std::collections::BTreeSet;

use super::Severity::{Error, Warning};
use super::report::Report;
use super::{checksums, descriptor, entries, programs, releases, signature};
use crate::inspect::{EntryKind, Payload, Vib};
use crate::rules::{self, Level, Releases, name, path};

const PARSE_PAYLOAD: &str = "invalid payload: Invalid value .. for name";
pub(super) const PATH_LIST: &str = "[VibValidationError] .. violates extensibility rule checks";
/// Types of payloads; `vzstd` is one from 9.0 on.
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
    VZSTD,
];
const VZSTD: &str = "vzstd";
/// Types whose files the file list names.
const ARCHIVES: [&str; 4] = ["tgz", "vgz", "installer_vgz", VZSTD];

pub(super) fn check(vib: &Vib, report: &mut Report) {
    let level = descriptor::level(&vib.descriptor);
    let releases = releases::stated(&vib.descriptor, report);
    report.of_package(level, releases, |report| {
        descriptor::check(&vib.descriptor, report);
        check_level(vib, level, report);
        check_members(vib, report);
        let machine = programs::stated_machine(&vib.descriptor);
        for payload in &vib.payloads {
            report.inside(&format!("payload {:?}", payload.name), |report| {
                check_payload(payload, machine, report);
            });
        }
        check_file_list(vib, report);
        programs::check_machines(vib, report);
    });
}

/// What the level allows, and what it demands.
fn check_level(vib: &Vib, level: Option<Level>, report: &mut Report) {
    let written = vib.descriptor.acceptance_level.as_deref();
    let written = written.unwrap_or_default();
    let Some(level) = level else {
        report
            .add(
                Error,
                rules::SIGNATURE,
                format!("acceptance-level {written:?}"),
                "is unknown",
                format!("use one of {}", Level::NAMES.join(", ")),
            )
            .says("has invalid acceptance level");
        return;
    };
    signature::check(vib, written, report);
    if level != Level::Community {
        return;
    }
    for file in &vib.descriptor.files {
        let place = format!("file-list {file:?}");
        let location = path::community_location(&place, file)
            .or_else(|| path::old_community_location(&place, file));
        if let Some(finding) = location {
            report.found(Error, finding).says(PATH_LIST);
        }
    }
}

/// Every payload has its member, in the order of names.
fn check_members(vib: &Vib, report: &mut Report) {
    let declared: BTreeSet<_> = vib.payloads.iter().map(|one| one.name.as_str()).collect();
    let mut before = "";
    for member in vib.members.iter().skip(2) {
        let place = format!("member {:?} at byte {}", member.name, member.offset);
        if member.name.as_str() < before {
            let problem =
                format!("stands behind {before:?}, and hosts read forward in the order of names");
            report
                .add(
                    Error,
                    rules::MEMBER_ORDER,
                    &place,
                    problem,
                    "sort the payloads",
                )
                .at(member.offset);
        }
        before = &member.name;
        if !declared.contains(member.name.as_str()) {
            report
                .add(
                    Warning,
                    rules::MEMBER_ORDER,
                    place,
                    "is no payload of the descriptor",
                    "declare it or leave it out",
                )
                .at(member.offset);
        }
    }
    let mut names = BTreeSet::new();
    let mut vfat_names = BTreeSet::new();
    for payload in &vib.payloads {
        let place = format!("payload {:?}", payload.name);
        if let Some(finding) = name::payload_name("payload", &payload.name) {
            report.found(Error, finding).says(PARSE_PAYLOAD);
        }
        if !names.insert(&payload.name) {
            report
                .add(
                    Error,
                    rules::PAYLOAD_NAME,
                    &place,
                    "is declared twice",
                    "give each its own name",
                )
                .says(PARSE_PAYLOAD);
        }
        let vfat_name = payload.vfat_name.as_deref();
        if vfat_name.is_some_and(|name| !vfat_names.insert(name)) {
            report.add(
                Error,
                rules::BOOT_BANK_NAME,
                &place,
                "has the vfat-name of another payload",
                "give each its own name",
            );
        }
        if payload.size.is_none() {
            report.add(
                Error,
                rules::MEMBER_ORDER,
                place,
                "has no member in the VIB",
                "add the member, or remove the payload from the descriptor",
            );
        }
    }
}

fn check_payload(payload: &Payload, machine: u16, report: &mut Report) {
    if !TYPES.contains(&payload.kind.as_str()) {
        report.add(
            Warning,
            rules::PAYLOAD_TYPE,
            format!("type {:?}", payload.kind),
            "is none that hosts are known to take",
            "use tgz",
        );
    }
    if payload.kind == VZSTD {
        report.add(
            Error,
            rules::PAYLOAD_TYPE.on(Releases::up_to(8, 0)),
            "type \"vzstd\"",
            "is one that 9.0 brought",
            "use tgz, or demand esx-version >= 9.0.0",
        );
    }
    check_size(payload, report);
    check_unpacked_size(payload, report);
    if let Some(name) = &payload.vfat_name
        && let Some(finding) = name::vfat_name("vfat-name", name)
    {
        // Vendors use more characters than we would. It must still be a file of its own.
        let severity = if name::leaves_boot_bank(name) {
            Error
        } else {
            Warning
        };
        report.found(severity, finding);
    }
    if payload.has_more_behind {
        report.add(
            Error,
            rules::WHOLE,
            "gzip layer",
            "is followed by bytes that belong to nothing",
            "cut them off, or have the file built again",
        );
    }
    checksums::check(payload, report);
    if let Some(archive) = &payload.archive {
        entries::check(Some(&payload.kind), machine, archive, report);
    }
}

fn check_size(payload: &Payload, report: &mut Report) {
    let problem = match (&payload.declared_size, payload.size) {
        (_, None) => return,
        (None, Some(actual)) => format!("is not declared, and there are {actual} bytes"),
        (Some(declared), Some(actual)) => match declared.bytes() {
            None => format!("is {:?}, which is no number of bytes", declared.text()),
            Some(bytes) if bytes == actual => return,
            Some(bytes) => format!("is declared as {bytes} bytes, but there are {actual}"),
        },
    };
    report.add(
        Warning,
        rules::PAYLOAD_SIZE,
        "size",
        problem,
        "write the size as stored",
    );
}

/// What is unpacked from vzstd is not known here.
fn check_unpacked_size(payload: &Payload, report: &mut Report) {
    let declared = payload.declared_unpacked_size.as_ref();
    let known = payload.unpacked_size.filter(|_| payload.kind != VZSTD);
    let (Some(declared), Some(actual)) = (declared, known) else {
        return;
    };
    if declared.bytes() != Some(actual) {
        report.add(
            Warning,
            rules::PAYLOAD_SIZE,
            "uncompressed-size",
            format!("is {:?}, but there are {actual} bytes", declared.text()),
            "write the size of the archive, or leave it out",
        );
    }
}

/// The file list names exactly the files of the payloads.
fn check_file_list(vib: &Vib, report: &mut Report) {
    let mut listed = BTreeSet::new();
    for file in &vib.descriptor.files {
        let place = format!("file-list {file:?}");
        if !listed.insert(file.as_str()) {
            report.add(
                Warning,
                rules::ONE_ENTRY_PER_PATH,
                &place,
                "is listed twice",
                "list it once",
            );
        }
        // Names of vendors hold characters that we would not use.
        if let Some(finding) = path::form(&place, file).or_else(|| path::length(&place, file)) {
            report.found(Warning, finding);
        }
    }
    let mut archives = vib
        .payloads
        .iter()
        .filter(|payload| ARCHIVES.contains(&payload.kind.as_str()));
    if archives.clone().any(|payload| payload.archive.is_none()) {
        if !listed.is_empty() {
            report.add(
                Warning,
                rules::FILE_LIST,
                "file-list",
                "cannot be compared: not every payload was unpacked",
                "compare them on a host",
            );
        }
        return;
    }
    let mut packed = BTreeSet::new();
    let entries = archives.by_ref().filter_map(|payload| {
        let archive = payload.archive.as_ref()?;
        Some((payload, &archive.entries))
    });
    for (payload, entries) in entries {
        let files = entries
            .iter()
            .filter(|entry| entry.kind != EntryKind::Directory);
        for entry in files {
            let is_new = packed.insert(entry.path.as_str());
            if !is_new && vib.payloads.len() > 1 {
                report
                    .add(
                        Warning,
                        rules::ONE_ENTRY_PER_PATH,
                        format!("payload {:?}: entry {:?}", payload.name, entry.path),
                        "is packed by the package more than once",
                        "keep it in one payload",
                    )
                    .at(entry.offset);
            }
            if is_new && !listed.contains(entry.path.as_str()) {
                report
                    .add(
                        Error,
                        rules::FILE_LIST,
                        format!("entry {:?}", entry.path),
                        "is not in the file list, so that no conflict over it is noticed",
                        "list exactly the files of the payloads",
                    )
                    .at(entry.offset);
            }
        }
    }
    for file in listed.difference(&packed) {
        report.add(
            Error,
            rules::FILE_LIST,
            format!("file-list {file:?}"),
            "is in no payload",
            "list exactly the files of the payloads",
        );
    }
}
