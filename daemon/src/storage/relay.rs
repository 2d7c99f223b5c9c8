//! Blocks on their way from a thread that reads a file to one that sends it.

use std::{collections::VecDeque, time::Duration};

use parking_lot::{Condvar, Mutex};

use super::{
    Failure,
    buffers::{BLOCKS, Block, Claim},
    download::{Download, Step},
};
use crate::session::Run;

/// How long to wait before looking whether to go on.
const SLICE: Duration = Duration::from_millis(50);

/// The way between the two threads. Locks and waits are `parking_lot`'s: those of std spin on a
/// kernel that lacks the newer futex operations.
#[derive(Debug)]
pub(super) struct Relay {
    run: Run,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What is read, until a thread has taken charge of it.
    source: Option<Download>,
    /// Blocks that can still be made.
    unmade: usize,
    empty: Vec<Block>,
    full: VecDeque<(Block, Step)>,
    /// How reading ended.
    end: Option<Result<(), Failure>>,
    /// Whether nobody sends any more.
    abandoned: bool,
}

/// What the sending thread is to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this.
    Send(Block, Step),
    /// Everything has been read; or an error.
    End(Result<(), Failure>),
    /// Nobody reads: no thread was free for it. Do it yourself.
    Read(Download),
}

impl Relay {
    pub(super) fn new(source: Download, run: Run) -> Self {
        let state = State {
            source: Some(source),
            unmade: BLOCKS,
            empty: Vec::new(),
            full: VecDeque::with_capacity(BLOCKS),
            end: None,
            abandoned: false,
        };
        Self {
            run,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Reads until the end, an error, or the sending thread has gone.
    pub(super) fn read(&self, claim: &Claim) {
        let Some(mut source) = self.state.lock().source.take() else {
            return;
        };
        // Also if this panics: the other thread must not wait for ever.
        let mut ending = Ending {
            relay: self,
            result: Err(Failure::Internal),
        };
        ending.result = self.read_all(&mut source, claim);
    }

    fn read_all(&self, source: &mut Download, claim: &Claim) -> Result<(), Failure> {
        while let Some(mut block) = self.empty_block(claim)? {
            let Some(step) = source.step(&mut block)? else {
                break;
            };
            self.state.lock().full.push_back((block, step));
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for a block to fill; nothing if nobody sends any more.
    fn empty_block(&self, claim: &Claim) -> Result<Option<Block>, Failure> {
        let mut state = self.state.lock();
        loop {
            self.run.check()?;
            if state.abandoned {
                return Ok(None);
            }
            if let Some(block) = state.empty.pop() {
                drop(state);
                return Ok(Some(claim.renew(block, usize::MAX)));
            }
            if let Some(rest) = state.unmade.checked_sub(1) {
                state.unmade = rest;
                drop(state);
                return Ok(Some(claim.large_block()));
            }
            self.changed.wait_for(&mut state, SLICE);
        }
    }

    /// Gives a block back and waits for something to do.
    pub(super) fn next(&self, sent: Option<Block>) -> Result<Next, Failure> {
        let mut state = self.state.lock();
        if let Some(block) = sent {
            state.empty.push(block);
            self.changed.notify_one();
        }
        loop {
            self.run.check()?;
            if let Some((block, step)) = state.full.pop_front() {
                return Ok(Next::Send(block, step));
            }
            if let Some(result) = state.end {
                return Ok(Next::End(result));
            }
            if self.changed.wait_for(&mut state, SLICE).timed_out()
                && let Some(source) = state.source.take()
            {
                return Ok(Next::Read(source));
            }
        }
    }

    /// Says that nobody sends any more.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.full.clear();
        state.empty.clear();
        state.source = None;
        drop(state);
        self.changed.notify_one();
    }
}

struct Ending<'r> {
    relay: &'r Relay,
    result: Result<(), Failure>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.relay.state.lock().end = Some(self.result);
        self.relay.changed.notify_one();
    }
}
