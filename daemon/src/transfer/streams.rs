//! Files over the asynchronous streams of an engine that has its own data connections: the network is
//! the runtime's, the file another thread's.

use std::{io, sync::Arc};

use protocol::{
    request::{Failure, UploadStart},
    virtual_path::VirtualPath,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::rate::RateLimit;
use crate::{
    config::Config,
    storage::{
        blocks::{Block, Claim},
        download::{Download, Step},
        files::Files,
        perform::allowed,
        upload::Upload,
    },
    task::{Task, blocking},
};

/// What is read or written at once at the most: it is in the processor's cache when it is needed
/// again.
const BLOCK: usize = 256 * 1024;

/// What is sent before it is counted.
static ZEROS: [u8; 32 * 1024] = [0; 32 * 1024];

/// A file to be sent or stored, from its byte `start` on.
pub(crate) struct Streamed {
    files: Files,
    config: Arc<Config>,
    path: VirtualPath,
    start: u64,
    buffer: Buffer,
}

/// What goes to the other thread and comes back.
struct Buffer {
    block: Block,
    task: Task,
    rate: RateLimit,
    _claim: Arc<Claim>,
}

impl Streamed {
    pub(crate) fn new(
        files: &Files,
        config: Arc<Config>,
        (path, start): (VirtualPath, u64),
        task: Task,
    ) -> Self {
        let account = files.account();
        let rate = RateLimit::new(&config.transfers, &account.name, account.rate);
        let claim = Claim::new(&config.transfers);
        let buffer = Buffer {
            block: claim.block(rate.step().min(BLOCK)),
            task,
            rate,
            _claim: claim,
        };
        Self {
            files: files.clone(),
            config,
            path,
            start,
            buffer,
        }
    }

    /// Sends it.
    ///
    /// # Errors
    /// Those of the file system and of the stream.
    pub(crate) async fn send<W>(self, output: &mut W) -> Result<(), Failure>
    where
        W: AsyncWrite + Unpin + Send + ?Sized,
    {
        let mut buffer = self.buffer;
        let opened = blocking(move || {
            allowed(self.files.rights().retrieve())?;
            Download::open(self.files.root(), &self.path, self.start, None)
        });
        let mut download = opened.await?;
        loop {
            let step;
            (download, buffer, step) = blocking(move || {
                buffer.task.check()?;
                let step = download.step(&mut buffer.block)?;
                if let Some(Step::Data(length)) = step {
                    buffer.rate.spend(length as u64, &buffer.task)?;
                }
                Ok((download, buffer, step))
            })
            .await?;
            let (data, mut left) = match step {
                Some(Step::Data(length)) => (buffer.block.front(length), length as u64),
                Some(Step::Zeros(length)) => (&[][..], length),
                None => break,
            };
            let mut pieces = data.chunks(ZEROS.len());
            while left > 0 {
                let zeros = usize::try_from(left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
                let piece = pieces.next().unwrap_or(&ZEROS[..zeros]);
                output
                    .write_all(piece)
                    .await
                    .map_err(|_error| Failure::ConnectionLost)?;
                buffer.task.add(piece.len() as u64);
                left -= piece.len() as u64;
            }
        }
        output
            .flush()
            .await
            .map_err(|_error| Failure::ConnectionLost)
    }

    /// Stores it.
    ///
    /// # Errors
    /// Those of [`Upload`] and of the stream.
    pub(crate) async fn receive<R>(self, mut input: R) -> Result<(), Failure>
    where
        R: AsyncRead + Unpin + Send,
    {
        let accept_truncation = self.config.transfers.accept_truncated_tls;
        let prepared = blocking(move || {
            let (root, rights) = (self.files.root(), self.files.rights());
            let start = match self.start {
                0 => UploadStart::Replace,
                // APPE comes like this: its bytes do not belong to the part file of another upload.
                start if root.stat(&self.path).is_ok_and(|stat| stat.size == start) => {
                    UploadStart::End
                }
                start => UploadStart::At(start),
            };
            let upload = Upload::prepare(root, rights, &self.config, &self.path, start, false);
            let mut upload = upload?;
            upload.reserve_space(None)?;
            upload.begin()?;
            Ok((upload, self.buffer))
        });
        let (mut upload, mut buffer) = prepared.await?;
        loop {
            let (filled, end) = fill(&mut input, &mut buffer, accept_truncation).await;
            let stored = blocking(move || {
                // What has come counts: whoever resumes need not send it again.
                upload.write(buffer.block.front(filled))?;
                buffer.rate.spend(filled as u64, &buffer.task)?;
                if let Some(result) = end {
                    result?;
                    super::incoming::complete(Box::new(upload), &buffer.task)?;
                    return Ok(None);
                }
                Ok(Some((upload, buffer)))
            });
            match stored.await? {
                Some(rest) => (upload, buffer) = rest,
                None => return Ok(()),
            }
        }
    }
}

/// Fills the block; with how the stream has ended, if it has.
async fn fill<R: AsyncRead + Unpin>(
    input: &mut R,
    buffer: &mut Buffer,
    accept_truncation: bool,
) -> (usize, Option<Result<(), Failure>>) {
    let mut filled = 0;
    while filled < buffer.block.length() {
        match input
            .read(&mut buffer.block.front_mut(BLOCK)[filled..])
            .await
        {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(length) => {
                buffer.task.add(length as u64);
                filled += length;
            }
            // TLS did not end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let end = accept_truncation.then_some(()).ok_or(Failure::Truncated);
                return (filled, Some(end));
            }
            Err(_error) => return (filled, Some(Err(Failure::ConnectionLost))),
        }
    }
    (filled, None)
}
