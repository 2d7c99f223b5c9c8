//! Bans of addresses whose logins are refused again and again. Accounts are never locked: anybody
//! could then keep their users out.

mod table;

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::Serialize;
use tracing::{info, warn};

pub(crate) use self::table::Limit;
use self::table::{Ban, Table, UNKNOWN_NAME};
use crate::{
    config::{self, Config},
    origin::Origin,
};

/// The bans of this process. Clones share them; a reload of the configuration keeps them.
#[derive(Debug, Clone)]
pub(crate) struct Guard(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    /// Hashes names.
    names: RandomState,
}

/// A ban, as administrators see it.
#[derive(Debug, Serialize)]
pub(crate) struct BanRow {
    /// An IPv4 address or an IPv6 network.
    pub(crate) address: String,
    /// Refused logins that led to it.
    pub(crate) failures: u8,
    /// Connections that were refused since.
    pub(crate) refused: u32,
    /// Seconds that are left.
    pub(crate) seconds: u64,
    /// When it ends, in UTC.
    pub(crate) until: String,
}

impl Default for Guard {
    fn default() -> Self {
        Self(Arc::new(Shared {
            table: Mutex::new(Table::new(Instant::now())),
            names: RandomState::new(),
        }))
    }
}

impl Guard {
    /// The limit that holds for a client, if one does.
    pub(super) fn limit(client: IpAddr, guard: &config::Guard) -> Option<Limit> {
        guard.watches(client).then(|| Limit {
            failures: guard.failures,
            window: guard.window(),
            ban: guard.ban(),
        })
    }

    /// Whether a client gets no session; the connection is counted then.
    pub(crate) fn refuses(&self, client: IpAddr, guard: &config::Guard) -> bool {
        guard.watches(client)
            && self
                .0
                .table
                .lock()
                .refuses(Origin::of(client), Instant::now())
    }

    /// How many more logins of this origin may be refused before a ban; 0 during one.
    pub(super) fn left(&self, origin: Origin, limit: Limit) -> usize {
        self.0
            .table
            .lock()
            .left(origin, limit, Instant::now())
            .into()
    }

    /// Counts a refused login with a name that `known` tells whether an account has.
    pub(super) fn fail(&self, client: IpAddr, name: &str, known: bool, config: &Config) {
        let Some(limit) = Self::limit(client, &config.guard) else {
            return;
        };
        let name = if known { self.code(name) } else { UNKNOWN_NAME };
        let now = Instant::now();
        let consequence = (self.0.table.lock()).fail(Origin::of(client), name, limit, now);
        if let Some(ban) = consequence.displaced {
            log_end(&ban, "too many addresses are banned");
        }
        let Some((ban, codes)) = consequence.ban else {
            return;
        };
        // Names that no account has are not logged: people type passwords at the wrong prompt.
        let names = config.users.iter().map(|user| user.login.name.as_str());
        let used = names.filter(|name| codes.contains(&self.code(name)));
        warn!(
            address = %ban.origin,
            failures = ban.failures,
            users = used.collect::<Vec<_>>().join(" "),
            until = utc_in(ban.left),
            "banned: its logins were refused again and again"
        );
    }

    /// A right login: failures of this name from this address no longer count.
    pub(super) fn succeed(&self, client: IpAddr, name: &str) {
        self.0
            .table
            .lock()
            .succeed(Origin::of(client), self.code(name));
    }

    /// Ends the bans whose time is over, and logs that.
    pub(crate) fn end_bans(&self) {
        let over = self.0.table.lock().take_over(Instant::now());
        for ban in over {
            log_end(&ban, "time over");
        }
    }

    /// Ends the ban of one address, or all, and returns how many there were.
    pub(crate) fn unban(&self, origin: Option<Origin>) -> usize {
        let removed = self.0.table.lock().remove(origin, Instant::now());
        for ban in &removed {
            log_end(ban, "administrator");
        }
        removed.len()
    }

    /// All bans.
    pub(crate) fn rows(&self) -> Vec<BanRow> {
        let bans = self.0.table.lock().bans(Instant::now());
        let row = |ban: Ban| BanRow {
            address: ban.origin.to_string(),
            failures: ban.failures,
            refused: ban.refused,
            seconds: ban.left.as_secs(),
            until: utc_in(ban.left),
        };
        bans.into_iter().map(row).collect()
    }

    /// What is kept of a name that an account has.
    fn code(&self, name: &str) -> u16 {
        let hash = self.0.names.hash_one(name).to_le_bytes();
        let [low, high, ..] = hash;
        u16::from_le_bytes([low, high]).max(UNKNOWN_NAME + 1)
    }
}

fn log_end(ban: &Ban, cause: &str) {
    info!(address = %ban.origin, refused = ban.refused, cause, "ban-ended");
}

/// The time in so long, as logs write it.
#[expect(
    clippy::disallowed_methods,
    reason = "administrators read when a ban ends by the host's clock"
)]
fn utc_in(left: Duration) -> String {
    let end = SystemTime::now().checked_add(left);
    let end = DateTime::<Utc>::from(end.unwrap_or(SystemTime::UNIX_EPOCH));
    end.to_rfc3339_opts(SecondsFormat::Secs, true)
}
