//! The entries of a payload's archive: dialect, names, parents, modes.

use std::collections::{BTreeMap, BTreeSet};

use super::Severity::{Error, Warning};
use super::report::Report;
use super::{leftovers, programs, scripts};
use crate::inspect::{
    Archive, Entry, EntryKind, Extension, Flavour, Program, is_leftover, is_started,
};
use crate::rules::{self, path};

/// Written by others than root.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const SET_ID: u32 = 0o6000;
const EXECUTABLE: u32 = 0o111;

/// `kind` is the type of the payload; absent for an archive that is not one. `machine` is the one
/// that programs should be for.
pub(super) fn check(kind: Option<&str>, machine: u16, archive: &Archive, report: &mut Report) {
    check_flavour(kind, archive, report);
    check_end(archive, report);
    leftovers::check(archive, report);
    let files: BTreeSet<_> = archive
        .entries
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in &archive.entries {
        report.at(entry.offset, |report| {
            if let Some(program) = &entry.program {
                programs::check(entry, program, machine, report);
            }
            check_entry(entry, &files, &mut seen, report);
        });
    }
}

/// How findings name an entry.
pub(super) fn place(entry: &Entry) -> String {
    format!("entry {:?} at byte {}", entry.path, entry.offset)
}

/// `files` are the paths of the archive, `seen` those before the entry, without a slash at the end,
/// and whether they are directories.
fn check_entry<'a>(
    entry: &'a Entry,
    files: &BTreeSet<&str>,
    seen: &mut BTreeMap<&'a str, bool>,
    report: &mut Report,
) {
    let place = place(entry);
    check_name(&place, entry, report);
    check_mode(&place, entry, report);
    if !is_leftover(&entry.path) {
        scripts::check(&place, entry, files, report);
    }
    let bare = entry.path.trim_end_matches('/');
    check_parents(&place, bare, seen, report);
    let is_directory = entry.kind == EntryKind::Directory;
    if seen.insert(bare, is_directory).is_some() {
        report.add(
            Error,
            rules::ONE_ENTRY_PER_PATH,
            place,
            "is in the archive twice",
            "keep one of the two",
        );
    }
}

/// Two blocks of zeros, and nothing behind them. A vmtar has its data there.
fn check_end(archive: &Archive, report: &mut Report) {
    if !archive.terminated {
        report.add(
            Warning,
            rules::TAR_END,
            "archive",
            "does not end in blocks of zeros",
            "write two behind the last entry",
        );
    }
    if let Some(offset) = archive.behind {
        report
            .add(
                Error,
                rules::TAR_END,
                format!("archive at byte {offset}"),
                "goes on behind its end, where no reader looks",
                "write two blocks of zeros behind the last entry, and nothing else",
            )
            .at(offset);
    } else if archive.end_blocks == 1 {
        report.add(
            Warning,
            rules::TAR_END,
            "archive",
            "ends in one block of zeros",
            "write two behind the last entry",
        );
    }
}

/// One diagnosis for the archive, not one for each entry.
fn check_flavour(kind: Option<&str>, archive: &Archive, report: &mut Report) {
    let wanted = match kind {
        Some("vgz" | "installer_vgz") => Flavour::Visor,
        _ => Flavour::Gnu,
    };
    let Some(entry) = archive.entries.iter().find(|entry| entry.flavour != wanted) else {
        return;
    };
    let place = format!("header at byte {}", entry.offset);
    match (wanted, entry.flavour) {
        (Flavour::Visor, _) => {
            report.add(
                Warning,
                rules::PAYLOAD_TYPE,
                place,
                "is of tar, but the payload's type is vgz",
                "declare the type tgz",
            );
        }
        (_, Flavour::Visor) => {
            report.add(
                Warning,
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
            report.add(
                Warning,
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
        report.add(
            Error,
            rules::PATH_FORM,
            place,
            "is stored with a leading \"./\", by which it does not match the file list",
            "store it without",
        );
    }
    if entry.crooked {
        report.add(
            Error,
            rules::PATH_FORM,
            place,
            "is stored in a longer form, by which it does not match the file list",
            "store it without \"//\" and \"/./\"",
        );
    }
    if entry.kind == EntryKind::Special {
        report.add(
            Error,
            rules::ENTRY_KIND,
            place,
            "is a device, a pipe or of an unknown kind",
            "pack files, directories and symbolic links only",
        );
    }
    if entry.kind == EntryKind::HardLink {
        report.add(
            Warning,
            rules::ENTRY_KIND,
            place,
            "is another name of a file, and whether hosts make it is not known",
            "pack the file twice, or a symbolic link",
        );
    }
    // That of macOS has a line of its own.
    if !matches!(entry.extension, None | Some(Extension::PaxOfMacos)) {
        report.add(
            Error,
            rules::TAR_FLAVOUR,
            place,
            "has a pax or long-name record in front, which hosts are not known to read",
            "keep paths below 100 bytes and write plain GNU headers",
        );
    }
    if entry.filled {
        report.add(
            Warning,
            rules::TAR_FLAVOUR,
            place,
            "has bytes behind its fields, where readers of POSIX headers find a part of the path",
            "write plain headers, for instance with tar --format=gnu",
        );
    }
    if let Some(finding) = path::length(place, &entry.path) {
        report.found(Error, finding);
    }
}

fn check_mode(place: &str, entry: &Entry, report: &mut Report) {
    if entry.kind == EntryKind::Symlink {
        return;
    }
    let mode = entry.mode;
    if mode & WRITABLE_BY_OTHERS != 0 {
        report.add(
            Warning,
            rules::MODE,
            place,
            format!("has mode {mode:04o}, by which others than root may write"),
            "take the write bits of group and others away",
        );
    }
    if mode & SET_ID != 0 {
        report.add(
            Warning,
            rules::MODE,
            place,
            format!("has mode {mode:04o}, by which it runs with other rights than its caller's"),
            "take the set-id bits away",
        );
    }
    let is_script = entry.kind == EntryKind::File && is_started(&entry.path);
    let is_program =
        matches!(&entry.program, Some(Program::Read { elf_type, .. }) if elf_type == "executable");
    if (is_script || is_program) && mode & EXECUTABLE == 0 {
        report.add(
            Error,
            rules::MODE,
            place,
            format!("has mode {mode:04o} and cannot be started"),
            "set it to 0755",
        );
    }
    if entry.is_sticky() && !entry.path.starts_with("etc/") {
        report.add(
            Warning,
            rules::CONFIG_BELOW_ETC,
            place,
            "is sticky outside etc/, where a reboot drops its edits",
            "move it below etc/config/ or take the sticky bit away",
        );
    }
    let is_file = entry.kind == EntryKind::File;
    if is_file && let Some(finding) = path::unsaved_config(place, &entry.path, mode) {
        report.found(Warning, finding);
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
            report.add(
                Error,
                rules::ONE_ENTRY_PER_PATH,
                place,
                problem,
                "move one of the two",
            );
        }
        None => {
            report.add(
                Warning,
                rules::PARENTS,
                place,
                format!("has no entry for its directory {parent:?} before it"),
                "add one with mode 0755",
            );
        }
    }
}
