//! The operations that are answered on the control connection.

use protocol::{
    request::{Failure, Listing, Operation, Outcome, PathFailure},
    virtual_path::VirtualPath,
};

use crate::{
    storage::{
        copy, digest,
        files::Files,
        leftovers, listing,
        part::{self, Writing},
        root::What,
    },
    task::Task,
};

/// The most that a listing on the control connection may have.
const MOST_LINES: usize = 1_000;
const MOST_LINE_BYTES: usize = 64 * 1024;

/// Modes of new directories, before the account's umask.
const DIRECTORY_MODE: u32 = 0o777;

/// Whether an operation may take long, so that the session should not do it itself.
pub(crate) fn is_long(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Copy { .. } | Operation::Digest { .. } | Operation::Lines(_)
    )
}

/// Does everything but [`Operation::Prepare`]; it may block.
///
/// # Errors
/// Why it could not be done, and which path is the cause. Nothing has been changed then.
pub(crate) fn perform(
    files: &Files,
    task: &Task,
    operation: Operation,
) -> Result<Outcome, PathFailure> {
    match operation {
        Operation::Rename { from, to } => rename(files, &from, &to)?,
        Operation::Copy { from, to } => copy::copy(files, task, &from, &to)?,
        operation => return Ok(with_one_path(files, task, operation)?),
    }
    Ok(Outcome::Done)
}

fn with_one_path(files: &Files, task: &Task, operation: Operation) -> Result<Outcome, Failure> {
    let (root, rights) = (files.root(), files.rights());
    let done = |result: Result<(), Failure>| result.map(|()| Outcome::Done);
    match operation {
        Operation::Facts(path) => files.facts(&path).map(Outcome::Facts),
        Operation::Size(path) => {
            let facts = files.facts(&path).or_else(|failure| {
                let is_missing = matches!(failure, Failure::NotFound | Failure::TargetMissing);
                let part = is_missing.then(|| part::resumable(root, &path));
                let part = part.flatten().ok_or(failure)?;
                Ok(files.facts_of(&part, false))
            });
            facts.map(Outcome::Facts)
        }
        Operation::Entry(path) => files.entry_facts(&path).map(Outcome::Facts),
        Operation::MakeDirectory(path) => {
            allowed(rights.store() && !rights.protects_path(&path))?;
            not_for_part(&path)?;
            done(root.make_dir(&path, rights.masked(DIRECTORY_MODE)))
        }
        Operation::RemoveDirectory(path) => {
            allowed(rights.delete() && !rights.protects_path(&path))?;
            done(match root.remove_dir(&path) {
                Err(Failure::NotEmpty) => {
                    leftovers::clear(files, &path).and_then(|()| root.remove_dir(&path))
                }
                result => result,
            })
        }
        Operation::RemoveFile(path) => {
            allowed(rights.delete() && !rights.protects_path(&path))?;
            let _writing = Writing::begin(root, &root.locate(&path)?.0)?;
            done(root.remove_file(&path))
        }
        Operation::SetMode { path, mode } => {
            allowed(rights.overwrite())?;
            done(root.set_mode(&changeable(files, &path)?, mode))
        }
        Operation::SetModified { path, modified } => {
            allowed(rights.overwrite())?;
            done(root.set_modified(&changeable(files, &path)?, modified))
        }
        Operation::Digest {
            path,
            algorithm,
            start,
            end,
        } => {
            allowed(rights.retrieve())?;
            digest::digest(files, task, &path, algorithm, start, end)
        }
        Operation::Space(path) => files.space(&path).map(Outcome::Space),
        Operation::Lines(listing) => lines(files, task, &listing),
        // The one leaves something ready in the session, see `prepare`; the others have two paths.
        Operation::Prepare(_) | Operation::Rename { .. } | Operation::Copy { .. } => {
            Err(Failure::Internal)
        }
    }
}

/// Refuses what the account may not do.
pub(crate) fn allowed(may: bool) -> Result<(), Failure> {
    may.then_some(()).ok_or(Failure::AccountForbids)
}

/// The path without links, unless the account must not change what it leads to.
fn changeable(files: &Files, path: &VirtualPath) -> Result<VirtualPath, Failure> {
    let rights = files.rights();
    if !rights.protects_names() {
        return Ok(path.clone());
    }
    let target = files.root().resolve(path)?;
    allowed(!rights.protects_path(&target))?;
    Ok(target)
}

/// Refuses names of part files: the next upload to the file that one belongs to would write over
/// what has it, or be kept from storing.
pub(crate) fn not_for_part(path: &VirtualPath) -> Result<(), Failure> {
    match path.file_name() {
        Some(name) if part::is_part(name) => Err(Failure::PartName),
        _ => Ok(()),
    }
}

fn rename(files: &Files, from: &VirtualPath, to: &VirtualPath) -> Result<(), PathFailure> {
    let rights = files.rights();
    allowed(rights.rename() && !rights.protects_path(to))?;
    allowed(!rights.protects_path(from)).map_err(PathFailure::source)?;
    let root = files.root();
    not_for_part(to)?;
    let source = root.entry(from).map_err(PathFailure::source)?;
    // An upload that is complete replaces what has come to its name meanwhile, and it needs its
    // part file until then.
    let writing = Writing::begin(root, from).map_err(PathFailure::source)?;
    let _writing_too = writing.and(root, to)?;
    match root.entry(to) {
        Err(Failure::NotFound) => {}
        Ok(target) if (target.device, target.inode) == (source.device, source.inode) => {}
        // The kernel would replace an empty one.
        Ok(target) if target.what == What::Directory => return Err(Failure::Exists.into()),
        Ok(_) => allowed(rights.overwrite())?,
        Err(failure) => return Err(failure.into()),
    }
    root.rename(from, to).map_err(|failure| {
        // It may have gone meanwhile; the kernel does not tell which of the two it missed.
        match root.entry(from) {
            Err(gone) if gone == failure => PathFailure::source(failure),
            _ => failure.into(),
        }
    })
}

/// Collects a listing, up to the bounds.
fn lines(files: &Files, task: &Task, listing: &Listing) -> Result<Outcome, Failure> {
    let mut text = Vec::new();
    let written = listing::write(files, listing, task, &mut |chunk| {
        text.extend_from_slice(chunk);
        if text.len() > MOST_LINE_BYTES {
            return Err(Failure::TooMuch);
        }
        Ok(())
    });
    let mut cut = match written {
        Ok(()) => false,
        Err(Failure::TooMuch) => true,
        Err(failure) => return Err(failure),
    };
    text.truncate(MOST_LINE_BYTES);
    let mut lines = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            // What does not end was cut off.
            break;
        };
        if lines.len() == MOST_LINES {
            cut = true;
            break;
        }
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
    Ok(Outcome::Lines { lines, cut })
}

#[cfg(test)]
mod tests;
