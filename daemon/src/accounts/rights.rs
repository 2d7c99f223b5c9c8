//! What an account may do with files.

use protocol::{virtual_path::VirtualPath, wire::glob};

use crate::config::{Rules, Umask};

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
    protected: Vec<String>,
}

impl Rights {
    /// The rights of an account; `umask` and `read_only` hold if it has none of its own.
    pub(crate) fn of(rules: &Rules, umask: Umask, read_only: bool) -> Self {
        Self {
            read_only: rules.read_only.unwrap_or(read_only),
            no_delete: rules.no_delete,
            no_overwrite: rules.no_overwrite,
            upload_only: rules.upload_only,
            umask: rules.umask.unwrap_or(umask).0,
            hidden: rules.hidden.clone(),
            protected: rules.protected.clone(),
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
        is_among(&self.hidden, name)
    }

    /// Whether what has this name stays as it is, and nothing else gets the name.
    pub(crate) fn protects(&self, name: &[u8]) -> bool {
        is_among(&self.protected, name)
    }

    /// Whether it protects any name.
    pub(crate) fn protects_names(&self) -> bool {
        !self.protected.is_empty()
    }

    /// Whether [`Rights::protects`] the last name of a path.
    pub(crate) fn protects_path(&self, path: &VirtualPath) -> bool {
        path.file_name().is_some_and(|name| self.protects(name))
    }
}

fn is_among(patterns: &[String], name: &[u8]) -> bool {
    let mut patterns = patterns.iter();
    patterns.any(|pattern| glob::matches(pattern.as_bytes(), name))
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
            protected: Vec::new(),
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
            hidden: patterns.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn protecting(patterns: &[&str]) -> Self {
        Self {
            protected: patterns.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }
}
