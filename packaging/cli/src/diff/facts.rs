//! What is known of a file, in a form in which two of them can be compared: values by their places.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    io::{self, Read, Seek, SeekFrom},
};

use packaging::inspect::{
    Archive, Bundle, Contents, Entry, EntryKind, Inspection, Limits, Sink, Vib, extract,
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Size of the header of an ar member, in bytes.
const AR_HEADER: u64 = 60;
/// Keys of objects by which they are known in a list.
const NAMES: [&str; 5] = ["name", "path", "id", "key", "record"];
/// What moves with everything before it.
const OFFSET: &str = "offset";

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A value that the package, the bundle or its metadata states.
    Field,
    /// A member of a VIB, or an entry of a bundle's zip.
    Member,
    /// A file or directory that a payload brings.
    File,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Field => "field",
            Self::Member => "member",
            Self::File => "file",
        })
    }
}

/// Something that differs, or that one file has and the other has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// Where it is.
    pub place: String,
    /// What the first file says; `None` if it has no such thing.
    pub a: Option<String>,
    /// What the second file says.
    pub b: Option<String>,
}

/// All values of a file, by their places.
#[derive(Debug, Default)]
pub(super) struct Facts {
    values: BTreeMap<(Kind, String), String>,
    /// Why the contents of files are not among them.
    pub(super) not_unpacked: Option<String>,
}

impl Facts {
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn new<R: Read + Seek>(mut of: Inspection, input: &mut R) -> io::Result<Self> {
        let mut facts = Self::default();
        match &mut of.contents {
            Contents::Vib(vib) => {
                facts.members(vib, input)?;
                facts.payloads("", vib);
            }
            Contents::Bundle(bundle) | Contents::WrappedBundle { bundle, .. } => {
                facts.bundle(bundle);
            }
            Contents::LegacyVib(vib) => {
                for (folder, archive) in [("control", &mut vib.control), ("data", &mut vib.data)] {
                    facts.archive(folder, archive);
                }
            }
            Contents::Archive(archive) => {
                facts.entries("", std::mem::take(&mut archive.entries));
            }
            _ => {}
        }
        let value = serde_json::to_value(&of.contents).map_err(io::Error::from)?;
        facts.fields("", value);
        input.rewind()?;
        let mut digests = Digests(&mut facts.values);
        if let Err(error) = extract(input, &Limits::default(), &mut digests) {
            facts.not_unpacked = Some(error.to_string());
        }
        Ok(facts)
    }

    pub(super) fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut places: Vec<_> = self.values.keys().chain(other.values.keys()).collect();
        places.sort_unstable();
        places.dedup();
        places
            .into_iter()
            .map(|place| (place, self.values.get(place), other.values.get(place)))
            .filter(|(_, a, b)| a != b)
            .map(|((kind, place), a, b)| Difference {
                kind: *kind,
                place: place.clone(),
                a: a.cloned(),
                b: b.cloned(),
            })
            .collect()
    }

    /// A place that is taken already gets a number.
    fn add(&mut self, kind: Kind, place: &str, value: String) {
        let mut key = (kind, place.to_owned());
        let mut number = 1;
        while self.values.contains_key(&key) {
            number += 1;
            key.1 = format!("{place} ({number})");
        }
        self.values.insert(key, value);
    }

    /// The members of an ar archive, as they are stored.
    fn members<R: Read + Seek>(&mut self, vib: &mut Vib, input: &mut R) -> io::Result<()> {
        for member in std::mem::take(&mut vib.members) {
            input.seek(SeekFrom::Start(member.offset + AR_HEADER))?;
            let digest = digest(&mut input.take(member.size))?;
            let value = format!("{} bytes, sha-256 {digest}", member.size);
            self.add(Kind::Member, &member.name, value);
        }
        Ok(())
    }

    fn payloads(&mut self, folder: &str, vib: &mut Vib) {
        for payload in &mut vib.payloads {
            let folder = format!("{folder}{}", payload.name);
            self.archive(&folder, &mut payload.archive);
        }
    }

    fn bundle(&mut self, bundle: &mut Bundle) {
        for entry in std::mem::take(&mut bundle.entries) {
            let value = format!("{} bytes", entry.size);
            self.add(Kind::Member, &entry.path, value);
        }
        for file in &mut bundle.vibs {
            let folder = format!("{}/", file.id);
            if let Some(vib) = &mut file.vib {
                self.payloads(&folder, vib);
                vib.members.clear();
            }
        }
    }

    fn archive(&mut self, folder: &str, archive: &mut Option<Archive>) {
        if let Some(archive) = archive {
            self.entries(folder, std::mem::take(&mut archive.entries));
        }
    }

    fn entries(&mut self, folder: &str, entries: Vec<Entry>) {
        for entry in entries {
            let place = if folder.is_empty() {
                entry.path.clone()
            } else {
                format!("{folder}/{}", entry.path)
            };
            self.add(Kind::File, &place, described(&entry));
        }
    }

    fn fields(&mut self, place: &str, value: Value) {
        match value {
            Value::Object(object) => {
                let dot = if place.is_empty() { "" } else { "." };
                for (key, value) in object {
                    if key != OFFSET {
                        self.fields(&format!("{place}{dot}{key}"), value);
                    }
                }
            }
            Value::Array(list) => {
                for (number, value) in list.into_iter().enumerate() {
                    let name = NAMES.iter().find_map(|key| value.get(key)?.as_str());
                    let name = match (name, &value) {
                        (Some(name), _) => name.to_owned(),
                        // A list of words is compared as a set.
                        (None, Value::String(word)) => {
                            self.add(Kind::Field, place, word.clone());
                            continue;
                        }
                        (None, _) => (number + 1).to_string(),
                    };
                    self.fields(&format!("{place}[{name}]"), value);
                }
            }
            Value::String(text) => self.add(Kind::Field, place, text),
            other => self.add(Kind::Field, place, other.to_string()),
        }
    }
}

fn described(entry: &Entry) -> String {
    let kind = match entry.kind {
        EntryKind::File => "",
        EntryKind::Directory => "directory, ",
        EntryKind::Symlink => "symbolic link, ",
        EntryKind::HardLink => "hard link, ",
        _ => "special file, ",
    };
    let mut text = format!("{kind}mode {:04o}", entry.mode);
    if entry.kind == EntryKind::File {
        write!(text, ", {} bytes", entry.size).unwrap_or_default();
    }
    if (entry.uid, entry.gid) != (0, 0) {
        write!(text, ", owner {}:{}", entry.uid, entry.gid).unwrap_or_default();
    }
    if let Some(link) = &entry.link {
        write!(text, ", to {link:?}").unwrap_or_default();
    }
    text
}

/// Adds the digests of what is unpacked to what is known of it.
struct Digests<'f>(&'f mut BTreeMap<(Kind, String), String>);

impl Sink for Digests<'_> {
    fn directory(&mut self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, path: &str, _mode: u32, data: &mut dyn Read) -> io::Result<()> {
        let digest = digest(data)?;
        for kind in [Kind::File, Kind::Member] {
            if let Some(value) = self.0.get_mut(&(kind, path.to_owned()))
                && !value.contains("sha-256")
            {
                value.extend([", sha-256 ", &digest]);
                return Ok(());
            }
        }
        Ok(())
    }
}

fn digest(data: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match data.read(&mut buffer)? {
            0 => break,
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").map_err(io::Error::other)?;
    }
    Ok(text)
}
