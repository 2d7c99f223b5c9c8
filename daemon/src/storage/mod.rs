//! The users' files: what libunftp's [`StorageBackend`] is for a session of ours.
//!
//! The gate's requests come from the session's driver, not in the engine's calls; a call only tells
//! that the engine has come to the transfer which has been prepared. So the engine never sees a
//! name.

mod ascii;
mod buffers;
mod copy;
mod credit;
mod digest;
mod download;
mod errno;
mod facts_line;
mod files;
pub(crate) mod glob;
mod lines;
mod listing;
mod pace;
mod part;
mod perform;
mod relay;
mod remove;
mod request;
mod root;
#[cfg(test)]
mod sample;
pub mod time_val;
mod transfer;
mod upload;
pub mod zeros;

pub use self::facts_line::{Place, facts_line};
pub use self::listing::long_lines;
pub use self::request::{
    Algorithm, Fact, FactSet, Facts, Failure, Kind, ListForm, Listing, Operation, Order, OrderBy,
    Outcome, Permissions, Space, Timestamp, Transfer, UploadStart,
};
pub(crate) use self::{
    files::Files,
    listing::write as write_listing,
    perform::perform,
    root::{Entries, Root, RootKind, Stat, What},
};

use std::{
    fmt::Debug,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tracing::warn;
use unftp_core::storage::{Error, ErrorKind, Fileinfo, Result, StorageBackend};
use unftp_sbe_fs::Meta;

use self::{remove::looked_at, transfer::Prepared};
use crate::{
    accounts::Account,
    session::{Context, Run, blocking},
};

/// How long a session waits for what is left of a transfer to be tidied up.
const TIDYING: Duration = Duration::from_secs(1);

/// The storage of one session. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    context: Arc<Context>,
    /// The transfer that the engine's next call is about.
    prepared: Arc<Mutex<Option<Prepared>>>,
}

impl Storage {
    /// The storage of the session with this context.
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            prepared: Arc::default(),
        }
    }

    /// Does what the gate wants.
    ///
    /// # Errors
    /// Why it could not be done. Nothing has been changed then.
    pub(crate) async fn perform(
        &self,
        operation: Operation,
        run: Run,
    ) -> std::result::Result<Outcome, Failure> {
        match operation {
            Operation::Prepare(transfer) => self.prepare(transfer, run).await,
            operation => perform(&self.context, operation, run).await,
        }
    }

    /// Gets a transfer ready, in place of the one that was ready before.
    async fn prepare(&self, transfer: Transfer, run: Run) -> std::result::Result<Outcome, Failure> {
        let before = self.take_prepared();
        let files = Files::of(&self.context)?;
        let context = self.context.clone();
        let job = move || {
            // First: it may hold the right to write the same file.
            drop(before);
            Prepared::new(&files, &context, transfer, run)
        };
        let (prepared, outcome) = blocking(job).await?;
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
        Ok(outcome)
    }

    /// Gives up a transfer that was made ready and that nobody will come for. Its file is free then,
    /// or when a storage that hangs lets it go.
    pub(crate) async fn forget(&self) {
        if let Some(prepared) = self.take_prepared() {
            // An upload has a file to remove.
            let dropped = blocking(move || {
                drop(prepared);
                Ok(())
            });
            if timeout(TIDYING, looked_at(dropped)).await.is_err() {
                warn!("the storage hangs; a transfer that was given up is tidied up later");
            }
        }
    }

    fn take_prepared(&self) -> Option<Prepared> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.take()
    }

    /// The transfer that the engine has come to. Without one, the gate has given it up long ago.
    fn wanted(&self) -> Result<Prepared> {
        let wanted = self.take_prepared().filter(Prepared::is_wanted);
        wanted.ok_or_else(|| ErrorKind::PageTypeUnknown.into())
    }
}

/// What the engine hears of a failure; the gate hears more.
fn failed(failure: Failure) -> Error {
    Error::new(ErrorKind::LocalError, failure.to_string())
}

/// The answer to calls that the gate's lines never lead to.
fn unused<T>() -> Result<T> {
    Err(Error::from(ErrorKind::CommandNotImplemented))
}

#[async_trait]
impl StorageBackend<Account> for Storage {
    type Metadata = Meta;

    fn enter(&mut self, _account: &Account) -> io::Result<()> {
        Ok(())
    }

    async fn metadata<P: AsRef<Path> + Send + Debug>(
        &self,
        _account: &Account,
        _path: P,
    ) -> Result<Meta> {
        unused()
    }

    async fn list<P: AsRef<Path> + Send + Debug>(
        &self,
        _account: &Account,
        _path: P,
    ) -> Result<Vec<Fileinfo<PathBuf, Meta>>> {
        unused()
    }

    async fn get_into<'a, P, W>(
        &self,
        _account: &Account,
        _token: P,
        _start_pos: u64,
        output: &'a mut W,
    ) -> Result<u64>
    where
        P: AsRef<Path> + Send + Debug,
        W: AsyncWrite + Unpin + Sync + Send + ?Sized,
    {
        let prepared = self.wanted()?;
        let sent = transfer::send(&self.context, prepared, output).await;
        sent.map_err(failed)
    }

    async fn get<P: AsRef<Path> + Send + Debug>(
        &self,
        _account: &Account,
        _path: P,
        _start_pos: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        unused()
    }

    async fn put<P: AsRef<Path> + Send + Debug, R: AsyncRead + Send + Sync + Unpin + 'static>(
        &self,
        _account: &Account,
        input: R,
        _token: P,
        _start_pos: u64,
    ) -> Result<u64> {
        let prepared = self.wanted()?;
        let stored = transfer::receive(&self.context, prepared, input).await;
        stored.map_err(failed)
    }

    async fn del<P: AsRef<Path> + Send + Debug>(&self, _account: &Account, _path: P) -> Result<()> {
        unused()
    }

    async fn mkd<P: AsRef<Path> + Send + Debug>(&self, _account: &Account, _path: P) -> Result<()> {
        unused()
    }

    async fn rename<P: AsRef<Path> + Send + Debug>(
        &self,
        _account: &Account,
        _from: P,
        _to: P,
    ) -> Result<()> {
        unused()
    }

    async fn rmd<P: AsRef<Path> + Send + Debug>(&self, _account: &Account, _path: P) -> Result<()> {
        unused()
    }

    async fn cwd<P: AsRef<Path> + Send + Debug>(&self, _account: &Account, _path: P) -> Result<()> {
        unused()
    }
}
