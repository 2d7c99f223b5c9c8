//! Unpacking a file, one layer deep: what is written where is decided here, writing is the
//! caller's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use super::entry::{Entry, EntryKind, contained};
use super::limits::{Limits, Meter};
use super::source::Source;
use super::stream::{Hashed, Sums};
use super::zip::{Zip, ZipEntry};
use super::{
    Bundle, Contents, DepotVib, Ignore, Observer, ReadError, Vib, inspect_with,
    payload::ChecksumState,
};

/// Takes what is unpacked. Paths are relative, have no `..`, and no file or link on the way.
pub trait Sink {
    /// Makes a directory.
    ///
    /// # Errors
    /// Whatever goes wrong; it ends the extraction.
    fn directory(&mut self, path: &str) -> io::Result<()>;

    /// Writes a file; its folder may not exist yet. An error of `data` must be handed on as it is.
    ///
    /// # Errors
    /// Whatever goes wrong; it ends the extraction.
    fn file(&mut self, path: &str, mode: u32, data: &mut dyn Read) -> io::Result<()>;
}

/// What was unpacked, and what was not.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Files that were handed to the sink.
    pub files: usize,
    /// Links, devices and pipes, each as one line. None is ever made.
    pub left_out: Vec<String>,
    /// Members of a VIB that its descriptor does not declare. They are not unpacked.
    pub undeclared: Vec<String>,
}

/// Unpacks a file: a VIB into its descriptor, its signature and a folder for each payload; a VIB of
/// 4.x into its members, with folders `control` and `data`; a bundle or a zip around one into its
/// files; a gzipped tar into its files. A payload that is no archive becomes one file, without its
/// gzip layer.
///
/// A caller that must not leave half of it behind lets the sink write to a place of its own, and
/// moves that when this has succeeded.
///
/// # Errors
/// [`ReadError`]; also for checksums that differ, names that stand for two things, a file that
/// changes meanwhile, and [`ReadError::Sink`] for whatever the sink reports.
pub fn extract<R: Read + Seek>(
    mut input: R,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Extracted, ReadError> {
    let mut unpacker = Unpacker {
        sink,
        taken: BTreeMap::new(),
        most: limits.entries,
        extracted: Extracted::default(),
    };
    let inspection = inspect_with(&mut input, &Meter::new(limits.clone()), &mut unpacker)?;
    match &inspection.contents {
        Contents::Vib(vib) => check(vib)?,
        Contents::Bundle(bundle) => {
            bundle.vibs.iter().try_for_each(check_file)?;
            unpack_zip(input, limits, &mut unpacker, Some(bundle))?;
        }
        Contents::WrappedBundle { bundle, .. } => {
            bundle.vibs.iter().try_for_each(check_file)?;
            unpack_zip(input, limits, &mut unpacker, None)?;
        }
        Contents::LegacyVib(_) | Contents::Archive(_) => {}
    }
    Ok(unpacker.extracted)
}

fn check(vib: &Vib) -> Result<(), ReadError> {
    for payload in &vib.payloads {
        for checksum in &payload.checksums {
            if let ChecksumState::Differs { actual } = &checksum.state {
                return Err(ReadError::Checksum {
                    part: format!("payload {:?}", payload.name),
                    kind: checksum.declared.label(),
                    actual: actual.clone(),
                    expected: checksum.declared.value.clone(),
                });
            }
        }
    }
    Ok(())
}

fn check_file(file: &DepotVib) -> Result<(), ReadError> {
    if let (Some(expected), Some(actual)) = (&file.sha256, &file.actual_sha256)
        && expected != actual
    {
        return Err(differs(
            file.relative_path.clone().unwrap_or_default(),
            actual,
            expected,
        ));
    }
    file.vib.iter().try_for_each(check)
}

fn differs(part: String, actual: &str, expected: &str) -> ReadError {
    ReadError::Checksum {
        part,
        kind: "sha-256".to_owned(),
        actual: actual.to_owned(),
        expected: expected.to_owned(),
    }
}

/// Unpacks the entries of a zip. It is read for the second time: a VIB must still be the one that
/// was looked at, byte for byte.
fn unpack_zip<R: Read + Seek>(
    input: R,
    limits: &Limits,
    unpacker: &mut Unpacker<'_>,
    bundle: Option<&Bundle>,
) -> Result<(), ReadError> {
    let meter = Meter::new(limits.clone());
    let file = RefCell::new(input);
    let source = Source::file(&file).map_err(ReadError::reading("zip", 0))?;
    let zip = Zip::new(source, &meter)?;
    if bundle.is_some_and(|bundle| bundle.entries != zip.entries()) {
        return Err(ReadError::Malformed {
            part: "zip directory".to_owned(),
            offset: 0,
            problem: "it has changed while it was read".to_owned(),
        });
    }
    let vibs = bundle.into_iter().flat_map(|bundle| &bundle.vibs);
    let seen: BTreeMap<_, _> = vibs
        .filter_map(|vib| {
            let entry = zip.find(vib.relative_path.as_deref()?)?;
            Some((entry.offset, vib.actual_sha256.as_deref()?))
        })
        .collect();
    for entry in zip.entries() {
        if entry.path.ends_with('/') {
            unpacker.directory(&entry.path, entry.offset)?;
            continue;
        }
        let written = unpack_entry(&zip, entry, unpacker)?;
        if let Some(expected) = seen.get(&entry.offset)
            && written.sha256 != **expected
        {
            return Err(differs(entry.path.clone(), &written.sha256, expected));
        }
    }
    Ok(())
}

fn unpack_entry(
    zip: &Zip<'_, '_>,
    entry: &ZipEntry,
    unpacker: &mut Unpacker<'_>,
) -> Result<Sums, ReadError> {
    let mut data = Hashed::new(zip.open(entry)?);
    unpacker.file(&entry.path, 0o644, entry.offset, &mut data)?;
    // The sink has read to the end; this would notice if it had not.
    let rest = data.finish();
    let (sums, _) = rest.map_err(ReadError::reading(entry.path.clone(), entry.offset))?;
    Ok(sums)
}

/// Guards the sink: every path is taken once, and nothing lies below a file or a link.
struct Unpacker<'s> {
    sink: &'s mut dyn Sink,
    /// Paths without a slash at the end; true for directories.
    taken: BTreeMap<String, bool>,
    /// The most paths that may be taken.
    most: u64,
    extracted: Extracted,
}

impl Unpacker<'_> {
    fn take(&mut self, path: &str, is_directory: bool, offset: u64) -> Result<(), ReadError> {
        let path = path.trim_end_matches('/');
        let mut parents = path.match_indices('/').map(|(end, _)| path.split_at(end).0);
        if parents.any(|parent| self.taken.get(parent) == Some(&false)) {
            return Err(ReadError::Path {
                path: path.to_owned(),
                offset,
                problem: "it lies below a file or a link",
            });
        }
        // Directories that no entry names are made as well, and count like the others.
        for (end, _) in path.match_indices('/') {
            let (parent, _) = path.split_at(end);
            if !self.taken.contains_key(parent) {
                self.taken.insert(parent.to_owned(), true);
            }
        }
        if self.taken.len() as u64 >= self.most {
            return Err(ReadError::TooLarge {
                part: "unpacked contents".to_owned(),
                offset,
                limit: self.most,
                unit: "files and directories",
            });
        }
        match self.taken.insert(path.to_owned(), is_directory) {
            Some(earlier) if !(earlier && is_directory) => Err(ReadError::Duplicate {
                part: "entry".to_owned(),
                offset,
                name: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn directory(&mut self, path: &str, offset: u64) -> Result<(), ReadError> {
        self.take(path, true, offset)?;
        let written = self.sink.directory(path.trim_end_matches('/'));
        written.map_err(sinking(path))
    }

    fn file(
        &mut self,
        path: &str,
        mode: u32,
        offset: u64,
        data: &mut dyn Read,
    ) -> Result<(), ReadError> {
        self.take(path, false, offset)?;
        self.extracted.files += 1;
        let mut data = Marked { data, path, offset };
        let written = self.sink.file(path, mode, &mut data);
        written.map_err(sinking(path))
    }
}

/// For `map_err` on what a sink returns: its own error, or that of the data it was given.
fn sinking(path: &str) -> impl FnOnce(io::Error) -> ReadError {
    move |error| match error.downcast::<ReadError>() {
        Ok(inner) => inner,
        Err(cause) => ReadError::Sink {
            path: path.to_owned(),
            cause,
        },
    }
}

/// Marks the errors of what is read, so that they can be told from those of what is written.
struct Marked<'d> {
    data: &'d mut dyn Read,
    path: &'d str,
    offset: u64,
}

impl Read for Marked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.data.read(buffer).map_err(|error| match error.kind() {
            // Whoever reads tries again.
            io::ErrorKind::Interrupted => error,
            _ => ReadError::reading(self.path, self.offset)(error).into_io(),
        })
    }
}

impl Observer for Unpacker<'_> {
    fn member(&mut self, name: &str, data: &mut dyn Read) -> Result<(), ReadError> {
        let (name, _) = contained(name, 0)?;
        self.file(&name, 0o644, 0, data)
    }

    fn entry(&mut self, folder: &str, entry: &Entry, data: &mut dyn Read) -> Result<(), ReadError> {
        // The payload's name is foreign, too.
        let path = match folder {
            "" => entry.path.clone(),
            folder => format!("{folder}/{}", entry.path),
        };
        let (path, _) = contained(&path, entry.offset)?;
        match entry.kind {
            EntryKind::Directory => self.directory(&path, entry.offset),
            EntryKind::File => self.file(&path, entry.mode, entry.offset, data),
            _ => {
                self.take(&path, false, entry.offset)?;
                let target = entry.link.as_ref().map(|target| format!(" -> {target}"));
                self.extracted
                    .left_out
                    .push(format!("{path}{}", target.unwrap_or_default()));
                Ok(())
            }
        }
    }

    fn undeclared(&mut self, name: &str) {
        self.extracted.undeclared.push(name.to_owned());
    }
}

impl Observer for Ignore {
    fn member(&mut self, _: &str, _: &mut dyn Read) -> Result<(), ReadError> {
        Ok(())
    }

    fn entry(&mut self, _: &str, _: &Entry, _: &mut dyn Read) -> Result<(), ReadError> {
        Ok(())
    }

    fn undeclared(&mut self, _: &str) {}
}
