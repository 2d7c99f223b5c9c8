//! Uploads on our own descriptor of the data connection.
//!
//! Blocks are small at first, because small files are the most, and are written by the thread that
//! received them, while they are in the processor's cache; the kernel goes on receiving meanwhile.
//! Under TLS, another thread writes a large file, because this one has to decrypt; but not if many
//! transfers task: no processor waits for work then, and handing blocks over only costs.

use protocol::request::Failure;

use super::{
    TransferContext,
    connection::DataConnection,
    relay::{Next, Relay},
};
use crate::{
    storage::{blocks::Block, upload::Upload},
    task::{Task, beside},
};

/// The size of the first block; that of the file is not known.
const FIRST_BLOCK: usize = 16 * 1024;

/// How much larger each block is than the one before, until it is as large as may be.
const GROWTH: usize = 4;

/// Receives the rest of a file that has begun, with two threads if that may be, and gives it its name.
pub(super) fn receive(
    mut connection: DataConnection,
    context: &TransferContext,
    mut upload: Box<Upload>,
) -> Result<(), Failure> {
    let two_threads = connection.is_protected();
    let mut incoming = Incoming {
        connection: &mut connection,
        context,
        two_threads,
        position: upload.position(),
    };
    incoming.receive(&mut upload)?;
    connection.finish_receiving();
    complete(upload, &context.task)
}

/// Gives an upload that has been received its name.
pub(super) fn complete(mut upload: Box<Upload>, task: &Task) -> Result<(), Failure> {
    upload.flush()?;
    // Syncing may have taken long. A client that was told of a failure finds its old file.
    task.check()?;
    upload.finish()
}

/// A file that is being received.
struct Incoming<'c> {
    connection: &'c mut DataConnection,
    context: &'c TransferContext,
    two_threads: bool,
    /// Where the next byte goes, as far as blocks are to be aligned.
    position: u64,
}

/// How far a block has been filled.
struct Filled {
    bytes: usize,
    /// How receiving has ended, if it has. What came before counts in any case: whoever resumes need
    /// not send it again.
    end: Option<Result<(), Failure>>,
}

impl Incoming<'_> {
    fn receive(&mut self, upload: &mut Upload) -> Result<(), Failure> {
        let claim = &self.context.claim;
        let mut block = claim.block(FIRST_BLOCK);
        loop {
            let filled = self.fill(&mut block);
            upload.write(block.front(filled.bytes))?;
            if let Some(result) = filled.end {
                return result;
            }
            self.pay(&filled)?;
            let length = block.length();
            // The kernel clears the memory of a new block, which takes as long as to store as many
            // bytes: it should be worth it.
            let larger = length.saturating_mul(GROWTH);
            let grows = upload.position() >= larger as u64;
            block = claim.renew(block, if grows { larger } else { length });
            if self.two_threads
                && grows
                && block.length() == length
                && claim.is_one_of_few()
                && let Some(result) = self.receive_for_writer(upload)
            {
                return result;
            }
        }
    }

    /// Receives the rest while another thread writes; nothing if there is no other thread.
    fn receive_for_writer(&mut self, upload: &mut Upload) -> Option<Result<(), Failure>> {
        let relay = Relay::new();
        let task = &self.context.task;
        let write = || {
            // The client may send nothing for a while, and is to hear of it all the same.
            write(&relay, upload).inspect_err(|_failure| task.cancel())
        };
        let (written, received) = beside(write, || self.fill_blocks(&relay))?;
        Some(written.unwrap_or(Err(Failure::Internal)).and(received))
    }

    /// Fills blocks until the client ends or nobody writes any more.
    fn fill_blocks(&mut self, relay: &Relay<usize>) -> Result<(), Failure> {
        let mut ending = relay.ending();
        // Whatever happens here, what has come is to be written.
        ending.result = Ok(());
        let TransferContext { claim, task, .. } = self.context;
        while let Some(mut block) = relay.empty_block(claim, task)? {
            let filled = self.fill(&mut block);
            relay.push(block, filled.bytes);
            if let Some(result) = filled.end {
                return result;
            }
            self.pay(&filled)?;
        }
        Ok(())
    }

    fn fill(&mut self, block: &mut Block) -> Filled {
        let wanted = block.aligned_length(self.position);
        let wanted = wanted.min(self.context.rate.step());
        let mut bytes = 0;
        let result = self.connection.fill(block.front_mut(wanted), &mut bytes);
        self.position += bytes as u64;
        let ended = result.is_err() || bytes < wanted;
        Filled {
            bytes,
            end: ended.then_some(result),
        }
    }

    /// Keeps to the rate.
    fn pay(&self, filled: &Filled) -> Result<(), Failure> {
        let TransferContext { rate, task, .. } = self.context;
        rate.spend(filled.bytes as u64, task)
    }
}

/// Writes what another thread receives.
fn write(relay: &Relay<usize>, upload: &mut Upload) -> Result<(), Failure> {
    let _abandoning = relay.abandoning();
    let mut written = None;
    loop {
        match relay.next(written.take()) {
            Next::Full(block, bytes) => {
                upload.write(block.front(bytes))?;
                written = Some(block);
            }
            Next::Nothing => {}
            Next::End(result) => return result,
        }
    }
}
