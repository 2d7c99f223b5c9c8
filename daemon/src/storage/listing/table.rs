//! The entries of one directory, read, filtered and sorted.

use std::{cmp::Ordering, collections::HashSet};

use crate::{
    session::Run,
    storage::{Failure, Files, Order, OrderBy, Stat, What},
    virtual_path::VirtualPath,
};

/// Entries of one directory that are listed. More are refused, because they are held in memory.
const MOST_ENTRIES: usize = 1_000_000;

/// Entries between two looks whether to go on.
const CHECK_EVERY: usize = 256;

/// Entries, and their names in one piece.
#[derive(Debug)]
pub(super) struct Table<R> {
    names: Vec<u8>,
    rows: Vec<R>,
}

/// Where a name stands among the names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    start: u32,
    length: u16,
}

/// An entry as it is shown.
#[derive(Debug)]
pub(super) struct Row {
    name: Name,
    /// Whether it is what a link leads to.
    pub(super) through_link: bool,
    /// What it is, links followed as far as they lead.
    pub(super) stat: Stat,
}

/// What has a name in a table.
pub(super) trait Named {
    /// Where the name stands.
    fn place(&self) -> Name;
}

impl Named for Name {
    fn place(&self) -> Name {
        *self
    }
}

impl Named for Row {
    fn place(&self) -> Name {
        self.name
    }
}

impl<R: Named> Table<R> {
    fn new() -> Self {
        Self {
            names: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Keeps a name.
    fn keep(&mut self, name: &[u8], run: &Run) -> Result<Name, Failure> {
        if self.rows.len() >= MOST_ENTRIES {
            return Err(Failure::TooMuch);
        }
        if self.rows.len().is_multiple_of(CHECK_EVERY) {
            run.check()?;
        }
        let start = u32::try_from(self.names.len()).map_err(|_large| Failure::TooMuch)?;
        let length = u16::try_from(name.len()).map_err(|_long| Failure::InvalidName)?;
        self.names.extend_from_slice(name);
        Ok(Name { start, length })
    }

    /// The entries in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = &R> {
        self.rows.iter()
    }

    /// The name of an entry of this table.
    pub(super) fn name(&self, row: &R) -> &[u8] {
        name_in(&self.names, row.place())
    }
}

fn name_in(names: &[u8], Name { start, length }: Name) -> &[u8] {
    let start = start as usize;
    names
        .get(start..start + usize::from(length))
        .unwrap_or_default()
}

impl Table<Name> {
    /// The names of a directory alone, if that is enough to tell which are shown: where names look
    /// like the UUIDs of datastores, it is not.
    pub(super) fn read_names(
        files: &Files,
        path: &VirtualPath,
        run: &Run,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Option<Self>, Failure> {
        let hide_twins = files.settings().hide_uuid_twins;
        let mut table = Self::new();
        for name in files.root().read_dir(path)?.names() {
            let name = name?;
            if hide_twins && is_uuid(&name) {
                return Ok(None);
            }
            if wanted(&name) {
                let name = table.keep(&name, run)?;
                table.rows.push(name);
            }
        }
        Ok(Some(table))
    }

    /// Sorts by name.
    pub(super) fn sort(&mut self, order: Order) {
        let names = &self.names;
        self.rows
            .sort_unstable_by(|one, other| name_in(names, *one).cmp(name_in(names, *other)));
        if order.reversed {
            self.rows.reverse();
        }
    }
}

impl Table<Row> {
    /// The entries of a directory.
    pub(super) fn read(
        files: &Files,
        path: &VirtualPath,
        run: &Run,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Self, Failure> {
        let root = files.root();
        let hide_twins = files.settings().hide_uuid_twins;
        let mut table = Self::new();
        // Directories to which links in this directory lead.
        let mut linked = HashSet::new();
        let mut entries = root.read_dir(path)?;
        let mut name = Vec::new();
        while let Some(found) = entries.advance(&mut name) {
            let mut stat = found?;
            let through_link = stat.what == What::Link;
            if through_link {
                let target = path.join(&name);
                // Where it leads nowhere, the link itself is shown.
                if let Some(shown) = target.ok().and_then(|target| root.stat(&target).ok()) {
                    stat = shown;
                    if stat.what == What::Directory {
                        linked.insert((stat.device, stat.inode));
                    }
                }
            }
            if wanted(&name) {
                let name = table.keep(&name, run)?;
                table.rows.push(Row {
                    name,
                    through_link,
                    stat,
                });
            }
        }
        if hide_twins && !linked.is_empty() {
            let names = &table.names;
            table.rows.retain(|row| {
                row.through_link
                    || !linked.contains(&(row.stat.device, row.stat.inode))
                    || !is_uuid(name_in(names, row.name))
            });
        }
        Ok(table)
    }

    /// Brings the entries into this order.
    pub(super) fn sort(&mut self, order: Order) {
        let names = &self.names;
        let by_name =
            |one: &Row, other: &Row| name_in(names, one.name).cmp(name_in(names, other.name));
        let compare = |one: &Row, other: &Row| -> Ordering {
            let (a, b) = (&one.stat, &other.stat);
            match order.by {
                OrderBy::Name => by_name(one, other),
                OrderBy::Modified => b
                    .modified
                    .cmp(&a.modified)
                    .then_with(|| by_name(one, other)),
                OrderBy::Size => b.size.cmp(&a.size).then_with(|| by_name(one, other)),
            }
        };
        self.rows.sort_unstable_by(compare);
        if order.reversed {
            self.rows.reverse();
        }
    }
}

/// Whether a name looks like what ESXi calls the directory of a datastore: groups of hexadecimal
/// digits, `5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd` on VMFS and `a1b2c3d4-e5f6a7b8` on NFS.
fn is_uuid(name: &[u8]) -> bool {
    let groups = name.split(|byte| *byte == b'-');
    let lengths = groups.map(|group| {
        let hexadecimal = group.iter().all(u8::is_ascii_hexdigit);
        hexadecimal.then_some(group.len())
    });
    let lengths: Option<Vec<_>> = lengths.take(5).collect();
    matches!(lengths.as_deref(), Some([8, 8, 4, 12] | [8, 8]))
}

#[cfg(test)]
mod tests {
    use super::is_uuid;

    #[test]
    fn names_of_datastores_are_known() {
        for (name, expected) in [
            ("5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd", true),
            ("a1b2c3d4-e5f6a7b8", true),
            ("datastore1", false),
            ("", false),
            ("5f0c2a1e", false),
            ("5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cg", false),
            ("5f0c2a1e-8d4b7c3a-1f2e-000c29ab34cd-", false),
        ] {
            assert_eq!(is_uuid(name.as_bytes()), expected, "{name}");
        }
    }
}
