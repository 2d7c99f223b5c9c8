//! Blocks on their way from a thread that fills them to one that empties them.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use protocol::request::Failure;

use crate::{
    storage::blocks::{BLOCKS, Block, Claim},
    task::{CHECK_INTERVAL, Task},
};

/// The way between the two threads; `S` tells what is in a block. Locks and waits are
/// `parking_lot`'s: those of std spin on a kernel that lacks the newer futex operations.
#[derive(Debug)]
pub(super) struct Relay<S> {
    state: Mutex<State<S>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<S> {
    /// Blocks that can still be made.
    unmade: usize,
    empty: Vec<Block>,
    full: VecDeque<(Block, S)>,
    /// How filling ended.
    end: Option<Result<(), Failure>>,
    /// Whether nobody empties any more.
    abandoned: bool,
}

/// What the emptying thread finds.
#[derive(Debug)]
pub(super) enum Next<S> {
    /// A full block.
    Full(Block, S),
    /// Nothing for some time.
    Nothing,
    /// All blocks have been emptied, and filling has ended like this.
    End(Result<(), Failure>),
}

impl<S> Relay<S> {
    pub(super) fn new() -> Self {
        let state = State {
            unmade: BLOCKS,
            empty: Vec::new(),
            full: VecDeque::with_capacity(BLOCKS),
            end: None,
            abandoned: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Waits for a block to fill; nothing if nobody empties any more.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) fn empty_block(&self, claim: &Claim, task: &Task) -> Result<Option<Block>, Failure> {
        let mut state = self.state.lock();
        loop {
            task.check()?;
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
            self.changed.wait_for(&mut state, CHECK_INTERVAL);
        }
    }

    /// Hands a full block over.
    pub(super) fn push(&self, block: Block, what: S) {
        self.state.lock().full.push_back((block, what));
        self.changed.notify_one();
    }

    /// Says that nothing follows. When this is dropped, it has been said in any case: the other
    /// thread must not wait for ever for one that has panicked.
    pub(super) fn ending(&self) -> Ending<'_, S> {
        Ending {
            relay: self,
            result: Err(Failure::Internal),
        }
    }

    /// Gives a block back and waits for a full one, for a slice of time.
    pub(super) fn next(&self, emptied: Option<Block>) -> Next<S> {
        let mut state = self.state.lock();
        if let Some(block) = emptied {
            state.empty.push(block);
            self.changed.notify_one();
        }
        let mut waited = false;
        loop {
            if let Some((block, what)) = state.full.pop_front() {
                return Next::Full(block, what);
            }
            if let Some(result) = state.end {
                return Next::End(result);
            }
            if waited {
                return Next::Nothing;
            }
            waited = true;
            self.changed.wait_for(&mut state, CHECK_INTERVAL);
        }
    }

    /// Says, when it is dropped, that nobody empties any more.
    pub(super) fn abandoning(&self) -> Abandoning<'_, S> {
        Abandoning(self)
    }
}

/// See [`Relay::ending`].
pub(super) struct Ending<'r, S> {
    relay: &'r Relay<S>,
    /// How it ends.
    pub(super) result: Result<(), Failure>,
}

impl<S> Drop for Ending<'_, S> {
    fn drop(&mut self) {
        self.relay.state.lock().end = Some(self.result);
        self.relay.changed.notify_one();
    }
}

/// See [`Relay::abandoning`].
pub(super) struct Abandoning<'r, S>(&'r Relay<S>);

impl<S> Drop for Abandoning<'_, S> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.abandoned = true;
        state.full.clear();
        state.empty.clear();
        drop(state);
        self.0.changed.notify_one();
    }
}
