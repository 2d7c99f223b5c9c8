//! The steps of a case: one line each, read before anything runs.
//!
//! ```text
//! > COMMAND              a line to the server, CRLF added
//! >> BYTES               bytes to the server as they are
//! >! BYTES               the same, the last byte as TCP urgent data
//! long LEN               a CWD line of so many bytes
//! < CODES [/PATTERN/]    the next reply; named groups of patterns become variables
//! < CODES !/PATTERN/     the next reply; the pattern must not be found
//! <? CODES               the next reply if it has one of the codes, else nothing
//! quiet MILLISECONDS     no reply comes
//! eof                    the server closes the control connection
//! tls                    the handshake on the control connection
//! session NAME [STATE]   the following steps belong to another session
//! flood ADDRESS MOST     one of at most MOST connections from ADDRESS is greeted with 421
//! open HOW [idle] [from ADDRESS]    HOW: pasv, epsv, port, eprt; idle: without connecting
//! stranger ADDRESS       somebody at ADDRESS connects to what `open .. idle` left, and stays
//! connect                connects what `open .. idle` left
//! get [LEN]              reads the data connection to its end, or LEN bytes
//! put CONTENT            writes and ends the data connection
//! blind CONTENT          the same, without reading what the server may have sent
//! push CONTENT           writes and leaves it open
//! clear CONTENT          the same without TLS, whatever was agreed
//! close, reset           ends the data connection, by FIN or by RST
//! refused                the data connection brings nothing: it is refused, or ends empty
//! fetch COMMAND          open, COMMAND, 150, get, 226
//! store COMMAND CONTENT  open, COMMAND, 150, put, 226; COMMAND in quotes
//! data == CONTENT, data ~ /PATTERN/, data !~ /PATTERN/, data size LEN    what was read
//! disk NAME CHECK        what the file system holds; the checks are those of `disk.rs`
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use regex::bytes::{Regex, RegexBuilder};

use super::disk::DiskCheck;
use super::literal::{Content, Template, Variables, split_variables, value, word};

/// One line of a script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send { text: Template, end: End },
    Long(usize),
    Expect(Expectation),
    Perhaps(Codes),
    Quiet(Duration),
    Eof,
    Tls,
    Session { name: String, state: Option<State> },
    Flood { from: Ipv4Addr, most: usize },
    Open(Open),
    Stranger(Ipv4Addr),
    Connect,
    Get(Option<usize>),
    Put(Content),
    Blind(Content),
    Push(Content),
    Clear(Content),
    Close,
    Reset,
    Refused,
    Fetch(Template),
    Store { command: Template, content: Content },
    Data(DataCheck),
    Disk { name: Template, check: DiskCheck },
}

/// What follows the text of a sent line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Line,
    Nothing,
    Urgent,
}

/// How far a session has come before its first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Connected, the greeting unread.
    Raw,
    /// Greeted.
    New,
    /// Logged in, in the directory of the case, type image.
    Ready,
    /// The handshake after AUTH TLS is done; not logged in.
    Auth,
    /// Like `Ready`, with TLS on both connections.
    Tls,
}

impl State {
    fn parse(word: &str) -> Result<Self> {
        Ok(match word {
            "raw" => Self::Raw,
            "new" => Self::New,
            "ready" => Self::Ready,
            "auth" => Self::Auth,
            "tls" => Self::Tls,
            other => bail!("unknown state {other:?}; known are raw, new, ready, auth, tls"),
        })
    }
}

/// How a data connection comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) how: How,
    pub(crate) connect: bool,
    pub(crate) from: Option<Ipv4Addr>,
}

/// The command that announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Pasv,
    Epsv,
    Port,
    Eprt,
}

/// A set of reply codes: `226`, `150|125`, `5xx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codes(Vec<String>);

impl Codes {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let codes: Vec<_> = text.split('|').map(str::to_owned).collect();
        for code in &codes {
            let bytes = code.as_bytes();
            let digit = |at: usize| bytes[at].is_ascii_digit() || bytes[at] == b'x';
            ensure!(
                bytes.len() == 3 && (b'1'..=b'6').contains(&bytes[0]) && digit(1) && digit(2),
                "{code:?} is no reply code; write 226, 150|125 or 5xx"
            );
        }
        Ok(Self(codes))
    }

    pub(crate) fn contain(&self, code: u16) -> bool {
        let code = code.to_string();
        let fits = |pattern: &String| {
            let pairs = pattern.bytes().zip(code.bytes());
            pairs
                .into_iter()
                .all(|(wanted, got)| wanted == b'x' || wanted == got)
        };
        self.0.iter().any(fits)
    }
}

impl std::fmt::Display for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("|"))
    }
}

/// What the next reply must be.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) codes: Codes,
    pub(crate) pattern: Option<Pattern>,
}

/// A regular expression over bytes, with variables. `^` and `$` are those of a line.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    /// Whether it must be found, or must not.
    pub(crate) found: bool,
}

impl Pattern {
    /// Reads `/PATTERN/` or `!/PATTERN/`.
    fn parse(text: &str, found: bool) -> Result<Self> {
        let inner = text
            .strip_prefix('/')
            .and_then(|text| text.strip_suffix('/'));
        let text = inner.with_context(|| format!("expected /PATTERN/, found {text:?}"))?;
        let pattern = Self {
            text: text.to_owned(),
            found,
        };
        build(&pattern.with(|_| Ok("x".to_owned()))?)?;
        Ok(pattern)
    }

    /// Whether `text` is as wanted; sets the variables of the named groups.
    pub(crate) fn search(&self, variables: &mut Variables, text: &[u8]) -> Result<bool> {
        let regex = build(&self.with(|name| {
            let bytes = value(variables, name)?;
            Ok(regex::escape(&String::from_utf8_lossy(bytes)))
        })?)?;
        let captures = regex.captures(text);
        if let Some(captures) = &captures {
            for name in regex.capture_names().flatten() {
                let value = captures.name(name).map(|found| found.as_bytes().to_vec());
                variables.insert(name.to_owned(), value.unwrap_or_default());
            }
        }
        Ok(captures.is_some() == self.found)
    }

    fn with(&self, value: impl Fn(&str) -> Result<String>) -> Result<String> {
        let mut text = String::new();
        for (plain, variable) in split_variables(&self.text) {
            text.push_str(plain);
            if let Some(name) = variable {
                text.push_str(&value(name)?);
            }
        }
        Ok(text)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let parts = split_variables(&self.text).into_iter();
        parts.filter_map(|(_, variable)| variable).collect()
    }

    /// The variables that it sets.
    pub(crate) fn captures(&self) -> Result<Vec<String>> {
        let regex = build(&self.with(|_| Ok("x".to_owned()))?)?;
        Ok(regex.capture_names().flatten().map(str::to_owned).collect())
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let not = if self.found { "" } else { "no " };
        write!(f, "{not}/{}/", self.text)
    }
}

fn build(text: &str) -> Result<Regex> {
    let regex = RegexBuilder::new(text)
        .multi_line(true)
        .size_limit(1 << 20)
        .build();
    regex.with_context(|| format!("/{text}/"))
}

/// What must hold of the bytes that `get` read.
#[derive(Debug, Clone)]
pub(crate) enum DataCheck {
    Is(Content),
    Size(usize),
    Matches(Pattern),
}

/// Reads a script; errors name the line.
pub(crate) fn parse(text: &str) -> Result<Vec<(usize, Step)>> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = parse_line(line).with_context(|| format!("line {}: {line}", index + 1))?;
        steps.push((index + 1, step));
    }
    ensure!(!steps.is_empty(), "there are no steps");
    Ok(steps)
}

fn parse_line(line: &str) -> Result<Step> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    // A command may end with a blank on purpose; everything else is trimmed.
    let arguments = rest.trim();
    let nothing = |step: Step| {
        ensure!(arguments.is_empty(), "nothing may follow {verb}");
        Ok(step)
    };
    let send = |end| {
        let text = Template::parse(rest)?;
        Ok(Step::Send { text, end })
    };
    match verb {
        ">" => send(End::Line),
        ">>" => send(End::Nothing),
        ">!" => send(End::Urgent),
        "long" => Ok(Step::Long(arguments.parse()?)),
        "<" => Ok(Step::Expect(expectation(arguments)?)),
        "<?" => Ok(Step::Perhaps(Codes::parse(arguments)?)),
        "quiet" => Ok(Step::Quiet(Duration::from_millis(arguments.parse()?))),
        "eof" => nothing(Step::Eof),
        "tls" => nothing(Step::Tls),
        "session" => session(arguments),
        "flood" => {
            let (from, most) = arguments.split_once(' ').context("expected ADDRESS MOST")?;
            let (from, most) = (from.parse()?, most.parse()?);
            Ok(Step::Flood { from, most })
        }
        "open" => Ok(Step::Open(open(arguments)?)),
        "stranger" => Ok(Step::Stranger(arguments.parse()?)),
        "connect" => nothing(Step::Connect),
        "get" if arguments.is_empty() => Ok(Step::Get(None)),
        "get" => Ok(Step::Get(Some(arguments.parse()?))),
        "put" => Ok(Step::Put(Content::parse(arguments)?)),
        "blind" => Ok(Step::Blind(Content::parse(arguments)?)),
        "push" => Ok(Step::Push(Content::parse(arguments)?)),
        "clear" => Ok(Step::Clear(Content::parse(arguments)?)),
        "close" => nothing(Step::Close),
        "reset" => nothing(Step::Reset),
        "refused" => nothing(Step::Refused),
        "fetch" => Ok(Step::Fetch(Template::parse(rest)?)),
        "store" => {
            let (command, rest) = word(arguments)?;
            let content = Content::parse(rest)?;
            Ok(Step::Store { command, content })
        }
        "data" => Ok(Step::Data(data(arguments)?)),
        "disk" => {
            let (name, rest) = word(arguments)?;
            let check = DiskCheck::parse(rest)?;
            Ok(Step::Disk { name, check })
        }
        other => bail!("unknown step {other:?}; the head of script.rs lists all"),
    }
}

fn expectation(text: &str) -> Result<Expectation> {
    let (codes, pattern) = text.split_once(' ').unwrap_or((text, ""));
    let pattern = match pattern.trim() {
        "" => None,
        text => Some(match text.strip_prefix('!') {
            Some(absent) => Pattern::parse(absent, false)?,
            None => Pattern::parse(text, true)?,
        }),
    };
    let codes = Codes::parse(codes)?;
    Ok(Expectation { codes, pattern })
}

fn session(text: &str) -> Result<Step> {
    let mut words = text.split_whitespace();
    let name = words.next().context("the session has no name")?.to_owned();
    let state = words.next().map(State::parse).transpose()?;
    ensure!(words.next().is_none(), "expected session NAME [STATE]");
    Ok(Step::Session { name, state })
}

fn open(text: &str) -> Result<Open> {
    let mut words = text.split_whitespace();
    let how = match words.next() {
        Some("pasv") => How::Pasv,
        Some("epsv") => How::Epsv,
        Some("port") => How::Port,
        Some("eprt") => How::Eprt,
        other => bail!("expected pasv, epsv, port or eprt, found {other:?}"),
    };
    let (mut connect, mut from) = (true, None);
    while let Some(word) = words.next() {
        match word {
            "idle" => connect = false,
            "from" => from = Some(words.next().context("no address after from")?.parse()?),
            other => bail!("unknown word {other:?} after open"),
        }
    }
    Ok(Open { how, connect, from })
}

fn data(text: &str) -> Result<DataCheck> {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim_start();
    Ok(match verb {
        "==" => DataCheck::Is(Content::parse(rest)?),
        "size" => DataCheck::Size(rest.parse()?),
        "~" => DataCheck::Matches(Pattern::parse(rest, true)?),
        "!~" => DataCheck::Matches(Pattern::parse(rest, false)?),
        other => bail!("expected ==, ~, !~ or size after data, found {other:?}"),
    })
}
