//! Transfers made ready: what cannot be done is found out before there is a data connection.

use std::fmt;

use protocol::{
    request::{Failure, Kind, ListForm, Listing, Outcome, Transfer, UploadStart},
    virtual_path::VirtualPath,
};

use super::{
    ascii::ToWire,
    download::Download,
    files::Files,
    listing::{self, Sink},
    perform::allowed,
    upload::Upload,
};
use crate::{config::Config, task::Task};

/// Makes a listing and puts it into the sink, line ends included. It stops when that fails.
pub(crate) type Lister = Box<dyn FnOnce(&mut Sink<'_>) -> Result<(), Failure> + Send>;

/// A transfer that can begin.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What the client called it.
    pub(crate) path: VirtualPath,
    /// What the log calls it when it has ended.
    pub(crate) done: &'static str,
    /// Whether it begins behind the first byte.
    pub(crate) resumed: bool,
    /// Where its bytes come from or go to.
    pub(crate) content: Content,
}

/// Where the bytes of a transfer come from or go to.
pub(crate) enum Content {
    /// A file, and the conversion of its text.
    Download(Download, Option<ToWire>),
    /// A small file or listing that has been read.
    Bytes(Vec<u8>),
    /// A file to be stored.
    Upload(Box<Upload>),
    /// A listing to be made.
    Listing(Lister),
}

impl Prepared {
    /// Looks whether a transfer can be done, and opens its file.
    ///
    /// # Errors
    /// [`Failure::AccountForbids`], [`Failure::BehindEnd`], [`Failure::BeingWritten`],
    /// [`Failure::NoSpace`] and those of [`super::root::Root`].
    pub(crate) fn new(
        files: &Files,
        config: &Config,
        transfer: Transfer,
        task: &Task,
    ) -> Result<(Self, Outcome), Failure> {
        let (root, rights) = (files.root(), files.rights());
        let (done, resumed) = match &transfer {
            Transfer::Download { start, end, .. } => ("sent", *start > 0 || end.is_some()),
            Transfer::Upload { start, .. } => match start {
                UploadStart::End => ("appended", true),
                UploadStart::At(start) => ("stored", *start > 0),
                _ => ("stored", false),
            },
            Transfer::List(_) => ("listed", false),
        };
        let (path, size, content) = match transfer {
            Transfer::Download {
                path,
                start,
                end,
                ascii,
            } => {
                allowed(rights.retrieve())?;
                let download = Download::open(root, &path, start, end)?;
                let size = (!ascii).then(|| download.left());
                let small = if ascii { None } else { download.small() };
                let content = match small {
                    Some(bytes) => Content::Bytes(bytes),
                    None => Content::Download(download, ascii.then(ToWire::default)),
                };
                (path, size, content)
            }
            Transfer::Upload {
                path,
                start,
                expected,
                ascii,
            } => {
                let mut upload = Upload::prepare(root, rights, config, &path, start, ascii)?;
                upload.reserve_space(expected)?;
                // What the client called it; STOU leaves that to us.
                let path = match start {
                    UploadStart::Unique | UploadStart::Suggested => upload.path().clone(),
                    _ => path,
                };
                (path, None, Content::Upload(Box::new(upload)))
            }
            Transfer::List(listing) => {
                let path = listing.path.clone();
                (path, None, Self::listing(files, task, listing)?)
            }
        };
        let ready = Outcome::Ready {
            size,
            path: path.clone(),
        };
        let prepared = Self {
            path,
            done,
            resumed,
            content,
        };
        Ok((prepared, ready))
    }

    /// Looks whether a directory can be listed, and lists it at once if it is small.
    fn listing(files: &Files, task: &Task, listing: Listing) -> Result<Content, Failure> {
        let needs_directory =
            listing.pattern.is_some() || matches!(listing.form, ListForm::Machine(_));
        match files.facts(&listing.path) {
            Ok(facts) if needs_directory && facts.kind != Kind::Directory => {
                return Err(Failure::NotADirectory);
            }
            Err(failure) if needs_directory => return Err(failure),
            // It may be a link that leads nowhere.
            Err(_failure) => {
                files.entry_facts(&listing.path)?;
            }
            Ok(_) => {}
        }
        if let Some(bytes) = listing::small(files, &listing, task)? {
            return Ok(Content::Bytes(bytes));
        }
        let (files, task) = (files.clone(), task.clone());
        Ok(Content::Listing(Box::new(move |sink| {
            listing::write(&files, &listing, &task, sink)
        })))
    }
}

/// Without the bytes.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Download(..) => "Download",
            Self::Bytes(..) => "Bytes",
            Self::Upload(_) => "Upload",
            Self::Listing(_) => "Listing",
        })
    }
}
