//! A file on its way from a client. It is kept in a part file until it is complete and replaces
//! its target then, in one step; whatever happens before, the target stays as it was.
//!
//! Three kinds of uploads write to the file itself, because a copy of a virtual disk of terabytes
//! is out of the question: APPE to a file that exists, REST into a file that has no newer part file,
//! and STOU, whose file is new. What they have written stays when they are interrupted.

mod failures;
mod found;
mod room;

use std::{
    fs::File,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    os::unix::fs::{FileExt as _, fchown},
};

use protocol::{
    request::{Failure, UploadStart},
    virtual_path::VirtualPath,
};
use tracing::warn;

use self::{
    failures::{displaced, write_failure},
    found::Found,
    room::free_space,
};
use crate::{
    accounts::Rights,
    config::Config,
    storage::{
        ascii::{CONVERTED_BYTES, FromWire},
        part::{self, Writing},
        perform::allowed,
        root::{Root, Stat},
        space::SpaceReservation,
        zeros::data_in,
    },
};

/// The mode of a new file before the account's umask.
const MODE: u32 = 0o666;

/// Names that are tried for STOU.
const ATTEMPTS: u32 = 100;

/// A file that is being stored.
#[derive(Debug)]
pub(crate) struct Upload {
    root: Root,
    /// The same, open in the directory of the file where that can be: for what has to be removed
    /// even if the directory was moved.
    near: Root,
    /// The file, without links on the way to it.
    path: VirtualPath,
    /// Where it is kept until it is complete, unless it is written in place.
    part: Option<VirtualPath>,
    file: File,
    /// Where the first byte goes.
    start: u64,
    /// Where the next byte goes.
    position: u64,
    /// Where the file of this descriptor ends, as far as this upload knows.
    end: u64,
    /// Whether the file of this descriptor was made by this upload.
    is_new: bool,
    state: State,
    text: Option<FromWire>,
    /// Bytes of the file system that stay free.
    reserve: u64,
    reservation: SpaceReservation,
    sparse: bool,
    sync: bool,
    others: Others,
    /// Keeps others from writing the file.
    writing: Option<Writing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has been changed yet but that a new file may have been made.
    Prepared,
    /// Bytes before `position` are good; whatever is behind is to go.
    Begun,
    /// Nothing is left to do but to give it its name.
    Flushed,
    /// Nothing is left to do.
    Complete,
}

/// What becomes of a file that has come to the path of an upload meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    Kept,
    Replaced,
}

impl Upload {
    /// Gets ready to store a file. No file that exists is changed before [`Upload::begin`].
    ///
    /// # Errors
    /// [`Failure::AccountForbids`], [`Failure::BeingWritten`], [`Failure::BehindEnd`],
    /// [`Failure::Unfinished`], [`Failure::NoSpace`] and those of [`Root`].
    pub(crate) fn prepare(
        root: &Root,
        rights: &Rights,
        config: &Config,
        path: &VirtualPath,
        start: UploadStart,
        ascii: bool,
    ) -> Result<Self, Failure> {
        allowed(rights.store())?;
        let mut upload = match start {
            UploadStart::Unique => Self::unique(root, rights, path)?,
            UploadStart::Suggested => Self::suggested(root, rights, path)?,
            _ => Self::named(root, rights, path, start)?,
        };
        upload.text = ascii.then(FromWire::default);
        upload.reserve = config.storage.reserve.0;
        upload.sparse = config.transfers.sparse;
        upload.sync = config.transfers.sync;
        if rights.overwrite() {
            upload.others = Others::Replaced;
        }
        Ok(upload)
    }

    fn named(
        root: &Root,
        rights: &Rights,
        path: &VirtualPath,
        start: UploadStart,
    ) -> Result<Self, Failure> {
        let (path, opened, seen) = root.resolve_opened(path)?;
        let name = path.file_name().ok_or(Failure::IsADirectory)?;
        if part::is_part(name) {
            // It would be renamed when the upload that it belongs to is complete.
            return Err(Failure::PartName);
        }
        allowed(!rights.protects(name))?;
        let (unseated, root) = (root, &opened);
        let mut writing = Writing::begin(root, &path)?;
        let found = Found::look(root, &path, seen)?;
        allowed(found.old.is_none() || rights.overwrite())?;
        let unfinished = match start {
            UploadStart::At(1..) | UploadStart::End => found.unfinished(root)?,
            _ => None,
        };
        let mut upload = match (start, found.old.is_some(), unfinished) {
            (UploadStart::At(start @ 1..), false, Some(_)) => {
                Self::resumed(root, path, found, start)?
            }
            (UploadStart::At(start @ 1..), true, Some(part)) if start <= part.size => {
                Self::resumed(root, path, found, start)?
            }
            (UploadStart::At(start @ 1..), true, None) => {
                Self::in_place(root, path, &found, Some(start))?
            }
            (UploadStart::At(1..), false, None) => return Err(Failure::BehindEnd),
            (UploadStart::End, false, Some(part)) => Self::resumed(root, path, found, part.size)?,
            (UploadStart::End, true, None) => Self::in_place(root, path, &found, None)?,
            // The client asked for the size and got that of the file.
            (UploadStart::At(1..) | UploadStart::End, true, Some(_)) => {
                return Err(Failure::Unfinished);
            }
            _ => Self::fresh(root, rights, path, &found, &writing)?,
        };
        upload.root = unseated.clone();
        writing.hold(&upload.file)?;
        upload.hold(writing);
        Ok(upload)
    }

    /// Keeps others from writing the file.
    fn hold(&mut self, writing: Writing) {
        self.reservation = SpaceReservation::on(writing.device());
        self.writing = Some(writing);
    }

    /// An upload from the first byte on.
    fn fresh(
        root: &Root,
        rights: &Rights,
        path: VirtualPath,
        found: &Found,
        writing: &Writing,
    ) -> Result<Self, Failure> {
        let old = found.old;
        let mode = old.map_or(rights.masked(MODE), |stat| stat.mode & 0o777);
        let file = match root.create_new(&found.part_path, mode) {
            Err(Failure::Exists) => {
                let part = found.part(root)?.ok_or(Failure::BeingWritten)?;
                // Its bytes stay until the first one of this upload comes.
                let (file, _stat) = root.open_seen(&found.part_path, part)?;
                return Ok(Self::on(
                    root,
                    path,
                    Some(found.part_path.clone()),
                    file,
                    0,
                    false,
                ));
            }
            file => file?,
        };
        if let Some(stat) = old.filter(|stat| !writing.makes_files_of(stat)) {
            // Not every file system has owners.
            let _kept = fchown(&file, Some(stat.owner), Some(stat.group));
        }
        Ok(Self::on(
            root,
            path,
            Some(found.part_path.clone()),
            file,
            0,
            true,
        ))
    }

    /// An upload that goes on with the part file.
    fn resumed(root: &Root, path: VirtualPath, found: Found, start: u64) -> Result<Self, Failure> {
        let (file, part) = root.open_write(&found.part_path)?;
        if start > part.size {
            return Err(Failure::BehindEnd);
        }
        let part = Some(found.part_path);
        Ok(Self::on(root, path, part, file, start, false))
    }

    /// An upload into the file itself; behind its last byte if `start` is absent.
    fn in_place(
        root: &Root,
        path: VirtualPath,
        found: &Found,
        start: Option<u64>,
    ) -> Result<Self, Failure> {
        let seen = found.old.ok_or(Failure::NotFound)?;
        let (file, old) = root.open_seen(&path, seen)?;
        let start = start.unwrap_or(old.size);
        if start > old.size {
            return Err(Failure::BehindEnd);
        }
        Ok(Self::on(root, path, None, file, start, false))
    }

    /// An upload into a new file with a name of our choice.
    fn unique(root: &Root, rights: &Rights, directory: &VirtualPath) -> Result<Self, Failure> {
        for _ in 0..ATTEMPTS {
            // Not a secret: it only has to be free.
            let number = RandomState::new().build_hasher().finish();
            let name = format!("stou.{:08x}", number & 0xffff_ffff);
            let path = directory
                .join(name.as_bytes())
                .map_err(|_too_long| Failure::InvalidName)?;
            match Self::new_file(root, rights, path) {
                Err(Failure::Exists | Failure::BeingWritten) => {}
                result => return result,
            }
        }
        Err(Failure::Exists)
    }

    /// A new file of this name, or beside it.
    fn suggested(root: &Root, rights: &Rights, path: &VirtualPath) -> Result<Self, Failure> {
        let name = path.file_name().ok_or(Failure::IsADirectory)?;
        if !part::is_part(name) {
            match Self::new_file(root, rights, path.clone()) {
                Err(Failure::Exists | Failure::BeingWritten | Failure::AccountForbids) => {}
                result => return result,
            }
        }
        Self::unique(
            root,
            rights,
            &path.parent().unwrap_or_else(VirtualPath::root),
        )
    }

    fn new_file(root: &Root, rights: &Rights, path: VirtualPath) -> Result<Self, Failure> {
        allowed(!rights.protects_path(&path))?;
        let mut writing = Writing::begin(root, &path)?;
        let file = root.create_new(&path, rights.masked(MODE))?;
        let mut upload = Self::on(root, path, None, file, 0, true);
        writing.hold(&upload.file)?;
        upload.hold(writing);
        Ok(upload)
    }

    fn on(
        root: &Root,
        path: VirtualPath,
        part: Option<VirtualPath>,
        file: File,
        start: u64,
        is_new: bool,
    ) -> Self {
        Self {
            root: root.clone(),
            near: root.clone(),
            path,
            part,
            file,
            start,
            position: start,
            end: start,
            is_new,
            state: State::Prepared,
            text: None,
            reserve: 0,
            reservation: SpaceReservation::default(),
            sparse: false,
            sync: false,
            others: Others::Kept,
            writing: None,
        }
    }

    /// The file as it will be called.
    pub(crate) fn path(&self) -> &VirtualPath {
        &self.path
    }

    /// Where the next byte goes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The data connection is there: from now on, the bytes behind `start` are gone.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        self.state = State::Begun;
        if self.is_new {
            return Ok(());
        }
        self.cut()
    }

    /// Appends bytes that came from the client.
    ///
    /// # Errors
    /// [`Failure::NoSpaceRemoved`] also if the reserve would be touched; those of the file system.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let stored = match self.text.take() {
            None => self.store(bytes),
            Some(mut text) => {
                let mut converted = Vec::new();
                let stored = bytes.chunks(CONVERTED_BYTES).try_for_each(|piece| {
                    converted.clear();
                    text.convert(piece, &mut converted);
                    self.store(&converted)
                });
                self.text = Some(text);
                stored
            }
        };
        stored.map_err(|failure| self.give_space_back(failure))
    }

    fn store(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.sparse {
            for piece in data_in(self.position, bytes) {
                let position = self.position + piece.start as u64;
                self.store_at(bytes.get(piece).unwrap_or_default(), position)?;
            }
        } else {
            self.store_at(bytes, self.position)?;
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn store_at(&mut self, bytes: &[u8], position: u64) -> Result<(), Failure> {
        let needed = bytes.len() as u64;
        let device = self.reservation.device();
        let free = || free_space(device, &self.file, &self.root, &self.path, self.reserve);
        self.reservation.reserve(needed, free)?;
        let written = self.file.write_all_at(bytes, position);
        written.map_err(|error| write_failure(&error))?;
        self.reservation.commit(needed);
        self.end = position + needed;
        Ok(())
    }

    /// Completes what the file holds: it is whole, and on the medium if that is configured. Its
    /// name it has after [`Upload::finish`].
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.flush_all();
        flushed.map_err(|failure| self.give_space_back(failure))
    }

    fn flush_all(&mut self) -> Result<(), Failure> {
        if let Some(mut text) = self.text.take() {
            let mut rest = Vec::new();
            text.finish(&mut rest);
            self.store(&rest)?;
        }
        if self.end != self.position {
            self.cut()?;
            self.end = self.position;
        }
        if self.sync {
            let synced = self.file.sync_all();
            synced.map_err(|error| write_failure(&error))?;
        }
        self.state = State::Flushed;
        Ok(())
    }

    /// Completes the upload: the file has its name, for good if that is configured.
    ///
    /// # Errors
    /// [`Failure::AccountForbids`] if it would replace a file and may not; [`Failure::Displaced`];
    /// [`Failure::Unsynced`], although the file has its name then; those of the file system.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        if self.state != State::Flushed {
            self.flush()?;
        }
        let directory = self.path.parent().ok_or(Failure::IsADirectory)?;
        let root = self.root.opened(&directory).map_err(displaced)?;
        self.check_place(&root)?;
        if let Some(part) = &self.part {
            if self.others == Others::Kept && root.entry(&self.path).is_ok() {
                // It has come since this upload began.
                return Err(Failure::AccountForbids);
            }
            root.move_into_place(|found| self.is_found(found), part, &self.path)?;
        }
        self.state = State::Complete;
        if self.sync && (self.part.is_some() || self.is_new) {
            root.sync_dir(&directory)?;
        }
        Ok(())
    }

    /// Whether the bytes are still where they are looked for: somebody may have moved the directory
    /// or unmounted the datastore, and something else may have come to the place.
    fn check_place(&self, root: &Root) -> Result<(), Failure> {
        let place = self.part.as_ref().unwrap_or(&self.path);
        let found = root.entry(place).map_err(displaced)?;
        if self.is_found(&found) {
            Ok(())
        } else {
            Err(Failure::Displaced)
        }
    }

    /// Whether what was found is the file that is written.
    fn is_found(&self, found: &Stat) -> bool {
        let writing = self.writing.as_ref();
        writing.is_some_and(|writing| writing.is_of(found))
    }

    /// Makes the file end where the next byte would go: a hole at the end counts, what an error
    /// has left behind does not.
    fn cut(&self) -> Result<(), Failure> {
        let cut = self.file.set_len(self.position);
        cut.map_err(|error| write_failure(&error))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let result = match self.state {
            State::Complete => Ok(()),
            // An empty file of ours helps nobody.
            _ if self.is_new && self.position == 0 => {
                let path = self.part.as_ref().unwrap_or(&self.path);
                // Somebody else's file may have come to the place.
                let ours = self.check_place(&self.near);
                ours.and_then(|()| self.near.remove_file(path))
            }
            State::Prepared | State::Flushed => Ok(()),
            State::Begun => self.cut(),
        };
        if let Err(failure) = result {
            let path = self.part.as_ref().unwrap_or(&self.path);
            warn!(?path, %failure, "not-tidied: an interrupted upload");
        }
        // Not before.
        drop(self.writing.take());
    }
}

#[cfg(test)]
mod tests;
