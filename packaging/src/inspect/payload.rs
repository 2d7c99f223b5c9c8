//! A payload: its digests as stored and unpacked, and the entries of its archive (FORMAT.md C1,
//! T1).

use std::io::{BufRead as _, BufReader, Read};

use serde::Serialize;

use super::archive::{Archive, walk};
use super::descriptor::{DeclaredChecksum, DeclaredPayload, DeclaredSize};
use super::entry::{Entry, EntryKind, Program};
use super::gunzip::Gunzip;
use super::limits::Meter;
use super::stream::{Hashed, Metered, Sums, fill, whole};
use super::{Observer, ReadError, Script, startable};

pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];
const ELF: &[u8; 4] = b"\x7fELF";

/// A payload that a descriptor declares, and what was found of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Payload {
    /// Name, which is also that of its member.
    pub name: String,
    /// Type as declared: `tgz`, `vgz` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// Size in bytes as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_size: Option<DeclaredSize>,
    /// Size in bytes as stored; absent if the VIB has no such member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// File name in the boot bank as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vfat_name: Option<String>,
    /// Size in bytes after unpacking as declared, which releases from 8.0 U3 on write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_unpacked_size: Option<DeclaredSize>,
    /// Size in bytes after unpacking the gzip layer; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpacked_size: Option<u64>,
    /// Whether something other than zeros stands behind the gzip layer.
    pub has_more_behind: bool,
    /// The checksums, in the order of the descriptor.
    pub checksums: Vec<Checksum>,
    /// What the bytes as stored hash to.
    #[serde(skip)]
    pub(crate) stored_sums: Option<Sums>,
    /// What the bytes after unpacking the gzip layer hash to.
    #[serde(skip)]
    pub(crate) unpacked_sums: Option<Sums>,
    /// Files and directories; absent for types that are not archives or not unpacked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
}

/// A checksum of a descriptor, and whether it is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Checksum {
    /// What the descriptor says.
    #[serde(flatten)]
    pub declared: DeclaredChecksum,
    /// The comparison with the bytes.
    #[serde(flatten)]
    pub state: ChecksumState,
}

/// The comparison of a checksum with the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
#[non_exhaustive]
pub enum ChecksumState {
    /// The bytes hash to the value.
    Verified,
    /// They do not.
    Differs {
        /// What they hash to.
        actual: String,
    },
    /// It cannot be told.
    Unverified {
        /// Why.
        reason: &'static str,
    },
}

impl Payload {
    /// A payload whose bytes are not there.
    pub(super) fn absent(declared: &DeclaredPayload) -> Self {
        let state = |_: &_| ChecksumState::Unverified {
            reason: "the payload is missing",
        };
        Self::new(declared, None, None, state)
    }

    /// Reads the bytes of a payload to their end.
    pub(super) fn read(
        declared: &DeclaredPayload,
        data: &mut dyn Read,
        meter: &Meter,
        observer: &mut dyn Observer,
    ) -> Result<Self, ReadError> {
        let part = format!("payload {:?}", declared.name);
        let reading = |offset| ReadError::reading(part.clone(), offset);
        let archived = matches!(declared.kind.as_str(), "tgz" | "vgz" | "installer_vgz");
        let mut stored = BufReader::new(Hashed::new(data));
        let gzipped = stored.fill_buf().map_err(reading(0))?.starts_with(GZIP);
        if archived && !gzipped {
            return Err(ReadError::Malformed {
                part,
                offset: 0,
                problem: format!(
                    "its type is {:?}, but it does not begin like gzip",
                    declared.kind
                ),
            });
        }
        let mut archive = None;
        let mut unpacked = None;
        let mut has_more_behind = false;
        if archived {
            let found = gunzip_archive(&mut stored, &declared.name, meter, observer)
                .map_err(ReadError::within(part.clone()))?;
            archive = Some(found.archive);
            unpacked = Some(found.sums);
            has_more_behind = found.has_more_behind;
        } else if gzipped {
            let mut plain = Hashed::new(Metered::new(Gunzip::new(&mut stored), meter));
            observer.member(&declared.name, &mut plain)?;
            let (sums, rest) = plain.finish().map_err(reading(0))?;
            unpacked = Some(sums);
            has_more_behind = rest.into_inner().has_more_behind();
        } else {
            observer.member(&declared.name, &mut stored)?;
        }
        let (stored, _) = stored.into_inner().finish().map_err(reading(0))?;
        let state = |checksum: &DeclaredChecksum| {
            compare(&declared.kind, checksum, &stored, unpacked.as_ref())
        };
        Ok(Self {
            has_more_behind,
            archive,
            ..Self::new(declared, Some(&stored), unpacked.as_ref(), state)
        })
    }

    fn new(
        declared: &DeclaredPayload,
        stored: Option<&Sums>,
        unpacked: Option<&Sums>,
        state: impl Fn(&DeclaredChecksum) -> ChecksumState,
    ) -> Self {
        let checksums = declared.checksums.iter().map(|declared| Checksum {
            declared: declared.clone(),
            state: state(declared),
        });
        Self {
            name: declared.name.clone(),
            kind: declared.kind.clone(),
            declared_size: declared.size.clone(),
            vfat_name: declared.vfat_name.clone(),
            declared_unpacked_size: declared.uncompressed_size.clone(),
            size: stored.map(|sums| sums.length),
            unpacked_size: unpacked.map(|sums| sums.length),
            has_more_behind: false,
            checksums: checksums.collect(),
            stored_sums: stored.cloned(),
            unpacked_sums: unpacked.cloned(),
            archive: None,
        }
    }
}

/// A gzipped archive, with the digests of what was unpacked.
pub(super) struct Unpacked {
    pub(super) archive: Archive,
    sums: Sums,
    pub(super) has_more_behind: bool,
}

/// Unpacks and walks a gzipped archive in one pass, to the end of the gzip layer.
pub(super) fn gunzip_archive(
    stored: &mut dyn std::io::BufRead,
    folder: &str,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<Unpacked, ReadError> {
    let mut plain = Hashed::new(Metered::new(Gunzip::new(stored), meter));
    let archive = walk(&mut plain, meter, &mut |entry, data| {
        visit(folder, entry, data, meter, observer)
    })?;
    let (sums, rest) = plain.finish().map_err(ReadError::reading("gzip", 0))?;
    Ok(Unpacked {
        archive,
        sums,
        has_more_behind: rest.into_inner().has_more_behind(),
    })
}

/// Looks at programs and scripts, and passes everything on to the observer.
fn visit(
    folder: &str,
    entry: &mut Entry,
    data: &mut dyn Read,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<(), ReadError> {
    let part = format!("data of {:?}", entry.path);
    if entry.kind != EntryKind::File {
        return observer.entry(folder, entry, data);
    }
    let mut head = [0; ELF.len()];
    let head = first(entry, &part, data, &mut head)?;
    if head != ELF {
        return visit_text(folder, entry, &mut head.chain(data), meter, observer);
    }
    if entry.size > meter.limits.elf_bytes {
        entry.program = Some(Program::Unreadable {
            problem: format!("it has more than {} bytes", meter.limits.elf_bytes),
        });
        return observer.entry(folder, entry, &mut head.chain(data));
    }
    let bytes = whole(&mut head.chain(data), entry.size, &part, entry.offset)?;
    let program = Program::read(&bytes);
    meter.names(program.name_bytes(), entry.offset)?;
    entry.program = Some(program);
    observer.entry(folder, entry, &mut bytes.as_slice())
}

/// Looks at files that are scripts, or XML that a host parses.
fn visit_text(
    folder: &str,
    entry: &mut Entry,
    data: &mut dyn Read,
    meter: &Meter,
    observer: &mut dyn Observer,
) -> Result<(), ReadError> {
    let part = format!("data of {:?}", entry.path);
    let limit = meter.limits.xml_bytes;
    if startable::is_parsed(&entry.path) && entry.size <= limit {
        let bytes = whole(data, entry.size, &part, entry.offset)?;
        entry.xml_fault = startable::xml_fault(&bytes, meter)?;
        let length = entry.xml_fault.as_ref().map_or(0, String::len);
        meter.names(length, entry.offset)?;
        return observer.entry(folder, entry, &mut bytes.as_slice());
    }
    let mut start = [0; 2];
    let start = first(entry, &part, data, &mut start)?;
    let is_script = start == b"#!" || startable::is_started(&entry.path);
    if !is_script {
        return observer.entry(folder, entry, &mut start.chain(data));
    }
    let mut head = Vec::new();
    let mut data = start.chain(data);
    data.by_ref()
        .take(startable::SCRIPT_BYTES)
        .read_to_end(&mut head)
        .map_err(ReadError::reading(part, entry.offset))?;
    entry.script = Script::read(&entry.path, &head);
    let interpreter = entry
        .script
        .as_ref()
        .and_then(|one| one.interpreter.as_ref());
    meter.names(interpreter.map_or(0, String::len), entry.offset)?;
    observer.entry(folder, entry, &mut head.as_slice().chain(data))
}

/// The first bytes of a file; fewer if it is shorter than the buffer.
fn first<'b>(
    entry: &Entry,
    part: &str,
    mut data: &mut dyn Read,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], ReadError> {
    let filled =
        fill(&mut data, buffer).map_err(ReadError::reading(part.to_owned(), entry.offset))?;
    Ok(buffer.split_at(filled).0)
}

fn compare(
    kind: &str,
    checksum: &DeclaredChecksum,
    stored: &Sums,
    unpacked: Option<&Sums>,
) -> ChecksumState {
    let unverified = |reason| ChecksumState::Unverified { reason };
    let digest = |sums: &Sums, name: &str| sums.of(name).map(str::to_owned);
    let sum_type = checksum.kind.as_str();
    let process = checksum.process.as_deref();
    let actual = match (process, sum_type.strip_suffix("-gunzip1")) {
        (None, None) => digest(stored, sum_type),
        // What one gunzip gives, which for vzstd is not yet the archive.
        (_, Some(name)) => unpacked.and_then(|sums| digest(sums, name)),
        (Some("gunzip"), None) if kind == "vzstd" => {
            return unverified("zstd is not unpacked by this reader");
        }
        (Some("gunzip"), None) => match unpacked {
            Some(sums) => digest(sums, sum_type),
            None => return unverified("the payload is not gzipped"),
        },
        (Some(_), None) => None,
    };
    match actual {
        None => unverified("a kind of checksum that this reader does not know"),
        Some(actual) if actual == checksum.value => ChecksumState::Verified,
        Some(actual) => ChecksumState::Differs { actual },
    }
}
