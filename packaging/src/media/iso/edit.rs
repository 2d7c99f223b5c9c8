//! Editing in place (FORMAT.md M14): contents are appended, a few records rewritten.
//!
//! The root directory never moves: readers that go through an image in the order of its sectors
//! would lose what is below it. When it has no room for one more record, all other directories move
//! to the end, parents first, and it grows into their sectors.

use std::collections::BTreeMap;

use super::SECTOR;
use super::describe::not_in_place;
use super::record::{Record, both32};
use super::scan::{Extent, Scan, Tree};
use crate::digest;
use crate::media::MediaError;

/// Most bytes of a name of Joliet or Rock Ridge that is written.
const MOST_NAME: usize = 64;

/// Bytes that take the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where they go, in bytes from the start of the image.
    pub offset: u64,
    /// What they are.
    pub bytes: Vec<u8>,
}

/// What becomes of an image: so many of its bytes stay, patches go over them, contents behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// Bytes of the old image that are copied.
    pub keep: u64,
    /// Changes to them, and directories behind them, in the order of their places.
    pub patches: Vec<Patch>,
    /// Where each new content begins, in the order in which they were asked for.
    pub places: Vec<u64>,
    /// Size of the new image in bytes; what nothing is written to is zeros.
    pub length: u64,
}

pub(super) fn plan(
    scan: &Scan,
    remove: &[String],
    write: &[(String, u64)],
) -> Result<Plan, MediaError> {
    if !scan.problems.is_empty() {
        return Err(MediaError::Refused(scan.problems.clone()));
    }
    let mut editor = Editor {
        scan,
        trees: scan.trees.clone(),
        patches: BTreeMap::new(),
    };
    let kept = editor.drop_records(remove, write)?;
    let mut cursor = kept;
    // Places of directories and of contents depend on how many directories move, and that on the
    // length of their records, which does not depend on places.
    for (path, _) in write {
        editor.put(
            path,
            Extent {
                sector: 0,
                length: 0,
            },
        )?;
    }
    let moved = editor.arrange(&mut cursor)?;
    let mut places = Vec::new();
    for (path, size) in write {
        let too_large = || not_in_place(path.as_str(), "does not fit into an ISO image");
        let extent = Extent {
            sector: u32::try_from(cursor).map_err(|_| too_large())?,
            length: u32::try_from(*size).map_err(|_| too_large())?,
        };
        places.push(cursor * SECTOR);
        cursor += size.div_ceil(SECTOR).max(1);
        editor.put(path, extent)?;
    }
    let volume = u32::try_from(cursor);
    let volume = volume.map_err(|_| not_in_place("image", "would be larger than 8 TiB"))?;
    editor.finish(&moved, volume);
    Ok(Plan {
        keep: kept * SECTOR,
        patches: editor
            .patches
            .into_iter()
            .map(|(offset, bytes)| Patch { offset, bytes })
            .collect(),
        places,
        length: cursor * SECTOR,
    })
}

struct Editor<'s> {
    scan: &'s Scan,
    trees: Vec<Tree>,
    patches: BTreeMap<u64, Vec<u8>>,
}

impl Editor<'_> {
    /// Takes out the records of files that go, and tells up to which sector the image is kept: what
    /// goes or changes is cut off where it is the last of the image.
    fn drop_records(
        &mut self,
        remove: &[String],
        write: &[(String, u64)],
    ) -> Result<u64, MediaError> {
        let mut freed = Vec::new();
        for tree in &self.scan.trees {
            let written = write.iter().map(|(path, _)| path);
            freed.extend(
                remove
                    .iter()
                    .chain(written)
                    .filter_map(|path| tree.find(path)),
            );
        }
        for tree in &mut self.trees {
            for path in remove {
                let (directory, record) = tree.locate(path).ok_or_else(|| {
                    not_in_place(path.as_str(), "is not in all directories of the image")
                })?;
                if let Some(directory) = tree.directories.get_mut(directory) {
                    directory.records.remove(record);
                }
            }
        }
        let mut used: Vec<_> = self.scan.boot.clone();
        for tree in &self.trees {
            let files = tree.files();
            let stays = files.iter().filter(|(path, _)| {
                !write
                    .iter()
                    .any(|(written, _)| written.eq_ignore_ascii_case(path))
            });
            used.extend(stays.map(|(_, extent)| extent.sectors()));
            used.extend(tree.directories.iter().map(|one| one.extent.sectors()));
        }
        for (_, sector, _, bytes) in &self.scan.path_tables {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let sector = *sector;
            used.push(Extent { sector, length }.sectors());
        }
        let last = used.iter().map(|(_, end)| *end).max().unwrap_or(0);
        let mut end = self.scan.volume;
        while let Some(extent) = freed.iter().find(|extent| {
            let (start, behind) = extent.sectors();
            behind.max(start + 1) == end && start >= last
        }) {
            end = u64::from(extent.sector);
        }
        Ok(end)
    }

    /// Puts a file into all trees: a new record, or another place in the old one.
    fn put(&mut self, path: &str, extent: Extent) -> Result<(), MediaError> {
        for tree in &mut self.trees {
            if let Some((directory, record)) = tree.locate(path) {
                let directory = tree.directories.get_mut(directory);
                let record = directory.and_then(|one| one.records.get_mut(record));
                if let Some(record) = record {
                    record.place(extent.sector, extent.length);
                }
                continue;
            }
            insert(tree, path, extent)?;
        }
        Ok(())
    }

    /// Finds room for all directories. Where one has outgrown its sectors, those that move come to
    /// the end. Gives for each tree the places, old and new, of those that moved.
    fn arrange(&mut self, cursor: &mut u64) -> Result<Vec<BTreeMap<u32, u32>>, MediaError> {
        let mut moved = vec![BTreeMap::new(); self.trees.len()];
        for (number, moved) in moved.iter_mut().enumerate() {
            let Some(tree) = self.trees.get(number) else {
                continue;
            };
            let sizes: Vec<_> = tree
                .directories
                .iter()
                .map(|one| pack(&one.records).len() as u64)
                .collect();
            let room = |extent: Extent| u64::from(extent.length).next_multiple_of(SECTOR);
            let grown = tree
                .directories
                .iter()
                .zip(&sizes)
                .any(|(one, size)| *size > room(one.extent));
            if !grown {
                continue;
            }
            if let (Some(root), Some(size)) = (tree.directories.first(), sizes.first()) {
                let (start, end) = root.extent.sectors();
                let new_end = start + size / SECTOR;
                if new_end > end && self.is_taken(number, end, new_end) {
                    return Err(not_in_place(
                        "root directory",
                        "has no room for another record, and something else follows it",
                    ));
                }
            }
            let Some(tree) = self.trees.get_mut(number) else {
                continue;
            };
            for (place, (directory, size)) in tree.directories.iter_mut().zip(sizes).enumerate() {
                let too_large = |_| not_in_place("directory", "does not fit into an ISO image");
                let size = size.max(room(directory.extent));
                directory.extent.length = u32::try_from(size).map_err(too_large)?;
                if place > 0 {
                    let old = directory.extent.sector;
                    directory.extent.sector = u32::try_from(*cursor).map_err(too_large)?;
                    moved.insert(old, directory.extent.sector);
                    *cursor += size / SECTOR;
                }
            }
        }
        Ok(moved)
    }

    /// Whether sectors hold something else than directories of this tree below its root.
    fn is_taken(&self, number: usize, start: u64, end: u64) -> bool {
        let scan = self.scan;
        let mut taken = scan.boot.clone();
        let mut own = Vec::new();
        for (place, tree) in scan.trees.iter().enumerate() {
            taken.push((tree.sector, tree.sector + 1));
            taken.extend(tree.files().iter().map(|(_, extent)| extent.sectors()));
            for (depth, directory) in tree.directories.iter().enumerate() {
                let sectors = directory.extent.sectors();
                if place == number && depth > 0 {
                    own.push(sectors);
                } else {
                    taken.push(sectors);
                }
                // Fields of Rock Ridge that had no room in their records.
                let further = directory.records.iter().filter_map(Record::continuation);
                taken.extend(further.map(|(sector, length)| Extent { sector, length }.sectors()));
            }
        }
        for (_, sector, _, bytes) in &scan.path_tables {
            let sector = u64::from(*sector);
            taken.push((sector, sector + (bytes.len() as u64).div_ceil(SECTOR)));
        }
        let overlaps = |from: u64, to: u64| from < end && start < to;
        let covered = |sector: u64| own.iter().any(|(from, to)| (*from..*to).contains(&sector));
        // What nobody claims may still be something: it must be a directory that moves.
        taken.iter().any(|(from, to)| overlaps(*from, *to)) || !(start..end).all(covered)
    }

    /// Writes directories, path tables and descriptors.
    fn finish(&mut self, moved: &[BTreeMap<u32, u32>], volume: u32) {
        for (number, tree) in self.trees.iter_mut().enumerate() {
            let Some((old, moved)) = self.scan.trees.get(number).zip(moved.get(number)) else {
                continue;
            };
            let extents: Vec<_> = tree.directories.iter().map(|one| one.extent).collect();
            for (place, directory) in tree.directories.iter_mut().enumerate() {
                let own = extents.get(place).copied();
                let above = extents.get(directory.parent).copied();
                for (record, extent) in directory.records.iter_mut().zip([own, above]) {
                    if let Some(extent) = extent {
                        record.place(extent.sector, extent.length);
                    }
                }
                for record in directory.records.iter_mut().skip(2) {
                    let below = record.is_directory().then(|| record.sector());
                    let Some(new) = below.and_then(|sector| moved.get(&sector)) else {
                        continue;
                    };
                    let extent = extents.iter().find(|extent| extent.sector == *new);
                    record.place(*new, extent.map_or(record.length(), |one| one.length));
                }
                let mut bytes = pack(&directory.records);
                let length = u64::from(directory.extent.length).next_multiple_of(SECTOR);
                bytes.resize(usize::try_from(length).unwrap_or(bytes.len()), 0);
                let before = old.directories.get(place);
                let same = before.is_some_and(|before| {
                    before.extent == directory.extent && before.records == directory.records
                });
                if !same {
                    let offset = u64::from(directory.extent.sector) * SECTOR;
                    self.patches.insert(offset, bytes);
                }
            }
            let start = tree.sector * SECTOR;
            self.patches.insert(start + 80, both32(volume).to_vec());
            if let Some(root) = extents.first() {
                self.patches
                    .insert(start + 156 + 10, both32(root.length).to_vec());
            }
        }
        for (number, sector, big, bytes) in &self.scan.path_tables {
            let Some(moved) = moved.get(*number).filter(|moved| !moved.is_empty()) else {
                continue;
            };
            let bytes = path_table(bytes, *big, moved);
            self.patches.insert(u64::from(*sector) * SECTOR, bytes);
        }
    }
}

/// A path table with other places.
fn path_table(old: &[u8], big: bool, moved: &BTreeMap<u32, u32>) -> Vec<u8> {
    let mut bytes = old.to_vec();
    let mut place = 0;
    while let Some(length) = bytes.get(place).map(|length| usize::from(*length)) {
        if length == 0 {
            break;
        }
        if let Some(field) = bytes.get_mut(place + 2..place + 6) {
            let four = [field[0], field[1], field[2], field[3]];
            let sector = if big {
                u32::from_be_bytes(four)
            } else {
                u32::from_le_bytes(four)
            };
            if let Some(new) = moved.get(&sector) {
                field.copy_from_slice(&if big {
                    new.to_be_bytes()
                } else {
                    new.to_le_bytes()
                });
            }
        }
        place += (8 + length).next_multiple_of(2);
    }
    bytes
}

/// Records in whole sectors, none of which a record crosses.
fn pack(records: &[Record]) -> Vec<u8> {
    let sector = usize::try_from(SECTOR).unwrap_or(2048);
    let mut bytes = Vec::new();
    for record in records {
        let left = bytes.len().next_multiple_of(sector) - bytes.len();
        if record.bytes().len() > left {
            bytes.resize(bytes.len() + left, 0);
        }
        bytes.extend_from_slice(record.bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(sector), 0);
    bytes
}

/// A new record, in the order of names.
fn insert(tree: &mut Tree, path: &str, extent: Extent) -> Result<(), MediaError> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let missing = || not_in_place(path, "has no folder in all directories of the image");
    let place = tree.folder(folder).ok_or_else(missing)?;
    let joliet = tree.joliet;
    let neighbour = tree.directories.get(place).and_then(|directory| {
        let mut files = directory.records.iter().skip(2);
        files.find(|record| !record.is_directory())
    });
    let neighbour = neighbour.ok_or_else(missing)?;
    if name.is_empty() || name.len() > MOST_NAME || !name.is_ascii() {
        return Err(not_in_place(path, "is no name that an ISO image can have"));
    }
    // Names that keep their case are mostly in lower case.
    let lower = |shown: &str| shown.chars().any(|c| c.is_ascii_lowercase());
    let spelled = if lower(&tree.name(neighbour)) {
        name.to_ascii_lowercase()
    } else {
        name.to_ascii_uppercase()
    };
    let has_version = neighbour.name().contains(&b';');
    let spelled = if has_version {
        format!("{spelled};1")
    } else {
        spelled
    };
    let encoded: Vec<u8> = if joliet {
        spelled.encode_utf16().flat_map(u16::to_be_bytes).collect()
    } else {
        spelled.into_bytes()
    };
    let system = if tree.rock_ridge {
        rock_ridge(neighbour, path).ok_or_else(|| {
            not_in_place(
                path,
                "has no neighbour whose fields of Rock Ridge can be copied",
            )
        })?
    } else {
        Vec::new()
    };
    let Some(directory) = tree.directories.get_mut(place) else {
        return Err(missing());
    };
    let Some(dot) = directory.records.first() else {
        return Err(missing());
    };
    let record = Record::new(&encoded, dot, extent.sector, extent.length, &system);
    let key = Record::sort_key(&encoded);
    let mut records = directory.records.iter().skip(2);
    let behind = records.position(|other| Record::sort_key(other.name()) > key);
    let at = behind.map_or(directory.records.len(), |behind| behind + 2);
    directory.records.insert(at, record);
    Ok(())
}

/// Fields for a new file, like those of its neighbour: mode, times and name.
fn rock_ridge(neighbour: &Record, path: &str) -> Option<Vec<u8>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    // Not one that a writer of images gives to its files.
    let digest = digest::sha256(path.as_bytes());
    let serial = u32::from_str_radix(digest.get(..8)?, 16).ok()? | 1 << 31;
    let (mut fields, mut named, mut owned) = (Vec::new(), false, false);
    for (signature, field) in neighbour.fields() {
        match signature {
            b"NM" => {
                let old = String::from_utf8_lossy(field.get(5..)?).into_owned();
                let name = if old.chars().any(|c| c.is_ascii_lowercase()) {
                    name.to_ascii_lowercase()
                } else {
                    name.to_owned()
                };
                let length = u8::try_from(5 + name.len()).ok()?;
                fields.extend_from_slice(&[b'N', b'M', length, 1, 0]);
                fields.extend_from_slice(name.as_bytes());
                named = true;
            }
            b"PX" => {
                let start = fields.len();
                fields.extend_from_slice(field);
                // Newer images number files; two of one number would be links of each other.
                if field.len() >= 44
                    && let Some(number) = fields.get_mut(start + 36..start + 44)
                {
                    number.copy_from_slice(&both32(serial));
                }
                owned = true;
            }
            b"TF" | b"RR" => fields.extend_from_slice(field),
            _ => {}
        }
    }
    (named && owned).then_some(fields)
}
