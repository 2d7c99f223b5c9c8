//! Every deadline of a session.

use std::time::{Duration, Instant};

use super::{
    Protocol,
    interface::{Action, Ending},
    state::{Progress, State, Who},
    transfer::{Cause, Phase, Transferring},
};
use crate::request::Failure;

/// How long a data connection may take whose client has ended the control connection. Clients do
/// that when they have sent a small file, and the connection may not have been accepted yet.
const LEAVING: Duration = Duration::from_secs(1);

/// How long a transfer may move nothing whose client has ended the control connection. Some do that
/// and go on sending; most are gone, and the name of the file is not to be kept for them.
const LEFT_BEHIND: Duration = Duration::from_secs(10);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// A log-in.
    LogIn,
    /// A command.
    Command,
    /// The end of a TLS handshake.
    Handshake,
    /// The end of the session, because the daemon stops.
    Stop,
    /// An answer of the storage.
    Answer,
    /// The end of an operation that was cancelled.
    OperationEnd,
    /// Progress of an operation.
    OperationProgress,
    /// A data connection.
    DataConnection,
    /// Progress of a transfer.
    TransferProgress,
    /// The end of a transfer that was cancelled.
    TransferEnd,
}

impl Protocol {
    /// When to call [`Protocol::timeout`], if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines()
            .into_iter()
            .flatten()
            .map(|(at, _)| at)
            .min()
    }

    /// Looks at the deadlines. It does no harm to call this early.
    pub fn timeout(&mut self, now: Instant) {
        self.now = now;
        let deadlines = self.deadlines();
        let passed = deadlines.into_iter().flatten().filter(|(at, _)| *at <= now);
        if let Some((_, due)) = passed.min_by_key(|(at, _)| *at) {
            self.overdue(due);
        }
    }

    /// The deadlines of what does not depend on the state, and the one of the state.
    fn deadlines(&self) -> [Option<(Instant, Due)>; 3] {
        if matches!(self.state, State::Closed) {
            return [None; 3];
        }
        [
            self.log_in_by.map(|at| (at, Due::LogIn)),
            self.stop_by.map(|at| (at, Due::Stop)),
            self.state_deadline(),
        ]
    }

    fn state_deadline(&self) -> Option<(Instant, Due)> {
        let times = &self.settings.times;
        Some(match &self.state {
            // The deadline for the log-in goes on; there is no other.
            State::LoggingIn | State::Closed => return None,
            State::Ready => (self.since + times.idle, Due::Command),
            State::Listening(_) => (self.since + times.answer, Due::Answer),
            State::Handshaking => (self.since + times.handshake, Due::Handshake),
            State::Performing(performing) => match performing.progress {
                _ if performing.cancelled => (self.since + times.answer, Due::OperationEnd),
                Some(progress) => (progress.at + times.stall, Due::OperationProgress),
                None => (self.since + times.answer, Due::Answer),
            },
            State::Transferring(transfer) => self.transfer_deadline(transfer),
        })
    }

    fn transfer_deadline(&self, transfer: &Transferring) -> (Instant, Due) {
        let times = &self.settings.times;
        let data_connection = match self.client_closed {
            Some(_) => times.data_connection.min(LEAVING),
            None => times.data_connection,
        };
        if let Some((_, at)) = transfer.cancelled {
            return (at + times.answer, Due::TransferEnd);
        }
        match &transfer.phase {
            Phase::Preparing => (self.since + times.answer, Due::Answer),
            Phase::Connecting => (self.since + data_connection, Due::DataConnection),
            Phase::Announced(moving) => match moving.progress {
                Some(progress) => (self.stalls_at(progress), Due::TransferProgress),
                None => (moving.since + data_connection, Due::DataConnection),
            },
        }
    }

    /// When a transfer has moved nothing for too long.
    fn stalls_at(&self, progress: Progress) -> Instant {
        let stalls_at = progress.at + self.settings.times.stall;
        match self.client_closed {
            Some(closed) => stalls_at.min(progress.at.max(closed) + LEFT_BEHIND),
            None => stalls_at,
        }
    }

    fn overdue(&mut self, due: Due) {
        match due {
            Due::LogIn => {
                if matches!(self.state, State::LoggingIn) {
                    self.act(Action::LogOut);
                }
                self.who = Who::Nobody;
                self.end_unless_handshaking(Ending::LogInTime, "Login timeout.");
            }
            Due::Command => self.end(Ending::Idle, "No command has come for too long."),
            Due::Handshake => self.close(Ending::Tls),
            Due::Stop => {
                if matches!(self.state, State::Performing(_) | State::Transferring(_)) {
                    self.act(Action::Cancel);
                }
                self.end_unless_handshaking(Ending::Stop, "The server is stopping.");
            }
            Due::Answer => {
                let text = "The storage does not answer, please connect again.";
                self.end(Ending::Stalled, text);
            }
            Due::OperationEnd => self.operation_stuck(),
            Due::OperationProgress => self.abort(),
            Due::DataConnection => self.transfer_stuck(Failure::NoConnection),
            Due::TransferProgress => self.cancel_transfer(Cause::Stall),
            Due::TransferEnd => self.transfer_stuck(Failure::Cancelled),
        }
    }

    /// In a handshake, nobody would understand a reply.
    pub(crate) fn end_unless_handshaking(&mut self, ending: Ending, reason: &str) {
        if matches!(self.state, State::Handshaking) {
            self.close(ending);
        } else {
            self.end(ending, reason);
        }
    }
}
