//! RETR, STOR, APPE, STOU, LIST, NLST and MLSD: from the first look to the last reply.
//!
//! The storage looks first, so that what cannot be done is refused without a data connection. Then
//! the engine hears where to connect, if it has to, and a transfer command with a fixed name. Its
//! 150 goes to the client; from then on the storage tells when the data connection has come, what
//! it moves and how it ends, and the engine's last reply says that it is free again.

use std::{net::SocketAddrV4, time::Instant};

use super::{
    Gate,
    host_port::six_numbers,
    interface::{Action, StorageEvent},
    reply::{Reply, shown},
    state::{Engine, Progress, Setup, State, Then},
};
use crate::{
    storage::{Failure, Operation, Outcome, Transfer, UploadStart},
    virtual_path::VirtualPath,
    wire_name,
};

/// A transfer that is under way.
#[derive(Debug)]
pub(super) struct Transferring {
    direction: Direction,
    path: VirtualPath,
    size: Option<u64>,
    pub(super) phase: Phase,
    /// Why it was cancelled, and when.
    pub(super) cancelled: Option<(Cause, Instant)>,
}

/// What a transfer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Download,
    Upload,
    /// An upload to a name of our choice (STOU).
    UniqueUpload,
    Listing,
}

/// How far a transfer is.
#[derive(Debug)]
pub(super) enum Phase {
    /// The storage looks whether it can be done.
    Preparing,
    /// The engine connects to the client.
    Connecting,
    /// The engine has the command and has still to say 150.
    Commanded(Moving),
    /// The client has seen 150.
    Announced(Moving),
}

/// What has been heard of a transfer since its command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moving {
    /// When the engine was told.
    pub(super) told: Instant,
    /// Set when the data connection has come.
    pub(super) progress: Option<Progress>,
    /// How it ended, and when.
    pub(super) ended: Option<(Result<u64, Failure>, Instant)>,
    /// The engine's last reply, and when it came.
    pub(super) code: Option<(u16, Instant)>,
}

/// Why a transfer was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// ABOR
    Client,
    /// Nothing moved.
    Stall,
}

impl Transferring {
    /// Whether the client has seen 150.
    pub(super) fn is_announced(&self) -> bool {
        matches!(self.phase, Phase::Announced(_))
    }

    /// Whether the engine connects to the client.
    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.phase, Phase::Connecting)
    }

    fn moving(&mut self) -> Option<&mut Moving> {
        match &mut self.phase {
            Phase::Commanded(moving) | Phase::Announced(moving) => Some(moving),
            Phase::Preparing | Phase::Connecting => None,
        }
    }

    /// What STAT tells of it.
    pub(super) fn status(&self) -> String {
        let what = match self.direction {
            Direction::Download => "Sending",
            Direction::Upload | Direction::UniqueUpload => "Receiving",
            Direction::Listing => "Listing",
        };
        let path = shown(&self.path);
        let progress = match &self.phase {
            Phase::Commanded(moving) | Phase::Announced(moving) => moving.progress,
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
                    format!("FILE: {}", wire_name::encode(self.path.as_bytes()))
                }
                (Direction::Listing, _) => format!("Listing {path}."),
            },
        )
    }

    /// The reply when it has ended.
    fn conclusion(&self, result: Result<u64, Failure>, stall_seconds: u64) -> Reply {
        match (result, self.cancelled) {
            (Ok(bytes), _) if self.direction == Direction::UniqueUpload => {
                let name = wire_name::encode(self.path.as_bytes());
                Reply::new(226, format!("Received {bytes} bytes as {name}"))
            }
            (Ok(bytes), _) => Reply::new(226, format!("Complete, {bytes} bytes.")),
            (Err(_), Some((Cause::Client, _))) => Reply::new(426, "The transfer was aborted."),
            (Err(_), Some((Cause::Stall, _))) => Reply::new(
                426,
                format!("The transfer was ended: nothing moved for {stall_seconds} seconds."),
            ),
            (Err(failure), None) => Reply::failure_of(&self.path, failure),
        }
    }
}

impl Gate {
    /// Begins a transfer.
    pub(super) fn prepare(&mut self, transfer: Transfer) {
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
            Transfer::Upload { path, start, .. } if *start == UploadStart::Unique => {
                (Direction::UniqueUpload, path.clone())
            }
            Transfer::Upload { path, .. } => (Direction::Upload, path.clone()),
            Transfer::List(listing) => (Direction::Listing, listing.path.clone()),
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

    /// What the storage tells.
    pub fn storage(&mut self, event: StorageEvent, now: Instant) {
        self.now = now;
        match self.take_state() {
            State::Performing(mut performing) => match event {
                StorageEvent::Performed(outcome) => self.performed(performing.job, outcome),
                StorageEvent::Moved(bytes) => {
                    if let Some(progress) = &mut performing.progress {
                        progress.moved(bytes, now);
                    }
                    self.state = State::Performing(performing);
                }
                StorageEvent::Began | StorageEvent::Ended(_) => {
                    self.state = State::Performing(performing);
                }
            },
            State::Transferring(transfer) => self.transfer_event(transfer, event),
            // Late news of what has been given up.
            state => self.state = state,
        }
    }

    fn transfer_event(&mut self, mut transfer: Transferring, event: StorageEvent) {
        let now = self.now;
        match (&mut transfer.phase, event) {
            (Phase::Preparing, StorageEvent::Performed(outcome)) => {
                self.prepared(transfer, outcome);
                return;
            }
            (Phase::Commanded(moving) | Phase::Announced(moving), event) => match event {
                StorageEvent::Began => {
                    // A connection has been made of the port.
                    self.engine = Engine::Free;
                    moving.progress.get_or_insert(Progress::new(now));
                }
                StorageEvent::Moved(bytes) => {
                    if let Some(progress) = &mut moving.progress {
                        progress.moved(bytes, now);
                    }
                }
                StorageEvent::Ended(result) => {
                    moving.ended.get_or_insert((result, now));
                    self.conclude(transfer);
                    return;
                }
                StorageEvent::Performed(_) => {}
            },
            _ => {}
        }
        self.state = State::Transferring(transfer);
    }

    /// A reply of the engine.
    pub(super) fn transfer_replied(&mut self, mut transfer: Transferring, reply: u16) {
        let now = self.now;
        match (&mut transfer.phase, reply) {
            // It has not been asked yet.
            (Phase::Preparing, _) => self.engine_failed(),
            (Phase::Connecting, 200..300) => self.command_engine(transfer),
            (Phase::Connecting, _) => {
                self.no_data_connection("Your address and port cannot be reached.");
            }
            (Phase::Commanded(moving), 100..200) => {
                let moving = *moving;
                let announcement = transfer.announcement();
                transfer.phase = Phase::Announced(moving);
                self.reply(announcement);
                self.conclude(transfer);
            }
            // Twice would be a surprise, but it does no harm.
            (Phase::Announced(_), 100..200) => self.state = State::Transferring(transfer),
            (Phase::Commanded(moving) | Phase::Announced(moving), _) => {
                moving.code.get_or_insert((reply, now));
                self.conclude(transfer);
            }
        }
    }

    /// Goes on when the storage has looked.
    fn prepared(&mut self, mut transfer: Transferring, outcome: Result<Outcome, Failure>) {
        let setup = self.parameters.setup.take();
        match (outcome, transfer.cancelled, setup) {
            (Err(failure), None, _) => {
                self.finish(Reply::failure_of(&transfer.path, failure));
            }
            (_, Some(_), _) => self.finish(Reply::new(426, "The transfer was aborted.")),
            (Ok(Outcome::Ready { size, path }), None, Some(setup)) => {
                transfer.size = size;
                transfer.path = path;
                match setup {
                    Setup::Passive => self.command_engine(transfer),
                    Setup::Active(target) => self.with_engine(Then::Connect(transfer, target)),
                }
            }
            (Ok(_), None, _) => {
                self.finish(Reply::failure_of(&transfer.path, Failure::Internal));
            }
        }
    }

    pub(super) fn connect(&mut self, mut transfer: Transferring, target: SocketAddrV4) {
        let numbers = six_numbers(*target.ip(), target.port());
        self.tell_engine(format!("PORT {numbers}"));
        transfer.phase = Phase::Connecting;
        self.enter(State::Transferring(transfer));
    }

    fn command_engine(&mut self, mut transfer: Transferring) {
        self.tell_engine(match transfer.direction {
            Direction::Download | Direction::Listing => "RETR /t",
            Direction::Upload | Direction::UniqueUpload => "STOR /t",
        });
        transfer.phase = Phase::Commanded(Moving {
            told: self.now,
            progress: None,
            ended: None,
            code: None,
        });
        self.enter(State::Transferring(transfer));
    }

    /// Answers when storage and engine have both said that it is over.
    fn conclude(&mut self, mut transfer: Transferring) {
        let Some(moving) = transfer.moving().copied() else {
            self.state = State::Transferring(transfer);
            return;
        };
        match (moving.ended, moving.code) {
            (Some((result, _)), Some((code, _))) => {
                // The storage knows best, but it does not know what the engine could not send.
                let result = match result {
                    Ok(_) if code >= 400 => Err(Failure::ConnectionLost),
                    result => result,
                };
                let reply = transfer.conclusion(result, self.stall_seconds());
                self.finish(reply);
            }
            // The engine could do nothing with the data connection.
            (None, Some(_)) if moving.progress.is_none() => {
                let reply = transfer.conclusion(Err(Failure::NoConnection), self.stall_seconds());
                self.end_engine();
                self.finish(reply);
            }
            _ => self.state = State::Transferring(transfer),
        }
    }

    fn stall_seconds(&self) -> u64 {
        self.settings.times.stall.as_secs()
    }

    /// ABOR.
    pub(super) fn abort_transfer(&mut self) {
        self.cancel_transfer(Cause::Client);
    }

    pub(super) fn cancel_transfer(&mut self, cause: Cause) {
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
            Phase::Commanded(moving) | Phase::Announced(moving) => {
                moving.progress.is_none() && moving.ended.is_none()
            }
        };
        self.act(Action::Cancel);
        if unconnected {
            self.transfer_stuck(Failure::Cancelled);
        }
    }

    /// The engine or the storage does not bring a transfer to its end: it ends without them.
    pub(super) fn transfer_stuck(&mut self, failure: Failure) {
        if let State::Transferring(mut transfer) = self.take_state() {
            let ended = transfer.moving().and_then(|moving| moving.ended);
            let result = ended.map_or(Err(failure), |(result, _)| result);
            let reply = transfer.conclusion(result, self.stall_seconds());
            self.end_engine();
            self.finish(reply);
        }
    }
}
