//! The entries of a payload's archive: dialect, names, parents, modes, programs.

use std::collections::BTreeMap;

use super::{Report, Severity};
use crate::inspect::{Archive, Entry, EntryKind, Flavour, Program};
use crate::rules::{self, path};

/// Written by others than root.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const SET_ID: u32 = 0o6000;
const EXECUTABLE: u32 = 0o111;

/// `kind` is the type of the payload; absent for an archive that is not one.
pub(super) fn check(kind: Option<&str>, archive: &Archive, report: &mut Report) {
    check_flavour(kind, archive, report);
    if !archive.terminated {
        report.warning(
            rules::TAR_END,
            "archive",
            "does not end in blocks of zeros",
            "write two behind the last entry",
        );
    }
    let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in &archive.entries {
        let place = format!("entry {:?}", entry.path);
        check_name(&place, entry, report);
        check_mode(&place, entry, report);
        if let Some(program) = &entry.program {
            check_program(&place, entry, program, report);
        }
        let bare = entry.path.trim_end_matches('/');
        check_parents(&place, bare, &seen, report);
        let is_directory = entry.kind == EntryKind::Directory;
        if seen.insert(bare, is_directory).is_some() {
            report.error(
                rules::ONE_ENTRY_PER_PATH,
                place,
                "is in the archive twice",
                "keep one of the two",
            );
        }
    }
}

/// One diagnosis for the archive, not one for each entry.
fn check_flavour(kind: Option<&str>, archive: &Archive, report: &mut Report) {
    let wanted = match kind {
        Some("vgz") => Flavour::Visor,
        _ => Flavour::Gnu,
    };
    let Some(entry) = archive.entries.iter().find(|entry| entry.flavour != wanted) else {
        return;
    };
    let place = format!("header at byte {}", entry.offset);
    match (wanted, entry.flavour) {
        (Flavour::Visor, _) => {
            report.warning(
                rules::PAYLOAD_TYPE,
                place,
                "is of tar, but the payload's type is vgz",
                "declare the type tgz",
            );
        }
        (_, Flavour::Visor) => {
            report.warning(
                rules::PAYLOAD_TYPE,
                place,
                "is of vmtar, but the payload's type is not vgz",
                "declare the type vgz",
            );
        }
        (_, found) => {
            let found = if found == Flavour::Posix {
                "POSIX magic"
            } else {
                "no magic"
            };
            report.warning(
                rules::TAR_FLAVOUR,
                place,
                format!("has {found}, which the vendor's tools refuse"),
                "write it with GNU magic, for instance with tar --format=gnu",
            );
        }
    }
}

fn check_name(place: &str, entry: &Entry, report: &mut Report) {
    if entry.dotted {
        report.error(
            rules::PATH_FORM,
            place,
            "is stored with a leading \"./\", by which it does not match the file list",
            "store it without",
        );
    }
    if entry.extension.is_some() {
        report.error(
            rules::TAR_FLAVOUR,
            place,
            "has a pax or long-name record in front, which hosts are not known to read",
            "keep paths below 100 bytes and write plain GNU headers",
        );
    }
    if let Some(finding) = path::length(place, &entry.path) {
        report.found(Severity::Error, finding);
    }
    if (entry.uid, entry.gid) != (0, 0) {
        report.warning(
            rules::OWNER,
            place,
            format!("belongs to {}:{}", entry.uid, entry.gid),
            "set the owner to 0:0",
        );
    }
}

fn check_mode(place: &str, entry: &Entry, report: &mut Report) {
    if entry.kind == EntryKind::Symlink {
        return;
    }
    let mode = entry.mode;
    if mode & WRITABLE_BY_OTHERS != 0 {
        report.warning(
            rules::MODE,
            place,
            format!("has mode {mode:04o}, by which others than root may write"),
            "take the write bits of group and others away",
        );
    }
    if mode & SET_ID != 0 {
        report.warning(
            rules::MODE,
            place,
            format!("has mode {mode:04o}, by which it runs with other rights than its caller's"),
            "take the set-id bits away",
        );
    }
    let is_script = entry.kind == EntryKind::File && entry.path.starts_with("etc/init.d/");
    let is_program =
        matches!(&entry.program, Some(Program::Read { elf_type, .. }) if elf_type == "executable");
    if (is_script || is_program) && mode & EXECUTABLE == 0 {
        report.error(
            rules::MODE,
            place,
            format!("has mode {mode:04o} and cannot be started"),
            "set it to 0755",
        );
    }
    if entry.is_sticky() && !entry.path.starts_with("etc/") {
        report.warning(
            rules::CONFIG_BELOW_ETC,
            place,
            "is sticky outside etc/, where a reboot drops its edits",
            "move it below etc/config/ or take the sticky bit away",
        );
    }
}

/// Libraries and modules of the kernel are no programs.
fn check_program(place: &str, entry: &Entry, program: &Program, report: &mut Report) {
    const REMEDY: &str = "build it as a static 64-bit program with a fixed address";
    match program {
        Program::Unreadable { problem } => {
            report.warning(rules::PROGRAM, place, problem, "look at it by other means");
        }
        Program::Read {
            bits,
            machine,
            elf_type,
            interpreter,
            needed,
        } => {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            let is_library = name.split('.').skip(1).any(|part| part == "so");
            if is_library || !matches!(elf_type.as_ref(), "executable" | "shared") {
                return;
            }
            if (*bits, *machine) != (64, crate::Elf::X86_64) {
                let problem =
                    format!("is a program of {bits} bits for machine {machine}, not for x86-64");
                report.error(rules::PROGRAM, place, problem, REMEDY);
            }
            if elf_type != "executable" {
                report.warning(
                    rules::PROGRAM,
                    place,
                    "is position-independent (ET_DYN)",
                    REMEDY,
                );
            }
            if interpreter.is_some() || !needed.is_empty() {
                let parts: Vec<_> = interpreter
                    .iter()
                    .chain(needed)
                    .map(String::as_str)
                    .collect();
                let problem = format!("is not static: it needs {}", parts.join(", "));
                report.warning(rules::PROGRAM, place, problem, REMEDY);
            }
        }
    }
}

/// Every directory on the way stands before the entry.
fn check_parents(place: &str, path: &str, seen: &BTreeMap<&str, bool>, report: &mut Report) {
    let Some((parent, _)) = path.rsplit_once('/') else {
        return;
    };
    match seen.get(parent) {
        Some(true) => {}
        Some(false) => {
            let problem = format!("lies below {parent:?}, which is no directory");
            report.error(
                rules::ONE_ENTRY_PER_PATH,
                place,
                problem,
                "move one of the two",
            );
        }
        None => {
            report.warning(
                rules::PARENTS,
                place,
                format!("has no entry for its directory {parent:?} before it"),
                "add one with mode 0755",
            );
        }
    }
}
