//! The loop of a session: it waits for what happens, tells the protocol, and does what the protocol
//! says. Small things are done here, long ones by a worker.

mod farewell;
mod handshake;
mod records;
mod transfers;
mod waiting;

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use nix::poll::PollFlags;
use protocol::{
    Action, Activity, Ending, Event, Protocol,
    request::{Denied, Failure, Operation, Outcome, Password, PathFailure},
};
use tracing::{Span, info};

use self::{
    records::{note, trace_reply},
    transfers::{Totals, Transfer},
};
use super::{
    control_connection::{ControlConnection, Received},
    data_path::DataPath,
    setup::Setup,
    status::{Orders, Status},
    waker::Wakeups,
    worker::{Message, Workers},
};
use crate::{
    accounts::{Account, Accounts, LogIn, LogIns},
    storage::{
        changes::Change,
        files::Files,
        perform::{is_long, perform},
        prepare::Prepared,
    },
    sys::memory,
    task::{Canceller, Kept, Task},
    tls::Sides,
    transfer::{connection::Protection, log::TransferLog, rate::RateLimit},
};

/// Bytes that are read from the client at once; most lines fit.
const CLIENT_BYTES: usize = 1024;

/// Bytes that may wait to be sent before nothing more is read from the client.
const OUTPUT_BYTES: usize = 64 * 1024;

/// How long an operation may go on whose client has ended its side: it may still read the reply.
const UNHEARD: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct EventLoop {
    control: ControlConnection,
    status: Arc<Status>,
    wakeups: Wakeups,
    setup: Arc<Setup>,
    tls: Option<Sides>,
    client: SocketAddr,
    local: SocketAddr,
    workers: Workers,
    accounts: Arc<Accounts>,
    account: Option<Arc<Account>>,
    /// How data connections are to be (PROT).
    protection: Protection,
    data: DataPath,
    /// The operation or transfer that is under way, or was last.
    task: Task,
    /// The transfer that is ready to begin.
    prepared: Option<Prepared>,
    transfer: Option<Transfer>,
    /// A refused log-in, and when the client is to hear of it.
    refused: Option<(Instant, LogIn)>,
    /// Whether TLS begins when everything has been sent.
    starts_tls: bool,
    /// How a transfer has ended, for the log: the client hears of it first.
    unlogged: Option<(TransferLog, Result<u64, Failure>)>,
    /// When the client has ended its side, if it has.
    client_ended: Option<Instant>,
    /// Who has what is under way cancelled, if the protocol cancels it.
    canceller: Canceller,
    stopping: bool,
    start: Instant,
    totals: Totals,
    /// Why the session ends, if the protocol does not know.
    ending: Option<Ending>,
}

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl EventLoop {
    /// A session between `client` and `local`, whose threads have this name and keep this value.
    ///
    /// # Errors
    /// If there are no random bytes for TLS.
    pub(super) fn new(
        stream: Arc<TcpStream>,
        status: Arc<Status>,
        wakeups: Wakeups,
        setup: Arc<Setup>,
        log_ins: LogIns,
        (client, local): (SocketAddr, SocketAddr),
        (name, kept): (String, Kept),
    ) -> Result<Self> {
        Ok(Self {
            control: ControlConnection::new(stream),
            workers: Workers::new(name, kept, status.clone()),
            status,
            wakeups,
            tls: setup.sides()?,
            client,
            local,
            accounts: Arc::new(Accounts::new(setup.config.clone(), log_ins, client.ip())),
            account: None,
            protection: Protection::Clear,
            data: DataPath::default(),
            task: Task::default(),
            prepared: None,
            transfer: None,
            refused: None,
            starts_tls: false,
            unlogged: None,
            client_ended: None,
            canceller: Canceller::Session,
            stopping: false,
            start: Instant::now(),
            totals: Totals::default(),
            ending: None,
            setup,
        })
    }

    /// Serves the client until the protocol closes the connection.
    ///
    /// # Errors
    /// If the kernel does not let it wait.
    pub(super) fn run(mut self, implicit_tls: bool) -> Result<()> {
        let settings = self.setup.settings(self.client, self.local, implicit_tls);
        self.note_tls();
        self.note_data_protection(false);
        if implicit_tls && self.implicit_handshake(settings.times.handshake)? == Next::End {
            self.log_end(Ending::Tls);
            return Ok(());
        }
        let mut protocol = Protocol::new(settings, Instant::now());
        while self.turn(&mut protocol)? == Next::GoOn {}
        self.task.cancel_by(self.canceller);
        self.workers.abandon();
        self.data = DataPath::Closed;
        self.log_transfer();
        self.farewell();
        self.log_end(protocol.ending().unwrap_or(Ending::Lost));
        Ok(())
    }

    /// Does what the protocol says, waits for something to happen, and tells the protocol.
    fn turn(&mut self, protocol: &mut Protocol) -> Result<Next> {
        if self.act(protocol) == Next::End {
            return Ok(Next::End);
        }
        if let Err(error) = self.control.flush() {
            return Ok(self.lost(&error));
        }
        self.log_transfer();
        if self.starts_tls && self.control.is_flushed() {
            self.starts_tls = false;
            self.start_tls(protocol);
            return Ok(Next::GoOn);
        }
        let orders = self.status.waits(protocol.activity());
        if orders.killed {
            self.ending = Some(Ending::Administrator);
            self.canceller = Canceller::Administrator;
            protocol.kill(Instant::now());
            // What waits for everything to be sent waits no longer.
            self.starts_tls = false;
            self.act(protocol);
            return Ok(Next::End);
        }
        if self.told_to_stop(orders, protocol) {
            return Ok(Next::GoOn);
        }
        let wanted = self.client_ended.is_none()
            && !self.starts_tls
            && protocol.wants_input()
            && self.control.waiting() < OUTPUT_BYTES;
        let unheard = self.client_ended.map(|ended| ended + UNHEARD);
        let unheard = unheard.filter(|_| {
            protocol.activity() == Activity::Busy && self.task.cancelled_by().is_none()
        });
        let deadline = protocol.next_deadline().into_iter().chain(unheard).min();
        if memory::take_shortage() {
            return Ok(self.out_of_memory());
        }
        let seen = self.wait(wanted, deadline)?;
        let now = Instant::now();
        if unheard.is_some_and(|at| at <= now) {
            self.task.cancel_by(Canceller::ClientLeft);
        }
        self.status.works(now);
        // Before every decision that may depend on it.
        protocol.event(Event::Moved(self.task.moved()), now);
        if seen.wakeup {
            self.status.waker.seen(&self.wakeups);
            for message in self.workers.messages() {
                self.hear(message, protocol);
            }
        }
        if self.refused.as_ref().is_some_and(|(at, _)| *at <= now)
            && let Some((_, log_in)) = self.refused.take()
        {
            self.logged_in(log_in, protocol);
        }
        if seen.data {
            let event = self.data.advance(self.client.ip(), &self.task);
            self.data_event(event, protocol);
        }
        if self.control.is_handshaking() {
            if !seen.control.is_empty() {
                self.shake_hands(protocol);
            }
        } else if wanted && !seen.control.is_empty() {
            if let Err(error) = self.receive(protocol) {
                return Ok(self.lost(&error));
            }
        } else if seen
            .control
            .intersects(PollFlags::POLLERR | PollFlags::POLLHUP)
        {
            // Nobody is left to talk to, and poll(2) would say so again and again.
            return Ok(self.lost(&io::ErrorKind::ConnectionReset.into()));
        }
        if protocol.next_deadline().is_some_and(|at| at <= now) {
            self.canceller = match self.client_ended {
                _ if self.stopping => Canceller::Stop,
                Some(_) => Canceller::ClientLeft,
                None => Canceller::Time,
            };
        }
        // After each event: a client that never ceases to send is not to outlast its time.
        protocol.timeout(now);
        Ok(Next::GoOn)
    }

    /// Hears that the daemon stops; true the first time.
    fn told_to_stop(&mut self, orders: Orders, protocol: &mut Protocol) -> bool {
        let Some(grace) = orders.stop.filter(|_| !self.stopping) else {
            return false;
        };
        self.stopping = true;
        self.canceller = Canceller::Stop;
        protocol.stop(grace, Instant::now());
        if protocol.activity() == Activity::Transfer {
            let seconds = grace.as_secs();
            info!(seconds, "stopping: waiting for the transfer to finish");
        }
        true
    }

    /// Reads what the client has sent.
    fn receive(&mut self, protocol: &mut Protocol) -> io::Result<()> {
        let mut buffer = [0; CLIENT_BYTES];
        match self.control.receive(&mut buffer)? {
            Received::Nothing => {}
            Received::Bytes(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                self.canceller = Canceller::Client;
                protocol.from_client(bytes, Instant::now());
            }
            Received::End => {
                self.client_ended = Some(Instant::now());
                self.canceller = Canceller::ClientLeft;
                protocol.client_closed(Instant::now());
            }
        }
        Ok(())
    }

    /// Does what the protocol says, up to what has to wait until everything has been sent.
    fn act(&mut self, protocol: &mut Protocol) -> Next {
        while !self.starts_tls
            && let Some(action) = protocol.poll()
        {
            let event = match action {
                Action::Send(bytes) => {
                    trace_reply(&bytes);
                    self.control.send(bytes);
                    None
                }
                Action::Close => return Next::End,
                Action::StartTls => {
                    self.starts_tls = true;
                    None
                }
                Action::LogIn { user, password } => self.log_in(user, password),
                Action::LogOut => {
                    self.set_account(None);
                    self.refused = None;
                    self.task.cancel_by(self.canceller);
                    self.workers.abandon();
                    None
                }
                Action::Protect(protect) => {
                    self.protection = match &self.tls {
                        _ if !protect => Protection::Clear,
                        Some(tls) => Protection::Tls(tls.data.clone()),
                        None => Protection::Impossible,
                    };
                    self.note_data_protection(protect);
                    None
                }
                Action::Listen => {
                    let ports = &self.setup.config.passive.ports.0;
                    let port = self.data.listen(self.local, ports, Instant::now());
                    Some(port.map_or_else(Event::DataUnavailable, Event::Listening))
                }
                Action::Connect(target) => {
                    let connecting = self.data.connect(self.local, self.scoped(target));
                    connecting.err().map(Event::DataUnavailable)
                }
                Action::Perform(operation) => self.perform(operation),
                Action::BeginTransfer => self.begin_transfer(protocol),
                Action::Cancel => self.cancel(),
                Action::Abandon => {
                    self.abandon();
                    None
                }
                Action::Refused { .. } | Action::Heard { .. } => {
                    note(action);
                    None
                }
                // New actions would be new to us.
                _ => None,
            };
            if let Some(event) = event {
                protocol.event(event, Instant::now());
            }
        }
        Next::GoOn
    }

    fn log_in(&mut self, user: String, password: Password) -> Option<Event> {
        self.task = Task::default();
        let (accounts, task) = (self.accounts.clone(), self.task.clone());
        let secure = self.control.is_protected();
        let sender = self.workers.sender();
        let job = move || Message::LoggedIn(accounts.log_in(&user, &password, secure, &task));
        let started = self.workers.start(sender, Message::no_log_in(), job);
        let denied = Denied::Unavailable;
        started.err().map(|_| Event::LoggedIn(Err(denied)))
    }

    /// A log-in has been looked at. A refusal waits for its time.
    fn logged_in(&mut self, log_in: LogIn, protocol: &mut Protocol) {
        let result = log_in.result.map(|account| {
            let access = account.access();
            self.set_account(Some(account));
            access
        });
        protocol.event(Event::LoggedIn(result), Instant::now());
    }

    fn set_account(&mut self, account: Option<Account>) {
        let name = account.as_ref().map(|account| account.name.as_str());
        self.status.set_user(name);
        Span::current().record("user", name.unwrap_or_default());
        self.account = account.map(Arc::new);
    }

    fn files(&self) -> Result<Files, Failure> {
        let account = self.account.clone().ok_or(Failure::PermissionDenied)?;
        Files::new(account, self.setup.config.clone())
    }

    /// Has the storage do something: here, or by a worker if that may take long.
    fn perform(&mut self, operation: Operation) -> Option<Event> {
        self.task = self.task_for(&operation);
        self.status.begin(&operation, &self.task);
        // First: it may hold the right to write the same file.
        self.prepared = None;
        if memory::is_short() {
            return Some(Event::Performed(Err(Failure::Resources.into())));
        }
        let files = match self.files() {
            Ok(files) => files,
            Err(failure) => return Some(Event::Performed(Err(failure.into()))),
        };
        if !is_long(&operation) {
            let performed = work(&files, &self.setup, operation, &self.task);
            return Some(Event::Performed(self.performed(performed)));
        }
        let (setup, task) = (self.setup.clone(), self.task.clone());
        let sender = self.workers.sender();
        let panicked = Message::Performed(Err(Failure::Internal.into()));
        let started = self.workers.start(sender, panicked, move || {
            Message::Performed(work(&files, &setup, operation, &task))
        });
        started
            .err()
            .map(|failure| Event::Performed(Err(failure.into())))
    }

    /// A task for an operation. Those that read or write whole files keep to the rates of transfers.
    fn task_for(&self, operation: &Operation) -> Task {
        if let (Operation::Copy { .. } | Operation::Digest { .. }, Some(account)) =
            (operation, &self.account)
        {
            let rate = RateLimit::new(&self.setup.config.transfers, &account.name, account.rate);
            if rate.is_limited() {
                return Task::paced(rate);
            }
        }
        Task::default()
    }

    fn performed(
        &mut self,
        performed: Result<(Outcome, Option<Prepared>), PathFailure>,
    ) -> Result<Outcome, PathFailure> {
        performed.map(|(outcome, prepared)| {
            self.prepared = prepared;
            outcome
        })
    }

    /// A worker has told something.
    fn hear(&mut self, message: Message, protocol: &mut Protocol) {
        let event = match message {
            Message::Began => Event::Began,
            Message::LoggedIn(log_in) => match log_in.due {
                Some(due) => {
                    self.refused = Some((due, log_in));
                    return;
                }
                None => return self.logged_in(log_in, protocol),
            },
            Message::Performed(performed) => Event::Performed(self.performed(performed)),
            Message::Ended(result) => self.ended(result),
        };
        protocol.event(event, Instant::now());
    }

    /// The address with the scope of the control connection, which is part of a local one.
    fn scoped(&self, target: SocketAddr) -> SocketAddr {
        match (target, self.client) {
            (SocketAddr::V6(mut target), SocketAddr::V6(client)) => {
                target.set_scope_id(client.scope_id());
                target.into()
            }
            _ => target,
        }
    }
}

/// Does an operation, and gives the transfer that it has left ready.
fn work(
    files: &Files,
    setup: &Setup,
    operation: Operation,
    task: &Task,
) -> Result<(Outcome, Option<Prepared>), PathFailure> {
    match operation {
        Operation::Prepare(transfer) => {
            let (prepared, outcome) = Prepared::new(files, &setup.config, transfer, task)?;
            Ok((outcome, Some(prepared)))
        }
        operation => {
            let change = Change::of(&operation);
            let outcome = perform(files, task, operation);
            if let (Some(change), Ok(_)) = (change, &outcome) {
                change.log(task);
            }
            // The last bytes have to be paid for, too. What has been done stays done.
            let _cancelled = task.check();
            Ok((outcome?, None))
        }
    }
}
