//! Descriptors, directories and boot entries of an image.

use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Seek, SeekFrom};

use super::SECTOR;
use super::describe::{self, damaged};
use super::record::{Record, read_both32};
use crate::media::MediaError;
use crate::rules::{Finding, ISO_EDIT};

/// Sector of the first descriptor.
const FIRST: u64 = 16;
/// Most descriptors; media have three or four.
const MOST_DESCRIPTORS: u64 = 32;
const MOST_DIRECTORIES: usize = 2048;
const MOST_RECORDS: usize = 40_000;
/// Most bytes of one directory, and of all of them.
const MOST_BYTES: u32 = 1 << 20;
const MOST_BYTES_TOTAL: u64 = 8 << 20;
const DEPTH: usize = 16;

/// A run of sectors that a file or directory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) sector: u32,
    /// In bytes.
    pub(super) length: u32,
}

impl Extent {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            sector: record.sector(),
            length: record.length(),
        }
    }

    /// First sector and the one behind the last.
    pub(super) fn sectors(self) -> (u64, u64) {
        let start = u64::from(self.sector);
        (start, start + u64::from(self.length).div_ceil(SECTOR))
    }
}

/// A directory. The first two records are the directory itself and the one above.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    /// Path from the root, empty for the root itself.
    pub(super) path: String,
    /// Place of the one above in the list.
    pub(super) parent: usize,
    pub(super) extent: Extent,
    pub(super) records: Vec<Record>,
}

/// The directories of one descriptor, parents first.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Whether names are those of Joliet.
    pub(super) joliet: bool,
    /// Where the descriptor lies.
    pub(super) sector: u64,
    pub(super) descriptor: Vec<u8>,
    pub(super) directories: Vec<Directory>,
    pub(super) rock_ridge: bool,
}

impl Tree {
    /// Files with their paths, in the order of the directories.
    pub(super) fn files(&self) -> Vec<(String, Extent)> {
        let mut files = Vec::new();
        for directory in &self.directories {
            for record in directory.records.iter().filter(|one| !one.is_directory()) {
                let name = self.name(record);
                files.push((join(&directory.path, &name), Extent::of(record)));
            }
        }
        files
    }

    /// The file of a path, without regard to case.
    pub(super) fn find(&self, path: &str) -> Option<Extent> {
        let (directory, record) = self.locate(path)?;
        let record = self.directories.get(directory)?.records.get(record)?;
        Some(Extent::of(record))
    }

    /// Directory and record of a file.
    pub(super) fn locate(&self, path: &str) -> Option<(usize, usize)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.folder(folder)?;
        let mut records = self.directories.get(directory)?.records.iter();
        let record = records.position(|record| {
            !record.is_directory() && self.name(record).eq_ignore_ascii_case(name)
        })?;
        Some((directory, record))
    }

    /// The directory of a path.
    pub(super) fn folder(&self, path: &str) -> Option<usize> {
        let mut directories = self.directories.iter();
        directories.position(|one| one.path.eq_ignore_ascii_case(path))
    }

    /// A name as readers show it: without version and a dot at the end.
    pub(super) fn name(&self, record: &Record) -> String {
        let bytes = record.name();
        let name = if self.joliet {
            let units = bytes
                .chunks_exact(2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]));
            char::decode_utf16(units)
                .map(|unit| unit.unwrap_or('\u{fffd}'))
                .collect()
        } else {
            String::from_utf8_lossy(bytes).into_owned()
        };
        let name = name.split(';').next().unwrap_or_default();
        name.strip_suffix('.').unwrap_or(name).to_owned()
    }

    /// Places of the path tables, those in little-endian order first, and their size in bytes.
    pub(super) fn path_tables(&self) -> (Vec<(u32, bool)>, u32) {
        let number = |place: usize, big: bool| {
            let bytes = self.descriptor.get(place..place + 4);
            let bytes = bytes
                .and_then(|bytes| bytes.try_into().ok())
                .unwrap_or([0; 4]);
            if big {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        let tables = [(140, false), (144, false), (148, true), (152, true)];
        let tables = tables.map(|(place, big)| (number(place, big), big));
        let tables = tables.into_iter().filter(|(sector, _)| *sector != 0);
        (
            tables.collect(),
            read_both32(&self.descriptor, 132).unwrap_or(0),
        )
    }
}

/// What is known of an image.
#[derive(Debug)]
pub(super) struct Scan {
    /// The primary tree, and that of Joliet if there is one.
    pub(super) trees: Vec<Tree>,
    /// Sectors of the volume.
    pub(super) volume: u64,
    pub(super) boot_entries: Vec<String>,
    /// Sectors of the boot catalog and of what it names: first, and behind the last.
    pub(super) boot: Vec<(u64, u64)>,
    /// Path tables, as they stand: tree, sector, order, bytes.
    pub(super) path_tables: Vec<(usize, u32, bool, Vec<u8>)>,
    /// Why it cannot be edited in place.
    pub(super) problems: Vec<Finding>,
}

impl Scan {
    pub(super) fn read<R: Read + Seek>(input: &mut R) -> Result<Self, MediaError> {
        let end = input
            .seek(SeekFrom::End(0))
            .map_err(MediaError::io("image"))?;
        let mut disk = Disk {
            input,
            end,
            read: 0,
        };
        let mut scan = Self {
            trees: Vec::new(),
            volume: 0,
            boot_entries: Vec::new(),
            boot: Vec::new(),
            path_tables: Vec::new(),
            problems: Vec::new(),
        };
        let mut catalog = None;
        let mut sector = FIRST;
        loop {
            let descriptor = disk.sectors(sector, SECTOR, "descriptor")?;
            if descriptor.get(1..6) != Some(b"CD001") {
                return Err(damaged("descriptor", "is no descriptor of ISO 9660"));
            }
            match descriptor.first() {
                Some(0) if descriptor.get(7..30) == Some(b"EL TORITO SPECIFICATION") => {
                    let place = descriptor.get(71..75).and_then(|four| four.try_into().ok());
                    catalog = place.map(u32::from_le_bytes);
                }
                Some(1) if scan.trees.is_empty() => {
                    scan.volume = volume(&descriptor)?;
                    if scan.volume.saturating_mul(SECTOR) > end {
                        return Err(damaged(
                            "image",
                            "is shorter than its descriptor says; fetch it again",
                        ));
                    }
                    scan.trees.push(disk.tree(sector, descriptor, false)?);
                }
                Some(1) => return Err(damaged("image", "has two primary descriptors")),
                Some(2) => {
                    let escapes = descriptor.get(88..91).unwrap_or_default();
                    let is_joliet = matches!(escapes, b"%/@" | b"%/C" | b"%/E");
                    if is_joliet && scan.trees.len() == 1 {
                        volume(&descriptor)?;
                        scan.trees.push(disk.tree(sector, descriptor, true)?);
                    } else {
                        scan.refuse("has a supplementary descriptor other than one of Joliet");
                    }
                }
                Some(255) => break,
                _ => scan.refuse("has a descriptor of another kind"),
            }
            sector += 1;
            if sector - FIRST >= MOST_DESCRIPTORS {
                return Err(damaged("image", "has no end of its descriptors"));
            }
        }
        if scan.trees.first().is_none_or(|tree| tree.joliet) {
            return Err(damaged("image", "has no primary descriptor"));
        }
        scan.boot(&mut disk, catalog)?;
        scan.tables(&mut disk)?;
        scan.layout(&mut disk, sector)?;
        Ok(scan)
    }

    fn refuse(&mut self, problem: &str) {
        self.problems.push(Finding::new(
            ISO_EDIT,
            "image",
            format!("{problem}, and is not edited in place"),
            describe::REBUILD,
        ));
    }

    /// The ways to start the image.
    fn boot<R: Read + Seek>(
        &mut self,
        disk: &mut Disk<'_, R>,
        catalog: Option<u32>,
    ) -> Result<(), MediaError> {
        let Some(catalog) = catalog else {
            self.refuse("has no boot catalog of El Torito");
            return Ok(());
        };
        let bytes = disk.sectors(catalog.into(), SECTOR, "boot catalog")?;
        self.boot.push((catalog.into(), u64::from(catalog) + 1));
        let entries = bytes.chunks_exact(32);
        let mut platform = 0;
        for (place, entry) in entries.enumerate() {
            let (kind, second) = (entry[0], entry[1]);
            match kind {
                1 if place == 0 => platform = second,
                0x90 | 0x91 => platform = second,
                0x88 => {
                    let rba = u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]);
                    let count = u64::from(u16::from_le_bytes([entry[6], entry[7]]));
                    let start = u64::from(rba);
                    self.boot
                        .push((start, start + (count * 512).div_ceil(SECTOR).max(1)));
                    let files = self.trees.first().map(Tree::files).unwrap_or_default();
                    let file = files.iter().find(|(_, extent)| extent.sector == rba);
                    let name = file.map_or("a place without a name", |(path, _)| path);
                    let way = match platform {
                        0 => "BIOS",
                        0xef => "UEFI",
                        _ => "another platform",
                    };
                    self.boot_entries.push(format!("{way} from {name}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn tables<R: Read + Seek>(&mut self, disk: &mut Disk<'_, R>) -> Result<(), MediaError> {
        for (place, tree) in self.trees.iter().enumerate() {
            let (tables, length) = tree.path_tables();
            if length > MOST_BYTES {
                return Err(damaged("path table", "has more than a MiB"));
            }
            for (sector, big) in tables {
                let bytes = disk.sectors(sector.into(), length.into(), "path table")?;
                self.path_tables.push((place, sector, big, bytes));
            }
        }
        Ok(())
    }

    /// What stands around the volume.
    fn layout<R: Read + Seek>(
        &mut self,
        disk: &mut Disk<'_, R>,
        last: u64,
    ) -> Result<(), MediaError> {
        let system = disk.sectors(0, 2 * SECTOR, "system area")?;
        let table = system.get(446..510).unwrap_or_default();
        if system.get(510..512) == Some(&[0x55, 0xaa]) && table.iter().any(|byte| *byte != 0)
            || system.get(512..520) == Some(b"EFI PART")
        {
            self.refuse("has a partition table");
        }
        if disk.end > self.volume.saturating_mul(SECTOR) {
            self.refuse("goes on behind the end of its volume, as after a second session");
        }
        for sector in last + 1..last + 4 {
            if sector < self.volume {
                let bytes = disk.sectors(sector, SECTOR, "descriptor")?;
                let id = bytes.get(1..6).unwrap_or_default();
                if matches!(id, b"BEA01" | b"NSR02" | b"NSR03") {
                    self.refuse("is also one of UDF");
                }
            }
        }
        let mut plain = true;
        for tree in &self.trees {
            for record in tree.directories.iter().flat_map(|one| &one.records) {
                plain &= record.is_directory() || record.is_plain();
            }
        }
        if !plain {
            self.refuse("has files of several extents, or interleaved ones");
        }
        Ok(())
    }
}

/// Sectors of the volume, if the descriptor is one of these media.
fn volume(descriptor: &[u8]) -> Result<u64, MediaError> {
    if descriptor.get(128..132) != Some(&[0, 8, 8, 0]) {
        return Err(damaged("image", "has blocks of another size than 2048"));
    }
    let volume = read_both32(descriptor, 80);
    let volume = volume.ok_or_else(|| damaged("image", "says two sizes of its volume"))?;
    Ok(volume.into())
}

struct Disk<'r, R> {
    input: &'r mut R,
    end: u64,
    /// Bytes of directories so far.
    read: u64,
}

impl<R: Read + Seek> Disk<'_, R> {
    fn sectors(&mut self, sector: u64, length: u64, part: &str) -> Result<Vec<u8>, MediaError> {
        let start = sector.saturating_mul(SECTOR);
        if start.saturating_add(length) > self.end {
            return Err(damaged(part, "lies behind the end of the image"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.input
            .seek(SeekFrom::Start(start))
            .and_then(|_| self.input.read_exact(&mut bytes))
            .map_err(MediaError::io(part))?;
        Ok(bytes)
    }

    fn tree(&mut self, sector: u64, descriptor: Vec<u8>, joliet: bool) -> Result<Tree, MediaError> {
        let root = descriptor.get(156..190).and_then(Record::read);
        let root = root.filter(Record::is_directory);
        let root = root.ok_or_else(|| damaged("descriptor", "names no root directory"))?;
        let mut tree = Tree {
            joliet,
            sector,
            descriptor,
            directories: Vec::new(),
            rock_ridge: false,
        };
        let mut seen = BTreeSet::from([root.sector()]);
        let mut records = 0;
        let mut queue = VecDeque::from([(String::new(), 0, 0, Extent::of(&root))]);
        while let Some((path, parent, depth, extent)) = queue.pop_front() {
            if tree.directories.len() >= MOST_DIRECTORIES || depth > DEPTH {
                return Err(damaged(
                    "image",
                    "has too many directories, or too deep ones",
                ));
            }
            let place = tree.directories.len();
            let directory = Directory {
                records: self.records(&path, extent)?,
                path,
                parent,
                extent,
            };
            records += directory.records.len();
            if records > MOST_RECORDS {
                return Err(damaged("image", "has too many files"));
            }
            for record in directory.records.iter().filter(|one| !one.is_dot()) {
                if record.is_directory() {
                    if !seen.insert(record.sector()) {
                        return Err(damaged("image", "has a directory in two places, or a loop"));
                    }
                    let path = join(&directory.path, &tree.name(record));
                    queue.push_back((path, place, depth + 1, Extent::of(record)));
                } else if Extent::of(record).sectors().1 * SECTOR > self.end {
                    return Err(damaged(
                        format!("file {:?}", tree.name(record)),
                        "lies behind the end of the image",
                    ));
                }
            }
            tree.directories.push(directory);
        }
        let dot = tree
            .directories
            .first()
            .and_then(|root| root.records.first());
        tree.rock_ridge = dot.is_some_and(|dot| {
            let fields = dot.fields();
            fields.iter().any(|(signature, _)| *signature == b"SP")
        });
        Ok(tree)
    }

    fn records(&mut self, path: &str, extent: Extent) -> Result<Vec<Record>, MediaError> {
        let part = format!("directory {path:?}");
        self.read += u64::from(extent.length);
        if extent.length > MOST_BYTES || self.read > MOST_BYTES_TOTAL {
            return Err(damaged(part, "is larger than that of any medium"));
        }
        let bytes = self.sectors(extent.sector.into(), extent.length.into(), &part)?;
        let mut records = Vec::new();
        for sector in bytes.chunks(usize::try_from(SECTOR).unwrap_or(2048)) {
            let mut rest = sector;
            while rest.first().is_some_and(|length| *length != 0) {
                let record = Record::read(rest)
                    .ok_or_else(|| damaged(part.as_str(), "has a damaged record"))?;
                rest = rest.get(record.bytes().len()..).unwrap_or_default();
                records.push(record);
            }
        }
        let dots = records.iter().take(2).filter(|one| one.is_dot()).count();
        if dots != 2 || records.iter().skip(2).any(Record::is_dot) {
            return Err(damaged(
                part,
                "does not begin with itself and the one above",
            ));
        }
        Ok(records)
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
