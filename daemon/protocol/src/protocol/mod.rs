//! The state machine of a control connection.
//!
//! It reads what the client sends, decides, and answers. Bytes, events and the time go in through
//! method calls; what is to be done comes out as [`Action`]s. It has no socket and no clock, never
//! waits and never spawns, so every order of events can be tested and fuzzed as it stands. The
//! session owns the sockets and carries bytes and events across.
//!
//! Reading order: `parse::line` and `parse::command` turn bytes into commands, `commands` hands each
//! to the file of its topic; `operation` and `transfer` follow what the storage does about it;
//! `timers` has every deadline.

pub mod interface;
pub(crate) mod operation;
pub(crate) mod state;
mod timers;
pub(crate) mod transfer;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::{
    interface::{Action, Activity, Ending, Event, Settings},
    state::{Control, Parameters, Security, State, Who},
};
use crate::{
    parse::{
        command::{Command, split},
        line::{Line, LineReader, is_abort},
        verb::{self, Verb},
    },
    reply::Reply,
    request::Failure,
    virtual_path::VirtualPath,
};

/// The control connection of one session.
///
/// After each call, [`Protocol::poll`] wants to be called until it gives nothing, and then
/// [`Protocol::next_deadline`].
#[derive(Debug)]
pub struct Protocol {
    pub(crate) settings: Settings,
    /// The time of the last call.
    pub(crate) now: Instant,
    pub(crate) actions: VecDeque<Action>,

    pub(crate) input: LineReader,
    /// A line that waits until what is under way has ended.
    pub(crate) held: Option<Line>,
    /// When the client ended its side.
    pub(crate) client_closed: Option<Instant>,

    pub(crate) state: State,
    /// When `state` began, for the deadlines of those that have one.
    pub(crate) since: Instant,
    pub(crate) who: Who,
    pub(crate) security: Security,
    pub(crate) parameters: Parameters,
    /// The name of the command that is under way, or was last.
    pub(crate) verb: &'static str,
    /// Why the session ends.
    ending: Option<Ending>,
    /// Log-ins that were refused.
    pub(crate) refused: u32,
    /// When the session ends for want of a log-in.
    pub(crate) log_in_by: Option<Instant>,
    /// When the session ends because the daemon stops, whatever is under way.
    pub(crate) stop_by: Option<Instant>,
}

impl Protocol {
    /// The protocol of a new session. It greets the client.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let implicit = settings.implicit_tls;
        let control = if implicit {
            Control::Tls
        } else {
            Control::Clear
        };
        let mut protocol = Self {
            now,
            actions: VecDeque::new(),
            input: LineReader::default(),
            held: None,
            client_closed: None,
            state: State::Ready,
            since: now,
            who: Who::Nobody,
            security: Security::new(control, implicit),
            parameters: Parameters::default(),
            verb: "",
            ending: None,
            refused: 0,
            log_in_by: Some(now + settings.times.log_in),
            stop_by: None,
            settings,
        };
        if protocol.security.data {
            protocol.act(Action::Protect(true));
        }
        protocol.reply(Reply::new(220, protocol.settings.greeting.clone()));
        protocol
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
            self.close(Ending::Lost);
        }
    }

    /// Why the session has ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether there is room for more bytes of the client.
    pub fn wants_input(&self) -> bool {
        let open = !matches!(self.state, State::Closed | State::Handshaking);
        open && self.client_closed.is_none() && self.input.wants_input()
    }

    /// Something has happened that was asked for.
    pub fn event(&mut self, event: Event, now: Instant) {
        self.now = now;
        match (self.take_state(), event) {
            (State::LoggingIn, Event::LoggedIn(result)) => self.logged_in(result),
            (State::Handshaking, Event::TlsEstablished) => self.tls_established(),
            (state @ State::Handshaking, Event::TlsFailed) => {
                self.state = state;
                self.close(Ending::Tls);
            }
            (State::Listening(passive), Event::Listening(port)) => self.listening(passive, port),
            (State::Listening(_), Event::DataUnavailable(failure)) => {
                self.no_data_connection(failure);
            }
            (State::Performing(performing), Event::Performed(outcome)) => {
                self.performed(performing.job, outcome);
            }
            (State::Performing(mut performing), Event::Moved(bytes)) => {
                if let Some(progress) = &mut performing.progress {
                    progress.moved(bytes, now);
                }
                self.state = State::Performing(performing);
            }
            (State::Transferring(transfer), event) => self.transfer_event(transfer, event),
            // Late news of what has been given up.
            (state, _) => self.state = state,
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
        let text = "An administrator has ended this session.";
        self.end_unless_handshaking(Ending::Administrator, text);
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
    pub(crate) fn advance(&mut self) -> bool {
        match self.state {
            State::Closed | State::Handshaking => false,
            State::Ready => {
                if self.stop_by.is_some() {
                    self.end(Ending::Stop, "The server is stopping.");
                    return true;
                }
                match self.held.take().or_else(|| self.input.next()) {
                    Some(line) => self.line(line),
                    None if self.client_closed.is_some() => self.close(Ending::Lost),
                    None => return false,
                }
                true
            }
            _ => self.advance_busy(),
        }
    }

    /// Looks at one line while something is under way: most have to wait.
    pub(crate) fn advance_busy(&mut self) -> bool {
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
    pub(crate) fn is_answered_in_transfer(&self, line: &[u8]) -> bool {
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

    pub(crate) fn line(&mut self, line: Line) {
        match line {
            Line::Text(text) => self.command(&text),
            Line::TooLong => self.reply(Reply::new(500, "The line is too long.")),
            Line::Forbidden => self.reply(Reply::new(
                501,
                "A line cannot contain a NUL, or a CR that does not end it.",
            )),
            Line::Refusal(bytes) => self.act(Action::Send(bytes.to_vec())),
            Line::Flood => self.end(Ending::Flood, "Too many bytes that are no commands."),
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Answers. If nothing is under way, the time for the next command begins.
    pub(crate) fn reply(&mut self, reply: Reply) {
        if matches!(self.state, State::Ready) {
            self.since = self.now;
        }
        self.act(Action::Send(reply.into_bytes()));
    }

    /// Notes that the storage refuses what is under way.
    pub(crate) fn note_failure(&mut self, path: &VirtualPath, reply: &Reply, failure: Failure) {
        self.act(Action::Refused {
            verb: self.verb,
            path: Some(path.clone()),
            code: reply.code(),
            cause: failure.text(),
            is_denial: failure.is_denial(),
        });
    }

    /// Notes that a command is refused for want of TLS.
    pub(crate) fn note_want_of_tls(&mut self, reply: &Reply) {
        self.act(Action::Refused {
            verb: self.verb,
            path: None,
            code: reply.code(),
            cause: "TLS is required",
            is_denial: true,
        });
    }

    /// Changes the state; its deadline begins now.
    pub(crate) fn enter(&mut self, state: State) {
        self.state = state;
        self.since = self.now;
    }

    /// Takes the state out, to be replaced.
    pub(crate) fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ready)
    }

    /// Answers, and waits for the next command.
    pub(crate) fn finish(&mut self, reply: Reply) {
        self.enter(State::Ready);
        self.reply(reply);
    }

    /// Ends the session with a reason.
    pub(crate) fn end(&mut self, ending: Ending, reason: &str) {
        if !matches!(self.state, State::Closed) {
            self.reply(Reply::new(421, reason));
            self.close(ending);
        }
    }

    /// Ends the session without a word.
    pub(crate) fn close(&mut self, ending: Ending) {
        if !matches!(self.state, State::Closed) {
            self.ending = Some(ending);
            self.state = State::Closed;
            self.input.clear();
            self.held = None;
            self.act(Action::Close);
        }
    }

    /// Parses a command and does it.
    pub(crate) fn command(&mut self, line: &[u8]) {
        let Some((known, argument)) = split(line) else {
            self.reply(Reply::new(
                500,
                "Unknown command. HELP lists the known ones.",
            ));
            return;
        };
        if matches!(self.state, State::Ready) {
            self.verb = known.name;
        }
        if self.settings.trace {
            let open = known.needs == verb::Needs::LogIn && matches!(self.who, Who::In(..));
            let argument = argument.trim_ascii();
            let argument = (open && !argument.is_empty()).then(|| argument.to_vec());
            let verb = known.name;
            self.act(Action::Heard { verb, argument });
        }
        if known.needs == verb::Needs::LogIn && !matches!(self.who, Who::In(..)) {
            self.reply(Reply::new(530, "Log in with USER and PASS first."));
            return;
        }
        match Command::parse(known, argument) {
            Ok(command) => {
                if command.changes_files() {
                    self.forget_sources_unless_used_by(&command);
                }
                self.run(command);
            }
            Err(reply) => self.reply(reply),
        }
    }
}

#[cfg(test)]
mod tests;
