//! A client, accounts, a storage and data connections in memory, and time made by hand.

use std::{
    collections::VecDeque,
    mem::discriminant,
    time::{Duration, Instant},
};

use crate::{
    fuzzing::{answers, first_instant},
    protocol::{
        Protocol,
        interface::{Action, DataFailure, Event, Settings, Times, TlsPolicy},
    },
    request::{Access, Denied, Failure, Operation, Outcome, PathFailure, PathRole},
    virtual_path::VirtualPath,
};

/// Times that differ, so that a test sees which one it is.
pub(crate) const TIMES: Times = Times {
    log_in: Duration::from_mins(1),
    idle: Duration::from_mins(5),
    data_connection: Duration::from_secs(20),
    handshake: Duration::from_secs(15),
    stall: Duration::from_secs(100),
    answer: Duration::from_secs(5),
};

/// The port that is listened at.
pub(crate) const PORT: u16 = 50_000;

/// The four ways to a data connection.
pub(crate) const WAYS: [&str; 4] = [
    "PASV",
    "EPSV",
    "PORT 10,0,0,9,4,1",
    "EPRT |1|10.0.0.9|1025|",
];

/// The protocol and everybody that it talks to.
pub(crate) struct Rig {
    pub(crate) protocol: Protocol,
    pub(crate) now: Instant,
    /// What the client has got since it was last looked at.
    output: Vec<u8>,
    /// What the storage was asked, in order.
    pub(crate) operations: Vec<Operation>,
    /// Everything else that was to be done.
    others: Vec<Action>,
    /// Commands that were noted as refused.
    pub(crate) refused: Vec<Action>,
    /// The answers of the storage to come; then ones that fit.
    pub(crate) outcomes: VecDeque<Result<Outcome, Failure>>,
    /// Which path the storage's failures are about.
    pub(crate) role: PathRole,
    /// The answer to the next log-ins; none if the test answers.
    pub(crate) log_in: Option<Result<Access, Denied>>,
    /// How transfers end; none if the test ends them.
    pub(crate) transfer: Option<Result<u64, Failure>>,
    /// Whether listening and connecting succeed by themselves.
    pub(crate) data: bool,
    /// Whether the storage answers by itself.
    pub(crate) storage: bool,
    pub(crate) closed: bool,
}

pub(crate) fn settings() -> Settings {
    Settings {
        greeting: "Test ready.".into(),
        client: "10.0.0.9".parse().unwrap(),
        local: "10.0.0.1".parse().unwrap(),
        passive_host: None,
        active: true,
        ascii: false,
        tls: None,
        implicit_tls: false,
        times: TIMES,
        log_in_attempts: 3,
        trace: false,
    }
}

/// With a certificate.
pub(crate) fn tls_settings(policy: TlsPolicy) -> Settings {
    Settings {
        tls: Some(policy),
        ..settings()
    }
}

pub(crate) fn path(text: &str) -> VirtualPath {
    VirtualPath::root().join(text.as_bytes()).unwrap()
}

/// An event of each kind, without those of the kinds that are expected.
pub(crate) fn events_but(expected: &[Event]) -> impl Iterator<Item = Event> {
    let expected = expected.iter().map(discriminant).collect::<Vec<_>>();
    let all = [
        Event::LoggedIn(Ok(Access::default())),
        Event::TlsEstablished,
        Event::TlsFailed,
        Event::Listening(PORT),
        Event::Connected,
        Event::DataUnavailable(DataFailure::NoPort),
        Event::Performed(Ok(ready("late.txt"))),
        Event::Began,
        Event::Moved(5),
        Event::Ended(Ok(5)),
    ];
    let unexpected = move |event: &Event| !expected.contains(&discriminant(event));
    all.into_iter().filter(unexpected)
}

/// The storage is ready for a transfer of this file.
pub(crate) fn ready(name: &str) -> Outcome {
    let (size, path) = (None, path(name));
    Outcome::Ready { size, path }
}

/// What was asked for has ended because it was cancelled.
pub(crate) const CANCELLED: Event = Event::Ended(Err(Failure::Cancelled));

impl Rig {
    /// A session that has been greeted.
    pub(crate) fn new(settings: Settings) -> Self {
        let now = first_instant();
        let mut rig = Self {
            protocol: Protocol::new(settings, now),
            now,
            output: Vec::new(),
            operations: Vec::new(),
            others: Vec::new(),
            refused: Vec::new(),
            outcomes: VecDeque::new(),
            role: PathRole::Target,
            log_in: Some(Ok(Access::default())),
            transfer: Some(Ok(1234)),
            data: true,
            storage: true,
            closed: false,
        };
        rig.run();
        rig.output.clear();
        rig
    }

    /// A session of somebody who has logged in.
    pub(crate) fn logged_in() -> Self {
        Self::logged_in_with(settings())
    }

    pub(crate) fn logged_in_with(settings: Settings) -> Self {
        let mut rig = Self::new(settings);
        rig.log_in();
        rig
    }

    /// A session with a transfer that waits for its data connection, and ends when the test says so.
    pub(crate) fn announced(line: &str) -> Self {
        let mut rig = Self::logged_in();
        rig.announce(line);
        rig
    }

    /// A session with a transfer whose data connection is there.
    pub(crate) fn transferring(line: &str) -> Self {
        let mut rig = Self::announced(line);
        assert_eq!(rig.event(Event::Began), "");
        rig
    }

    /// Logs in, and forgets what was done for it.
    #[track_caller]
    pub(crate) fn log_in(&mut self) {
        self.talk("USER alice | PASS secret", &[331, 230]);
        self.done();
    }

    /// Begins a transfer that ends when the test says so.
    #[track_caller]
    pub(crate) fn announce(&mut self, line: &str) {
        self.transfer = None;
        self.expect("EPSV", "229");
        self.expect_codes(line, &[150]);
        assert_eq!(self.done(), [Action::Listen, Action::BeginTransfer]);
    }

    /// Sends AUTH, and shakes hands.
    #[track_caller]
    pub(crate) fn start_tls(&mut self) {
        self.expect("AUTH TLS", "234");
        assert_eq!(self.done().last(), Some(&Action::StartTls));
        assert_eq!(self.event(Event::TlsEstablished), "");
    }

    /// Sends a line, lets everybody answer, and gives what came back.
    pub(crate) fn send(&mut self, line: &str) -> String {
        self.send_bytes(format!("{line}\r\n").as_bytes())
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> String {
        self.call(|protocol, now| protocol.from_client(bytes, now))
    }

    /// Sends a line and compares the beginning of what comes back.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str, start: &str) -> String {
        let reply = self.send(line);
        assert!(reply.starts_with(start), "{line}: {reply:?}, not {start:?}");
        reply
    }

    /// Sends lines one by one, with bars between them, that all have the same reply.
    #[track_caller]
    pub(crate) fn each(&mut self, start: &str, lines: &str) {
        for line in lines.split(" | ") {
            self.expect(line, start);
        }
    }

    /// Sends lines one by one, with bars between them, and compares the codes of all replies.
    #[track_caller]
    pub(crate) fn talk(&mut self, lines: &str, expected: &[u16]) {
        let replies: String = lines.split(" | ").map(|line| self.send(line)).collect();
        assert_eq!(codes(&replies), expected, "{lines}: {replies:?}");
    }

    /// Sends lines in one piece and compares the codes of all replies.
    #[track_caller]
    pub(crate) fn expect_codes(&mut self, lines: &str, expected: &[u16]) -> String {
        let reply = self.send(lines);
        assert_eq!(codes(&reply), expected, "{lines}: {reply:?}");
        reply
    }

    /// Something happens, and the codes of all replies to it are compared.
    #[track_caller]
    pub(crate) fn expect_after(&mut self, event: Event, expected: &[u16]) -> String {
        let shown = format!("{event:?}");
        let reply = self.event(event);
        assert_eq!(codes(&reply), expected, "{shown}: {reply:?}");
        reply
    }

    /// These events come too late or unasked: nothing is answered or done.
    #[track_caller]
    pub(crate) fn ignores(&mut self, events: impl IntoIterator<Item = Event>) {
        let asked = (self.others.clone(), self.operations.clone());
        for event in events {
            let shown = format!("{event:?}");
            assert_eq!(self.event(event), "", "{shown}");
        }
        assert_eq!((self.others.clone(), self.operations.clone()), asked);
    }

    /// What the client has got since it was last looked at.
    pub(crate) fn received(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.output)).unwrap()
    }

    /// Something happens, and what came of it.
    pub(crate) fn event(&mut self, event: Event) -> String {
        self.call(|protocol, now| protocol.event(event, now))
    }

    /// A call of the session, and what came of it.
    pub(crate) fn call(&mut self, call: impl FnOnce(&mut Protocol, Instant)) -> String {
        call(&mut self.protocol, self.now);
        self.run();
        self.received()
    }

    /// Lets time pass; deadlines on the way are met.
    pub(crate) fn pass(&mut self, time: Duration) -> String {
        let end = self.now + time;
        while let Some(at) = self.protocol.next_deadline()
            && at <= end
        {
            self.now = self.now.max(at);
            self.protocol.timeout(self.now);
            self.run();
        }
        self.now = end;
        self.received()
    }

    /// What was done besides talking and asking the storage, since it was last looked at.
    pub(crate) fn done(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.others)
    }

    /// Does what is to be done.
    pub(crate) fn run(&mut self) {
        while let Some(action) = self.protocol.poll() {
            assert!(!self.closed, "{action:?} after the end");
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match &action {
            Action::Refused { .. } => return self.refused.push(action),
            Action::Send(bytes) => return self.output.extend_from_slice(bytes),
            Action::Perform(operation) => {
                self.operations.push(operation.clone());
                if self.storage {
                    let fits = || Ok(answers::fitting(operation));
                    let outcome = self.outcomes.pop_front().unwrap_or_else(fits);
                    let role = self.role;
                    let outcome = outcome.map_err(|failure| PathFailure { failure, role });
                    self.protocol.event(Event::Performed(outcome), self.now);
                }
                return;
            }
            Action::LogIn { .. } => {
                if let Some(result) = self.log_in {
                    self.protocol.event(Event::LoggedIn(result), self.now);
                }
            }
            Action::Listen if self.data => self.protocol.event(Event::Listening(PORT), self.now),
            Action::Connect(_) if self.data => self.protocol.event(Event::Connected, self.now),
            Action::BeginTransfer => {
                if let Some(result) = self.transfer {
                    for event in [Event::Began, Event::Moved(617), Event::Ended(result)] {
                        self.protocol.event(event, self.now);
                    }
                }
            }
            Action::Close => self.closed = true,
            _ => {}
        }
        self.others.push(action);
    }
}

/// The codes of all replies in what a client has got, preliminary ones included.
#[track_caller]
pub(crate) fn codes(text: &str) -> Vec<u16> {
    assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
    let mut codes = Vec::new();
    let mut open: Option<&str> = None;
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
        let code = line.get(..3).filter(|code| code.parse::<u16>().is_ok());
        match (open, code, line.as_bytes().get(3)) {
            (None, Some(code), Some(b'-')) => open = Some(code),
            (None, Some(code), Some(b' ')) => codes.push(code.parse().unwrap()),
            (None, ..) => panic!("no reply: {line:?}"),
            (Some(first), Some(code), Some(b' ')) if first == code => {
                codes.push(code.parse().unwrap());
                open = None;
            }
            (Some(_), Some(_), _) => panic!("a line that looks like a reply: {line:?}"),
            (Some(_), None, _) => {}
        }
    }
    assert_eq!(open, None, "a reply without an end: {text:?}");
    codes
}
