//! Plays one case.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use regex::bytes::Regex;

use super::case::{Case, Ending};
use super::data::Then;
use super::disk::{Owner, Stage, same};
use super::literal::{Variables, show};
use super::script::{Codes, DataCheck, End, Expectation, Pattern, State, Step};
use super::session::{Server, Session, Unexpected, comma};
use super::wire::{Control, Reply};

/// How long a connection to this machine may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Bytes of data that a message quotes.
const QUOTED: usize = 600;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// What was expected, what came, and the dialogue.
    Failed(String),
    /// The server says that it lacks an optional command.
    NotOffered(String),
    /// The case is over IPv6, and there is none.
    NoIpv6(Without),
}

/// Who has no IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    /// This machine, at its loopback interface.
    Machine,
    /// The server: it does not listen at the loopback address.
    Server,
}

/// Where a case takes place.
pub(crate) struct Place<'a> {
    /// The directory of the suite on disk.
    pub(crate) root: &'a Path,
    /// The same as the server names it: absolute, no slash at the end unless it is the root.
    pub(crate) base: &'a str,
    /// Of the directory of the case, made for it.
    pub(crate) name: String,
}

/// Plays a case from its set-up to the last check.
pub(crate) fn play(server: &Server, case: &Case, place: &Place<'_>) -> Outcome {
    let over_ipv6;
    let server = if case.ipv6 {
        let address = match ipv6_address(server.address) {
            Ok(address) => address,
            Err(without) => return Outcome::NoIpv6(without),
        };
        over_ipv6 = Server {
            address,
            ..server.clone()
        };
        &over_ipv6
    } else {
        server
    };
    let mut play = match Play::prepare(server, case, place) {
        Ok(play) => play,
        Err(error) => return Outcome::Failed(format!("set-up: {error:#}")),
    };
    let Err(error) = play.run() else {
        return Outcome::Passed;
    };
    let secret = format!("PASS {}", server.password);
    let message = format!("{error:#}{}", play.dialogues()).replace(&secret, "PASS ********");
    match error.downcast_ref::<Unexpected>() {
        Some(unexpected) if lacks(case, unexpected) => Outcome::NotOffered(message),
        _ => Outcome::Failed(message),
    }
}

/// Where the server listens over IPv6.
fn ipv6_address(address: SocketAddr) -> Result<SocketAddr, Without> {
    if address.is_ipv6() {
        return Ok(address);
    }
    let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return Err(Without::Machine);
    }
    // What listens there on this machine has nothing to do with a server elsewhere.
    if !address.ip().is_loopback() || TcpStream::connect_timeout(&loopback, CONNECT).is_err() {
        return Err(Without::Server);
    }
    Ok(loopback)
}

/// Whether the reply says that an optional command or feature is not there.
fn lacks(case: &Case, unexpected: &Unexpected) -> bool {
    let command = unexpected.command.to_ascii_uppercase();
    let begins = |verb: &String| {
        let rest = command.strip_prefix(verb.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\\']))
    };
    // RFC 2389, section 4: 501 for an option of OPTS that is not known.
    let unknown = match unexpected.code {
        500 | 502 | 504 => true,
        501 => command.starts_with("OPTS "),
        // Before the log-in, some servers tell nothing about commands at all.
        530 => matches!(case.state, State::New | State::Auth),
        211 => return command == "FEAT" && case.feature.is_some(),
        _ => false,
    };
    unknown && case.optional.iter().any(begins)
}

struct Play<'a> {
    server: &'a Server,
    case: &'a Case,
    stage: Stage,
    from: Option<IpAddr>,
    variables: Variables,
    sessions: BTreeMap<String, Session>,
    current: String,
    data: Vec<u8>,
    /// Connections that only have to stay open.
    held: Vec<Control>,
    strangers: Vec<TcpStream>,
}

impl<'a> Play<'a> {
    fn prepare(server: &'a Server, case: &'a Case, place: &Place<'_>) -> Result<Self> {
        let owner = Owner::of(place.root)?;
        let stage = Stage::build(place.root.join(&place.name), owner, &case.setup)?;
        let base = place.base.trim_end_matches('/');
        let dir = format!("{base}/{}", place.name);
        let from = case.from.filter(|_| server.address.ip().is_loopback());
        let mut variables = Variables::new();
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.into());
        set("base", place.base);
        set("dir", &dir);
        set("name", &place.name);
        set("user", &server.user);
        set("password", &server.password);
        Ok(Self {
            server,
            case,
            stage,
            from: from.filter(|_| server.address.is_ipv4()).map(IpAddr::V4),
            variables,
            sessions: BTreeMap::new(),
            current: "A".to_owned(),
            data: Vec::new(),
            held: Vec::new(),
            strangers: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<()> {
        self.start(self.case.state)?;
        if let Some(feature) = &self.case.feature {
            let reply = self.session()?.command(b"FEAT", "211")?;
            let named = Regex::new(&format!(r"(?mi)^ {}(?:[ *]|$)", regex::escape(feature)))?;
            if !named.is_match(&reply.text) {
                let wanted = format!("expected {feature} in it");
                return Err(self.session()?.unexpected(&wanted, &reply));
            }
        }
        for (line, step) in &self.case.steps {
            self.step(step)
                .with_context(|| format!("script line {line}"))?;
        }
        if self.case.end == Ending::Alive {
            for session in self.sessions.values_mut() {
                session.check_alive()?;
            }
        }
        Ok(())
    }

    fn start(&mut self, state: State) -> Result<()> {
        let dir = self.variables["dir"].clone();
        let session = Session::start(self.server, state, self.from, &dir, self.case.patience)?;
        let ip = session.control.socket()?.local_addr()?.ip();
        self.variables
            .insert("local".to_owned(), ip.to_string().into());
        if let IpAddr::V4(ip) = ip {
            self.variables.insert("comma".to_owned(), comma(ip).into());
        }
        self.sessions.insert(self.current.clone(), session);
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Session> {
        let current = &self.current;
        let session = self.sessions.get_mut(current);
        session.with_context(|| format!("the session {current} was not started"))
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Send { text, end } => {
                let bytes = text.bytes(&self.variables)?;
                match end {
                    End::Line => self.session()?.send_line(&bytes),
                    End::Nothing => self.session()?.send_raw(&bytes, false),
                    End::Urgent => self.session()?.send_raw(&bytes, true),
                }
            }
            Step::Long(len) => {
                let name = vec![b'a'; len.saturating_sub(b"CWD ".len())];
                self.session()?.send_line(&[b"CWD ", &name[..]].concat())
            }
            Step::Expect(expectation) => self.expect(expectation),
            Step::Perhaps(codes) => {
                let reply = self.session()?.control.reply()?;
                if !codes.contain(reply.code) {
                    self.session()?.control.put_back(reply);
                }
                Ok(())
            }
            Step::Quiet(time) => {
                let quiet = self.session()?.control.is_quiet(*time)?;
                ensure!(quiet, "a reply, or the end, within {time:?}");
                Ok(())
            }
            Step::Eof => {
                let closed = self.session()?.control.is_closed()?;
                ensure!(closed, "the server does not close the connection");
                // There is no session any more that could be alive.
                let current = self.current.clone();
                self.held.extend(
                    self.sessions
                        .remove(&current)
                        .map(|session| session.control),
                );
                Ok(())
            }
            Step::Tls => self.session()?.start_tls(),
            Step::Session { name, state } => {
                self.current.clone_from(name);
                match state {
                    Some(state) => self.start(*state),
                    None => self.session().map(drop),
                }
            }
            Step::Flood { from, most } => self.flood(*from, *most),
            Step::Disk { name, check } => {
                let name = name.bytes(&self.variables)?;
                let checked = check.check(&self.stage.path, &name, &self.variables);
                checked.with_context(|| format!("on disk, {}", show(&name, 200)))
            }
            other => self.data_step(other),
        }
    }

    fn data_step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Open(open) => self.session()?.open(open),
            Step::Stranger(from) => {
                let patience = self.case.patience;
                let stranger = self.session()?.data.stranger(*from, patience)?;
                self.strangers.push(stranger);
                Ok(())
            }
            Step::Connect => self.session()?.connect_data(),
            Step::Get(limit) => {
                self.data = self.session()?.read(*limit)?;
                Ok(())
            }
            Step::Put(content) => {
                let bytes = content.bytes(&self.variables)?;
                self.session()?.write(&bytes, Then::End)
            }
            Step::Blind(content) => {
                let bytes = content.bytes(&self.variables)?;
                self.session()?.write(&bytes, Then::EndUnread)
            }
            Step::Push(content) => {
                let bytes = content.bytes(&self.variables)?;
                self.session()?.write(&bytes, Then::GoOn)
            }
            Step::Clear(content) => {
                let bytes = content.bytes(&self.variables)?;
                let patience = self.case.patience;
                self.session()?
                    .data
                    .write(&bytes, Then::GoOn, None, patience)
            }
            Step::Close | Step::Reset => {
                let patience = self.case.patience;
                let reset = matches!(step, Step::Reset);
                self.session()?.data.close(reset, patience)
            }
            Step::Refused => {
                let patience = self.case.patience;
                let barren = self.session()?.data.is_barren(patience)?;
                ensure!(barren, "the data connection brings data");
                Ok(())
            }
            Step::Fetch(command) => {
                let line = command.bytes(&self.variables)?;
                self.begin(&line)?;
                self.data = self.session()?.read(None)?;
                self.session()?
                    .expect_codes(&Codes::parse("226|250")?)
                    .map(drop)
            }
            Step::Store { command, content } => {
                let line = command.bytes(&self.variables)?;
                let bytes = content.bytes(&self.variables)?;
                self.begin(&line)?;
                self.session()?.write(&bytes, Then::End)?;
                self.session()?
                    .expect_codes(&Codes::parse("226|250")?)
                    .map(drop)
            }
            Step::Data(check) => self.check_data(check),
            other => bail!("not a step of the data connection: {other:?}"),
        }
    }

    /// From the data connection to the preliminary reply.
    fn begin(&mut self, line: &[u8]) -> Result<()> {
        self.session()?.open_simply()?;
        self.session()?.send_line(line)?;
        self.session()?
            .expect_codes(&Codes::parse("125|150")?)
            .map(drop)
    }

    fn expect(&mut self, expectation: &Expectation) -> Result<()> {
        let reply = self.session()?.expect_codes(&expectation.codes)?;
        match &expectation.pattern {
            Some(pattern) => self.search(pattern, &reply),
            None => Ok(()),
        }
    }

    fn search(&mut self, pattern: &Pattern, reply: &Reply) -> Result<()> {
        if pattern.search(&mut self.variables, &reply.text)? {
            return Ok(());
        }
        let wanted = format!("expected {pattern}");
        Err(self.session()?.unexpected(&wanted, reply))
    }

    fn check_data(&mut self, check: &DataCheck) -> Result<()> {
        match check {
            DataCheck::Is(content) => {
                same(&content.bytes(&self.variables)?, &self.data).context("data")
            }
            DataCheck::Size(len) => {
                let found = self.data.len();
                ensure!(found == *len, "{found} bytes of data instead of {len}");
                Ok(())
            }
            DataCheck::Matches(pattern) => {
                let found = pattern.search(&mut self.variables, &self.data)?;
                let got = show(&self.data, QUOTED);
                ensure!(found, "expected {pattern} in the data: \"{got}\"");
                Ok(())
            }
        }
    }

    fn flood(&mut self, from: Ipv4Addr, most: usize) -> Result<()> {
        let loopback = self.server.address.ip().is_loopback() && self.server.address.is_ipv4();
        ensure!(
            loopback,
            "the server is not on 127.0.0.1: {from} cannot be used"
        );
        for _ in 0..most {
            let to = self.server.address;
            let mut control = Control::connect(to, Some(from.into()), self.case.patience)?;
            let greeting = control.reply()?;
            match greeting.code {
                421 => return Ok(()),
                220 => self.held.push(control),
                other => bail!("expected 220 or 421 as greeting, got {other}"),
            }
        }
        bail!("{most} connections and no 421")
    }

    fn dialogues(&self) -> String {
        let sessions = self.sessions.iter();
        let dialogue = |(name, session): (&String, &Session)| {
            let lines = session.control.record().join("\n    ");
            format!("\n  {name}:\n    {lines}")
        };
        sessions.map(dialogue).collect()
    }
}
