//! How listings show links.
//!
//! Clients that delete or mirror recursively walk into every directory that a listing shows, so a
//! link is listed as a link. Two kinds are shown as what they lead to, because an administrator put
//! them there to be directories: the label of a datastore beside its directory, and an absolute
//! link directly below the account's root.

use protocol::{
    request::{Facts, Failure, Kind, Permissions},
    virtual_path::VirtualPath,
};

use super::{
    files::{Files, kind_of, unchanging},
    listing::is_uuid,
    part::is_part,
    root::{Link, Root, Stat, What},
};
use crate::config::LinkForm;

/// An entry as listings show it.
#[derive(Debug)]
pub(super) struct Shown {
    /// Of what is shown: the entry, or the target of a link that is shown as its target.
    pub(super) stat: Stat,
    /// Whether it is the target of a link.
    pub(super) through_link: bool,
    /// Whether it has the name of a part file.
    is_part: bool,
    protected: Protected,
    /// Of a link that is shown as a link.
    pub(super) link: Option<Box<ShownLink>>,
}

/// What the account must not change.
#[derive(Debug, Clone, Copy, Default)]
struct Protected {
    /// The entry must not be removed or renamed.
    entry: bool,
    /// What it leads to, or the entry itself, must not be stored over.
    target: bool,
}

/// What is shown of a link beside its own facts.
#[derive(Debug)]
pub(super) struct ShownLink {
    /// The target.
    pub(super) text: Vec<u8>,
    /// What it leads to.
    leads_to: LeadsTo,
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeadsTo {
    /// Out of the root, in a circle, or to a place that does not exist.
    Nowhere,
    /// A name that an upload can make a file of.
    FreeName,
    /// The part file of an upload.
    Part,
    /// Something else.
    This(What),
}

impl Files {
    /// How the entry of this name is shown. `directory` has no links, and `root` may be open in it.
    pub(super) fn shown(
        &self,
        root: &Root,
        directory: &VirtualPath,
        name: &[u8],
        stat: Stat,
    ) -> Shown {
        let protects_name = self.rights().protects(name);
        let protected = Protected {
            entry: protects_name,
            target: protects_name,
        };
        let itself = |link| Shown {
            stat,
            through_link: false,
            is_part: is_part(name),
            protected,
            link,
        };
        if stat.what != What::Link {
            return itself(None);
        }
        match root.link(directory, name) {
            Ok(link) => {
                let target = link.target.as_ref();
                let leads_to_protected =
                    target.is_some_and(|(path, _)| self.rights().protects_path(path));
                let shown = match self.shown_as_target(directory, &link) {
                    Some((stat, is_part)) => Shown {
                        stat,
                        through_link: true,
                        is_part,
                        ..itself(None)
                    },
                    None => itself(Some(Box::new(ShownLink {
                        leads_to: LeadsTo::of(&link),
                        text: link.text,
                    }))),
                };
                let protected = Protected {
                    target: leads_to_protected,
                    ..protected
                };
                Shown { protected, ..shown }
            }
            // It has been replaced, or cannot be read.
            Err(_unread) => itself(Some(Box::new(ShownLink {
                text: name.to_vec(),
                leads_to: LeadsTo::Nowhere,
            }))),
        }
    }

    /// The target of a link in this directory, if it is shown in place of the link, and whether it
    /// has the name of a part file.
    fn shown_as_target(&self, directory: &VirtualPath, link: &Link) -> Option<(Stat, bool)> {
        let (path, target) = link.target.as_ref()?;
        let target = (*target)?;
        let is_beside = path.parent().as_ref() == Some(directory);
        let is_label = || {
            let name = path.file_name();
            target.what == What::Directory && is_beside && name.is_some_and(is_uuid)
        };
        let shown = match self.settings().links {
            LinkForm::AsTargets => true,
            LinkForm::AsLinks => link.is_absolute && directory.is_root() || is_label(),
        };
        shown.then_some((target, path.file_name().is_some_and(is_part)))
    }

    /// The entry that has a path, as listings show it.
    ///
    /// # Errors
    /// If nothing has it.
    pub(super) fn shown_at(&self, path: &VirtualPath) -> Result<Shown, Failure> {
        let root = self.root();
        if path.is_root() {
            let stat = root.stat(path)?;
            return Ok(Shown {
                stat,
                through_link: false,
                is_part: false,
                protected: Protected::default(),
                link: None,
            });
        }
        let (path, stat) = root.locate(path)?;
        let directory = path.parent().unwrap_or_else(VirtualPath::root);
        Ok(self.shown(root, &directory, path.file_name().unwrap_or_default(), stat))
    }

    /// The facts of the entry that has a path, as listings show it.
    ///
    /// # Errors
    /// If nothing has it.
    pub(super) fn entry_facts(&self, path: &VirtualPath) -> Result<Facts, Failure> {
        let shown = self.shown_at(path)?;
        if path.is_root() {
            return Ok(self.facts_of(&shown.stat, true));
        }
        Ok(self.facts_of_shown(&shown))
    }

    /// The facts of an entry.
    pub(super) fn facts_of_shown(&self, shown: &Shown) -> Facts {
        let mut facts = self.facts_of(&shown.stat, false);
        if let Some(link) = &shown.link {
            facts.permissions = match link.leads_to {
                LeadsTo::This(what) => self.permissions(kind_of(what), false),
                LeadsTo::Nowhere => self.permissions(Kind::Link, false),
                LeadsTo::FreeName => Permissions {
                    append: self.rights().store(),
                    write: self.rights().store(),
                    ..self.permissions(Kind::Link, false)
                },
                LeadsTo::Part => self.permissions_of_part(),
            };
            facts.kind = Kind::Link;
        }
        if shown.through_link && facts.kind == Kind::Directory {
            // RMD refuses it.
            facts.permissions.delete = false;
        }
        if shown.is_part && facts.kind == Kind::File {
            facts.permissions = self.permissions_of_part();
        }
        let unchanging = unchanging(facts.permissions);
        if shown.protected.target {
            facts.permissions.append = unchanging.append;
            facts.permissions.write = unchanging.write;
        }
        if shown.protected.entry {
            facts.permissions.delete = unchanging.delete;
            facts.permissions.rename = unchanging.rename;
        }
        facts
    }

    /// Uploads to the name of a part file are refused.
    fn permissions_of_part(&self) -> Permissions {
        Permissions {
            append: false,
            write: false,
            ..self.permissions(Kind::File, false)
        }
    }
}

impl LeadsTo {
    fn of(link: &Link) -> Self {
        match &link.target {
            None => Self::Nowhere,
            Some((path, target)) => match (target, path.file_name().is_some_and(is_part)) {
                (Some(target), true) if target.what == What::File => Self::Part,
                (Some(target), _) => Self::This(target.what),
                (None, true) => Self::Nowhere,
                (None, false) => Self::FreeName,
            },
        }
    }
}

#[cfg(test)]
mod tests;
