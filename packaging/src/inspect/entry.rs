//! What an archive says about one of its files.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{ReadError, Script};
use crate::elf::{Class, Elf, Kind};

/// An entry of a payload's archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Entry {
    /// Path without a leading `./`; directories end in a slash.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits; in JSON four or five octal digits, such as `"01644"`.
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    /// Size of the data in bytes.
    pub size: u64,
    /// Owner.
    pub uid: u64,
    /// Owning group.
    pub gid: u64,
    /// Target of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Dialect of the header.
    pub flavour: Flavour,
    /// Whether bytes stand where headers of this dialect have none, and where other readers look
    /// for the beginning of the path.
    pub filled: bool,
    /// The record that a name too long for its header stood in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<Extension>,
    /// Whether the path is stored with a leading `./`.
    pub dotted: bool,
    /// Whether the path is stored in another form that is longer than needed, such as `a//b`.
    pub crooked: bool,
    /// Where the header begins, in bytes from the start of the unpacked archive.
    pub offset: u64,
    /// What a program's headers say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// What a script says about how it is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// What is wrong with the XML of a file that a host parses because of its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_fault: Option<String>,
}

impl Entry {
    /// Whether the host saves edits of it (FORMAT.md L5).
    pub fn is_sticky(&self) -> bool {
        self.kind == EntryKind::File && self.mode & 0o1000 != 0
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
fn octal<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("0{mode:03o}"))
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of an earlier file.
    HardLink,
    /// A device, a pipe or an unknown type.
    Special,
}

/// Dialect of an archive's header, by its magic (FORMAT.md T2, R2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Flavour {
    /// `ustar`, two blanks, NUL.
    Gnu,
    /// `ustar`, NUL, `00`.
    Posix,
    /// `visor`, two blanks, NUL: vmtar.
    Visor,
    /// No magic: before POSIX.
    Old,
}

/// The record that a long name stood in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Extension {
    /// Type `L` or `K`.
    GnuLongName,
    /// Type `x`, whether it holds a name or something else.
    Pax,
    /// Type `x`, with attributes that macOS keeps for files.
    PaxOfMacos,
}

/// What the headers of an ELF file say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
#[non_exhaustive]
pub enum Program {
    /// Its headers were read.
    #[serde(rename_all = "kebab-case")]
    Read {
        /// 32 or 64.
        bits: u8,
        /// `e_machine`; 62 is x86-64, 183 is aarch64.
        machine: u16,
        /// `executable`, `shared`, `relocatable`, or the number of another `e_type`.
        elf_type: Cow<'static, str>,
        /// The program that is started in its stead.
        #[serde(skip_serializing_if = "Option::is_none")]
        interpreter: Option<String>,
        /// Libraries that it needs.
        needed: Vec<String>,
    },
    /// It begins like an ELF file, but its tables contradict themselves or are too big to look at.
    Unreadable {
        /// Why.
        problem: String,
    },
}

impl Program {
    /// Bytes of the names that it keeps.
    pub(super) fn name_bytes(&self) -> usize {
        match self {
            Self::Read {
                interpreter,
                needed,
                ..
            } => interpreter.iter().chain(needed).map(String::len).sum(),
            Self::Unreadable { problem } => problem.len(),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Self {
        match Elf::read(bytes) {
            Ok(elf) => Self::Read {
                bits: match elf.class {
                    Class::Elf32 => 32,
                    Class::Elf64 => 64,
                },
                machine: elf.machine,
                elf_type: match elf.kind {
                    Kind::Executable => "executable".into(),
                    Kind::Shared => "shared".into(),
                    Kind::Relocatable => "relocatable".into(),
                    Kind::Other(number) => number.to_string().into(),
                },
                interpreter: elf.interpreter,
                needed: elf.needed,
            },
            Err(error) => Self::Unreadable {
                problem: error.to_string(),
            },
        }
    }
}

/// Names of a path. Hosts have room for far fewer.
const DEPTH: usize = 64;

/// A path that stays inside the place it is unpacked to (FORMAT.md R7), and whether it had a
/// leading `./`. The root itself becomes the empty path.
pub(super) fn contained(path: &str, offset: u64) -> Result<(String, bool), ReadError> {
    let refuse = |problem| {
        Err(ReadError::Path {
            path: path.to_owned(),
            offset,
            problem,
        })
    };
    if path.starts_with('/') {
        return refuse("it is absolute");
    }
    if path.contains(|c: char| c.is_control() || c == '\\') {
        return refuse("it contains a control character or a backslash");
    }
    let names = path
        .split('/')
        .filter(|name| !name.is_empty() && *name != ".");
    let mut inner = String::new();
    for (depth, name) in names.enumerate() {
        if depth >= DEPTH {
            return refuse("it nests too deep");
        }
        if name == ".." {
            return refuse("it climbs with \"..\"");
        }
        if !inner.is_empty() {
            inner.push('/');
        }
        inner.push_str(name);
    }
    Ok((inner, path == "." || path.starts_with("./")))
}
