//! Files of an account in a temporary directory, for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use protocol::virtual_path::VirtualPath;
use tempfile::TempDir;

use super::files::Files;
use crate::{
    accounts::{Account, Rights},
    config::{self, ByteSize, Config, Required, RootChoice},
};

/// Files of an account, and where they are.
pub(crate) struct Sample {
    pub(crate) directory: TempDir,
    pub(crate) files: Files,
}

impl Sample {
    /// An empty root of this kind without a reserve.
    pub(crate) fn new(choice: RootChoice, rights: Rights) -> Self {
        Self::at(choice, rights, tempfile::tempdir().unwrap())
    }

    /// A root of this kind in a directory.
    pub(crate) fn at(choice: RootChoice, rights: Rights, directory: TempDir) -> Self {
        let mut config = Config::default();
        config.storage.root = choice;
        config.storage.reserve = ByteSize(0);
        let files = files(directory.path(), rights, config);
        Self { directory, files }
    }

    /// The same files under other settings.
    pub(crate) fn set_with(&self, change: impl FnOnce(&mut config::Storage)) -> Files {
        let mut config = Config {
            storage: self.files.settings().clone(),
            ..Config::default()
        };
        change(&mut config.storage);
        files(self.directory.path(), self.files.rights().clone(), config)
    }

    /// The same files as another account sees them.
    pub(crate) fn seen_with(&self, rights: Rights) -> Files {
        let config = Config {
            storage: self.files.settings().clone(),
            ..Config::default()
        };
        files(self.directory.path(), rights, config)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

fn files(root: &Path, rights: Rights, config: Config) -> Files {
    let account = Account {
        name: "alice".to_owned(),
        root: root.to_owned(),
        rights,
        tls_required: Required::Nothing,
        rate: ByteSize(0),
        place: None,
    };
    Files::new(Arc::new(account), Arc::new(config)).unwrap()
}

/// Both kinds of root.
pub(crate) const BOTH: [RootChoice; 2] = [RootChoice::Confined, RootChoice::Paths];

/// A path from the root.
pub(crate) fn path(text: &str) -> VirtualPath {
    VirtualPath::root().join(text.as_bytes()).unwrap()
}

/// A small file system; it is unmounted when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    #[expect(clippy::disallowed_methods, reason = "mounting needs a program")]
    /// Mounts 2 MiB; nothing, if this is not root.
    pub(crate) fn mount(place: &Path) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(place)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(place.to_owned()))
    }
}

impl Drop for SmallDisk {
    #[expect(clippy::disallowed_methods, reason = "unmounting needs a program")]
    fn drop(&mut self) {
        let _unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}
