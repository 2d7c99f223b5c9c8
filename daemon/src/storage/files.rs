//! What one account sees and may do: its root, its rights and the settings for all.

use std::{fmt, sync::Arc};

use protocol::{
    request::{Facts, Failure, Kind, Permissions, Space},
    virtual_path::VirtualPath,
};

use super::root::{Root, RootKind, Stat, What, at_calls_work};
use crate::{
    accounts::{Account, Rights},
    config::{self, Config, RootChoice},
};

/// The files of an account. Clones are cheap enough to take one along to each job.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    root: Root,
    account: Arc<Account>,
    config: Arc<Config>,
}

impl RootKind {
    /// The kind that the configuration wants on this kernel.
    pub(crate) fn chosen(choice: RootChoice) -> Self {
        match choice {
            RootChoice::Confined => Self::Confined,
            RootChoice::Auto if at_calls_work() => Self::Confined,
            RootChoice::Auto | RootChoice::Paths => Self::Paths,
        }
    }
}

impl fmt::Display for RootKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confined => "confined by directory handles",
            Self::Paths => "confined by paths",
        })
    }
}

impl Files {
    /// The files of this account.
    ///
    /// # Errors
    /// [`Failure::Internal`] if its root is not absolute, which no configuration is loaded with.
    pub(crate) fn new(account: Arc<Account>, config: Arc<Config>) -> Result<Self, Failure> {
        let kind = RootKind::chosen(config.storage.root);
        let root = Root::open(&account.root, kind).map_err(|_relative| Failure::Internal)?;
        Ok(Self {
            root,
            account,
            config,
        })
    }

    /// The root.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// The account.
    #[cfg(feature = "libunftp")]
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// What the account may do.
    pub(crate) fn rights(&self) -> &Rights {
        &self.account.rights
    }

    /// The settings for all accounts.
    pub(crate) fn settings(&self) -> &config::Storage {
        &self.config.storage
    }

    /// How files are sent and stored.
    pub(crate) fn transfers(&self) -> &config::Transfers {
        &self.config.transfers
    }

    /// The facts of a path, links followed.
    ///
    /// # Errors
    /// [`Failure::TargetMissing`] and [`Failure::LinkRefused`] for links that lead nowhere or out of
    /// the root; see the others.
    pub(crate) fn facts(&self, path: &VirtualPath) -> Result<Facts, Failure> {
        let stat = self.root.stat(path)?;
        let mut facts = self.facts_of(&stat, path.is_root());
        if self.rights().protects_path(path) {
            facts.permissions = unchanging(facts.permissions);
        }
        Ok(facts)
    }

    /// The facts that go with what the kernel told.
    pub(crate) fn facts_of(&self, stat: &Stat, is_root: bool) -> Facts {
        let kind = kind_of(stat.what);
        Facts {
            kind,
            size: (kind == Kind::File).then_some(stat.size),
            modified: Some(stat.modified),
            created: None,
            mode: stat.mode,
            owner: stat.owner,
            group: stat.group,
            links: stat.links,
            unique: (stat.device, stat.inode),
            permissions: self.permissions(kind, is_root),
        }
    }

    pub(super) fn permissions(&self, kind: Kind, is_root: bool) -> Permissions {
        let rights = self.rights();
        let any = Permissions {
            delete: rights.delete() && !is_root,
            rename: rights.rename() && !is_root,
            ..Permissions::default()
        };
        match kind {
            Kind::File => Permissions {
                append: rights.overwrite(),
                retrieve: rights.retrieve(),
                write: rights.overwrite(),
                ..any
            },
            Kind::Directory => Permissions {
                create: rights.store(),
                enter: true,
                list: true,
                make: rights.store(),
                purge: rights.delete(),
                ..any
            },
            Kind::Link | Kind::Special => any,
        }
    }

    /// The space for uploads on the file system of a path.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] if the kernel does not tell.
    pub(crate) fn space(&self, path: &VirtualPath) -> Result<Space, Failure> {
        let space = self.root.space(path)?;
        Ok(Space {
            total: space.total,
            available: space.available.saturating_sub(self.settings().reserve.0),
        })
    }
}

/// What is left of what may be done with a protected name.
pub(super) fn unchanging(permissions: Permissions) -> Permissions {
    Permissions {
        append: false,
        write: false,
        delete: false,
        rename: false,
        ..permissions
    }
}

/// The kind of an entry.
pub(super) fn kind_of(what: What) -> Kind {
    match what {
        What::File => Kind::File,
        What::Directory => Kind::Directory,
        What::Link => Kind::Link,
        What::Special => Kind::Special,
    }
}
