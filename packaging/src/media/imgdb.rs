//! The image database of 5.0 to 6.7: a profile and a record of each package (FORMAT.md M4).

use std::collections::BTreeMap;
use std::io::{BufRead, Write as _};

use flate2::{Compression, GzBuilder};
use tar::Header;

use super::MediaError;
use super::profile::Profile;
use crate::Epoch;
use crate::inspect::{Archived, Descriptor, Documents, Kept, Node, XmlKind};
use crate::rules::{DATABASE, Finding};
use crate::tar::{BLOCK, set_checksum};

const FOLDER: &str = "var/db/esximg/";
const RECORDS: &str = "var/db/esximg/vibs/";
const PROFILES: &str = "var/db/esximg/profiles/";
/// What stands beside a record from 6.5 on: the package's own descriptor and its signature.
const ORIGINAL: &str = ".orig";
const SIGNATURE: &str = ".sig";

/// An image database.
#[derive(Debug, Clone)]
pub struct Database {
    archive: Archived,
    /// Packages, by the path of their record.
    records: BTreeMap<String, Record>,
    /// The profile, and the path of its file.
    profile: (String, Profile),
}

/// What the database says about a package.
#[derive(Debug, Clone)]
pub struct Record {
    /// What the package says about itself.
    pub descriptor: Descriptor,
    pub(super) root: Node,
}

/// Changes to a database.
#[derive(Debug, Default)]
pub(super) struct Edit {
    /// Paths of records that go, with what stands beside them.
    pub(super) gone: Vec<String>,
    /// Records that come.
    pub(super) new: Vec<NewRecord>,
}

/// A record to write.
#[derive(Debug)]
pub(super) struct NewRecord {
    /// `NAME-NUMBER.xml`
    pub(super) file: String,
    pub(super) record: Vec<u8>,
    pub(super) original: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Database {
    /// Reads `imgdb.tgz`.
    ///
    /// # Errors
    /// If it is damaged, or not a database with one profile.
    pub fn read(stored: &mut dyn BufRead) -> Result<Self, MediaError> {
        let archive = Archived::read(stored).map_err(MediaError::read("imgdb.tgz"))?;
        let documents = Documents::new();
        let (mut records, mut profiles) = (BTreeMap::new(), Vec::new());
        for entry in &archive.entries {
            let part = || format!("imgdb.tgz {}", entry.path);
            let is_xml = entry.path.rsplit('.').next() == Some("xml");
            if let Some(name) = entry.path.strip_prefix(RECORDS)
                && is_xml
                && !name.contains('/')
            {
                let record = documents.record(archive.data(entry));
                let (descriptor, root) = record.map_err(MediaError::read(part()))?;
                records.insert(entry.path.clone(), Record { descriptor, root });
            } else if let Some(name) = entry.path.strip_prefix(PROFILES)
                && !name.is_empty()
                && !name.contains('/')
            {
                let root = documents.root(archive.data(entry), XmlKind::Profile);
                let root = root.map_err(MediaError::read(part()))?;
                profiles.push((entry.path.clone(), Profile::new(root)));
            }
        }
        let mut ids: Vec<_> = records.values().map(|one| &one.descriptor.id).collect();
        ids.sort_unstable();
        let mut findings = Vec::new();
        for twice in ids.windows(2).filter(|two| two.first() == two.last()) {
            let id = twice.first().map_or("", |id| id.as_str());
            findings.push(finding(format!("has two records of {id:?}")));
        }
        let count = profiles.len();
        let profile = profiles.pop().filter(|_| count == 1);
        match profile {
            Some(profile) if findings.is_empty() => Ok(Self {
                archive,
                records,
                profile,
            }),
            Some(_) => Err(MediaError::Refused(findings)),
            None => {
                findings.push(finding(format!(
                    "has {count} profiles in {PROFILES}, but a medium has one"
                )));
                Err(MediaError::Refused(findings))
            }
        }
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile.1
    }

    /// The packages.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The record of a package, and its path.
    pub(super) fn record(&self, id: &str) -> Option<(&str, &Record)> {
        let mut records = self.records.iter();
        let (path, record) = records.find(|(_, one)| one.descriptor.id == id)?;
        Some((path, record))
    }

    /// Folders that databases of 7.0 and later have, and these not.
    pub fn has_later_folders(&self) -> bool {
        let known = |path: &str| {
            [FOLDER, RECORDS, PROFILES].iter().any(|folder| {
                folder.starts_with(path) || path.starts_with(folder) && *folder != FOLDER
            })
        };
        let mut paths = self.archive.entries.iter().map(|entry| &entry.path);
        paths.any(|path| path.starts_with(FOLDER) && path.ends_with('/') && !known(path))
    }

    /// The archive after an edit, compressed. Entries that are not edited keep their bytes and their
    /// order; new records stand behind the old ones.
    pub(super) fn edited(
        &self,
        edit: &Edit,
        profile: &Profile,
        epoch: Option<Epoch>,
    ) -> Result<Vec<u8>, MediaError> {
        let Archived { tar, entries } = &self.archive;
        let is_record = |entry: &&Kept| entry.path.starts_with(RECORDS);
        let last = entries.iter().rfind(is_record).map(|entry| entry.header);
        let template = entries
            .iter()
            .rfind(|entry| is_record(entry) && !entry.path.ends_with('/'));
        let pairs = self.keeps_pairs();
        let mut out = Vec::with_capacity(tar.len());
        for entry in entries {
            let bytes = tar.get(entry.header..entry.end).unwrap_or_default();
            let beside = |record: &String| {
                let rest = entry.path.strip_prefix(record.as_str());
                matches!(rest, Some("" | ORIGINAL | SIGNATURE))
            };
            if entry.path == self.profile.0 {
                let header = self.header(entry, None, epoch)?;
                append(&mut out, header, profile.to_xml().as_bytes())?;
            } else if !edit.gone.iter().any(beside) {
                out.extend_from_slice(bytes);
            }
            if Some(entry.header) == last {
                for record in &edit.new {
                    let template = template.ok_or_else(|| {
                        MediaError::Refused(vec![finding("has no record to go by".to_owned())])
                    })?;
                    let mut files = vec![(String::new(), &record.record)];
                    if pairs {
                        files.push((ORIGINAL.to_owned(), &record.original));
                        files.push((SIGNATURE.to_owned(), &record.signature));
                    }
                    for (ending, data) in files {
                        let name = format!("{}{ending}", record.file);
                        let header = self.header(template, Some(&name), epoch)?;
                        append(&mut out, header, data)?;
                    }
                }
            }
        }
        let end = entries.iter().map(|entry| entry.end).max().unwrap_or(0);
        out.extend_from_slice(tar.get(end..).unwrap_or_default());
        let failed = |error| MediaError::Write(crate::Error::writing("gzip")(error));
        let mut gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(Vec::new(), Compression::best());
        gzip.write_all(&out).map_err(failed)?;
        gzip.finish().map_err(failed)
    }

    /// Whether descriptors and signatures stand beside the records, as from 6.5 on.
    fn keeps_pairs(&self) -> bool {
        let mut paths = self.archive.entries.iter().map(|entry| &entry.path);
        paths.any(|path| path.starts_with(RECORDS) && path.ends_with(".xml.sig"))
    }

    /// A header like that of another entry, with another name if one is given.
    fn header(
        &self,
        like: &Kept,
        name: Option<&str>,
        epoch: Option<Epoch>,
    ) -> Result<Header, MediaError> {
        let bytes = self.archive.tar.get(like.header..like.header + 512);
        let mut block = [0; 512];
        block.copy_from_slice(bytes.unwrap_or(&[0; 512]));
        let mut header = Header::from_byte_slice(&block).clone();
        if let Some(name) = name {
            // The folder in the spelling of this archive.
            let old = header.path_bytes().into_owned();
            let slash = old.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            let folder = String::from_utf8_lossy(old.get(..=slash).unwrap_or_default());
            let path = format!("{folder}{name}");
            if path.len() > 99 {
                return Err(MediaError::Refused(vec![finding(format!(
                    "would need the path {path:?}, which has more than 99 bytes"
                ))]));
            }
            let fields = header.as_old_mut();
            fields.name = [0; 100];
            for (to, from) in fields.name.iter_mut().zip(path.bytes()) {
                *to = from;
            }
            // The prefix of POSIX headers is a part of the path above.
            if let Some(ustar) = header.as_ustar_mut() {
                ustar.prefix = [0; 155];
            }
        }
        if let Some(epoch) = epoch {
            header.set_mtime(epoch.unix());
        }
        Ok(header)
    }
}

fn append(out: &mut Vec<u8>, mut header: Header, data: &[u8]) -> Result<(), MediaError> {
    header.set_size(data.len() as u64);
    set_checksum(&mut header)
        .map_err(|error| MediaError::Write(crate::Error::writing("tar")(error)))?;
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(data);
    let block = usize::try_from(BLOCK).unwrap_or(512);
    out.resize(out.len().next_multiple_of(block), 0);
    Ok(())
}

fn finding(problem: String) -> Finding {
    Finding::new(
        DATABASE,
        "imgdb.tgz",
        problem,
        "take the file from sound media of this release",
    )
}
