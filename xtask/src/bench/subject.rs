//! What a measure has at hand.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::client::{Client, Route};
use super::tickets::Tickets;
use crate::conformance::Tls;
use crate::peers::Server;

pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// The connections of a session.
#[derive(Clone, Copy)]
pub(super) struct Link {
    tls: bool,
    route: Route,
}

impl Link {
    pub(super) const NEAR: Self = Self {
        tls: false,
        route: Route::Direct,
    };
    pub(super) const NEAR_TLS: Self = Self {
        tls: true,
        route: Route::Direct,
    };
    /// At 10 ms.
    pub(super) const DISTANT: Self = Self {
        tls: false,
        route: Route::Relayed,
    };
    /// At 10 ms.
    pub(super) const DISTANT_TLS: Self = Self {
        tls: true,
        route: Route::Relayed,
    };
}

/// A server under measurement and what the measures need.
pub(super) struct Subject<'a> {
    pub(super) server: &'a Server,
    pub(super) tls: &'a Tls,
    /// Those that connections with `tls` get and use.
    pub(super) tickets: &'a Tickets,
    /// For uploads: a block without runs of zeros.
    pub(super) block: &'a [u8],
}

impl Subject<'_> {
    /// A session that is ready for transfers.
    pub(super) fn client(&self, link: Link) -> Result<Client> {
        Client::ready(&self.server.target, self.tls_of(link), link.route)
    }

    /// A session that has logged in and done nothing else.
    pub(super) fn logged_in(&self, link: Link) -> Result<Client> {
        Client::log_in(&self.server.target, self.tls_of(link), link.route)
    }

    fn tls_of(&self, link: Link) -> Option<&Tls> {
        link.tls.then_some(self.tls)
    }

    /// A file in the server's root. It stays: the next server is asked for the same file, which so
    /// lies in the same memory.
    pub(super) fn file(&self, name: &str, bytes: u64) -> Result<()> {
        let path = self.server.root.join(name);
        if path.exists() {
            return Ok(());
        }
        let mut file = File::create(&path)?;
        let mut left = usize::try_from(bytes)?;
        while left > 0 {
            let part = self
                .block
                .get(..left.min(self.block.len()))
                .unwrap_or_default();
            file.write_all(part)?;
            left -= part.len();
        }
        let readable = fs::Permissions::from_mode(0o644);
        Ok(fs::set_permissions(&path, readable)?)
    }

    /// The size of a file in the server's root.
    pub(super) fn size(&self, name: &str) -> Result<u64> {
        let path = self.server.root.join(name);
        Ok(fs::metadata(path).with_context(|| name.to_owned())?.len())
    }

    pub(super) fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.server.root.join(name)).with_context(|| name.to_owned())
    }
}

/// In millions of bytes.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn megabytes_per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
