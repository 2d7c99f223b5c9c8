//! What goes to the client.
//!
//! A large download that the kernel does not send alone has two threads, one for the file and one for
//! the client.

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::request::Failure;

use super::{
    TransferContext,
    connection::DataConnection,
    relay::{Next, Relay},
};
use crate::{
    storage::{
        ascii::{CONVERTED_BYTES, ToWire},
        blocks::Block,
        download::{Download, Span, Step},
        prepare::Lister,
        zeros::ZEROS,
    },
    task::second_thread,
};

/// Sends a file: by the kernel alone where it does that, else in blocks.
pub(super) fn send_file(
    connection: DataConnection,
    context: &Arc<TransferContext>,
    mut download: Download,
    text: Option<ToWire>,
) -> Result<(), Failure> {
    let mut sender = Sender::new(connection, context, text);
    sender.connection.expect_to_send(download.left());
    if !sender.send_by_kernel(&mut download)? {
        sender.send_in_blocks(download)?;
    }
    sender.finish()
}

/// Sends bytes that have been read.
pub(super) fn send_bytes(
    connection: DataConnection,
    context: &Arc<TransferContext>,
    bytes: &[u8],
) -> Result<(), Failure> {
    let mut sender = Sender::new(connection, context, None);
    sender.send_bytes(bytes)?;
    sender.finish()
}

/// Sends a listing.
pub(super) fn send_listing(
    connection: DataConnection,
    context: &Arc<TransferContext>,
    lister: Lister,
) -> Result<(), Failure> {
    let mut sender = Sender::new(connection, context, None);
    lister(&mut |bytes: &[u8]| sender.send_bytes(bytes))?;
    sender.finish()
}

/// Reading ahead, for a thread that sends.
struct ReadAhead {
    context: Arc<TransferContext>,
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
        let TransferContext { claim, task, .. } = &*self.context;
        while let Some(mut block) = self.relay.empty_block(claim, task)? {
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
    context: Arc<TransferContext>,
    text: Option<ToWire>,
}

impl Sender {
    fn new(
        connection: DataConnection,
        context: &Arc<TransferContext>,
        text: Option<ToWire>,
    ) -> Self {
        Self {
            connection,
            context: context.clone(),
            text,
        }
    }

    /// Sends with sendfile(2), and returns whether that was everything. The kernel, the file system
    /// or the settings may not have it; an error of reading shows itself when blocks are read.
    fn send_by_kernel(&mut self, source: &mut Download) -> Result<bool, Failure> {
        let transfers = &self.context.config.transfers;
        let whole = usize::try_from(transfers.block_size.0).unwrap_or(usize::MAX);
        if !transfers.sendfile || self.text.is_some() {
            return Ok(false);
        }
        while let Some(span) = source.span(whole)? {
            match span {
                Span::Zeros(length) => self.send_zeros(length)?,
                Span::Data(length) => {
                    let length = length.min(self.context.rate.step());
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
        if source.left() <= self.context.config.transfers.block_size.0 {
            return self.send_all(source);
        }
        let ahead = Arc::new(ReadAhead {
            context: self.context.clone(),
            source: Mutex::new(Some(source)),
            relay: Relay::new(),
        });
        let reading = ahead.clone();
        // It is not waited for: it ends when nobody sends any more, unless the kernel holds it.
        second_thread(move || reading.read());
        self.send_ahead(&ahead)
    }

    /// Reads and sends in turn.
    fn send_all(&mut self, mut source: Download) -> Result<(), Failure> {
        let wanted = usize::try_from(source.left()).unwrap_or(usize::MAX);
        let mut block = self.context.claim.block(wanted);
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
                    self.context.task.check()?;
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
        if self.text.is_none() {
            return self.send_pieces(bytes);
        }
        let mut converted = Vec::new();
        for piece in bytes.chunks(CONVERTED_BYTES) {
            converted.clear();
            if let Some(text) = &mut self.text {
                text.convert(piece, &mut converted);
            }
            self.send_pieces(&converted)?;
        }
        Ok(())
    }

    fn send_pieces(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for piece in bytes.chunks(self.context.rate.step()) {
            self.connection.write_all(piece)?;
            self.sent(piece.len())?;
        }
        Ok(())
    }

    /// Keeps to the rate.
    fn sent(&mut self, bytes: usize) -> Result<(), Failure> {
        self.context.rate.spend(bytes as u64, &self.context.task)
    }

    fn finish(self) -> Result<(), Failure> {
        self.connection.finish_sending()
    }
}
