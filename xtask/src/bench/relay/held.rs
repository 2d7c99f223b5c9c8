//! Bytes of one direction of a connection that are on their way.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe;

/// Room of a pipe if each page in it is full. Sockets have up to eight pages in one place of it.
const PIPE_BYTES: i32 = 256 << 10;
/// What is held at the most, but for one piece.
pub(super) const MOST_BYTES: usize = 64 << 20;
/// Pieces that are held at the most; each has two descriptors.
const MOST_PIECES: usize = 256;

/// Pieces in the order in which they were received.
#[derive(Default)]
pub(super) struct Held {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// In `pieces`, and in the one that is being passed on.
    bytes: usize,
    /// What has been passed on leaves room.
    spare: Vec<Room>,
    /// One end is gone.
    over: bool,
}

/// An empty pipe.
pub(super) struct Room {
    out: OwnedFd,
    into: OwnedFd,
}

/// A pipe with bytes and the time when they are due; no bytes are the end of the stream.
pub(super) struct Piece {
    room: Room,
    due: Instant,
    bytes: usize,
    left: usize,
}

impl Room {
    fn new() -> Result<Self> {
        let (out, into) = pipe().context("a pipe for the relay")?;
        // Many users of pipes may leave less; it works, slower, with the size that a pipe has.
        let _as_it_is = fcntl(&into, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        Ok(Self { out, into })
    }

    /// Waits for bytes, and takes those that are there.
    pub(super) fn receive(self, source: &TcpStream, delay: Duration) -> Result<Piece> {
        let bytes = moved(|| splice(source, None, &self.into, None, MOST_BYTES, MOVE))?;
        Ok(Piece {
            room: self,
            due: Instant::now() + delay,
            bytes,
            left: bytes,
        })
    }
}

impl Piece {
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn is_end(&self) -> bool {
        self.bytes == 0
    }

    pub(super) fn pass_on(&mut self, sink: &TcpStream) -> Result<()> {
        while self.left > 0 {
            let count = moved(|| splice(&self.room.out, None, sink, None, self.left, MOVE))?;
            ensure!(count > 0, "the pipe is empty, and {} are left", self.left);
            self.left -= count;
        }
        Ok(())
    }
}

const MOVE: SpliceFFlags = SpliceFFlags::SPLICE_F_MOVE;

fn moved(splice: impl Fn() -> nix::Result<usize>) -> nix::Result<usize> {
    loop {
        match splice() {
            Err(Errno::EINTR) => {}
            moved => return moved,
        }
    }
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let state = self.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more may be held; nothing once it is over.
    pub(super) fn room(&self) -> Option<Room> {
        let mut state = self.state();
        while !state.over && (state.bytes >= MOST_BYTES || state.pieces.len() >= MOST_PIECES) {
            state = self.wait(state);
        }
        if state.over {
            return None;
        }
        state.spare.pop().or_else(|| Room::new().ok())
    }

    pub(super) fn add(&self, piece: Piece) {
        let mut state = self.state();
        state.bytes += piece.bytes;
        state.pieces.push_back(piece);
        self.changed.notify_all();
    }

    /// Nothing is received or passed on any more.
    pub(super) fn give_up(&self) {
        self.state().over = true;
        self.changed.notify_all();
    }

    /// Waits for the oldest piece; nothing once it is over.
    pub(super) fn next(&self) -> Option<Piece> {
        let mut state = self.state();
        loop {
            if state.over {
                return None;
            }
            if let Some(piece) = state.pieces.pop_front() {
                return Some(piece);
            }
            state = self.wait(state);
        }
    }

    /// Makes room with a piece that has been passed on.
    pub(super) fn reuse(&self, piece: Piece) {
        let mut state = self.state();
        state.bytes -= piece.bytes;
        state.spare.push(piece.room);
        self.changed.notify_all();
    }
}
