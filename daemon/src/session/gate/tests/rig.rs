//! A client, an engine and a storage in memory, and time made by hand.

use std::{
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

use super::answers;
use crate::{
    session::gate::{
        Access, Action, Denied, Gate, Settings, StorageEvent, Times, TlsEvent, TlsPolicy,
    },
    storage::{Failure, Operation, Outcome},
    virtual_path::VirtualPath,
};

/// Times that differ, so that a test sees which one it is.
pub(super) const TIMES: Times = Times {
    log_in: Duration::from_mins(1),
    idle: Duration::from_mins(5),
    data_connection: Duration::from_secs(20),
    handshake: Duration::from_secs(15),
    stall: Duration::from_secs(100),
    engine: Duration::from_secs(5),
};

/// The port that the engine listens at.
pub(super) const PORT: u16 = 50_000;

/// A gate and everybody that it talks to.
pub(super) struct Rig {
    pub(super) gate: Gate,
    pub(super) now: Instant,
    /// What the client has got since it was last looked at.
    output: Vec<u8>,
    /// What the storage was asked, in order.
    pub(super) operations: Vec<Operation>,
    /// What the engine was told, in order.
    pub(super) engine_lines: Vec<String>,
    /// Everything else that was to be done.
    pub(super) others: Vec<String>,
    /// The answers of the storage to come; then ones that fit.
    pub(super) outcomes: VecDeque<Result<Outcome, Failure>>,
    /// The answer to the next log-ins; none if the test answers.
    pub(super) log_in: Option<Result<Access, Denied>>,
    /// How transfers end; none if the test ends them.
    pub(super) transfer: Option<Result<u64, Failure>>,
    /// Whether the engine answers by itself.
    pub(super) engine: bool,
    /// Whether the storage answers by itself.
    pub(super) storage: bool,
    pub(super) closed: bool,
}

pub(super) fn settings() -> Settings {
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
    }
}

/// With a certificate.
pub(super) fn tls_settings(policy: TlsPolicy) -> Settings {
    Settings {
        tls: Some(policy),
        ..settings()
    }
}

pub(super) fn path(text: &str) -> VirtualPath {
    VirtualPath::root().join(text.as_bytes()).unwrap()
}

impl Rig {
    /// A session that has been greeted.
    pub(super) fn new(settings: Settings) -> Self {
        let now = Instant::now();
        let mut rig = Self {
            gate: Gate::new(settings, now),
            now,
            output: Vec::new(),
            operations: Vec::new(),
            engine_lines: Vec::new(),
            others: Vec::new(),
            outcomes: VecDeque::new(),
            log_in: Some(Ok(Access::default())),
            transfer: Some(Ok(1234)),
            engine: true,
            storage: true,
            closed: false,
        };
        rig.run();
        rig.output.clear();
        rig
    }

    /// A session of somebody who has logged in.
    pub(super) fn logged_in() -> Self {
        Self::logged_in_with(settings())
    }

    pub(super) fn logged_in_with(settings: Settings) -> Self {
        let mut rig = Self::new(settings);
        rig.expect("USER alice", "331");
        rig.expect("PASS secret", "230");
        rig.operations.clear();
        rig.engine_lines.clear();
        rig.others.clear();
        rig
    }

    /// A session that has done a transfer, so that it has an engine.
    pub(super) fn with_engine() -> Self {
        let mut rig = Self::logged_in();
        rig.expect("EPSV", "229");
        rig.expect_codes("RETR a.txt", &[150, 226]);
        rig.operations.clear();
        rig.engine_lines.clear();
        rig.others.clear();
        rig
    }

    /// Sends a line, lets everybody answer, and gives what came back.
    pub(super) fn send(&mut self, line: &str) -> String {
        self.send_bytes(format!("{line}\r\n").as_bytes())
    }

    pub(super) fn send_bytes(&mut self, bytes: &[u8]) -> String {
        self.gate.from_client(bytes, self.now);
        self.run();
        self.received()
    }

    /// Sends a line and compares the beginning of what comes back.
    #[track_caller]
    pub(super) fn expect(&mut self, line: &str, start: &str) -> String {
        let reply = self.send(line);
        assert!(reply.starts_with(start), "{line}: {reply:?}, not {start:?}");
        reply
    }

    /// Sends a line and compares the codes of all replies.
    #[track_caller]
    pub(super) fn expect_codes(&mut self, lines: &str, expected: &[u16]) -> String {
        let reply = self.send(lines);
        assert_eq!(codes(reply.as_bytes()), expected, "{lines}: {reply:?}");
        reply
    }

    /// What the client has got since it was last looked at.
    pub(super) fn received(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.output)).unwrap()
    }

    /// An event of the storage, and what came of it.
    pub(super) fn event(&mut self, event: StorageEvent) -> String {
        self.gate.storage(event, self.now);
        self.run();
        self.received()
    }

    /// A line of the engine, and what came of it.
    pub(super) fn engine_says(&mut self, line: &str) -> String {
        self.gate
            .from_engine(format!("{line}\r\n").as_bytes(), self.now);
        self.run();
        self.received()
    }

    /// Lets time pass; deadlines on the way are met.
    pub(super) fn pass(&mut self, time: Duration) -> String {
        let end = self.now + time;
        while let Some(at) = self.gate.next_deadline()
            && at <= end
        {
            self.now = self.now.max(at);
            self.gate.timeout(self.now);
            self.run();
        }
        self.now = end;
        self.received()
    }

    /// What was done besides talking, since it was last looked at.
    pub(super) fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.others)
    }

    /// Does what the gate wants done.
    pub(super) fn run(&mut self) {
        while let Some(action) = self.gate.poll() {
            assert!(!self.closed, "{action:?} after the end");
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::ToClient(bytes) => self.output.extend_from_slice(&bytes),
            Action::ToEngine(line) => {
                self.engine_lines.push(line.clone());
                self.engine_hears(&line);
            }
            Action::Perform(operation) => {
                self.operations.push(operation);
                if self.storage {
                    let outcome = self.outcome();
                    self.gate
                        .storage(StorageEvent::Performed(outcome), self.now);
                }
            }
            Action::Close => {
                self.closed = true;
                self.others.push("Close".into());
            }
            Action::StartEngine => {
                self.others.push("StartEngine".into());
                self.engine_answers("220 Engine");
            }
            other => {
                let log_in = matches!(other, Action::LogIn { .. });
                self.others.push(format!("{other:?}"));
                if log_in && let Some(result) = self.log_in {
                    self.gate.logged_in(result, self.now);
                }
            }
        }
    }

    fn engine_answers(&mut self, line: &str) {
        if self.engine {
            self.gate
                .from_engine(format!("{line}\r\n").as_bytes(), self.now);
        }
    }

    fn engine_hears(&mut self, line: &str) {
        match line {
            "USER u" => self.engine_answers("331 Password"),
            "PASS x" => self.engine_answers("230 In"),
            "EPSV" => self.engine_answers(&format!("229 Passive (|||{PORT}|)")),
            "RETR /t" | "STOR /t" => {
                self.engine_answers("150 Go");
                if let Some(result) = self.transfer {
                    for event in [
                        StorageEvent::Began,
                        StorageEvent::Moved(617),
                        StorageEvent::Ended(result),
                    ] {
                        self.gate.storage(event, self.now);
                    }
                    self.engine_answers(match result {
                        Ok(_) => "226 Done",
                        Err(_) => "551 Not done",
                    });
                }
            }
            port if port.starts_with("PORT ") => self.engine_answers("200 Connected"),
            other => panic!("the engine must not hear {other:?}"),
        }
    }

    /// The next answer of the storage.
    fn outcome(&mut self) -> Result<Outcome, Failure> {
        let operation = self.operations.last().expect("an operation");
        let fits = answers::fitting(operation);
        self.outcomes.pop_front().unwrap_or(Ok(fits))
    }
}

/// The codes of all replies in what a client has got, preliminary ones included.
pub(super) fn codes(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
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

/// An address as the settings have it.
pub(super) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The handshake that was asked for succeeds.
pub(super) fn shake_hands(rig: &mut Rig) {
    assert_eq!(rig.done().last().map(String::as_str), Some("StartTls"));
    rig.gate.tls(TlsEvent::Established, rig.now);
    rig.run();
}
