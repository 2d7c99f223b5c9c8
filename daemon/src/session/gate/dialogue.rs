//! The conversation with the engine: fixed words, one line at a time, codes back.

use std::time::Instant;

use super::{
    Gate, host_port,
    interface::Action,
    state::{Engine, Startup, State, Then},
};

/// The most bytes of a reply of the engine.
const REPLY_BYTES: usize = 4096;

/// A reply of the engine: its code and its last line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EngineReply {
    pub(super) code: u16,
    pub(super) text: String,
}

/// The engine does not speak FTP.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoReply;

/// Takes bytes of the engine and gives replies.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    unread: Vec<u8>,
    /// The code of a reply of several lines that has begun.
    open: Option<[u8; 3]>,
}

impl ReplyReader {
    fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    pub(super) fn next(&mut self) -> Result<Option<EngineReply>, NoReply> {
        loop {
            let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') else {
                if self.unread.is_empty() {
                    self.unread = Vec::new();
                }
                return if self.unread.len() < REPLY_BYTES {
                    Ok(None)
                } else {
                    Err(NoReply)
                };
            };
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            let line = line.trim_ascii_end();
            let digits = match line {
                [a, b, c, ..] if line.iter().take(3).all(u8::is_ascii_digit) => Some([*a, *b, *c]),
                _ => None,
            };
            let goes_on = line.get(3) == Some(&b'-');
            match (self.open, digits) {
                (None, None) => return Err(NoReply),
                (None, Some(code)) if goes_on => self.open = Some(code),
                (Some(open), Some(code)) if open != code || goes_on => {}
                (Some(_), None) => {}
                (_, Some(code)) => {
                    self.open = None;
                    let code = code
                        .iter()
                        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
                    let text = String::from_utf8_lossy(line).into_owned();
                    return Ok(Some(EngineReply { code, text }));
                }
            }
        }
    }
}

impl Gate {
    /// Bytes from the engine.
    pub fn from_engine(&mut self, bytes: &[u8], now: Instant) {
        self.now = now;
        self.replies.push(bytes);
        loop {
            match self.replies.next() {
                Ok(None) => return,
                Ok(Some(reply)) => self.engine_replied(&reply),
                Err(NoReply) => self.engine_failed(),
            }
            if matches!(self.state, State::Closed) {
                self.replies = ReplyReader::default();
            }
        }
    }

    /// The engine has closed its end.
    pub fn engine_closed(&mut self, now: Instant) {
        self.now = now;
        match self.take_state() {
            // What the engine does when it cannot listen or connect.
            State::Listening(_) => {
                self.no_data_connection("The server has no free port, try again later.");
            }
            State::Starting(..) => {
                self.no_data_connection("The server is out of resources, try again later.");
            }
            State::Transferring(transfer) if transfer.is_connecting() => {
                self.no_data_connection("Your address and port cannot be reached.");
            }
            state => {
                self.state = state;
                self.engine_failed();
            }
        }
    }

    /// The engine cannot be used any more.
    pub(super) fn engine_failed(&mut self) {
        self.end("Internal error, please connect again.");
    }

    /// Sends the engine a line. Its answer is due in time.
    pub(super) fn tell_engine(&mut self, line: impl Into<String>) {
        self.act(Action::ToEngine(line.into()));
    }

    /// Gives up the engine, with the data connection that it may have set up. The client does not
    /// notice: the next one starts when it is needed.
    pub(super) fn end_engine(&mut self) {
        self.engine = Engine::Absent;
        self.parameters.setup = None;
        self.replies = ReplyReader::default();
        self.act(Action::EndEngine);
    }

    /// Goes on with an engine, which is started if there is none. Sessions without a transfer have
    /// none.
    pub(super) fn with_engine(&mut self, then: Then) {
        if self.engine == Engine::Absent {
            self.act(Action::StartEngine);
            self.enter(State::Starting(Startup::Greeting, then));
        } else {
            self.go_on(then);
        }
    }

    fn go_on(&mut self, then: Then) {
        match then {
            Then::Listen(passive) => self.listen(passive),
            Then::Connect(transfer, target) => self.connect(transfer, target),
        }
    }

    fn engine_replied(&mut self, reply: &EngineReply) {
        match self.take_state() {
            State::Starting(startup, then) => self.engine_starts(startup, then, reply.code),
            State::Listening(passive) => {
                let port = host_port::parse_passive_reply(&reply.text);
                match port.filter(|_| reply.code == 229) {
                    Some(port) => self.listening(passive, port),
                    None => {
                        self.no_data_connection("The server has no free port, try again later.");
                    }
                }
            }
            State::Transferring(transfer) => self.transfer_replied(transfer, reply.code),
            state => {
                self.state = state;
                self.engine_failed();
            }
        }
    }

    fn engine_starts(&mut self, startup: Startup, then: Then, code: u16) {
        match (startup, code) {
            // The engine's call-backs look into the session's context for who logs in.
            (Startup::Greeting, 220) => {
                self.tell_engine("USER u");
                self.enter(State::Starting(Startup::User, then));
            }
            (Startup::User, 331) => {
                self.tell_engine("PASS x");
                self.enter(State::Starting(Startup::Password, then));
            }
            (Startup::Password, 230) => {
                self.engine = Engine::Free;
                self.go_on(then);
            }
            _ => self.engine_failed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(bytes: &[u8]) -> Result<Vec<u16>, NoReply> {
        let mut reader = ReplyReader::default();
        reader.push(bytes);
        let mut codes = Vec::new();
        while let Some(reply) = reader.next()? {
            codes.push(reply.code);
        }
        Ok(codes)
    }

    #[test]
    fn the_last_line_of_a_reply_tells_its_end() {
        let replies = b"220 a\r\n211-b\r\n211 c\r\n211-d\r\n 211 e\r\n230 f\r\n211 g\r\n";
        assert_eq!(codes(replies), Ok(vec![220, 211, 211]));
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        assert_eq!(codes(b"hello\r\n"), Err(NoReply));
        assert_eq!(codes(&[b'2'; REPLY_BYTES]), Err(NoReply));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _codes = codes(&bytes);
        }
    }
}
