//! Uploads on our own descriptor of the data connection.
//!
//! Blocks are small at first, because small files are the most, and are written by the thread that
//! received them, while they are in the processor's cache; the kernel goes on receiving meanwhile.
//! Under TLS, another thread writes a large file, because this one has to decrypt; but not if many
//! transfers run: no processor waits for work then, and handing blocks over only costs.

use std::thread;

use super::{Conditions, DataConnection, ours::Pending};
use crate::{
    session::{STACK_BYTES, blocking},
    storage::{
        Failure,
        buffers::Block,
        relay::{Next, Relay},
        upload::Upload,
    },
};

/// The size of the first block; that of the file is not known.
const FIRST_BLOCK: usize = 16 * 1024;

/// How much larger each block is than the one before, until it is as large as may be.
const GROWTH: usize = 4;

/// Stores a file.
pub(super) async fn store(pending: Pending, upload: Box<Upload>) -> Result<u64, Failure> {
    let job = move || {
        let (connection, conditions) = pending.open()?;
        let decrypts = connection.is_protected();
        receive(connection, &conditions, upload, decrypts)
    };
    blocking(job).await
}

/// Receives a file, with two threads if that may be, and gives it its name.
pub(super) fn receive(
    mut connection: DataConnection,
    conditions: &Conditions,
    mut upload: Box<Upload>,
    two_threads: bool,
) -> Result<u64, Failure> {
    upload.begin()?;
    let mut incoming = Incoming {
        connection: &mut connection,
        conditions,
        two_threads,
        position: upload.position(),
        received: 0,
    };
    incoming.receive(&mut upload)?;
    let received = incoming.received;
    connection.finish_receiving();
    upload.flush()?;
    // Syncing may have taken long. A client that was told of a failure finds its old file.
    conditions.run.check()?;
    upload.finish()?;
    Ok(received)
}

/// A file that is being received.
struct Incoming<'c> {
    connection: &'c mut DataConnection,
    conditions: &'c Conditions,
    two_threads: bool,
    /// Where the next byte goes, as far as blocks are to be aligned.
    position: u64,
    received: u64,
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
        let claim = &self.conditions.claim;
        let mut block = claim.block(FIRST_BLOCK);
        loop {
            let filled = self.fill(&mut block);
            upload.write(block.front(filled.bytes))?;
            if let Some(result) = filled.end {
                return result;
            }
            self.pay(&filled)?;
            let length = block.length();
            block = claim.renew(block, length.saturating_mul(GROWTH));
            if self.two_threads
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
        let run = &self.conditions.run;
        let write = || {
            // The client may send nothing for a while, and is to hear of it all the same.
            write(&relay, upload).inspect_err(|_failure| run.cancel())
        };
        thread::scope(|scope| {
            let writer = thread::Builder::new().stack_size(STACK_BYTES);
            let writer = writer.spawn_scoped(scope, write).ok()?;
            let received = self.fill_blocks(&relay);
            let written = writer.join().unwrap_or(Err(Failure::Internal));
            Some(written.and(received))
        })
    }

    /// Fills blocks until the client ends or nobody writes any more.
    fn fill_blocks(&mut self, relay: &Relay<usize>) -> Result<(), Failure> {
        let mut ending = relay.ending();
        // Whatever happens here, what has come is to be written.
        ending.result = Ok(());
        let Conditions { claim, run, .. } = self.conditions;
        while let Some(mut block) = relay.empty_block(claim, run)? {
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
        let wanted = wanted.min(self.conditions.pace.step());
        let mut bytes = 0;
        let result = self.connection.fill(block.front_mut(wanted), &mut bytes);
        self.position += bytes as u64;
        self.received += bytes as u64;
        let ended = result.is_err() || bytes < wanted;
        Filled {
            bytes,
            end: ended.then_some(result),
        }
    }

    /// Keeps to the pace.
    fn pay(&self, filled: &Filled) -> Result<(), Failure> {
        let Conditions { pace, run, .. } = self.conditions;
        pace.spend(filled.bytes as u64, run)
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
