//! Runs all cases against one server, several at a time.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::case::{Case, Topic};
use super::literal::show;
use super::play::{Outcome, Place, play};
use super::script::State;
use super::session::{Server, Session};
use super::tls::Tls;
use crate::clients::Target;

/// Cases at one time. Most of them wait for a server that waits, too.
const WORKERS: usize = 12;

/// How often a case that did not pass is played again where that may help.
const REPETITIONS: usize = 5;

/// How long the client of such a repetition waits before a handshake. The handshake is lost if it
/// arrives before the server has got from its reply to its TLS library. On a busy machine a client
/// on the same machine is too early each time; one at this distance is not.
const PAUSE: Duration = Duration::from_millis(100);

/// The server and both names of the directory where the cases take place.
pub(crate) struct Arena {
    server: Server,
    root: PathBuf,
    base: String,
}

/// The results of one run, by the id of the case.
pub(crate) struct Results {
    pub(crate) outcomes: BTreeMap<String, Outcome>,
    pub(crate) took: Duration,
}

impl Arena {
    /// Logs in once and looks where the target's directory is.
    ///
    /// # Errors
    /// If the server cannot be used at all.
    pub(crate) fn enter(target: &Target, root: PathBuf, tls: Option<Tls>) -> Result<Self> {
        ensure!(
            root.is_dir(),
            "{} is no directory; --root names it",
            root.display()
        );
        let address = (target.host.as_str(), target.port)
            .to_socket_addrs()?
            .next();
        let server = Server {
            address: address.with_context(|| format!("{} has no address", target.host))?,
            host: target.host.clone(),
            user: target.user.clone(),
            password: target.password.clone(),
            tls,
        };
        let patience = Duration::from_secs(20);
        let mut session = Session::start(&server, State::New, None, b"", patience)?;
        session.log_in(&server).context("log-in")?;
        if !target.directory.is_empty() {
            session.command(format!("CWD {}", target.directory).as_bytes(), "250")?;
        }
        let reply = session.command(b"PWD", "257")?;
        let base = unquote(&reply.text).with_context(|| {
            format!(
                "no quoted directory in the reply to PWD: {}",
                show(&reply.text, 200)
            )
        })?;
        Ok(Self { server, root, base })
    }

    /// Runs the cases whose ids contain `only`.
    ///
    /// # Errors
    /// If no case does.
    pub(crate) fn run(&self, topics: &[Topic], only: Option<&str>) -> Result<Results> {
        let started = Instant::now();
        let all = topics.iter().flat_map(|topic| &topic.cases);
        let (alone, mut cases): (Vec<_>, Vec<_>) = all
            .filter(|case| only.is_none_or(|part| case.id.contains(part)))
            .filter(|case| self.server.tls.is_some() || !needs_tls(case))
            .partition(|case| case.alone);
        ensure!(
            alone.len() + cases.len() > 0,
            "no case has {only:?} in its id"
        );
        // The last are taken first: those that wait longest.
        cases.sort_by_key(|case| case.patience);
        let queue = Mutex::new(cases);
        let outcomes = Mutex::new(BTreeMap::new());
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (queue, outcomes) = (&queue, &outcomes);
                scope.spawn(move || self.work(worker, queue, outcomes));
            }
        });
        self.work(WORKERS, &Mutex::new(alone), &outcomes);
        let outcomes = outcomes.into_inner().unwrap_or_default();
        Ok(Results {
            outcomes,
            took: started.elapsed(),
        })
    }

    /// Plays again what did not pass, for servers whose outcome depends on the moment, such as those
    /// that lose a TLS handshake now and then: cases that `wanted` names, a few times each, one
    /// after the other.
    pub(crate) fn repeat(
        &self,
        topics: &[Topic],
        results: &mut Results,
        wanted: impl Fn(&Case) -> bool,
    ) {
        let mut server = self.server.clone();
        server.tls = server.tls.map(|tls| tls.with_pause(PAUSE));
        let cases = topics.iter().flat_map(|topic| &topic.cases);
        for case in cases.filter(|case| wanted(case)) {
            for number in 0..REPETITIONS {
                let outcome = results.outcomes.get_mut(&case.id);
                let Some(outcome) = outcome.filter(|outcome| **outcome != Outcome::Passed) else {
                    break;
                };
                let place = self.place(format!("{}-again-{number}", case.id));
                *outcome = play(&server, case, &place);
            }
        }
    }

    fn place(&self, name: String) -> Place<'_> {
        Place {
            root: &self.root,
            base: &self.base,
            name,
        }
    }

    fn work(
        &self,
        worker: usize,
        queue: &Mutex<Vec<&Case>>,
        outcomes: &Mutex<BTreeMap<String, Outcome>>,
    ) {
        for number in 0.. {
            let next = queue.lock().ok().and_then(|mut queue| queue.pop());
            let Some(case) = next else {
                return;
            };
            let name = format!("case-{}-{worker}-{number}", std::process::id());
            let outcome = play(&self.server, case, &self.place(name));
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes.insert(case.id.clone(), outcome);
            }
        }
    }
}

fn needs_tls(case: &Case) -> bool {
    use super::script::Step;
    let step = |step: &Step| match step {
        Step::Tls => true,
        Step::Session { state, .. } => matches!(state, Some(State::Auth | State::Tls)),
        _ => false,
    };
    matches!(case.state, State::Auth | State::Tls) || case.steps.iter().any(|(_, s)| step(s))
}

/// The directory of a 257 reply: in quotes, with quotes doubled (RFC 959, appendix II).
fn unquote(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let inner = &text[text.find('"')? + 1..];
    let mut path = String::new();
    let mut rest = inner;
    loop {
        let quote = rest.find('"')?;
        path.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        if !rest.starts_with('"') {
            return Some(path);
        }
        path.push('"');
        rest = &rest[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn quotes_of_a_directory_are_halved() {
        assert_eq!(
            unquote(b"257 \"/a \"\"b\"\"\" created").as_deref(),
            Some("/a \"b\"")
        );
        assert_eq!(unquote(b"257 /a"), None);
        assert_eq!(unquote(b"257 \"/a"), None);
    }
}
