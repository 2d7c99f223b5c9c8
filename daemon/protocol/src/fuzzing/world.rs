//! A world around the protocol that a string of bytes decides about: who says what next, how it ends,
//! how time passes. Property tests and fuzzing share it. It checks what has to hold in every world.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use super::{answers, first_instant};
use crate::{
    protocol::{
        Protocol,
        interface::{Action, DataFailure, Event, Settings, Times, TlsPolicy},
    },
    request::{Access, Denied, Failure, Operation, Outcome, PathFailure},
    virtual_path::VirtualPath,
};

/// What a client may say, with bars between the lines.
const LINES: &str = "USER alice | PASS secret | PWD | CWD ../../etc | CDUP | TYPE A | EPSV | \
    PASV | PORT 10,0,0,9,4,1 | PORT 10,0,0,8,4,1 | EPRT |1|10.0.0.9|1025| | RETR a/../../b.txt | \
    STOR /../x.txt | APPE x | STOU | LIST -la *.txt | NLST | MLSD .. | MLST a | STAT | STAT a* | \
    NOOP | ABOR | REST 5 | RANG 1 5 | HASH a | XCRC a 1 2 | SIZE a | MDTM 19700101000000 a | \
    MFF modify=19700101000000;UNIX.mode=0600; a | RNFR a | RNTO b | SITE CPFR a | SITE CPTO b | \
    SITE CHMOD 644 a | SITE DF | FEAT | HELP | AUTH TLS | PBSZ 0 | PROT P | PROT C | CCC | REIN | \
    HOST a | OPTS MLST size; | ALLO 5 | EPSV ALL | XYZZY |  | QUIT | PORT 10,0,0,9,3,255 | \
    EPRT |2|2001:db8::9|1025| | EPRT |3|x|1025| | STOU x.txt | SITE CHMOD u+x a | CWD ~/a | HELP x";

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent parts of a world"
)]
struct World<'p> {
    protocol: Protocol,
    client: IpAddr,
    now: Instant,
    program: &'p [u8],
    /// Whether the others may say what nobody asked for, and what is late.
    chaos: bool,
    /// What the storage and the data connection will say.
    pending: VecDeque<Event>,
    /// The storage is ready for a transfer.
    ready: bool,
    /// A listener is there, or a connection to the client.
    data: bool,
    /// An answer or a data connection is waited for that never comes.
    waits: bool,
    log_in: bool,
    handshake: bool,
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
pub fn play(program: &[u8]) {
    let (&mode, program) = program.split_first().unwrap_or((&0, &[]));
    let (client, local): (IpAddr, IpAddr) = if mode & 32 == 0 {
        ([10, 0, 0, 9].into(), [10, 0, 0, 1].into())
    } else {
        let host = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        (host(9).into(), host(1).into())
    };
    let settings = Settings {
        greeting: "Ready.".into(),
        client,
        local,
        passive_host: None,
        active: true,
        ascii: mode & 2 != 0,
        tls: (mode & 4 == 0).then_some(TlsPolicy {
            control_required: mode & 8 != 0,
            data_required: mode & 16 != 0,
            no_certificate: mode & 2 != 0 && mode & 32 != 0 && mode & 64 == 0,
        }),
        implicit_tls: mode & 4 == 0 && mode & 64 != 0,
        times: Times {
            log_in: Duration::from_mins(1),
            idle: Duration::from_mins(5),
            data_connection: Duration::from_secs(20),
            handshake: Duration::from_secs(15),
            stall: Duration::from_secs(100),
            answer: Duration::from_secs(5),
        },
        log_in_attempts: 3,
        trace: mode & 16 != 0 && mode & 32 != 0,
    };
    let now = first_instant();
    let mut world = World {
        protocol: Protocol::new(settings, now),
        client,
        now,
        program,
        chaos: mode & 1 != 0,
        pending: VecDeque::new(),
        ready: false,
        data: false,
        waits: false,
        log_in: false,
        handshake: false,
        closed: false,
        // The greeting answers the connection.
        lines: 1,
        replies: 0,
        open: None,
    };
    world.run();
    if mode & 128 == 0 {
        // Most commands lie behind the log-in.
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
                let index = usize::from(self.byte());
                let mut lines = LINES.split(" | ").cycle();
                self.line(lines.nth(index).unwrap_or_default());
            }
            6 if self.chaos => {
                let length = usize::from(self.byte());
                let length = length.min(self.program.len());
                let (bytes, rest) = self.program.split_at(length);
                self.program = rest;
                let ends = bytes.split(|byte| *byte == b'\n').count() - 1;
                // A line that is too long is answered before it ends.
                self.lines += ends + 2;
                if self.protocol.wants_input() {
                    self.protocol.from_client(bytes, self.now);
                }
            }
            7 if self.chaos => {
                let event = match self.byte() % 8 {
                    0 => Event::Listening(1),
                    1 => Event::Connected,
                    2 => Event::DataUnavailable(DataFailure::Resources),
                    3 => Event::Began,
                    4 => Event::Ended(Ok(3)),
                    5 => Event::Performed(Ok(Outcome::Done)),
                    6 => Event::Performed(Err(PathFailure::source(Failure::Locked))),
                    _ => Event::TlsFailed,
                };
                self.deliver(event);
            }
            6..9 => self.deliver_next(),
            9 => {
                let bytes = u64::from(self.byte());
                if self.chaos || !self.pending.is_empty() {
                    self.deliver(Event::Moved(bytes));
                }
            }
            10 => {
                let steps = u32::from(self.byte());
                self.now += Duration::from_millis(40) * steps;
                self.protocol.timeout(self.now);
            }
            11 => self.pass_to_deadline(),
            12 => self.shake_hands(),
            13 => {
                let kind = self.byte();
                self.answer_log_in(kind);
            }
            14 => match self.byte() {
                0..4 => self.protocol.client_closed(self.now),
                4..8 => self.protocol.stop(Duration::from_secs(10), self.now),
                8..12 => self.protocol.kill(self.now),
                _ => {}
            },
            _ => {
                // A session that is slow to do what it should.
                if let Some(action) = self.protocol.poll() {
                    self.act(action);
                }
                return;
            }
        }
        self.run();
    }

    fn line(&mut self, line: &str) {
        if self.protocol.wants_input() {
            self.lines += 1;
            self.protocol
                .from_client(format!("{line}\r\n").as_bytes(), self.now);
        }
    }

    fn run(&mut self) {
        while let Some(action) = self.protocol.poll() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        assert!(!self.closed, "after the end: {action:?}");
        match action {
            Action::Send(bytes) => self.client_gets(&bytes),
            Action::Perform(operation) => {
                check(&operation);
                self.perform(&operation);
            }
            Action::Listen => self.listen(),
            Action::Connect(target) => self.connect(target),
            Action::BeginTransfer => self.begin_transfer(),
            Action::Cancel => self.cancel(),
            Action::Abandon => self.abandon(),
            Action::LogIn { .. } => self.log_in = true,
            Action::LogOut => self.log_in = false,
            Action::StartTls => {
                self.handshake = true;
                self.lines = self.replies;
            }
            Action::Protect(_) | Action::Refused { .. } | Action::Heard { .. } => {}
            Action::Close => self.closed = true,
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
        self.ready = false;
        self.pending
            .retain(|event| !matches!(event, Event::Performed(_)));
        let outcome = match self.byte() % 16 {
            0 | 4 | 8 => Err(Failure::NotFound.into()),
            12 => Err(PathFailure::source(Failure::NotFound)),
            15 => {
                self.waits = true;
                return;
            }
            _ => Ok(answers::fitting(operation)),
        };
        self.pending.push_back(Event::Performed(outcome));
    }

    /// Any listener before is closed.
    fn listen(&mut self) {
        self.data = false;
        let fails = self.byte().is_multiple_of(4);
        self.pending.push_back(if fails {
            Event::DataUnavailable(DataFailure::NoPort)
        } else {
            Event::Listening(50_000)
        });
    }

    fn connect(&mut self, target: SocketAddr) {
        assert!(self.ready, "nothing is prepared");
        assert_eq!(target.ip(), self.client, "somebody else's address");
        assert!(target.port() >= 1024, "somebody else's port");
        assert!(
            self.chaos || !self.data,
            "a data connection is there already"
        );
        match self.byte() % 4 {
            0 => {
                let failure = DataFailure::Unreachable;
                self.pending.push_back(Event::DataUnavailable(failure));
            }
            1 => self.waits = true,
            _ => self.pending.push_back(Event::Connected),
        }
    }

    fn begin_transfer(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        assert!(ready, "nothing is prepared");
        let data = std::mem::take(&mut self.data);
        assert!(data, "no data connection is set up");
        let ended = match self.byte() % 4 {
            0 => Ok(5),
            1 => Err(Failure::ConnectionLost),
            2 => {
                let failure = Err(Failure::Handshake);
                return self.pending.push_back(Event::Ended(failure));
            }
            _ => {
                self.waits = true;
                return;
            }
        };
        self.pending
            .extend([Event::Began, Event::Moved(5), Event::Ended(ended)]);
    }

    /// What is under way ends as cancelled.
    fn cancel(&mut self) {
        for event in &mut self.pending {
            match event {
                Event::Performed(outcome) => *outcome = Err(Failure::Cancelled.into()),
                Event::Ended(result) => *result = Err(Failure::Cancelled),
                _ => {}
            }
        }
    }

    /// Nothing of it is told any more.
    fn abandon(&mut self) {
        (self.ready, self.data, self.waits) = (false, false, false);
        let late = self.chaos && !self.byte().is_multiple_of(2);
        if !late {
            self.pending.clear();
        }
    }

    fn deliver_next(&mut self) {
        if let Some(event) = self.pending.pop_front() {
            self.deliver(event);
        }
    }

    fn deliver(&mut self, event: Event) {
        match event {
            Event::Performed(Ok(Outcome::Ready { .. })) => self.ready = true,
            Event::Listening(_) | Event::Connected => self.data = true,
            Event::Ended(_) => self.waits = false,
            _ => {}
        }
        self.protocol.event(event, self.now);
    }

    fn pass_to_deadline(&mut self) {
        if let Some(at) = self.protocol.next_deadline() {
            self.now = self.now.max(at);
            self.protocol.timeout(self.now);
        }
    }

    fn shake_hands(&mut self) {
        if std::mem::take(&mut self.handshake) {
            self.deliver(Event::TlsEstablished);
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
            self.deliver(Event::LoggedIn(result));
        }
    }

    /// Everybody does what is still to be done: then every command has its reply, and if nothing
    /// else happens, the session ends in time.
    fn settle(&mut self) {
        let mut turns = 0;
        loop {
            let Self { lines, replies, .. } = self;
            assert!(turns < 20_000, "{lines} lines, {replies} replies");
            turns += 1;
            self.run();
            if !self.pending.is_empty() {
                self.deliver_next();
            } else if self.log_in {
                self.answer_log_in(0);
            } else if self.handshake {
                self.shake_hands();
            } else if self.closed {
                assert!(self.protocol.next_deadline().is_none());
                return;
            } else if self.lines == self.replies {
                assert!(self.protocol.next_deadline().is_some());
                return;
            } else if self.chaos && !self.waits && self.protocol.wants_input() {
                // Lines were counted that were none.
                return;
            } else {
                // Only what never comes is worth waiting for.
                let Self { lines, replies, .. } = self;
                assert!(self.chaos || self.waits, "{lines} lines, {replies} replies");
                self.pass_to_deadline();
            }
        }
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
