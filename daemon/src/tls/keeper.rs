//! The pair in use, and when to look at its files again.
//!
//! The host writes its certificate during the first boot, and tools replace it later, file by file.
//! A pair that cannot be used is a line of the log and nothing more: the last good one stays.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tracing::{error, info, warn};

use super::{
    clock,
    pair::{self, Pair, Problem},
};
use crate::config::{Stamp, Tls};

/// How often files are looked at while clients come, or while the pair cannot be used.
const LOOK: Duration = Duration::from_secs(10);

/// How often a pair that cannot be used is tried again, whatever its files look like.
const RETRY: Duration = Duration::from_secs(30);

/// The pair in use.
#[derive(Debug, Default)]
pub(crate) struct Keeper(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The files; none without TLS.
    tls: Option<Tls>,
    /// Counts the configurations, so that what was read for one is not taken for the next.
    round: u64,
    /// The last good pair.
    good: Option<Arc<ServerConfig>>,
    /// How the files looked when they were read last.
    stamps: Stamps,
    /// Why they could not be used then.
    problem: Option<Problem>,
    read: Option<Instant>,
    looked: Option<Instant>,
    /// Whether somebody looks at them now.
    busy: bool,
}

/// Certificate and key.
type Stamps = [Option<Stamp>; 2];

/// A look at the files that is due. It may take long where their storage hangs.
#[derive(Debug)]
pub(crate) struct Look {
    tls: Tls,
    round: u64,
    before: Stamps,
    /// Whether the files are read although they look as before.
    anyhow: bool,
}

/// What a look has found.
#[derive(Debug)]
struct Found {
    stamps: Stamps,
    /// Nothing if the files look as before.
    pair: Option<Result<Pair, Problem>>,
}

impl Keeper {
    /// Reads the files of a configuration, now, and gives the pair to use.
    pub(crate) fn configure(&self, tls: Option<&Tls>) -> Option<Arc<ServerConfig>> {
        let found = tls.map(|tls| (tls.clone(), Found::read(tls)));
        let mut state = self.state();
        state.round += 1;
        state.busy = false;
        let Some((tls, found)) = found else {
            *state = State {
                round: state.round,
                ..State::default()
            };
            return None;
        };
        // Somebody wants to know.
        state.problem = None;
        state.stamps = [None, None];
        state.tls = Some(tls);
        state.take(found);
        state.good.clone()
    }

    /// Whether the files are to be looked at: now and then when a client comes, and while the pair
    /// cannot be used. Whoever gets a look has to hand it to [`Keeper::finish`].
    pub(crate) fn due(&self, client: bool, now: Instant) -> Option<Look> {
        let mut state = self.state();
        let since = |then: Option<Instant>| then.map(|then| now.saturating_duration_since(then));
        let over = |then, limit| since(then).is_none_or(|since| since >= limit);
        let broken = state.problem.is_some();
        if state.busy || !(client || broken) || !over(state.looked, LOOK) {
            return None;
        }
        let look = Look {
            tls: state.tls.clone()?,
            round: state.round,
            before: state.stamps.clone(),
            anyhow: broken && over(state.read, RETRY),
        };
        state.busy = true;
        state.looked = Some(now);
        Some(look)
    }

    /// Looks at the files, and gives the pair to use if that is another one now. It blocks.
    pub(crate) fn finish(&self, look: &Look) -> Option<Arc<ServerConfig>> {
        let found = look.found();
        let mut state = self.state();
        if state.round != look.round {
            return None;
        }
        state.busy = false;
        state.take(found).then(|| state.good.clone())?
    }

    /// A look could not be begun.
    pub(crate) fn give_up(&self) {
        self.state().busy = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look {
    fn found(&self) -> Found {
        let stamps = stamps(&self.tls);
        if stamps == self.before && !self.anyhow {
            let pair = None;
            return Found { stamps, pair };
        }
        Found::read(&self.tls)
    }
}

impl Found {
    fn read(tls: &Tls) -> Self {
        // Before: what changes meanwhile is seen at the next look.
        let stamps = stamps(tls);
        let pair = Some(pair::load(tls, clock()));
        Self { stamps, pair }
    }
}

fn stamps(tls: &Tls) -> Stamps {
    [&tls.certificate, &tls.key].map(|path| Stamp::of_file(path))
}

impl State {
    /// Takes what was found, and says whether there is another pair to use. Each change is told
    /// once.
    fn take(&mut self, found: Found) -> bool {
        let Some(pair) = found.pair else {
            return false;
        };
        let now = Instant::now();
        self.read = Some(now);
        self.looked = Some(now);
        let changed = std::mem::replace(&mut self.stamps, found.stamps) != self.stamps;
        match pair {
            Ok(Pair {
                config,
                until,
                doubts,
            }) => {
                for Problem { key, text, remedy } in doubts {
                    warn!("{key}: {text}; {remedy}");
                }
                info!(until, "certificate-loaded");
                self.problem = None;
                self.good = Some(config);
                true
            }
            Err(found) => {
                if changed || self.problem.as_ref() != Some(&found) {
                    let Problem { key, text, remedy } = &found;
                    if self.good.is_some() {
                        error!("{key}: {text}; {remedy}; the certificate before stays in use");
                    } else {
                        error!("{key}: {text}; {remedy}; until then there is no TLS");
                    }
                }
                self.problem = Some(found);
                false
            }
        }
    }
}
