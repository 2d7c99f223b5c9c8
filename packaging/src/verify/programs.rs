//! Programs and modules of the kernel: whether they fit the hosts that they are for (FORMAT.md H4,
//! H8).

use std::collections::BTreeMap;

use super::Severity::{Error, Warning};
use super::{entries, report::Report};
use crate::Elf;
use crate::inspect::{Descriptor, Entry, Program, Vib};
use crate::rules;

/// Words by which a package says that it is for ESXi on Arm.
const ARM: [&str; 3] = ["aarch64", "arm64", "arm"];

/// `wanted` is the machine that programs should be for. Libraries and modules of the kernel are no
/// programs.
pub(super) fn check(entry: &Entry, program: &Program, wanted: u16, report: &mut Report) {
    const REMEDY: &str = "build it as a static 64-bit program with a fixed address";
    let place = &entries::place(entry);
    match program {
        Program::Unreadable { problem } => {
            report.add(
                Warning,
                rules::PROGRAM,
                place,
                problem,
                "look at it by other means",
            );
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
            if (*bits, *machine) != (64, wanted) {
                let problem = format!(
                    "is a program of {bits} bits for {}, not for {}",
                    Elf::machine_name(*machine),
                    Elf::machine_name(wanted)
                );
                report.add(Error, rules::PROGRAM, place, problem, REMEDY);
            }
            if elf_type != "executable" {
                report.add(
                    Warning,
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
                report.add(Warning, rules::PROGRAM, place, problem, REMEDY);
            }
        }
    }
}

/// Machine, and whether it is of a module of the kernel; `None` for what hosts do not start
/// themselves.
fn machine(entry: &Entry) -> Option<(u16, bool)> {
    match &entry.program {
        Some(Program::Read {
            machine, elf_type, ..
        }) => match elf_type.as_ref() {
            "relocatable" => Some((*machine, true)),
            "executable" | "shared" => Some((*machine, false)),
            _ => None,
        },
        _ => None,
    }
}

/// All of a package is for one machine, and if that is not the common one, the package says so.
pub(super) fn check_machines(vib: &Vib, report: &mut Report) {
    let archives = vib.payloads.iter().filter_map(|one| one.archive.as_ref());
    let entries = archives.flat_map(|archive| &archive.entries);
    let mut machines: BTreeMap<u16, usize> = BTreeMap::new();
    let mut modules: BTreeMap<u16, (&Entry, usize)> = BTreeMap::new();
    for (entry, (machine, is_module)) in entries.filter_map(|one| Some((one, machine(one)?))) {
        *machines.entry(machine).or_default() += 1;
        if is_module {
            modules.entry(machine).or_insert((entry, 0)).1 += 1;
        }
    }
    for (machine, (first, count)) in modules {
        let (severity, problem, remedy) = match machine {
            Elf::X86_64 => continue,
            Elf::AARCH64 if says_arm(&vib.descriptor) => continue,
            Elf::AARCH64 => (
                Warning,
                ", and the package does not say that it is for ESXi on Arm",
                "say so in summary, description or tags, and in the name of the file",
            ),
            _ => (
                Error,
                ", and hosts run on x86-64 or aarch64",
                "build it for one of them",
            ),
        };
        let of_many = if count > 1 {
            format!(", the first of {count}")
        } else {
            String::new()
        };
        let name = Elf::machine_name(machine);
        report
            .add(
                severity,
                rules::MODULE,
                format!("entry {:?}", first.path),
                format!("is a kernel module for {name}{of_many}{problem}"),
                remedy,
            )
            .at(first.offset);
    }
    if machines.contains_key(&Elf::X86_64) && machines.contains_key(&Elf::AARCH64) {
        report.add(
            Warning,
            rules::MODULE,
            "payloads",
            "hold programs or modules for x86-64 and for aarch64, and no host runs both",
            "make a package for each",
        );
    }
}

/// The machine that a package says that it is for.
pub(super) fn stated_machine(descriptor: &Descriptor) -> u16 {
    if says_arm(descriptor) {
        Elf::AARCH64
    } else {
        Elf::X86_64
    }
}

fn says_arm(descriptor: &Descriptor) -> bool {
    let texts = [&descriptor.summary, &descriptor.description];
    let texts = texts.into_iter().flatten().map(String::as_str);
    let tags = descriptor.software_tags.iter().map(String::as_str);
    let identity = [descriptor.name.as_str(), descriptor.version.as_str()];
    texts.chain(tags).chain(identity).any(|text| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| ARM.iter().any(|arm| word.eq_ignore_ascii_case(arm)))
    })
}
