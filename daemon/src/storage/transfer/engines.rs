//! Transfers on the engine's stream: slower, in the clear only, for hosts where our descriptor of
//! the data connection cannot be had.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::sleep,
};

use super::{Conditions, Lister, ToWire};
use crate::{
    session::{Run, blocking},
    storage::{
        Failure,
        download::{Download, Step},
        upload::Upload,
        zeros::ZEROS,
    },
};

/// How often it is looked whether to go on.
const SLICE: Duration = Duration::from_millis(50);

/// The size of blocks: what one wait for a thread and back may cost.
const BLOCK: usize = 256 * 1024;

/// Pieces of a listing that wait to be sent.
const PIECES: usize = 4;

/// Sends a file.
pub(super) async fn send_file<W>(
    conditions: &Arc<Conditions>,
    mut download: Download,
    mut text: Option<ToWire>,
    output: &mut W,
) -> Result<u64, Failure>
where
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    let mut sent = 0;
    let mut block = conditions.claim.block(BLOCK);
    loop {
        let job = move || {
            let step = download.step(&mut block)?;
            Ok((download, block, step))
        };
        let step;
        (download, block, step) = blocking(job).await?;
        let (bytes, mut times) = match step {
            None => return Ok(sent),
            Some(Step::Data(length)) => (block.front(length), length as u64),
            Some(Step::Zeros(length)) => (&ZEROS[..], length),
        };
        // Zeros are the same bytes again and again.
        while times > 0 {
            let length = times.min(bytes.len() as u64);
            let piece = usize::try_from(length).unwrap_or(bytes.len());
            let piece = bytes.get(..piece).unwrap_or(bytes);
            let mut converted = Vec::new();
            let piece = match &mut text {
                None => piece,
                Some(text) => {
                    text.convert(piece, &mut converted);
                    &converted
                }
            };
            write_all(output, piece, &conditions.run).await?;
            pay(conditions, piece.len() as u64).await?;
            sent += piece.len() as u64;
            times -= length;
        }
    }
}

/// Sends bytes that have been read.
pub(super) async fn send_bytes<W>(
    conditions: &Arc<Conditions>,
    bytes: &[u8],
    output: &mut W,
) -> Result<u64, Failure>
where
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    write_all(output, bytes, &conditions.run).await?;
    let sent = bytes.len() as u64;
    pay(conditions, sent).await?;
    Ok(sent)
}

/// Sends a listing.
pub(super) async fn send_listing<W>(
    conditions: &Arc<Conditions>,
    lister: Lister,
    output: &mut W,
) -> Result<u64, Failure>
where
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    let (pieces, queue) = mpsc::channel::<Vec<u8>>(PIECES);
    let listing = blocking(move || {
        lister(&mut |bytes: &[u8]| {
            // It fails when nobody sends any more.
            let sent = pieces.blocking_send(bytes.to_vec());
            sent.map_err(|_gone| Failure::Cancelled)
        })
    });
    let sending = async {
        let mut queue = queue;
        let mut sent = 0;
        while let Some(piece) = queue.recv().await {
            write_all(output, &piece, &conditions.run).await?;
            sent += piece.len() as u64;
        }
        Ok(sent)
    };
    let (result, sent) = tokio::join!(listing, sending);
    let sent = sent?;
    result?;
    Ok(sent)
}

/// Stores a file.
pub(super) async fn store<R>(
    conditions: &Arc<Conditions>,
    mut upload: Box<Upload>,
    mut input: R,
) -> Result<u64, Failure>
where
    R: AsyncRead + Send + Unpin,
{
    let begin = move || {
        upload.begin()?;
        Ok(upload)
    };
    let mut upload = blocking(begin).await?;
    let mut received = 0;
    let mut block = conditions.claim.block(BLOCK);
    loop {
        let wanted = block
            .aligned_length(upload.position())
            .min(conditions.pace.step());
        let mut filled = 0;
        let mut result = Ok(());
        while let Some(rest) = block.front_mut(wanted).get_mut(filled..)
            && !rest.is_empty()
        {
            match unless_cancelled(input.read(rest), &conditions.run).await {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    conditions.run.add(read as u64);
                }
                Err(failure) => {
                    result = Err(failure);
                    break;
                }
            }
        }
        let job = move || {
            upload.write(block.front(filled))?;
            Ok((upload, block))
        };
        (upload, block) = blocking(job).await?;
        result?;
        received += filled as u64;
        if filled < wanted {
            let run = conditions.run.clone();
            let finish = move || {
                upload.flush()?;
                run.check()?;
                upload.finish()
            };
            blocking(finish).await?;
            return Ok(received);
        }
        pay(conditions, filled as u64).await?;
    }
}

async fn write_all<W>(output: &mut W, mut bytes: &[u8], run: &Run) -> Result<(), Failure>
where
    W: AsyncWrite + Unpin + Send + ?Sized,
{
    while !bytes.is_empty() {
        let written = unless_cancelled(output.write(bytes), run).await?;
        if written == 0 {
            return Err(Failure::ConnectionLost);
        }
        run.add(written as u64);
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Waits for the stream, but not longer than the transfer runs.
async fn unless_cancelled<T>(
    io: impl Future<Output = std::io::Result<T>>,
    run: &Run,
) -> Result<T, Failure> {
    let cancelled = async {
        loop {
            if let Err(failure) = run.check() {
                return failure;
            }
            sleep(SLICE).await;
        }
    };
    tokio::select! {
        biased;
        failure = cancelled => Err(failure),
        result = io => result.map_err(|_broken| Failure::ConnectionLost),
    }
}

/// Waits until the bytes are paid for.
async fn pay(conditions: &Arc<Conditions>, bytes: u64) -> Result<(), Failure> {
    if !conditions.pace.is_limited() {
        return Ok(());
    }
    let shared = conditions.clone();
    let job = move || shared.pace.spend(bytes, &shared.run);
    blocking(job).await
}
