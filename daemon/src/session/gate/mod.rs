//! The gate: the control connection as a state machine without I/O.
//!
//! It reads what the client sends, decides, and speaks the strict subset of FTP to the engine that
//! the engine handles well. Bytes, events and the time go in through method calls; what is to be
//! done comes out as [`Action`]s. It has no socket and no clock, never waits and never spawns, so
//! every order of events can be tested and fuzzed as it stands. `session/driver.rs` owns the
//! sockets and carries bytes and events across.
//!
//! No text and no name of a client goes to the engine. What a command means reaches the storage as
//! an [`Operation`](crate::storage::Operation); the engine hears fixed words, and of its replies
//! the gate takes the code.
//!
//! Reading order: `line` and `command` turn bytes into commands, `dialect` hands each to the file
//! of its topic; `operation` and `transfer` follow what the storage does about it; `dialogue` is
//! the conversation with the engine; `timers` has every deadline.

mod arguments;
mod command;
mod data_setup;
mod dialect;
mod dialect_changes;
mod dialect_digests;
mod dialect_facts;
mod dialect_parameters;
mod dialect_transfers;
mod dialogue;
mod feat;
mod file_arguments;
mod host_port;
mod interface;
mod line;
mod list_arguments;
mod log_in;
mod operation;
mod reply;
mod security;
mod state;
mod timers;
mod transfer;
mod verb;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

pub use self::interface::{
    Access, Action, Activity, Denied, Password, Settings, StorageEvent, Times, TlsEvent, TlsPolicy,
};
use self::{
    command::{Command, split},
    dialogue::ReplyReader,
    line::{Line, LineReader, is_abort},
    reply::Reply,
    state::{Control, Engine, Parameters, Security, State, Who},
    verb::Verb,
};

/// The control connection of one session.
///
/// After each call, [`Gate::poll`] wants to be called until it gives nothing, and then
/// [`Gate::next_deadline`]. Events of an engine that [`Action::EndEngine`] has ended, and of what
/// it did, must not come in after it.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    /// The time of the last call.
    now: Instant,
    actions: VecDeque<Action>,

    input: LineReader,
    /// A line that waits until what is under way has ended.
    held: Option<Line>,
    /// When the client ended its side.
    client_closed: Option<Instant>,
    replies: ReplyReader,

    state: State,
    /// When `state` began, for the deadlines of those that have one.
    since: Instant,
    who: Who,
    security: Security,
    parameters: Parameters,
    /// Log-ins that were refused.
    refused: u32,
    engine: Engine,

    /// When the session ends for want of a log-in.
    log_in_by: Option<Instant>,
    /// When the session ends because the daemon stops, whatever is under way.
    stop_by: Option<Instant>,
}

impl Gate {
    /// The gate of a new session. It greets the client.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let implicit = settings.implicit_tls;
        let control = if implicit {
            Control::Tls
        } else {
            Control::Clear
        };
        let mut gate = Self {
            now,
            actions: VecDeque::new(),
            input: LineReader::default(),
            held: None,
            client_closed: None,
            replies: ReplyReader::default(),
            state: State::Ready,
            since: now,
            who: Who::Nobody,
            security: Security::new(control, implicit),
            parameters: Parameters::default(),
            refused: 0,
            engine: Engine::Absent,
            log_in_by: Some(now + settings.times.log_in),
            stop_by: None,
            settings,
        };
        if gate.security.data {
            gate.act(Action::Protect(true));
        }
        gate.reply(Reply::new(220, gate.settings.greeting.clone()));
        gate
    }

    /// Bytes from the client.
    pub fn from_client(&mut self, bytes: &[u8], now: Instant) {
        self.now = now;
        if !matches!(self.state, State::Closed | State::Handshaking) {
            self.input.push(bytes);
        }
    }

    /// The client sends nothing any more. What it has asked for is still done, because some leave
    /// as soon as they have sent their last byte.
    pub fn client_closed(&mut self, now: Instant) {
        self.now = now;
        self.client_closed.get_or_insert(now);
        if matches!(self.state, State::Handshaking) {
            self.close();
        }
    }

    /// Whether there is room for more bytes of the client.
    pub fn wants_input(&self) -> bool {
        let open = !matches!(self.state, State::Closed | State::Handshaking);
        open && self.client_closed.is_none() && self.input.wants_input()
    }

    /// How a TLS handshake ended.
    pub fn tls(&mut self, event: TlsEvent, now: Instant) {
        self.now = now;
        if matches!(self.state, State::Handshaking) {
            match event {
                TlsEvent::Established => self.tls_established(),
                TlsEvent::Failed => self.close(),
            }
        }
    }

    /// The daemon stops. The session ends when nothing is under way, or after `grace`.
    pub fn stop(&mut self, grace: Duration, now: Instant) {
        self.now = now;
        self.stop_by = Some(now + grace);
    }

    /// An administrator ends the session, now.
    pub fn kill(&mut self, now: Instant) {
        self.now = now;
        match self.state {
            State::LoggingIn => self.act(Action::LogOut),
            State::Performing(_) | State::Transferring(_) => self.act(Action::Cancel),
            _ => {}
        }
        self.end_unless_handshaking("An administrator has ended this session.");
    }

    /// What the session does, for an administrator to see.
    pub fn activity(&self) -> Activity {
        match (&self.state, &self.who) {
            (State::Handshaking, _) => Activity::Handshake,
            (State::Transferring(_), _) => Activity::Transfer,
            (_, Who::Nobody | Who::Named(_)) => Activity::LogIn,
            (State::Ready, Who::In(..)) => Activity::Idle,
            (_, Who::In(..)) => Activity::Busy,
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Action> {
        while self.actions.is_empty() && self.advance() {}
        let action = self.actions.pop_front();
        if self.actions.is_empty() {
            // A session that has nothing to do keeps no buffer.
            self.actions = VecDeque::new();
        }
        action
    }

    /// Looks at one line, if its time has come. Commands are taken one by one, and only when the
    /// driver has done everything before, so that a client cannot fill our memory with replies.
    fn advance(&mut self) -> bool {
        match self.state {
            State::Closed | State::Handshaking => false,
            State::Ready => {
                if self.stop_by.is_some() {
                    self.end("The server is stopping.");
                    return true;
                }
                match self.held.take().or_else(|| self.input.next()) {
                    Some(line) => self.line(line),
                    None if self.client_closed.is_some() => self.close(),
                    None => return false,
                }
                true
            }
            _ => self.advance_busy(),
        }
    }

    /// Looks at one line while something is under way: most have to wait.
    fn advance_busy(&mut self) -> bool {
        if self.held.is_none() {
            self.held = self.input.next();
        }
        match &self.held {
            None => return false,
            Some(Line::Refusal(_) | Line::Flood) => {}
            Some(Line::Text(text)) if is_abort(text) => {
                // It is answered when what it ends has been answered.
                self.abort();
                return false;
            }
            Some(Line::Text(text)) if self.is_answered_in_transfer(text) => {}
            Some(_) => {
                if self.input.holds_abort() {
                    self.abort();
                }
                return false;
            }
        }
        if let Some(line) = self.held.take() {
            self.line(line);
        }
        true
    }

    /// NOOP, and STAT without a path, once the client knows that a transfer has begun.
    fn is_answered_in_transfer(&self, line: &[u8]) -> bool {
        let announced = match &self.state {
            State::Transferring(transfer) => transfer.is_announced(),
            _ => false,
        };
        announced
            && split(line).is_some_and(|(known, argument)| match known.verb {
                Verb::Noop => true,
                Verb::Stat => argument.trim_ascii().is_empty(),
                _ => false,
            })
    }

    fn line(&mut self, line: Line) {
        match line {
            Line::Text(text) => self.command(&text),
            Line::TooLong => self.reply(Reply::new(500, "The line is too long.")),
            Line::Forbidden => self.reply(Reply::new(
                501,
                "A line cannot contain a NUL, or a CR that does not end it.",
            )),
            Line::Refusal(bytes) => self.act(Action::ToClient(bytes.to_vec())),
            Line::Flood => self.end("Too many bytes that are no commands."),
        }
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Answers. If nothing is under way, the time for the next command begins.
    fn reply(&mut self, reply: Reply) {
        if matches!(self.state, State::Ready) {
            self.since = self.now;
        }
        self.act(Action::ToClient(reply.into_bytes()));
    }

    /// Changes the state; its deadline begins now.
    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = self.now;
    }

    /// Takes the state out, to be replaced.
    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ready)
    }

    /// Answers, and waits for the next command.
    fn finish(&mut self, reply: Reply) {
        self.enter(State::Ready);
        self.reply(reply);
    }

    /// Ends the session with a reason.
    fn end(&mut self, reason: &str) {
        if !matches!(self.state, State::Closed) {
            self.reply(Reply::new(421, reason));
            self.close();
        }
    }

    /// Ends the session without a word.
    fn close(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.input.clear();
            self.held = None;
            self.act(Action::Close);
        }
    }

    /// Parses a command and does it.
    fn command(&mut self, line: &[u8]) {
        let Some((known, argument)) = split(line) else {
            self.forget_position(None);
            self.reply(Reply::new(
                500,
                "Unknown command. HELP lists the known ones.",
            ));
            return;
        };
        if known.needs == verb::Needs::LogIn && !matches!(self.who, Who::In(..)) {
            self.reply(Reply::new(530, "Log in with USER and PASS first."));
            return;
        }
        self.forget_position(Some(known.verb));
        match Command::parse(known, argument) {
            Ok(command) => self.run(command),
            Err(reply) => {
                self.forget_position(None);
                self.reply(reply);
            }
        }
    }
}

#[cfg(test)]
mod tests;
