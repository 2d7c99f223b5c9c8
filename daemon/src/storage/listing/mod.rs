//! Listings: LIST, NLST, MLSD and STAT with a path.
//!
//! The names in a directory are read in one go and sorted. Then there is one look at each entry at
//! most, while the lines of those before are sent in chunks. How a link is shown is decided in
//! [`super::links`]. Lines end with CR LF.
//!
//! All listings share a [`budget`]. A directory with more names than there is memory for is read and
//! listed in parts: each is sorted, all together are not.

mod budget;
mod dates;
mod directory;
mod entries;
mod long;
mod names;
mod owners;
mod sort;
mod stats;
#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{
    request::{Facts, Failure, ListForm, Listing, Timestamp},
    wire::{
        facts_line::{Place, write_facts},
        line_buffer::LineBuffer,
        name,
    },
};
use tracing::warn;

pub(super) use self::names::is_uuid;
use self::{
    budget::Budget,
    directory::{Directory, Pending},
    long::LongLines,
};
use crate::{
    storage::{
        files::Files,
        links::Shown,
        root::{Stat, What},
    },
    task::Task,
};

/// Where a listing goes, chunk by chunk.
pub(crate) type Sink<'s> = dyn FnMut(&[u8]) -> Result<(), Failure> + 's;

/// Bytes that are collected before they go to the sink.
const CHUNK_BYTES: usize = 64 * 1024;

/// Directories below directories that a recursive listing opens.
const MOST_DEPTH: usize = 32;

/// Directories that a recursive listing opens in all.
const MOST_DIRECTORIES: usize = 100_000;

/// Entries of a listing that the session makes itself: looking at them takes less than a
/// millisecond on a local disk.
const SMALL_ENTRIES: usize = 300;

/// Writes a listing.
///
/// # Errors
/// [`Failure::ListingsFull`]; if the path cannot be listed, or what the sink answers.
pub(crate) fn write(
    files: &Files,
    listing: &Listing,
    task: &Task,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let long = LongLines::new(now(), files.settings().utc_offset.0);
    let budget = Budget::new(files.transfers());
    let _base = budget.begin().inspect_err(|_full| {
        let (path, used) = (&listing.path, budget.used());
        warn!(
            ?path,
            used, "listing refused: others use transfers.listing-buffers"
        );
    })?;
    write_with(files, listing, task, long, Bounds::of(budget), sink)
}

/// A listing that is small enough to be made without a thread of its own; nothing for others.
///
/// # Errors
/// If the path cannot be listed.
pub(crate) fn small(
    files: &Files,
    listing: &Listing,
    task: &Task,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    let long = LongLines::new(now(), files.settings().utc_offset.0);
    let bounds = Bounds {
        entries: Some(SMALL_ENTRIES),
        budget: Budget::uncounted(),
    };
    let listed = write_with(files, listing, task, long, bounds, &mut |chunk| {
        if bytes.len() + chunk.len() > CHUNK_BYTES {
            return Err(Failure::TooMuch);
        }
        bytes.extend_from_slice(chunk);
        Ok(())
    });
    match listed {
        Ok(()) => Ok(Some(bytes)),
        Err(Failure::TooMuch) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What writes the lines of LIST for files of these facts and names, without line ends. Dates are
/// relative to `now`, in seconds since 1970.
pub fn long_lines(now: i64) -> impl FnMut(&Facts, &[u8]) -> String {
    let mut long = LongLines::new(now, 0);
    let epoch = Timestamp {
        seconds: 0,
        nanoseconds: 0,
    };
    move |facts, name| {
        let stat = Stat {
            what: What::File,
            mode: facts.mode,
            owner: facts.owner,
            group: facts.group,
            size: facts.size.unwrap_or(0),
            modified: facts.modified.unwrap_or(epoch),
            changed: epoch,
            links: facts.links,
            device: facts.unique.0,
            inode: facts.unique.1,
        };
        let mut line = LineBuffer::default();
        long.write(&mut line, name, &stat);
        String::from_utf8_lossy(line.as_bytes()).into_owned()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the date of an entry is told in another form if it is more than six months ago"
)]
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// What a listing may use.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Entries that may be read in all directories, if they are to be few.
    entries: Option<usize>,
    budget: Budget,
}

impl Bounds {
    /// As much as there is.
    fn of(budget: Budget) -> Self {
        Self {
            entries: None,
            budget,
        }
    }
}

fn write_with(
    files: &Files,
    listing: &Listing,
    task: &Task,
    long: LongLines,
    bounds: Bounds,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let mut writer = Writer {
        bounds,
        files,
        listing,
        task,
        long,
        buffer: LineBuffer::default(),
        pending: Pending::new(bounds.budget),
        sink,
    };
    writer.write()?;
    writer.flush()
}

struct Writer<'a, 's> {
    bounds: Bounds,
    files: &'a Files,
    listing: &'a Listing,
    task: &'a Task,
    long: LongLines,
    buffer: LineBuffer,
    pending: Pending,
    sink: &'a mut Sink<'s>,
}

impl Writer<'_, '_> {
    fn write(&mut self) -> Result<(), Failure> {
        let listing = self.listing;
        let path = &listing.path;
        let itself = matches!(listing.form, ListForm::Long { itself: true, .. });
        let is_bound = listing.pattern.is_some() || matches!(listing.form, ListForm::Machine(_));
        if is_bound || !itself {
            match self.files.root().stat(path) {
                Ok(stat) if stat.what == What::Directory => return self.directories(),
                Ok(_) if is_bound => return Err(Failure::NotADirectory),
                Err(failure) if is_bound => return Err(failure),
                // If it fails, it may be a link that leads nowhere.
                Ok(_) | Err(_) => {}
            }
        }
        let shown = self.files.shown_at(path)?;
        if matches!(listing.form, ListForm::Names { .. }) {
            return self.name(&listing.named);
        }
        self.line(path.file_name().unwrap_or(b"."), &shown)
    }

    /// Lists the directory that was asked for, and those below it if that is asked for.
    fn directories(&mut self) -> Result<(), Failure> {
        let listing = self.listing;
        let mut next = Some(Directory::first(listing));
        let mut opened = 0;
        while let Some(directory) = next.take().or_else(|| self.pending.pop()) {
            opened += 1;
            if opened > MOST_DIRECTORIES {
                return Err(Failure::TooMuch);
            }
            let is_below = directory.depth > 0;
            if is_below && matches!(listing.form, ListForm::Long { .. }) {
                self.heading(&directory);
            }
            let first = self.pending.count();
            match self.directory(&directory) {
                // It vanished, or may not be read; the others are listed all the same.
                Err(Failure::NotFound | Failure::NotADirectory | Failure::PermissionDenied)
                    if is_below => {}
                listed => listed?,
            }
            self.pending.reverse_from(first);
        }
        Ok(())
    }

    /// What `ls -R` writes before a directory below the first.
    fn heading(&mut self, directory: &Directory) {
        let named = directory.prefix.strip_suffix(b"/");
        let named = named.unwrap_or(&directory.prefix);
        self.buffer.push(*b"\r\n");
        self.buffer.append(name::encode(named).as_bytes());
        self.buffer.push(*b":\r\n");
    }

    /// Whether directories below are listed, too.
    fn is_recursive(&self) -> bool {
        matches!(
            self.listing.form,
            ListForm::Long {
                recursive: true,
                ..
            } | ListForm::Names {
                recursive: true,
                ..
            }
        )
    }

    fn line(&mut self, name: &[u8], shown: &Shown) -> Result<(), Failure> {
        match self.listing.form {
            ListForm::Long { .. } => {
                self.long.write(&mut self.buffer, name, &shown.stat);
                if let Some(link) = &shown.link {
                    self.buffer.push(*b" -> ");
                    self.buffer.append(name::encode(&link.text).as_bytes());
                }
            }
            ListForm::Machine(wanted) => {
                let facts = self.files.facts_of_shown(shown);
                write_facts(&mut self.buffer, &facts, wanted, Place::Entry, name);
            }
            ListForm::Names { .. } => self.buffer.append(name::encode(name).as_bytes()),
        }
        self.end_line()
    }

    /// A name after what the client called its directory.
    fn name_in(&mut self, directory: &Directory, name: &[u8]) -> Result<(), Failure> {
        self.buffer
            .append(name::encode(&directory.prefix).as_bytes());
        self.name(name)
    }

    fn name(&mut self, name: &[u8]) -> Result<(), Failure> {
        self.buffer.append(name::encode(name).as_bytes());
        self.end_line()
    }

    fn end_line(&mut self) -> Result<(), Failure> {
        self.buffer.push(*b"\r\n");
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.task.check()?;
        if !self.buffer.is_empty() {
            (self.sink)(self.buffer.as_bytes())?;
            self.buffer.truncate(0);
        }
        Ok(())
    }
}
