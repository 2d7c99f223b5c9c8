//! RETR, STOR, APPE, STOU, LIST, NLST and MLSD: from the first look to the last reply.
//!
//! The storage looks first, so that what cannot be done is refused without a data connection. In
//! active mode the server connects then. The client gets its 150, and from there on the events tell
//! when the data connection has come, what it moves and how it ends.

use std::time::Instant;

use super::{
    Protocol,
    interface::{Action, Event},
    state::{Progress, Setup, State},
};
use crate::{
    reply::{Reply, shown},
    request::{Failure, ListForm, Operation, Outcome, PathFailure, Transfer, UploadStart},
    virtual_path::VirtualPath,
    wire::name,
};

/// A transfer that is under way.
#[derive(Debug)]
pub(crate) struct Transferring {
    direction: Direction,
    path: VirtualPath,
    size: Option<u64>,
    pub(crate) phase: Phase,
    /// Why it was cancelled, and when.
    pub(crate) cancelled: Option<(Cause, Instant)>,
}

/// What a transfer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Download,
    Upload,
    /// An upload to a name of our choice (STOU).
    UniqueUpload,
    Listing,
    /// A listing of a directory and of nothing else (MLSD).
    MachineListing,
}

/// How far a transfer is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The storage looks whether it can be done.
    Preparing,
    /// The server connects to the client.
    Connecting,
    /// The client has got its 150.
    Announced(Moving),
}

/// What is known of a transfer since its 150.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moving {
    /// When the data connection began to be waited for.
    pub(crate) since: Instant,
    /// Set when the data connection has come.
    pub(crate) progress: Option<Progress>,
}

/// Why a transfer was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// ABOR
    Client,
    /// Nothing moved.
    Stall,
}

impl Transferring {
    /// Whether the client has seen 150.
    pub(crate) fn is_announced(&self) -> bool {
        matches!(self.phase, Phase::Announced(_))
    }

    /// What STAT tells of it.
    pub(crate) fn status(&self) -> String {
        let what = match self.direction {
            Direction::Download => "Sending",
            Direction::Upload | Direction::UniqueUpload => "Receiving",
            Direction::Listing | Direction::MachineListing => "Listing",
        };
        let path = shown(&self.path);
        let progress = match &self.phase {
            Phase::Announced(moving) => moving.progress,
            Phase::Preparing | Phase::Connecting => None,
        };
        match (progress, self.size) {
            (None, _) => format!("{what} {path}: waiting for the data connection"),
            (Some(progress), None) => format!("{what} {path}: {} bytes so far", progress.bytes),
            (Some(progress), Some(size)) => {
                format!("{what} {path}: {} of {size} bytes so far", progress.bytes)
            }
        }
    }

    /// The reply that announces it.
    fn announcement(&self) -> Reply {
        let path = shown(&self.path);
        Reply::new(
            150,
            match (self.direction, self.size) {
                (Direction::Download, Some(size)) => {
                    format!("Sending {path} ({size} bytes).")
                }
                (Direction::Download, None) => format!("Sending {path}."),
                (Direction::Upload, _) => format!("Ready to receive {path}."),
                // RFC 1123, section 4.1.2.9, has this form for programs to read.
                (Direction::UniqueUpload, _) => {
                    format!("FILE: {}", name::encode(self.path.as_bytes()))
                }
                (Direction::Listing | Direction::MachineListing, _) => {
                    format!("Listing {path}.")
                }
            },
        )
    }

    /// The reply when it cannot begin.
    fn refusal(&self, failure: Failure) -> Reply {
        let reply = self.failed(failure);
        match (self.direction, failure) {
            // RFC 3659, section 7.2.1, has a code of its own for a path that is no directory.
            (Direction::MachineListing, Failure::NotADirectory) => reply.with_code(501),
            _ => reply,
        }
    }

    /// The reply when it has ended.
    fn conclusion(&self, result: Result<u64, Failure>, stall_seconds: u64) -> Reply {
        match (result, self.cancelled) {
            (Ok(bytes), _) if self.direction == Direction::UniqueUpload => {
                let name = name::encode(self.path.as_bytes());
                Reply::new(226, format!("Received {bytes} bytes as {name}"))
            }
            (Ok(bytes), _) => Reply::new(226, format!("Complete, {bytes} bytes.")),
            (Err(_), Some((Cause::Client, _))) => Reply::new(426, "The transfer was aborted."),
            (Err(_), Some((Cause::Stall, _))) => Reply::new(
                426,
                format!("The transfer was ended: nothing moved for {stall_seconds} seconds."),
            ),
            (Err(failure), None) => self.failed(failure),
        }
    }

    /// The reply when it has failed.
    fn failed(&self, failure: Failure) -> Reply {
        let reply = Reply::failure_of(&self.path, failure);
        match failure {
            // Memory, too, is space that the transfer needs and the system lacks.
            Failure::Resources => reply.with_code(452),
            _ => reply,
        }
    }
}

impl Protocol {
    /// Begins a transfer.
    pub(crate) fn prepare(&mut self, transfer: Transfer) {
        if let Some(refusal) = self.data_refusal() {
            self.reply(refusal);
            return;
        }
        if self.parameters.setup.is_none() {
            self.reply(Reply::new(425, "Use EPSV or PASV first."));
            return;
        }
        let (direction, path) = match &transfer {
            Transfer::Download { path, .. } => (Direction::Download, path.clone()),
            Transfer::Upload {
                path,
                start: UploadStart::Unique | UploadStart::Suggested,
                ..
            } => (Direction::UniqueUpload, path.clone()),
            Transfer::Upload { path, .. } => (Direction::Upload, path.clone()),
            Transfer::List(listing) => {
                let direction = match listing.form {
                    ListForm::Machine(_) => Direction::MachineListing,
                    ListForm::Long { .. } | ListForm::Names { .. } => Direction::Listing,
                };
                (direction, listing.path.clone())
            }
        };
        self.act(Action::Perform(Operation::Prepare(transfer)));
        self.enter(State::Transferring(Transferring {
            direction,
            path,
            size: None,
            phase: Phase::Preparing,
            cancelled: None,
        }));
    }

    /// What has happened to a transfer.
    pub(crate) fn transfer_event(&mut self, mut transfer: Transferring, event: Event) {
        let now = self.now;
        match (&mut transfer.phase, event) {
            (Phase::Preparing, Event::Performed(outcome)) => {
                self.prepared(transfer, outcome);
                return;
            }
            (Phase::Connecting, Event::Connected) => {
                self.announce(transfer);
                return;
            }
            (Phase::Connecting, Event::DataUnavailable(failure)) => {
                self.no_data_connection(failure);
                return;
            }
            (Phase::Announced(moving), Event::Began) => {
                moving.progress.get_or_insert(Progress::new(now));
            }
            (Phase::Announced(moving), Event::Moved(bytes)) => {
                if let Some(progress) = &mut moving.progress {
                    progress.moved(bytes, now);
                }
            }
            (Phase::Announced(_), Event::Ended(result)) => {
                let reply = transfer.conclusion(result, self.stall_seconds());
                self.finish(reply);
                return;
            }
            _ => {}
        }
        self.state = State::Transferring(transfer);
    }

    /// Goes on when the storage has looked.
    fn prepared(&mut self, mut transfer: Transferring, outcome: Result<Outcome, PathFailure>) {
        let setup = self.parameters.setup.take();
        match (outcome, transfer.cancelled, setup) {
            (Ok(Outcome::Ready { size, path }), None, Some(setup)) => {
                transfer.size = size;
                transfer.path = path;
                match setup {
                    Setup::Passive => self.announce(transfer),
                    Setup::Active(target) => {
                        self.act(Action::Connect(target));
                        transfer.phase = Phase::Connecting;
                        self.enter(State::Transferring(transfer));
                    }
                }
            }
            (outcome, cancelled, _) => {
                self.abandon();
                let failure = outcome.map_or_else(|refused| refused.failure, |_| Failure::Internal);
                let reply = if cancelled.is_some() {
                    Reply::new(426, "The transfer was aborted.")
                } else {
                    let refusal = transfer.refusal(failure);
                    self.note_failure(&transfer.path, &refusal, failure);
                    refusal
                };
                self.finish(reply);
            }
        }
    }

    /// Answers 150 and begins.
    fn announce(&mut self, mut transfer: Transferring) {
        let announcement = transfer.announcement();
        transfer.phase = Phase::Announced(Moving {
            since: self.now,
            progress: None,
        });
        self.enter(State::Transferring(transfer));
        self.reply(announcement);
        self.act(Action::BeginTransfer);
    }

    fn stall_seconds(&self) -> u64 {
        self.settings.times.stall.as_secs()
    }

    /// ABOR.
    pub(crate) fn abort_transfer(&mut self) {
        self.cancel_transfer(Cause::Client);
    }

    pub(crate) fn cancel_transfer(&mut self, cause: Cause) {
        let now = self.now;
        let State::Transferring(transfer) = &mut self.state else {
            return;
        };
        if transfer.cancelled.is_some() {
            return;
        }
        transfer.cancelled = Some((cause, now));
        let unconnected = match &transfer.phase {
            Phase::Preparing => false,
            Phase::Connecting => true,
            Phase::Announced(moving) => moving.progress.is_none(),
        };
        self.act(Action::Cancel);
        if unconnected {
            self.transfer_stuck(Failure::Cancelled);
        }
    }

    /// A transfer does not come to its end: it ends without.
    pub(crate) fn transfer_stuck(&mut self, failure: Failure) {
        if let State::Transferring(transfer) = self.take_state() {
            let reply = transfer.conclusion(Err(failure), self.stall_seconds());
            self.abandon();
            self.finish(reply);
        }
    }
}
