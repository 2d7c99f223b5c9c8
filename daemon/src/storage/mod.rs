//! The users' files: a [`StorageBackend`] around unftp-sbe-fs, which keeps a session inside its
//! root directory.
//!
//! It adds what that lacks: a root per account that is opened at log-in, read-only accounts, and a
//! log of what was transferred.

mod copy;
mod digest;
mod errno;
mod facts_line;
mod files;
pub(crate) mod glob;
mod listing;
mod perform;
mod request;
mod root;
pub mod time_val;

pub use self::facts_line::{Place, facts_line};
pub use self::request::{
    Algorithm, Fact, FactSet, Facts, Failure, Kind, ListForm, Listing, Operation, Order, OrderBy,
    Outcome, Permissions, Space, Timestamp, Transfer, UploadStart,
};
pub(crate) use self::{
    errno::{failure, io_failure},
    files::Files,
    listing::write as write_listing,
    perform::perform,
    root::{Entries, Entry, RawSpace, Root, RootKind, Stat, What},
};

use std::{
    fmt::Debug,
    io,
    ops::Deref,
    path::{Path, PathBuf},
    time::Instant,
};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{info, warn};
use unftp_core::storage::{Error, ErrorKind, Fileinfo, Result, StorageBackend};
use unftp_sbe_fs::{Filesystem, Meta};

use crate::{
    accounts::Account,
    session::{UnderWay, Work},
};

/// The storage of one session.
#[derive(Debug)]
pub(crate) struct Storage {
    /// The root of the account; absent until log-in.
    root: Option<Filesystem>,
    read_only: bool,
    work: Work,
}

impl Storage {
    /// A storage that nobody has logged in to. Its operations count as `work`.
    pub(crate) fn new(work: Work) -> Self {
        Self {
            root: None,
            read_only: true,
            work,
        }
    }

    /// The root, for one operation.
    fn root(&self) -> Result<Opened<'_>> {
        let files = self.root.as_ref().ok_or(ErrorKind::PermissionDenied)?;
        Ok(Opened {
            files,
            _under_way: self.work.begin(),
        })
    }

    /// The root, for an operation that changes something.
    fn writable_root(&self) -> Result<Opened<'_>> {
        if self.read_only {
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                "the account is read-only",
            ));
        }
        self.root()
    }
}

/// The root of a session while an operation is under way.
struct Opened<'s> {
    files: &'s Filesystem,
    _under_way: UnderWay,
}

impl Deref for Opened<'_> {
    type Target = Filesystem;

    fn deref(&self) -> &Filesystem {
        self.files
    }
}

/// Logs how a transfer ended, also when it is dropped in the middle.
struct TransferLog {
    what: &'static str,
    path: PathBuf,
    start: Instant,
    ended: bool,
    _under_way: UnderWay,
}

impl TransferLog {
    fn begin(work: &Work, what: &'static str, path: &Path) -> Self {
        Self {
            what,
            path: path.to_owned(),
            start: Instant::now(),
            ended: false,
            _under_way: work.begin_transfer(),
        }
    }

    fn end(mut self, result: Result<u64>) -> Result<u64> {
        self.ended = true;
        // Clients choose paths: their `Debug` form cannot forge a line.
        let Self { what, path, .. } = &self;
        let milliseconds = self.start.elapsed().as_millis();
        match &result {
            Ok(bytes) => info!(?path, bytes, milliseconds, "{what}"),
            Err(error) => warn!(?path, milliseconds, %error, "{what}: failed"),
        }
        result
    }
}

impl Drop for TransferLog {
    fn drop(&mut self) {
        if !self.ended {
            let Self { what, path, .. } = self;
            warn!(
                ?path,
                milliseconds = self.start.elapsed().as_millis(),
                "{what}: cut off"
            );
        }
    }
}

#[async_trait]
impl StorageBackend<Account> for Storage {
    type Metadata = Meta;

    fn enter(&mut self, account: &Account) -> io::Result<()> {
        let root = Filesystem::new(&account.root).inspect_err(|error| {
            warn!(user = account.name, root = %account.root.display(), %error, "log-in refused: the root cannot be opened");
        })?;
        self.root = Some(root);
        self.read_only = !account.rights.store();
        Ok(())
    }

    fn supported_features(&self) -> u32 {
        unftp_core::storage::FEATURE_RESTART
    }

    async fn metadata<P: AsRef<Path> + Send + Debug>(
        &self,
        account: &Account,
        path: P,
    ) -> Result<Meta> {
        self.root()?.metadata(account, path).await
    }

    async fn list<P: AsRef<Path> + Send + Debug>(
        &self,
        account: &Account,
        path: P,
    ) -> Result<Vec<Fileinfo<PathBuf, Meta>>> {
        let _under_way = self.work.begin_transfer();
        self.root()?.list(account, path).await
    }

    async fn get_into<'a, P, W>(
        &self,
        account: &Account,
        path: P,
        start_pos: u64,
        output: &'a mut W,
    ) -> Result<u64>
    where
        P: AsRef<Path> + Send + Debug,
        W: AsyncWrite + Unpin + Sync + Send + ?Sized,
    {
        let path = path.as_ref();
        let transfer = TransferLog::begin(&self.work, "sent", path);
        let result = match self.root() {
            Ok(root) => root.get_into(account, path, start_pos, output).await,
            Err(refused) => Err(refused),
        };
        transfer.end(result)
    }

    async fn get<P: AsRef<Path> + Send + Debug>(
        &self,
        account: &Account,
        path: P,
        start_pos: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        self.root()?.get(account, path, start_pos).await
    }

    async fn put<P: AsRef<Path> + Send + Debug, R: AsyncRead + Send + Sync + Unpin + 'static>(
        &self,
        account: &Account,
        input: R,
        path: P,
        start_pos: u64,
    ) -> Result<u64> {
        let path = path.as_ref();
        let transfer = TransferLog::begin(&self.work, "stored", path);
        let result = match self.writable_root() {
            Ok(root) => root.put(account, input, path, start_pos).await,
            Err(refused) => Err(refused),
        };
        transfer.end(result)
    }

    async fn del<P: AsRef<Path> + Send + Debug>(&self, account: &Account, path: P) -> Result<()> {
        self.writable_root()?.del(account, path).await
    }

    async fn mkd<P: AsRef<Path> + Send + Debug>(&self, account: &Account, path: P) -> Result<()> {
        self.writable_root()?.mkd(account, path).await
    }

    async fn rename<P: AsRef<Path> + Send + Debug>(
        &self,
        account: &Account,
        from: P,
        to: P,
    ) -> Result<()> {
        self.writable_root()?.rename(account, from, to).await
    }

    async fn rmd<P: AsRef<Path> + Send + Debug>(&self, account: &Account, path: P) -> Result<()> {
        self.writable_root()?.rmd(account, path).await
    }

    async fn cwd<P: AsRef<Path> + Send + Debug>(&self, account: &Account, path: P) -> Result<()> {
        self.root()?.cwd(account, path).await
    }
}

#[cfg(test)]
mod tests;
