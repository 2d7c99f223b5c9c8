//! A world for the gate that a string of bytes decides about: who says what next, how it ends, how
//! time passes. Property tests and fuzzing share it. It checks what has to hold in every world.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    answers,
    gate::{Access, Action, Denied, Gate, Settings, StorageEvent, Times, TlsEvent, TlsPolicy},
    storage::{Failure, Operation, Outcome},
    virtual_path::VirtualPath,
};

/// What a client may say.
const LINES: &[&str] = &[
    "USER alice",
    "PASS secret",
    "PWD",
    "CWD ../../etc",
    "CDUP",
    "TYPE A",
    "EPSV",
    "PASV",
    "PORT 10,0,0,9,4,1",
    "PORT 10,0,0,8,4,1",
    "EPRT |1|10.0.0.9|1025|",
    "RETR a/../../b.txt",
    "STOR /../x.txt",
    "APPE x",
    "STOU",
    "LIST -la *.txt",
    "NLST",
    "MLSD ..",
    "MLST a",
    "STAT",
    "STAT a*",
    "NOOP",
    "ABOR",
    "REST 5",
    "RANG 1 5",
    "HASH a",
    "XCRC a 1 2",
    "SIZE a",
    "MDTM 19700101000000 a",
    "MFF modify=19700101000000;UNIX.mode=0600; a",
    "RNFR a",
    "RNTO b",
    "SITE CPFR a",
    "SITE CPTO b",
    "SITE CHMOD 644 a",
    "SITE DF",
    "FEAT",
    "HELP",
    "AUTH TLS",
    "PBSZ 0",
    "PROT P",
    "PROT C",
    "CCC",
    "REIN",
    "HOST a",
    "OPTS MLST size;",
    "ALLO 5",
    "EPSV ALL",
    "XYZZY",
    "",
    "QUIT",
];

/// What the engine or the storage will say.
#[derive(Debug, Clone)]
enum Event {
    Engine(&'static str),
    Storage(StorageEvent),
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent parts of a world"
)]
struct World<'p> {
    gate: Gate,
    now: Instant,
    program: &'p [u8],
    /// Whether the others may say what nobody asked for.
    chaos: bool,
    pending: VecDeque<Event>,
    /// A line went to the engine that it has not answered.
    engine_owes: bool,
    /// An operation was asked for, and its line to the engine comes next.
    log_in: bool,
    handshake: bool,
    transfer: bool,
    closed: bool,
    /// Lines that the client has sent and that count, and last replies that it has got.
    lines: usize,
    replies: usize,
    /// The code of a reply of several lines that goes on.
    open: Option<String>,
}

/// Plays a world to its end.
///
/// # Panics
/// If something does not hold.
pub(crate) fn play(program: &[u8]) {
    let (&mode, program) = program.split_first().unwrap_or((&0, &[]));
    let settings = Settings {
        greeting: "Ready.".into(),
        client: [10, 0, 0, 9].into(),
        local: [10, 0, 0, 1].into(),
        passive_host: None,
        active: true,
        ascii: mode & 2 != 0,
        tls: (mode & 4 == 0).then_some(TlsPolicy {
            control_required: mode & 8 != 0,
            data_required: mode & 16 != 0,
        }),
        implicit_tls: mode & 4 == 0 && mode & 64 != 0,
        times: Times {
            log_in: Duration::from_mins(1),
            idle: Duration::from_mins(5),
            data_connection: Duration::from_secs(20),
            handshake: Duration::from_secs(15),
            stall: Duration::from_secs(100),
            engine: Duration::from_secs(5),
        },
        log_in_attempts: 3,
    };
    let now = Instant::now();
    let mut world = World {
        gate: Gate::new(settings, now),
        now,
        program,
        chaos: mode & 1 != 0,
        pending: VecDeque::new(),
        engine_owes: false,
        log_in: false,
        handshake: false,
        transfer: false,
        closed: false,
        // The greeting answers the connection.
        lines: 1,
        replies: 0,
        open: None,
    };
    world.run();
    if mode & 128 == 0 {
        // Most of the dialect lies behind the log-in.
        world.line("USER alice");
        world.run();
        world.line("PASS secret");
        world.run();
        world.answer_log_in(0);
        world.settle();
    }
    while !world.program.is_empty() && !world.closed {
        world.step();
    }
    world.settle();
}

impl World<'_> {
    fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.program.split_first().unwrap_or((&0, &[]));
        self.program = rest;
        byte
    }

    fn step(&mut self) {
        match self.byte() % 16 {
            0..6 => {
                let index = usize::from(self.byte()) % LINES.len();
                self.line(LINES[index]);
            }
            6 if self.chaos => {
                let length = usize::from(self.byte());
                let length = length.min(self.program.len());
                let (bytes, rest) = self.program.split_at(length);
                self.program = rest;
                let ends = bytes.split(|byte| *byte == b'\n').count() - 1;
                // A line that is too long is answered before it ends.
                self.lines += ends + 2;
                if self.gate.wants_input() {
                    self.gate.from_client(bytes, self.now);
                }
            }
            7 if self.chaos => {
                let event = match self.byte() % 8 {
                    0 => Event::Engine("226 x\r\n"),
                    1 => Event::Engine("150 x\r\n"),
                    2 => Event::Engine("nonsense\r\n"),
                    3 => Event::Storage(StorageEvent::Began),
                    4 => Event::Storage(StorageEvent::Ended(Ok(3))),
                    5 => Event::Storage(StorageEvent::Performed(Ok(Outcome::Done))),
                    6 => Event::Storage(StorageEvent::Performed(Err(Failure::Locked))),
                    _ => {
                        self.gate.engine_closed(self.now);
                        return self.run();
                    }
                };
                self.deliver(event);
            }
            6..9 => self.deliver_next(),
            9 => {
                let bytes = u64::from(self.byte());
                self.deliver(Event::Storage(StorageEvent::Moved(bytes)));
            }
            10 => {
                let steps = u32::from(self.byte());
                self.now += Duration::from_millis(40) * steps;
                self.gate.timeout(self.now);
            }
            11 => self.pass_to_deadline(),
            12 => self.shake_hands(),
            13 => {
                let kind = self.byte();
                self.answer_log_in(kind);
            }
            14 => match self.byte() {
                0..4 => self.gate.client_closed(self.now),
                4..8 => self.gate.stop(Duration::from_secs(10), self.now),
                8..12 => self.gate.kill(self.now),
                _ => {}
            },
            _ => {
                // A driver that is slow to do what it should.
                if let Some(action) = self.gate.poll() {
                    self.act(action);
                }
                return;
            }
        }
        self.run();
    }

    fn line(&mut self, line: &str) {
        if self.gate.wants_input() {
            self.lines += 1;
            self.gate
                .from_client(format!("{line}\r\n").as_bytes(), self.now);
        }
    }

    fn run(&mut self) {
        while let Some(action) = self.gate.poll() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        assert!(!self.closed, "after the end: {action:?}");
        match action {
            Action::ToClient(bytes) => self.client_gets(&bytes),
            Action::ToEngine(line) => self.engine_hears(&line),
            Action::Perform(operation) => {
                check(&operation);
                self.perform(&operation);
            }
            Action::LogIn { .. } => self.log_in = true,
            Action::LogOut => self.log_in = false,
            Action::StartEngine => {
                assert!(!self.engine_owes, "the old engine still owes a reply");
                self.engine_owes = true;
                self.pending.push_back(Event::Engine("220 x\r\n"));
            }
            Action::EndEngine => {
                self.pending.clear();
                self.engine_owes = false;
                self.transfer = false;
            }
            Action::Cancel => self.cancel(),
            Action::StartTls => {
                self.handshake = true;
                self.lines = self.replies;
            }
            Action::Close => self.closed = true,
            _ => {}
        }
    }

    fn client_gets(&mut self, bytes: &[u8]) {
        assert!(bytes.len() < 16 * 1024);
        if bytes.first() == Some(&255) {
            return;
        }
        let text = std::str::from_utf8(bytes).expect("replies are UTF-8");
        assert!(text.ends_with("\r\n"));
        for line in text.split_terminator("\r\n") {
            assert!(!line.contains(['\r', '\n', '\0']));
            let (code, rest) = line.split_at_checked(3).unwrap_or(("", line));
            match &self.open {
                Some(open) if open == code && rest.starts_with(' ') => {
                    self.open = None;
                    self.replies += 1;
                }
                Some(_) => assert!(code.parse::<u16>().is_err(), "{line:?}"),
                None if rest.starts_with('-') => self.open = Some(code.to_owned()),
                None => {
                    assert!(rest.starts_with(' '), "{line:?}");
                    let code: u16 = code.parse().expect("a code");
                    self.replies += usize::from(code >= 200);
                    // It may come unasked, and then it is the last.
                    self.lines += usize::from(code == 421 && self.replies > self.lines);
                }
            }
        }
        assert!(
            self.replies <= self.lines,
            "a reply without a command: {text:?}"
        );
    }

    /// The storage does one thing at a time, and tells nothing of what it has given up.
    fn perform(&mut self, operation: &Operation) {
        let performed = |event: &Event| matches!(event, Event::Storage(StorageEvent::Performed(_)));
        self.pending.retain(|event| !performed(event));
        let outcome = if self.byte().is_multiple_of(4) {
            Err(Failure::NotFound)
        } else {
            Ok(answers::fitting(operation))
        };
        self.pending
            .push_back(Event::Storage(StorageEvent::Performed(outcome)));
    }

    fn engine_hears(&mut self, line: &str) {
        assert!(
            self.chaos || !self.engine_owes,
            "{line}: one line at a time"
        );
        self.engine_owes = true;
        let ends_well = !self.byte().is_multiple_of(4);
        let storage = |event| Event::Storage(event);
        match line {
            "USER u" => self.pending.push_back(Event::Engine("331 x\r\n")),
            "PASS x" => self.pending.push_back(Event::Engine("230 x\r\n")),
            "EPSV" if ends_well => {
                let reply = Event::Engine("229 x (|||50000|)\r\n");
                self.pending.push_back(reply);
            }
            "RETR /t" | "STOR /t" => {
                self.transfer = true;
                self.pending.push_back(Event::Engine("150 x\r\n"));
                if ends_well {
                    self.pending.extend([
                        storage(StorageEvent::Began),
                        storage(StorageEvent::Moved(5)),
                        storage(StorageEvent::Ended(Ok(5))),
                        Event::Engine("226 x\r\n"),
                    ]);
                }
            }
            "PORT 10,0,0,9,4,1" if ends_well => self.pending.push_back(Event::Engine("200 x\r\n")),
            "EPSV" | "PORT 10,0,0,9,4,1" => self.pending.push_back(Event::Engine("425 x\r\n")),
            other => panic!("the engine must not hear {other:?}"),
        }
    }

    /// What is under way ends as cancelled.
    fn cancel(&mut self) {
        for event in &mut self.pending {
            if let Event::Storage(StorageEvent::Performed(Ok(_)) | StorageEvent::Ended(Ok(_))) =
                event
            {
                *event = Event::Storage(match event {
                    Event::Storage(StorageEvent::Ended(_)) => {
                        StorageEvent::Ended(Err(Failure::Cancelled))
                    }
                    _ => StorageEvent::Performed(Err(Failure::Cancelled)),
                });
            }
        }
    }

    fn deliver_next(&mut self) {
        if let Some(event) = self.pending.pop_front() {
            self.deliver(event);
        }
    }

    fn deliver(&mut self, event: Event) {
        match event {
            Event::Engine(line) => {
                if !line.starts_with("150") {
                    self.engine_owes = false;
                    self.transfer = false;
                }
                self.gate.from_engine(line.as_bytes(), self.now);
            }
            Event::Storage(event) => self.gate.storage(event, self.now),
        }
    }

    fn pass_to_deadline(&mut self) {
        if let Some(at) = self.gate.next_deadline() {
            self.now = self.now.max(at);
            self.gate.timeout(self.now);
        }
    }

    fn shake_hands(&mut self) {
        if std::mem::take(&mut self.handshake) {
            self.gate.tls(TlsEvent::Established, self.now);
        }
    }

    fn answer_log_in(&mut self, kind: u8) {
        if std::mem::take(&mut self.log_in) {
            let result = match kind % 8 {
                6 => Err(Denied::Refused),
                7 => Err(Denied::TlsRequired),
                5 => Ok(Access {
                    data_tls_required: true,
                }),
                _ => Ok(Access::default()),
            };
            self.gate.logged_in(result, self.now);
        }
    }

    /// Everybody does what is still to be done: then every command has its reply, and if nothing
    /// else happens, the session ends in time.
    fn settle(&mut self) {
        for _ in 0..20_000 {
            self.run();
            if !self.pending.is_empty() {
                self.deliver_next();
            } else if self.log_in {
                self.answer_log_in(0);
            } else if self.handshake {
                self.shake_hands();
            } else if self.closed {
                assert!(self.gate.next_deadline().is_none());
                return;
            } else if self.lines == self.replies {
                assert!(self.gate.next_deadline().is_some());
                return;
            } else if self.chaos && !self.transfer && self.gate.wants_input() {
                // Lines were counted that were none.
                return;
            } else {
                // Only a data connection that does not come is worth waiting for.
                let Self { lines, replies, .. } = self;
                assert!(
                    self.chaos || self.transfer,
                    "{lines} lines, {replies} replies"
                );
                self.pass_to_deadline();
            }
        }
        panic!("{} lines, {} replies", self.lines, self.replies);
    }
}

/// What the storage gets is a path in normal form.
fn check(operation: &Operation) {
    for path in answers::paths(operation) {
        assert!(path.as_bytes().starts_with(b"/"), "{path:?}");
        for name in path.names() {
            assert!(!matches!(name, b"." | b".."), "{path:?}");
        }
        // Taken once more, it does not change.
        let again = VirtualPath::root().join(path.as_bytes());
        assert_eq!(again.as_ref(), Ok(path));
    }
}
