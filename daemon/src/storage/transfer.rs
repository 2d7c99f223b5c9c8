//! Transfers: files and listings between the storage and a data connection.
//!
//! A transfer is prepared first, when the client still waits for its first reply, and run when the
//! engine has the data connection. It runs on threads that may block, on our own descriptor of the
//! connection; without one, the engine's stream serves, in the clear only.
//!
//! A large transfer has two threads, one for the file and one for the client, where that pays: if
//! the kernel does not send the file alone, for uploads under TLS, and for listings. A small download
//! is read where its file is opened, and needs no thread to be sent by, unless the kernel does not
//! take it at once: waking one takes longer than sending ten kilobytes. Everything else has one.

mod engines;
mod incoming;
mod log;
mod ours;

use std::{fmt, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};

use self::log::TransferLog;
use super::{
    Failure, Files, Kind, ListForm, Listing, Outcome, Transfer, UploadStart, ascii::ToWire,
    buffers::Claim, download::Download, pace::Pace, upload::Upload,
};
use crate::{
    session::{
        Context, Protection, Run, TransferEvent, blocking,
        data::{DataConnection, TlsRules},
    },
    virtual_path::VirtualPath,
};

/// Takes the bytes of a listing, piece by piece.
type Sink<'s> = dyn FnMut(&[u8]) -> Result<(), Failure> + 's;

/// Makes a listing and puts it into the sink, line ends included. It stops when that fails.
type Lister = Box<dyn FnOnce(&mut Sink<'_>) -> Result<(), Failure> + Send>;

/// A transfer that can begin.
pub(super) struct Prepared {
    path: VirtualPath,
    what: What,
    run: Run,
}

enum What {
    Download(Download, Option<ToWire>),
    /// A small download that has been read.
    Bytes(Vec<u8>),
    Upload(Box<Upload>),
    Listing(Lister),
}

impl Prepared {
    /// Looks whether a transfer can be done, and opens its file.
    ///
    /// # Errors
    /// [`Failure::AccountForbids`], [`Failure::BehindEnd`], [`Failure::BeingWritten`],
    /// [`Failure::NoSpace`] and those of [`super::Root`].
    pub(super) fn new(
        files: &Files,
        context: &Context,
        transfer: Transfer,
        run: Run,
    ) -> Result<(Self, Outcome), Failure> {
        let (root, rights) = (files.root(), files.rights());
        match transfer {
            Transfer::Download {
                path,
                start,
                end,
                ascii,
            } => {
                if !rights.retrieve() {
                    return Err(Failure::AccountForbids);
                }
                let download = Download::open(root, &path, start, end)?;
                let ready = Outcome::Ready {
                    size: (!ascii).then(|| download.left()),
                    path: path.clone(),
                };
                let small = if ascii { None } else { download.small() };
                let what = match small {
                    Some(bytes) => What::Bytes(bytes),
                    None => What::Download(download, ascii.then(ToWire::default)),
                };
                Ok((Self { path, what, run }, ready))
            }
            Transfer::Upload {
                path,
                start,
                expected,
                ascii,
            } => {
                let mut upload =
                    Upload::prepare(root, rights, &context.config, &path, start, ascii)?;
                upload.reserve_space(expected)?;
                // What the client called it; STOU leaves that to us.
                let path = match start {
                    UploadStart::Unique => upload.path().clone(),
                    _ => path,
                };
                let ready = Outcome::Ready {
                    size: None,
                    path: path.clone(),
                };
                let what = What::Upload(Box::new(upload));
                Ok((Self { path, what, run }, ready))
            }
            Transfer::List(listing) => Self::listing(files, run, listing),
        }
    }

    /// Looks whether a directory can be listed.
    fn listing(files: &Files, run: Run, listing: Listing) -> Result<(Self, Outcome), Failure> {
        let facts = files.facts(&listing.path)?;
        let needs_directory =
            listing.pattern.is_some() || matches!(listing.form, ListForm::Machine(_));
        match facts.kind {
            // Opened to see whether that is possible.
            Kind::Directory => drop(files.root().read_dir(&listing.path)?),
            _ if needs_directory => return Err(Failure::NotADirectory),
            _ => {}
        }
        let path = listing.path.clone();
        let ready = Outcome::Ready {
            size: None,
            path: path.clone(),
        };
        let files = files.clone();
        let listers = run.clone();
        let lister: Lister =
            Box::new(move |sink| super::write_listing(&files, &listing, &listers, sink));
        let what = What::Listing(lister);
        Ok((Self { path, what, run }, ready))
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Download(..) | What::Bytes(_) => "download",
            What::Upload(_) => "upload",
            What::Listing(_) => "listing",
        };
        f.debug_struct("Prepared")
            .field("path", &self.path)
            .field("what", &what)
            .finish_non_exhaustive()
    }
}

/// What all threads of a transfer share.
#[derive(Debug)]
struct Conditions {
    context: Arc<Context>,
    run: Run,
    claim: Arc<Claim>,
    pace: Pace,
}

impl Conditions {
    fn new(context: &Arc<Context>, run: Run) -> Arc<Self> {
        let transfers = &context.config.transfers;
        let account = context.account();
        let name = account.as_ref().map_or("", |account| account.name.as_str());
        Arc::new(Self {
            context: context.clone(),
            run,
            claim: Claim::new(transfers),
            pace: Pace::new(transfers, name),
        })
    }

    /// Tells that the transfer has all it needs.
    fn began(&self) {
        self.context.tell(&self.run, TransferEvent::Began);
    }
}

/// The way to the client.
enum Link {
    Ours(ours::Pending),
    Engines,
}

impl Link {
    fn new(conditions: &Arc<Conditions>) -> Result<Self, Failure> {
        let context = &conditions.context;
        let protection = context.data_tls();
        if matches!(protection, Protection::Clear) {
            // There is nothing more to wait for. Told from here, it wakes no other thread.
            conditions.began();
        }
        match (context.take_connection(), protection) {
            (Some(descriptor), protection) => Ok(Self::Ours(ours::Pending {
                descriptor,
                protection,
                rules: TlsRules {
                    require_resumption: context.must_resume(),
                    accept_truncation: context.config.transfers.accept_truncated_tls,
                },
                conditions: conditions.clone(),
            })),
            (None, Protection::Clear) => Ok(Self::Engines),
            (None, _) => Err(Failure::NoConnection),
        }
    }
}

/// Sends what has been prepared and returns how many bytes that was. `output` is the engine's
/// stream for it, in case that we have no descriptor.
///
/// # Errors
/// Those of the file system and of the data connection; [`Failure::Internal`] for an upload.
pub(super) async fn send<W>(
    context: &Arc<Context>,
    prepared: Prepared,
    output: &mut W,
) -> Result<u64, Failure>
where
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    let run = prepared.run.clone();
    let conditions = Conditions::new(context, run.clone());
    let log = TransferLog::begin(prepared.name(), prepared.path, &conditions.run);
    let result = match (prepared.what, Link::new(&conditions)) {
        (_, Err(failure)) => Err(failure),
        (What::Download(download, text), Ok(Link::Ours(pending))) => {
            ours::send_file(pending, download, text).await
        }
        (What::Download(download, text), Ok(Link::Engines)) => {
            engines::send_file(&conditions, download, text, output).await
        }
        (What::Bytes(bytes), Ok(Link::Ours(pending))) => ours::send_bytes(pending, bytes).await,
        (What::Bytes(bytes), Ok(Link::Engines)) => {
            engines::send_bytes(&conditions, &bytes, output).await
        }
        (What::Listing(lister), Ok(Link::Ours(pending))) => {
            ours::send_listing(pending, lister).await
        }
        (What::Listing(lister), Ok(Link::Engines)) => {
            engines::send_listing(&conditions, lister, output).await
        }
        (What::Upload(_), _) => Err(Failure::Internal),
    };
    log.end(result);
    context.tell(&run, TransferEvent::Ended(result));
    result
}

/// Stores what has been prepared and returns how many bytes came. `input` is the engine's stream
/// for it, in case that we have no descriptor.
///
/// # Errors
/// Those of the file system and of the data connection; [`Failure::Internal`] if it is no upload.
pub(super) async fn receive<R>(
    context: &Arc<Context>,
    prepared: Prepared,
    input: R,
) -> Result<u64, Failure>
where
    R: AsyncRead + Send + Unpin,
{
    let run = prepared.run.clone();
    let conditions = Conditions::new(context, run.clone());
    let log = TransferLog::begin(prepared.name(), prepared.path, &conditions.run);
    let result = match (prepared.what, Link::new(&conditions)) {
        (what, Err(failure)) => {
            // There may be a file to remove.
            let drop_it = move || {
                drop(what);
                Err(failure)
            };
            blocking(drop_it).await
        }
        (What::Upload(upload), Ok(Link::Ours(pending))) => incoming::store(pending, upload).await,
        (What::Upload(upload), Ok(Link::Engines)) => {
            engines::store(&conditions, upload, input).await
        }
        (What::Download(..) | What::Bytes(_) | What::Listing(_), _) => Err(Failure::Internal),
    };
    log.end(result);
    context.tell(&run, TransferEvent::Ended(result));
    result
}

impl Prepared {
    /// Whether the gate waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        !self.run.is_abandoned()
    }

    /// What the log calls it.
    fn name(&self) -> &'static str {
        match self.what {
            What::Download(..) | What::Bytes(_) => "sent",
            What::Upload(_) => "stored",
            What::Listing(_) => "listed",
        }
    }
}

#[cfg(test)]
mod tests;
