//! The way from the root to a path, links resolved by us.

use std::{
    ffi::{CStr, CString, OsStr},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use nix::errno::Errno;
use protocol::{
    request::{Failure, Timestamp},
    virtual_path::{PATH_BYTES, VirtualPath},
};

use super::{Place, Root, Stat, What, failure, uninterrupted};

/// Links that one path may lead through, as many as Linux takes.
const MOST_LINKS: usize = 40;

/// Seconds between two times that a file system can hold. FAT has the coarsest.
const COARSEST_SECONDS: u64 = 2;

/// What to do with a link as the last component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// Go where it leads.
    Followed,
    /// The link itself is the target.
    Kept,
}

/// Where a walk has led: a name in a directory that exists.
#[derive(Debug)]
pub(super) struct Target {
    /// The directory.
    pub(super) parent: Place,
    /// The name in it; `.` if the target is the directory itself, as the root is.
    pub(super) name: CString,
    /// What has the name, if anything.
    pub(super) stat: Option<Stat>,
    /// Whether the last name comes from a link.
    pub(super) through_link: bool,
    /// The target from the root on, without links.
    pub(super) path: VirtualPath,
}

impl Target {
    /// What is there.
    pub(super) fn existing(&self) -> Result<Stat, Failure> {
        self.stat.ok_or(missing(self.through_link))
    }

    /// This target, unless it is the root, which can be neither removed nor renamed.
    pub(super) fn named(self) -> Result<Self, Failure> {
        if self.name.as_c_str() == c"." {
            return Err(Failure::PermissionDenied);
        }
        Ok(self)
    }

    /// The target as a directory.
    pub(super) fn into_place(self) -> Result<Place, Failure> {
        if self.name.as_c_str() == c"." {
            return Ok(self.parent);
        }
        self.parent.enter(&self.name).map_err(failure)
    }

    /// Sets when the content was changed last, or leaves the time of `old`.
    pub(super) fn set_modified(&self, old: Stat, modified: Timestamp) -> Result<(), Failure> {
        let set = |time| uninterrupted(|| self.parent.set_modified(&self.name, time));
        set(modified).map_err(|errno| match errno {
            // The name is good; it is the time that the file system does not take.
            Errno::EINVAL => Failure::InvalidTime,
            errno => failure(errno),
        })?;
        // Most file systems store the nearest time that they can hold and report success.
        let held = self.parent.stat(&self.name).map_err(failure)?.modified;
        if held.seconds.abs_diff(modified.seconds) < COARSEST_SECONDS {
            return Ok(());
        }
        set(old.modified).map_err(failure)?;
        Err(Failure::InvalidTime)
    }
}

impl Root {
    /// Goes to `path`. All components but the last must be directories or lead to some.
    pub(super) fn walk(&self, path: &VirtualPath, last: Last) -> Result<Target, Failure> {
        // The last is the next.
        let mut pending: Vec<CString> = Vec::new();
        let (mut parent, mut reached) = match &self.opened {
            Some((opened, place)) if path == opened || path.parent().as_ref() == Some(opened) => {
                let name = path.file_name().filter(|_| path != opened);
                push(&mut pending, name.into_iter())?;
                (place.clone(), opened.clone())
            }
            _ => {
                push(&mut pending, path.names())?;
                (self.top()?, VirtualPath::root())
            }
        };
        let mut links = 0;
        let mut through_link = false;
        while let Some(name) = pending.pop() {
            if name.as_c_str() == c".." {
                // Only links have it. By name and not by the kernel: the directory may have been
                // moved meanwhile.
                reached = reached.parent().ok_or(Failure::LinkRefused)?;
                parent = self.descend(&reached)?;
                continue;
            }
            let stat = match parent.stat(&name) {
                Ok(stat) => Some(stat),
                Err(Errno::ENOENT) if pending.is_empty() => None,
                Err(Errno::ENOENT) => return Err(missing(through_link)),
                Err(errno) => return Err(failure(errno)),
            };
            let is_link = stat.is_some_and(|stat| stat.what == What::Link);
            if is_link && (last == Last::Followed || !pending.is_empty()) {
                links += 1;
                through_link |= pending.is_empty();
                if links > MOST_LINKS || pending.len() > PATH_BYTES {
                    return Err(Failure::LinkRefused);
                }
                let target = parent.read_link(&name).map_err(failure)?;
                if target.starts_with(b"/") {
                    let inside = self.inside(&target)?;
                    push(&mut pending, inside.split(|byte| *byte == b'/'))?;
                    (parent, reached) = (self.top()?, VirtualPath::root());
                } else {
                    push(&mut pending, target.split(|byte| *byte == b'/'))?;
                }
                continue;
            }
            let path = reached
                .join(name.to_bytes())
                .map_err(|_invalid| Failure::InvalidName)?;
            if pending.is_empty() {
                return Ok(Target {
                    parent,
                    name,
                    stat,
                    through_link,
                    path,
                });
            }
            if stat.is_some_and(|stat| stat.what != What::Directory) {
                return Err(Failure::NotADirectory);
            }
            parent = enter(&parent, &name)?;
            reached = path;
        }
        // The root, or what a link to `.` or `..` leads to.
        let stat = parent.stat(c".").map_err(failure)?;
        Ok(Target {
            parent,
            name: c".".to_owned(),
            stat: Some(stat),
            through_link,
            path: reached,
        })
    }

    /// A name in the directory that is open, of which `stat` is known already. By paths it is looked at
    /// again, because looking is what keeps a session inside.
    pub(super) fn seen(&self, path: &VirtualPath, stat: Option<Stat>) -> Result<Target, Failure> {
        match (&self.opened, path.file_name()) {
            (Some((opened, place)), Some(name)) if path.parent().as_ref() == Some(opened) => {
                Ok(Target {
                    parent: place.clone(),
                    name: CString::new(name).map_err(|_nul| Failure::InvalidName)?,
                    stat,
                    through_link: false,
                    path: path.clone(),
                })
            }
            _ => self.walk(path, Last::Kept),
        }
    }

    fn top(&self) -> Result<Place, Failure> {
        Place::root(&self.directory, self.kind).map_err(failure)
    }

    /// A directory that was reached before, without links.
    pub(super) fn descend(&self, path: &VirtualPath) -> Result<Place, Failure> {
        let mut place = self.top()?;
        for name in path.names() {
            let name = CString::new(name).map_err(|_nul| Failure::InvalidName)?;
            place = enter(&place, &name)?;
        }
        Ok(place)
    }

    /// The part below the root of an absolute path of the host, which a link leads to.
    pub(super) fn inside(&self, target: &[u8]) -> Result<Vec<u8>, Failure> {
        let target = Path::new(OsStr::from_bytes(target));
        let below = |root: &Path| {
            let rest = target.strip_prefix(root).ok()?;
            Some(rest.as_os_str().as_bytes().to_vec())
        };
        // A root may be reached through a link itself, such as the label of a datastore, and then
        // links name it by its other path.
        below(&self.directory)
            .or_else(|| {
                fs::canonicalize(&self.directory)
                    .ok()
                    .and_then(|root| below(&root))
            })
            .ok_or(Failure::LinkRefused)
    }
}

/// What it means that nothing has a name.
fn missing(through_link: bool) -> Failure {
    if through_link {
        Failure::TargetMissing
    } else {
        Failure::NotFound
    }
}

/// Enters a directory that may have been replaced since it was looked at.
fn enter(place: &Place, name: &CStr) -> Result<Place, Failure> {
    place.enter(name).map_err(failure)
}

/// Puts names before what is pending.
fn push<'n>(
    pending: &mut Vec<CString>,
    names: impl DoubleEndedIterator<Item = &'n [u8]>,
) -> Result<(), Failure> {
    for name in names.rev().filter(|name| !matches!(*name, b"" | b".")) {
        pending.push(CString::new(name).map_err(|_nul| Failure::InvalidName)?);
    }
    Ok(())
}
