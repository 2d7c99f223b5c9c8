//! What an ELF file says about itself. Whether that suits a host is for the caller to say
//! (FORMAT.md H4).

use object::elf::{DT_NEEDED, DT_STRSZ, DT_STRTAB, DynamicTag, FileHeader32, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind};

use crate::Error;

/// The most libraries that are listed, and the longest name in bytes. Tables may name one string
/// any number of times, so that a small file would otherwise unfold into a huge list.
const MOST_NEEDED: usize = 256;
const LONGEST_NAME: usize = 4096;

/// Facts of an ELF file's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Elf {
    /// Width of addresses.
    pub class: Class,
    /// `e_machine`; 62 is x86-64.
    pub machine: u16,
    /// What the file is made for.
    pub kind: Kind,
    /// The program that the kernel starts in its stead (`PT_INTERP`); static programs have none.
    pub interpreter: Option<String>,
    /// Shared libraries that must be found at its start (`DT_NEEDED`); static programs have none.
    pub needed: Vec<String>,
}

/// Width of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 32 bits
    Elf32,
    /// 64 bits
    Elf64,
}

/// `e_type`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `ET_EXEC`: a program with a fixed address.
    Executable,
    /// `ET_DYN`: a shared library, or a program without a fixed address.
    Shared,
    /// `ET_REL`: an object, such as a module of the host's kernel.
    Relocatable,
    /// Any other number.
    Other(u16),
}

impl Elf {
    /// `EM_X86_64`, for comparison with [`Elf::machine`].
    pub const X86_64: u16 = object::elf::EM_X86_64.0;
    /// `EM_AARCH64`, of ESXi on Arm.
    pub const AARCH64: u16 = object::elf::EM_AARCH64.0;

    /// The name of a machine, or `machine` and its number.
    pub fn machine_name(machine: u16) -> String {
        match object::elf::Machine(machine) {
            object::elf::EM_X86_64 => "x86-64".to_owned(),
            object::elf::EM_AARCH64 => "aarch64".to_owned(),
            object::elf::EM_386 => "i386".to_owned(),
            object::elf::EM_ARM => "arm".to_owned(),
            object::elf::EM_RISCV => "riscv".to_owned(),
            _ => format!("machine {machine}"),
        }
    }

    /// Reads the headers of an ELF file.
    ///
    /// # Errors
    /// [`Error::Elf`] if `bytes` are not an ELF file or its tables point outside.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        match FileKind::parse(bytes).map_err(unreadable)? {
            FileKind::Elf32 => facts::<FileHeader32<Endianness>>(Class::Elf32, bytes),
            FileKind::Elf64 => facts::<FileHeader64<Endianness>>(Class::Elf64, bytes),
            other => Err(Error::Elf {
                problem: format!("it is of the kind {other:?}"),
            }),
        }
    }
}

fn facts<H: FileHeader<Endian = Endianness>>(class: Class, bytes: &[u8]) -> Result<Elf, Error> {
    let header = H::parse(bytes).map_err(unreadable)?;
    let endian = header.endian().map_err(unreadable)?;
    let segments = header.program_headers(endian, bytes).map_err(unreadable)?;

    let mut interpreter = None;
    let mut needed = Vec::new();
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, bytes).map_err(unreadable)? {
            interpreter = Some(name(path)?);
        }
        if let Some(table) = segment.dynamic(endian, bytes).map_err(unreadable)? {
            // Programs have one such table. Only the last one counts, so that many cost no more.
            needed = needed_libraries::<H>(endian, bytes, segments, table)?;
        }
    }
    Ok(Elf {
        class,
        machine: header.e_machine(endian).0,
        kind: match header.e_type(endian) {
            object::elf::ET_EXEC => Kind::Executable,
            object::elf::ET_DYN => Kind::Shared,
            object::elf::ET_REL => Kind::Relocatable,
            other => Kind::Other(other.0),
        },
        interpreter,
        needed,
    })
}

/// The dynamic table names its strings by address, so that the segment which is loaded there has to
/// be found.
fn needed_libraries<H: FileHeader<Endian = Endianness>>(
    endian: Endianness,
    bytes: &[u8],
    segments: &[H::ProgramHeader],
    table: &[H::Dyn],
) -> Result<Vec<String>, Error> {
    let value = |tag: DynamicTag| {
        table
            .iter()
            .find(|entry| entry.tag(endian) == tag)
            .map_or(0, |entry| entry.d_val(endian).into())
    };
    let (address, size) = (value(DT_STRTAB), value(DT_STRSZ));
    let strings = segments
        .iter()
        .find_map(|segment| {
            segment
                .data_range(endian, bytes, address, size)
                .ok()
                .flatten()
        })
        .unwrap_or_default();
    let entries = table.iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
    let mut needed = Vec::new();
    for entry in entries {
        if needed.len() == MOST_NEEDED {
            return Err(Error::Elf {
                problem: format!("it needs more than {MOST_NEEDED} libraries"),
            });
        }
        let offset = usize::try_from(entry.d_val(endian).into()).ok();
        let rest = offset.and_then(|start| strings.get(start..));
        needed.push(name(rest.ok_or_else(|| Error::Elf {
            problem: "a library's name lies outside the string table".to_owned(),
        })?)?);
    }
    Ok(needed)
}

/// The text in front of the first NUL.
fn name(bytes: &[u8]) -> Result<String, Error> {
    let within = bytes.get(..LONGEST_NAME).unwrap_or(bytes);
    let end = within.iter().position(|byte| *byte == 0);
    match end.or((within.len() == bytes.len()).then_some(within.len())) {
        Some(end) => {
            Ok(String::from_utf8_lossy(within.get(..end).unwrap_or_default()).into_owned())
        }
        None => Err(Error::Elf {
            problem: format!("it holds a name of more than {LONGEST_NAME} bytes"),
        }),
    }
}

fn unreadable(error: object::Error) -> Error {
    Error::Elf {
        problem: error.to_string(),
    }
}
