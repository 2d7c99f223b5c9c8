//! What the library takes for its storage: unftp-sbe-fs within the account's rights. It moves bytes
//! 4 KiB at a time, so that is done by us.

use std::{
    fmt::Debug,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use protocol::{request::Failure, virtual_path::VirtualPath};
use tokio::io::{AsyncRead, AsyncWrite};
use unftp_core::storage::{
    Error, ErrorKind, FEATURE_RESTART, Fileinfo, Metadata as _, Result, StorageBackend,
};
use unftp_sbe_fs::Meta;

use super::{Shared, User};
use crate::{
    storage::perform::{allowed, not_for_part},
    task::{Task, blocking, looked_at},
    transfer::{log::TransferLog, streams::Streamed},
};

type Moved = std::result::Result<(), Failure>;

/// The storage of a session.
#[derive(Debug, Clone)]
pub(super) struct Storage(pub(super) Arc<Shared>);

impl Storage {
    /// A transfer has its data connection, so the listener has served. From now on it is shown,
    /// watched and logged; its task counts.
    fn begin(&self, names: [&'static str; 2], path: &VirtualPath) -> (Task, TransferLog) {
        self.0.set_listener(None);
        let task = self.0.watch.begin(names[0], path);
        let log = TransferLog::begin(names[1], path.clone(), &task);
        (task, log)
    }

    fn end(&self, (task, log): (Task, TransferLog), result: Moved) -> Result<u64> {
        self.0.watch.end();
        let moved = result.map(|()| task.moved());
        log.end(moved);
        moved.map_err(failed)
    }

    fn file(&self, user: &User, path: VirtualPath, start: u64, task: &Task) -> Streamed {
        let config = self.0.setup.config.clone();
        Streamed::new(&user.files, config, (path, start), task.clone())
    }
}

/// The path as our own storage knows it.
fn known(path: &impl AsRef<Path>) -> Result<VirtualPath> {
    let path = VirtualPath::root().join(path.as_ref().as_os_str().as_bytes());
    path.map_err(|_invalid| failed(Failure::InvalidName))
}

/// What a failure is to the library.
fn failed(failure: Failure) -> Error {
    Error::from(match failure {
        Failure::AccountForbids | Failure::PermissionDenied => ErrorKind::PermissionDenied,
        Failure::BeingWritten | Failure::Locked => ErrorKind::TransientFileNotAvailable,
        Failure::NoSpace | Failure::NoSpaceRemoved => ErrorKind::InsufficientStorageSpaceError,
        Failure::Quota => ErrorKind::ExceededStorageAllocationError,
        Failure::InvalidName | Failure::PartName => ErrorKind::FileNameNotAllowedError,
        Failure::ConnectionLost | Failure::Cancelled => ErrorKind::ConnectionClosed,
        Failure::Device | Failure::Internal | Failure::Unsynced => ErrorKind::LocalError,
        _ => ErrorKind::PermanentFileNotAvailable,
    })
}

/// Refuses to remove what the account may not.
fn removable(user: &User, path: &impl AsRef<Path>) -> Result<()> {
    let (rights, path) = (user.files.rights(), known(path)?);
    allowed(rights.delete() && !rights.protects_path(&path)).map_err(failed)
}

#[async_trait]
impl StorageBackend<User> for Storage {
    type Metadata = Meta;

    fn supported_features(&self) -> u32 {
        FEATURE_RESTART
    }

    async fn metadata<P: AsRef<Path> + Send + Debug>(&self, user: &User, path: P) -> Result<Meta> {
        looked_at(user.filesystem.metadata(user, path)).await
    }

    async fn list<P>(&self, user: &User, path: P) -> Result<Vec<Fileinfo<PathBuf, Meta>>>
    where
        P: AsRef<Path> + Send + Debug,
    {
        let running = self.begin(["listing", "listed"], &known(&path)?);
        let listed = looked_at(user.filesystem.list(user, path)).await;
        let result = listed.as_ref().map(drop).map_err(|_| Failure::NotFound);
        let _told = self.end(running, result);
        let mut entries = listed?;
        entries.retain(|entry| {
            let name = entry.path.as_os_str().as_bytes();
            // A line end in a name would forge an entry.
            !user.files.rights().hides(name) && !name.iter().any(|byte| b"\r\n".contains(byte))
        });
        Ok(entries)
    }

    async fn get_into<'a, P, W>(
        &self,
        user: &User,
        path: P,
        from: u64,
        out: &'a mut W,
    ) -> Result<u64>
    where
        P: AsRef<Path> + Send + Debug,
        W: AsyncWrite + Unpin + Sync + Send + ?Sized,
    {
        let path = known(&path)?;
        let running = self.begin(["download", "sent"], &path);
        let sent = self.file(user, path, from, &running.0).send(out).await;
        self.end(running, sent)
    }

    async fn get<P: Send>(
        &self,
        _: &User,
        _: P,
        _: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        // Only SITE MD5 would call it, which is off.
        Err(ErrorKind::CommandNotImplemented.into())
    }

    async fn put<P, R>(&self, user: &User, input: R, path: P, start: u64) -> Result<u64>
    where
        P: AsRef<Path> + Send + Debug,
        R: AsyncRead + Send + Sync + Unpin + 'static,
    {
        let path = known(&path)?;
        let running = self.begin(["upload", "stored"], &path);
        let file = self.file(user, path, start, &running.0);
        self.end(running, file.receive(input).await)
    }

    async fn del<P: AsRef<Path> + Send + Debug>(&self, user: &User, path: P) -> Result<()> {
        removable(user, &path)?;
        looked_at(user.filesystem.del(user, path)).await
    }

    async fn mkd<P: AsRef<Path> + Send + Debug>(&self, user: &User, path: P) -> Result<()> {
        let (place, files) = (known(&path)?, user.files.clone());
        let may = files.rights().store() && !files.rights().protects_path(&place);
        let may = allowed(may).and(not_for_part(&place));
        may.map_err(failed)?;
        looked_at(user.filesystem.mkd(user, path)).await?;
        // The process has no umask, so it is everybody's until now.
        let mode = files.rights().masked(0o777);
        let set = blocking(move || files.root().set_mode(&place, mode));
        set.await.map_err(failed)
    }

    async fn rename<P: AsRef<Path> + Send + Debug>(
        &self,
        user: &User,
        old: P,
        new: P,
    ) -> Result<()> {
        let rights = user.files.rights();
        let target = looked_at(user.filesystem.metadata(user, new.as_ref())).await;
        // The kernel would replace an empty directory, too.
        let replaces = target.map_or(true, |target| rights.overwrite() && !target.is_dir());
        let (from, to) = (known(&old)?, known(&new)?);
        let protected = rights.protects_path(&from) || rights.protects_path(&to);
        let may = allowed(rights.rename() && replaces && !protected).and(not_for_part(&to));
        may.map_err(failed)?;
        looked_at(user.filesystem.rename(user, old, new)).await
    }

    async fn rmd<P: AsRef<Path> + Send + Debug>(&self, user: &User, path: P) -> Result<()> {
        removable(user, &path)?;
        looked_at(user.filesystem.rmd(user, path)).await
    }

    async fn cwd<P: AsRef<Path> + Send + Debug>(&self, user: &User, path: P) -> Result<()> {
        looked_at(user.filesystem.cwd(user, path)).await
    }
}
