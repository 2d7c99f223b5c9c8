//! The entries of one directory: read, sorted as far as there is memory for it, and written.

use std::{ffi::CStr, mem::replace, sync::Arc};

use protocol::{
    request::{Failure, ListForm, Order, OrderBy},
    virtual_path::VirtualPath,
    wire::{
        facts_line::{Place, write_facts},
        glob,
    },
};
use tracing::info;

use super::{
    MOST_DEPTH, Writer,
    budget::Charged,
    directory::Directory,
    names::Names,
    sort,
    stats::{Row, Stats, link_bytes},
};
use crate::storage::{
    leftovers,
    root::{Entries, What},
};

/// Names between two looks whether to go on.
const CHECK_EVERY: usize = 256;

impl Writer<'_, '_> {
    /// Lists one directory, and remembers those in it, if they are to be listed, too.
    pub(super) fn directory(&mut self, directory: &Directory) -> Result<(), Failure> {
        let (path, files, budget) = (&directory.path, self.files, self.bounds.budget);
        let pattern = directory.pattern(self.listing);
        let entries = Arc::new(files.root().read_dir(path)?);
        let mut names = Names::new(budget);
        let mut in_parts = false;
        self.read(&entries, &mut |writer, name| {
            let bytes = name.to_bytes();
            if leftovers::remove_old(files, path, bytes) || !writer.wanted(pattern, bytes) {
                return Ok(());
            }
            if names.keep(name)? {
                return Ok(());
            }
            if !in_parts {
                in_parts = true;
                info!(
                    ?path,
                    "listed unsorted: transfers.listing-buffers is too small for all names"
                );
                writer.dots(directory)?;
            }
            let part = replace(&mut names, Names::part(budget));
            writer.entries(directory, &entries, part, false)?;
            names.keep(name)?.then_some(()).ok_or(Failure::Resources)
        })?;
        if in_parts {
            return self.entries(directory, &entries, names, false);
        }
        let mut hides = files.settings().hide_uuid_twins && names.have_uuid();
        if hides {
            // Links that are not shown can lead to them, too.
            let mut all = Names::new(budget);
            self.read(&entries, &mut |_writer, name| {
                hides &= all.keep(name)?;
                Ok(())
            })?;
            if hides {
                names = all;
            }
        }
        if let Some(most) = &mut self.bounds.entries {
            *most -= names.places().len().min(*most);
        }
        self.dots(directory)?;
        self.entries(directory, &entries, names, hides)
    }

    /// Hands over the names in a directory.
    ///
    /// # Errors
    /// [`Failure::TooMuch`] if they are to be few and are not, hidden ones included.
    fn read(
        &mut self,
        entries: &Entries,
        see: &mut dyn FnMut(&mut Self, &CStr) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut seen = 0_usize;
        entries.names(&mut |name| {
            if seen.is_multiple_of(CHECK_EVERY) {
                self.task.check()?;
            }
            if Some(seen) == self.bounds.entries {
                return Err(Failure::TooMuch);
            }
            seen += 1;
            see(self, name)
        })
    }

    /// How entries are sorted.
    fn order(&self) -> Order {
        match self.listing.form {
            ListForm::Long { order, .. } | ListForm::Names { order, .. } => order,
            ListForm::Machine(_) => Order::default(),
        }
    }

    /// Lists entries of a directory in their order. If `hides`, names that are not wanted are among
    /// them.
    fn entries(
        &mut self,
        directory: &Directory,
        entries: &Arc<Entries>,
        mut names: Names,
        hides: bool,
    ) -> Result<(), Failure> {
        let order = self.order();
        let by_name = order.by == OrderBy::Name;
        names.sort(by_name && order.reversed);
        let is_names = matches!(self.listing.form, ListForm::Names { .. });
        if by_name && !hides && is_names && !self.is_recursive() {
            for name in names.places() {
                self.name_in(directory, names.bytes(*name))?;
            }
            return Ok(());
        }
        let (path, budget) = (&directory.path, self.bounds.budget);
        let mut stats = Stats::new(self.files, path, entries, names, self.task, budget);
        let mut together = Charged::new(budget, 0);
        let mut links = budget.nothing();
        let mut gathers = hides || !by_name;
        while let Some(rows) = stats.next()? {
            if gathers && links.grow(link_bytes(&rows)) && together.make_room(rows.len()) {
                for row in rows {
                    together.push(row);
                }
                continue;
            }
            if gathers {
                info!(
                    ?path,
                    "listed unsorted: transfers.listing-buffers is too small for all entries"
                );
                gathers = false;
                self.together(directory, stats.names(), &mut together, hides)?;
                together = Charged::new(budget, 0);
                links = budget.nothing();
            }
            let pattern = directory.pattern(self.listing);
            for row in &rows {
                if !hides || self.wanted(pattern, stats.names().bytes(row.name)) {
                    self.row(directory, stats.names(), row)?;
                }
            }
        }
        self.together(directory, stats.names(), &mut together, hides)
    }

    /// Lists rows that had to be together.
    fn together(
        &mut self,
        directory: &Directory,
        names: &Names,
        rows: &mut Charged<Row>,
        hides: bool,
    ) -> Result<(), Failure> {
        if hides {
            let pattern = directory.pattern(self.listing);
            sort::hide_uuid_aliases(rows, names);
            rows.retain(|row| self.wanted(pattern, names.bytes(row.name)));
        }
        sort::sort(rows.as_mut_slice(), names, self.order());
        for row in rows.iter() {
            self.row(directory, names, row)?;
        }
        Ok(())
    }

    fn row(&mut self, directory: &Directory, names: &Names, row: &Row) -> Result<(), Failure> {
        let name = names.bytes(row.name);
        match self.listing.form {
            ListForm::Names { .. } => self.name_in(directory, name)?,
            _ => self.line(name, &row.shown)?,
        }
        let deeper = self.is_recursive() && directory.depth < MOST_DEPTH;
        let is_directory = row.shown.stat.what == What::Directory && !row.shown.through_link;
        if deeper
            && is_directory
            && let Some(below) = directory.below(name)
        {
            self.pending.push(below)?;
        }
        Ok(())
    }

    /// Whether an entry of this name is listed.
    fn wanted(&self, pattern: Option<&[u8]>, name: &[u8]) -> bool {
        let dot = name.first() == Some(&b'.');
        let all = match self.listing.form {
            ListForm::Long { all, .. } | ListForm::Names { all, .. } => all,
            ListForm::Machine(_) => true,
        };
        let matched = match pattern {
            Some(pattern) => {
                glob::matches(pattern, name) && (all || !dot || pattern.first() == Some(&b'.'))
            }
            None => all || !dot,
        };
        matched && !self.files.rights().hides(name)
    }

    /// The directory itself and the one above, unless a pattern is asked for.
    fn dots(&mut self, directory: &Directory) -> Result<(), Failure> {
        if directory.pattern(self.listing).is_some() {
            return Ok(());
        }
        let path = &directory.path;
        match self.listing.form {
            ListForm::Machine(wanted) => {
                let stat = self.files.root().stat(path)?;
                let mut facts = self.files.facts_of(&stat, path.is_root());
                // RMD refuses a link.
                facts.permissions.delete &= self.files.root().entry(path)?.what != What::Link;
                write_facts(&mut self.buffer, &facts, wanted, Place::Itself, b".");
                self.buffer.push(*b"\r\n");
                if let Some(parent) = path.parent() {
                    let stat = self.files.root().stat(&parent)?;
                    let facts = self.files.facts_of(&stat, parent.is_root());
                    write_facts(&mut self.buffer, &facts, wanted, Place::Parent, b"..");
                    self.buffer.push(*b"\r\n");
                }
            }
            ListForm::Long { all: true, .. } => {
                let root = self.files.root();
                let itself = root.stat(path)?;
                let above = root.stat(&path.parent().unwrap_or_else(VirtualPath::root))?;
                for (name, stat) in [(&b"."[..], itself), (b"..", above)] {
                    self.long.write(&mut self.buffer, name, &stat);
                    self.end_line()?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
