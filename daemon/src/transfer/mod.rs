//! RFC 959's server-DTP: data connections, and the bytes that go over them.
//!
//! [`passive`] and [`active`] make the connection, [`connection`] reads and writes it, in the clear or
//! under TLS. [`outgoing`] sends what the storage gives, [`incoming`] stores what the client sends;
//! both block and belong on a worker. What is small is moved by the session itself, see [`small`].

pub(crate) mod active;
pub(crate) mod connection;
mod incoming;
pub(crate) mod log;
mod outgoing;
pub(crate) mod passive;
pub(crate) mod rate;
mod relay;
pub(crate) mod small;
#[cfg(feature = "libunftp")]
pub(crate) mod streams;

use std::{fmt, os::fd::OwnedFd, sync::Arc};

use protocol::request::Failure;

use self::{
    connection::{DataConnection, Protection, TlsRules},
    rate::RateLimit,
};
use crate::{
    config::{ByteSize, Config},
    storage::{blocks::Claim, prepare::Content, upload::Upload},
    task::Task,
};

/// Tells that a transfer has its data connection, TLS included, if that took time.
pub(crate) type Began = Box<dyn Fn() + Send + Sync>;

/// What all threads of a transfer share.
pub(crate) struct TransferContext {
    task: Task,
    config: Arc<Config>,
    claim: Arc<Claim>,
    rate: RateLimit,
    protection: Protection,
    rules: TlsRules,
    began: Began,
}

impl TransferContext {
    /// For a transfer of an account with this name and rate.
    pub(crate) fn new(
        config: Arc<Config>,
        (account, account_rate): (&str, ByteSize),
        protection: Protection,
        task: Task,
        began: Began,
    ) -> Arc<Self> {
        let rules = TlsRules {
            require_resumption: config
                .tls
                .as_ref()
                .is_some_and(|tls| tls.require_session_reuse),
            accept_truncation: config.transfers.accept_truncated_tls,
        };
        Arc::new(Self {
            task,
            claim: Claim::new(&config.transfers),
            rate: RateLimit::new(&config.transfers, account, account_rate),
            config,
            protection,
            rules,
            began,
        })
    }

    /// Whether it takes a handshake to open the connection, or bytes may have to wait for their
    /// time.
    pub(crate) fn may_wait(&self) -> bool {
        !matches!(self.protection, Protection::Clear) || self.rate.is_limited()
    }

    /// Takes a connection over, TLS included, and tells then that the transfer has begun.
    fn open(&self, socket: OwnedFd) -> Result<DataConnection, Failure> {
        let protection = self.protection.clone();
        let connection = DataConnection::open(socket, protection, self.rules, self.task.clone())?;
        if self.may_wait() {
            (self.began)();
        }
        Ok(connection)
    }
}

impl fmt::Debug for TransferContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferContext")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

/// What a worker is to do with a data connection.
#[derive(Debug)]
pub(crate) enum Job {
    /// All of a transfer.
    Whole(Content),
    /// What is left of bytes that have been read, from this one on.
    Rest(Vec<u8>, usize),
    /// What is left of an upload that has begun.
    Upload(Box<Upload>),
}

/// Moves bytes; the task counts them. It blocks.
///
/// # Errors
/// Those of the file system and of the data connection.
pub(crate) fn run(
    job: Job,
    socket: OwnedFd,
    context: &Arc<TransferContext>,
) -> Result<(), Failure> {
    let connection = context.open(socket)?;
    match job {
        Job::Whole(Content::Download(download, text)) => {
            outgoing::send_file(connection, context, download, text)
        }
        Job::Whole(Content::Bytes(bytes)) => outgoing::send_bytes(connection, context, &bytes),
        Job::Whole(Content::Listing(lister)) => outgoing::send_listing(connection, context, lister),
        Job::Whole(Content::Upload(mut upload)) => {
            upload.begin()?;
            incoming::receive(connection, context, upload)
        }
        Job::Rest(bytes, sent) => {
            let rest = bytes.get(sent..).unwrap_or_default();
            outgoing::send_bytes(connection, context, rest)
        }
        Job::Upload(upload) => incoming::receive(connection, context, upload),
    }
}

#[cfg(test)]
mod tests;
