//! Transfers on our own descriptor of the data connection: what goes to the client.

use std::{os::fd::OwnedFd, sync::Arc};

use parking_lot::Mutex;

use super::{Conditions, DataConnection, Lister, Protection, TlsRules, ToWire};
use crate::{
    session::{blocking, second_thread},
    storage::{
        Failure,
        buffers::Block,
        download::{Download, Span, Step},
        relay::{Next, Relay},
        zeros::ZEROS,
    },
};

/// A data connection that has been opened and not been taken over.
pub(super) struct Pending {
    pub(super) descriptor: OwnedFd,
    pub(super) protection: Protection,
    pub(super) rules: TlsRules,
    pub(super) conditions: Arc<Conditions>,
}

impl Pending {
    /// Whether it takes a handshake to open it, or bytes may have to wait for their time.
    fn may_wait(&self) -> bool {
        !matches!(self.protection, Protection::Clear) || self.conditions.pace.is_limited()
    }

    /// Takes it over, TLS included, and tells then that the transfer begins.
    pub(super) fn open(self) -> Result<(DataConnection, Arc<Conditions>), Failure> {
        let run = self.conditions.run.clone();
        let connection = DataConnection::open(self.descriptor, self.protection, self.rules, run)?;
        if connection.is_protected() {
            self.conditions.began();
        }
        Ok((connection, self.conditions))
    }
}

/// Sends a file: by the kernel alone where it does that, else in blocks.
pub(super) async fn send_file(
    pending: Pending,
    mut download: Download,
    text: Option<ToWire>,
) -> Result<u64, Failure> {
    let job = move || {
        let mut sender = Sender::new(pending, text)?;
        sender.connection.expect_to_send(download.left());
        if !sender.send_by_kernel(&mut download)? {
            sender.send_in_blocks(download)?;
        }
        sender.finish()
    };
    blocking(job).await
}

/// Sends bytes that have been read: what the kernel takes at once from here, where nothing may wait,
/// and all else from a thread that may.
pub(super) async fn send_bytes(pending: Pending, bytes: Vec<u8>) -> Result<u64, Failure> {
    if pending.may_wait() {
        return blocking(move || Sender::new(pending, None)?.send_rest(&bytes, 0)).await;
    }
    let mut sender = Sender::new(pending, None)?;
    let taken = sender.connection.write_at_once(&bytes)?;
    sender.sent(taken)?;
    if taken == bytes.len() {
        return sender.finish();
    }
    blocking(move || sender.send_rest(&bytes, taken)).await
}

/// Reading ahead, for a thread that sends.
struct ReadAhead {
    conditions: Arc<Conditions>,
    /// What is read, until a thread has taken charge of it.
    source: Mutex<Option<Download>>,
    relay: Relay<Step>,
}

impl ReadAhead {
    /// Reads until the end, an error, or nobody sends any more.
    fn read(&self) {
        let Some(mut source) = self.source.lock().take() else {
            return;
        };
        let mut ending = self.relay.ending();
        ending.result = self.read_all(&mut source);
    }

    fn read_all(&self, source: &mut Download) -> Result<(), Failure> {
        let Conditions { claim, run, .. } = &*self.conditions;
        while let Some(mut block) = self.relay.empty_block(claim, run)? {
            let Some(step) = source.step(&mut block)? else {
                break;
            };
            self.relay.push(block, step);
        }
        Ok(())
    }
}

/// Sends what blocks say.
struct Sender {
    connection: DataConnection,
    conditions: Arc<Conditions>,
    text: Option<ToWire>,
    sent: u64,
}

impl Sender {
    fn new(pending: Pending, text: Option<ToWire>) -> Result<Self, Failure> {
        let (connection, conditions) = pending.open()?;
        Ok(Self {
            connection,
            conditions,
            text,
            sent: 0,
        })
    }

    /// Sends with sendfile(2), and returns whether that was everything. The kernel, the file system
    /// or the settings may not have it; an error of reading shows itself when blocks are read.
    fn send_by_kernel(&mut self, source: &mut Download) -> Result<bool, Failure> {
        let transfers = &self.conditions.context.config.transfers;
        let whole = usize::try_from(transfers.block_size.0).unwrap_or(usize::MAX);
        if !transfers.sendfile || self.text.is_some() {
            return Ok(false);
        }
        while let Some(span) = source.span(whole) {
            match span {
                Span::Zeros(length) => self.send_zeros(length)?,
                Span::Data(length) => {
                    let length = length.min(self.conditions.pace.step());
                    let sent =
                        self.connection
                            .send_file(source.file(), source.position(), length)?;
                    let Some(sent) = sent else {
                        return Ok(false);
                    };
                    source.pass(sent)?;
                    self.sent(sent)?;
                }
            }
        }
        Ok(true)
    }

    /// Sends blocks that another thread reads ahead, if they are many.
    fn send_in_blocks(&mut self, source: Download) -> Result<(), Failure> {
        if source.left() <= self.conditions.context.config.transfers.block_size.0 {
            return self.send_all(source);
        }
        let ahead = Arc::new(ReadAhead {
            conditions: self.conditions.clone(),
            source: Mutex::new(Some(source)),
            relay: Relay::new(),
        });
        let reading = ahead.clone();
        // It is not waited for: it ends when nobody sends any more, unless the kernel holds it.
        second_thread(Box::new(move || reading.read()));
        self.send_ahead(&ahead)
    }

    /// Reads and sends in turn.
    fn send_all(&mut self, mut source: Download) -> Result<(), Failure> {
        let wanted = usize::try_from(source.left()).unwrap_or(usize::MAX);
        let mut block = self.conditions.claim.block(wanted);
        while let Some(step) = source.step(&mut block)? {
            self.send(&block, step)?;
        }
        Ok(())
    }

    /// Sends what another thread reads.
    fn send_ahead(&mut self, ahead: &ReadAhead) -> Result<(), Failure> {
        let _abandoning = ahead.relay.abandoning();
        let mut sent = None;
        loop {
            match ahead.relay.next(sent.take()) {
                Next::Full(block, step) => {
                    self.send(&block, step)?;
                    sent = Some(block);
                }
                Next::End(result) => return result,
                Next::Nothing => {
                    self.conditions.run.check()?;
                    let unread = ahead.source.lock().take();
                    if let Some(source) = unread {
                        // No thread was free for it.
                        return self.send_all(source);
                    }
                }
            }
        }
    }

    fn send(&mut self, block: &Block, step: Step) -> Result<(), Failure> {
        match step {
            Step::Data(length) => self.send_bytes(block.front(length)),
            Step::Zeros(length) => self.send_zeros(length),
        }
    }

    fn send_zeros(&mut self, mut left: u64) -> Result<(), Failure> {
        while left > 0 {
            let length = left.min(ZEROS.len() as u64);
            let zeros = usize::try_from(length).unwrap_or(ZEROS.len());
            self.send_bytes(ZEROS.get(..zeros).unwrap_or(&ZEROS))?;
            left -= length;
        }
        Ok(())
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut converted = Vec::new();
        let bytes = match &mut self.text {
            None => bytes,
            Some(text) => {
                text.convert(bytes, &mut converted);
                &converted
            }
        };
        for piece in bytes.chunks(self.conditions.pace.step()) {
            self.connection.write_all(piece)?;
            self.sent(piece.len())?;
        }
        Ok(())
    }

    /// Sends the bytes from `start` on, and ends.
    fn send_rest(mut self, bytes: &[u8], start: usize) -> Result<u64, Failure> {
        self.send_bytes(bytes.get(start..).unwrap_or_default())?;
        self.finish()
    }

    /// Counts what was sent, and keeps to the pace.
    fn sent(&mut self, bytes: usize) -> Result<(), Failure> {
        let bytes = bytes as u64;
        self.sent += bytes;
        self.conditions.pace.spend(bytes, &self.conditions.run)
    }

    fn finish(self) -> Result<u64, Failure> {
        self.connection.finish_sending()?;
        Ok(self.sent)
    }
}

/// Sends a listing.
pub(super) async fn send_listing(pending: Pending, lister: Lister) -> Result<u64, Failure> {
    let job = move || {
        let mut sender = Sender::new(pending, None)?;
        lister(&mut |bytes: &[u8]| sender.send_bytes(bytes))?;
        sender.finish()
    };
    blocking(job).await
}
