//! What an account may do with files.

use protocol::wire::glob;

use crate::config::{Anonymous, Umask, User};

/// What an account may do with files. Looking around it may always.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the configuration, and they are independent"
)]
pub(crate) struct Rights {
    read_only: bool,
    no_delete: bool,
    no_overwrite: bool,
    upload_only: bool,
    umask: u32,
    hidden: Vec<String>,
}

impl Rights {
    /// The rights of a user; `umask` is what holds if the user has none.
    pub(crate) fn of_user(user: &User, umask: Umask) -> Self {
        Self {
            read_only: user.read_only,
            no_delete: user.no_delete,
            no_overwrite: user.no_overwrite,
            upload_only: user.upload_only,
            umask: user.umask.unwrap_or(umask).0,
            hidden: user.hidden.clone(),
        }
    }

    /// The rights of anonymous users.
    pub(crate) fn of_anonymous(anonymous: &Anonymous, umask: Umask) -> Self {
        Self {
            read_only: anonymous.read_only,
            no_delete: anonymous.no_delete,
            no_overwrite: anonymous.no_overwrite,
            upload_only: anonymous.upload_only,
            umask: anonymous.umask.unwrap_or(umask).0,
            hidden: anonymous.hidden.clone(),
        }
    }

    /// Whether it may read the content of files, digests included.
    pub(crate) fn retrieve(&self) -> bool {
        !self.upload_only
    }

    /// Whether it may make files and directories.
    pub(crate) fn store(&self) -> bool {
        !self.read_only
    }

    /// Whether it may change what exists: replace a file, append to it, rename or copy another over
    /// it, or set its time or permissions.
    pub(crate) fn overwrite(&self) -> bool {
        self.store() && !self.no_overwrite && !self.upload_only
    }

    /// Whether it may remove files and directories.
    pub(crate) fn delete(&self) -> bool {
        self.store() && !self.no_delete && !self.upload_only
    }

    /// Whether it may rename files and directories.
    pub(crate) fn rename(&self) -> bool {
        self.store() && !self.upload_only
    }

    /// The mode of a new file or directory that would have `mode` without the account's umask.
    pub(crate) fn masked(&self, mode: u32) -> u32 {
        mode & !self.umask
    }

    /// Whether listings leave this name out.
    pub(crate) fn hides(&self, name: &[u8]) -> bool {
        self.hidden
            .iter()
            .any(|pattern| glob::matches(pattern.as_bytes(), name))
    }
}

/// For tests: everything allowed.
#[cfg(test)]
impl Default for Rights {
    fn default() -> Self {
        Self {
            read_only: false,
            no_delete: false,
            no_overwrite: false,
            upload_only: false,
            umask: 0o022,
            hidden: Vec::new(),
        }
    }
}

/// For tests: all rights but some.
#[cfg(test)]
impl Rights {
    pub(crate) fn read_only() -> Self {
        Self {
            read_only: true,
            ..Self::default()
        }
    }

    pub(crate) fn no_delete() -> Self {
        Self {
            no_delete: true,
            ..Self::default()
        }
    }

    pub(crate) fn no_overwrite() -> Self {
        Self {
            no_overwrite: true,
            ..Self::default()
        }
    }

    pub(crate) fn upload_only() -> Self {
        Self {
            upload_only: true,
            ..Self::default()
        }
    }

    pub(crate) fn hiding(patterns: &[&str]) -> Self {
        Self {
            hidden: patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
            ..Self::default()
        }
    }
}
