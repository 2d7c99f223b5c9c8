//! Transfers: from the command to the end, as far as the session's thread has a part in them.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, mpsc::channel},
    time::{Duration, Instant},
};

use protocol::{Event, Protocol, request::Failure};
use tracing::warn;

use super::EventLoop;
use crate::{
    config::ByteSize,
    session::{
        data_path::{DataEvent, DataPath},
        worker::{Message, Sender},
    },
    storage::prepare::Content,
    transfer::{
        self, Began, Job, TransferContext,
        connection::Protection,
        log::{Direction, TransferLog},
        small::{Progress, Receiving, send_now},
    },
};

/// How long a session waits for what is left of a transfer to be tidied up.
const TIDYING: Duration = Duration::from_secs(1);

/// A transfer that has begun.
pub(super) struct Transfer {
    context: Arc<TransferContext>,
    log: TransferLog,
    /// For the worker: one for the whole transfer, because what other jobs tell is thrown away.
    sender: Sender,
    /// What waits for the data connection.
    content: Option<Content>,
}

/// What the transfers of a session have moved.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Files from the client that are whole, and the bytes of all.
    pub(super) stored: (u64, u64),
    /// Files to the client that were sent to their end, and the bytes of all.
    pub(super) sent: (u64, u64),
}

impl Totals {
    fn count(&mut self, direction: Direction, bytes: u64, is_whole: bool) {
        let (files, all) = match direction {
            Direction::In => &mut self.stored,
            Direction::Out => &mut self.sent,
            Direction::Listing => return,
        };
        *files += u64::from(is_whole);
        *all = all.saturating_add(bytes);
    }
}

impl EventLoop {
    /// Begins the transfer that has been prepared.
    pub(super) fn begin_transfer(&mut self, protocol: &mut Protocol) -> Option<Event> {
        let Some(prepared) = self.prepared.take() else {
            return Some(Event::Ended(Err(Failure::Internal)));
        };
        let protection = self.protection.clone();
        let protected = matches!(protection, Protection::Tls(_));
        let account = self.account.as_ref();
        let account = account.map_or(("", ByteSize(0)), |it| (it.name.as_str(), it.rate));
        let sender = self.workers.sender();
        let told = sender.clone();
        let began: Began = Box::new(move || told.send(Message::Began));
        let config = self.setup.config.clone();
        let context = TransferContext::new(config, account, protection, self.task.clone(), began);
        self.transfer = Some(Transfer {
            context,
            log: TransferLog::begin(prepared.done, prepared.path, &self.task)
                .with(prepared.resumed, protected),
            sender,
            content: Some(prepared.content),
        });
        let arrived = self.data.take(self.client.ip())?;
        self.arrived(arrived, protocol)
    }

    /// The data connection of the transfer has come, or will not.
    pub(super) fn arrived(
        &mut self,
        socket: Result<OwnedFd, Failure>,
        protocol: &mut Protocol,
    ) -> Option<Event> {
        let content = self.transfer.as_mut().and_then(|it| it.content.take());
        let (socket, content) = match (socket, content) {
            (Ok(socket), Some(content)) => (socket, content),
            (Err(failure), _) => return Some(self.ended(Err(failure))),
            (Ok(_), None) => return Some(self.ended(Err(Failure::Internal))),
        };
        let transfer = self.transfer.as_ref()?;
        if !transfer.context.may_wait() {
            protocol.event(Event::Began, Instant::now());
            match content {
                Content::Bytes(bytes) => match send_now(&socket, &bytes, &self.task) {
                    Ok(sent) if sent == bytes.len() => {
                        drop(socket);
                        return Some(self.ended(Ok(())));
                    }
                    Ok(sent) => return self.hand_over(socket, Job::Rest(bytes, sent)),
                    Err(failure) => return Some(self.ended(Err(failure))),
                },
                Content::Upload(upload) => match Receiving::begin(socket, upload) {
                    Ok(receiving) => {
                        self.data = DataPath::Receiving(receiving);
                        return None;
                    }
                    Err(failure) => return Some(self.ended(Err(failure))),
                },
                content => return self.hand_over(socket, Job::Whole(content)),
            }
        }
        self.hand_over(socket, Job::Whole(content))
    }

    /// Lets a worker move the bytes.
    pub(super) fn hand_over(&mut self, socket: OwnedFd, job: Job) -> Option<Event> {
        // 150 comes before the first byte; a client that does not read it is none of ours.
        let _sent = self.control.flush();
        let transfer = self.transfer.as_ref()?;
        let (context, sender) = (transfer.context.clone(), transfer.sender.clone());
        let panicked = Message::Ended(Err(Failure::Internal));
        let started = self.workers.start(sender, panicked, move || {
            Message::Ended(transfer::run(job, socket, &context))
        });
        started.err().map(|failure| self.ended(Err(failure)))
    }

    pub(super) fn data_event(&mut self, event: DataEvent, protocol: &mut Protocol) {
        let event = match event {
            DataEvent::Nothing | DataEvent::Received(Progress::Waiting(_)) => None,
            DataEvent::Connected(Ok(())) => Some(Event::Connected),
            DataEvent::Connected(Err(failure)) => Some(Event::DataUnavailable(failure)),
            DataEvent::Arrived(socket) => self.arrived(socket, protocol),
            DataEvent::Received(Progress::Ended(result)) => Some(self.ended(result)),
            DataEvent::Received(Progress::Large(socket, upload)) => {
                self.hand_over(socket, Job::Upload(upload))
            }
        };
        if let Some(event) = event {
            protocol.event(event, Instant::now());
        }
    }

    /// The transfer has ended.
    pub(super) fn ended(&mut self, result: Result<(), Failure>) -> Event {
        let result = result.map(|()| self.task.moved());
        if let Some(transfer) = self.transfer.take() {
            self.unlogged = Some((transfer.log, result));
        }
        Event::Ended(result)
    }

    /// Logs how a transfer has ended.
    pub(super) fn log_transfer(&mut self) {
        if let Some((log, result)) = self.unlogged.take() {
            self.totals
                .count(log.direction(), self.task.moved(), result.is_ok());
            log.end(result);
        }
    }

    /// Cancels what is under way. A worker notices by itself.
    pub(super) fn cancel(&mut self) -> Option<Event> {
        self.task.cancel_by(self.canceller);
        if !self.data.is_receiving() {
            return None;
        }
        let receiving = std::mem::take(&mut self.data);
        self.tidy_up(receiving);
        Some(self.ended(Err(Failure::Cancelled)))
    }

    /// Gives up whatever has been set up, prepared or begun.
    pub(super) fn abandon(&mut self) {
        self.task.cancel_by(self.canceller);
        let moved_by_worker = self
            .transfer
            .as_ref()
            .is_some_and(|it| it.content.is_none());
        if moved_by_worker && !self.data.is_receiving() {
            self.await_worker();
        }
        self.workers.abandon();
        let data = std::mem::take(&mut self.data);
        let prepared = self.prepared.take();
        let transfer = self.transfer.take();
        let content = transfer.and_then(|transfer| transfer.content);
        let is_upload = matches!(content, Some(Content::Upload(_)))
            || matches!(&prepared, Some(it) if matches!(it.content, Content::Upload(_)));
        if is_upload || data.is_receiving() {
            self.tidy_up((data, prepared, content));
        }
    }

    /// Waits a moment for a worker that has been cancelled: when the client hears of it, the name of the
    /// file is free.
    fn await_worker(&mut self) {
        let deadline = Instant::now() + TIDYING;
        let is_end = |message: &Message| matches!(message, Message::Ended(_));
        while !self.workers.messages().iter().any(is_end) {
            if Instant::now() >= deadline {
                return warn!("storage-hangs: a transfer that was given up ends later");
            }
            self.wait_for_wakeup(deadline);
        }
    }

    /// Drops what has a file to remove or to cut. Its storage may hang, and the client is not to wait
    /// for that; but mostly it does not, and then the name is free when the client hears of it.
    pub(super) fn tidy_up(&self, rest: impl Send + 'static) {
        let (done, is_done) = channel();
        let job = move || {
            drop(rest);
            // Nobody waits any more if this took long.
            let _told = done.send(());
        };
        self.workers.start_unheard(job);
        if is_done.recv_timeout(TIDYING).is_err() {
            warn!("storage-hangs: a transfer that was given up is tidied up later");
        }
    }
}
