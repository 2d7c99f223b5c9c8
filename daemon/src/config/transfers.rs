//! How files are sent and stored.

use serde::Deserialize;

use super::{ByteSize, Findings};

/// How files are sent and stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default, rename_all = "kebab-case")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, and they are independent"
)]
pub struct Transfers {
    /// What is read or written with one call at the most, 64 KiB to 16 MiB; a power of two, so that
    /// blocks of files are met.
    pub block_size: ByteSize,
    /// What all transfers together may use for blocks, 4 MiB to 1 GiB. With many transfers, blocks
    /// are smaller.
    pub buffers: ByteSize,
    /// What all listings together may use for names and entries, 4 MiB to 1 GiB. Where it does not
    /// suffice, large directories are listed unsorted, and further listings are refused.
    pub listing_buffers: ByteSize,
    /// Whether the kernel may send files by itself (sendfile), without TLS. A kernel that cannot is
    /// noticed; one that reads a datastore without a cache may be faster in blocks.
    pub sendfile: bool,
    /// Whether an upload is on the medium before the client is told that it is complete.
    pub sync: bool,
    /// Whether long runs of zeros in uploads become holes, so that thin disks stay thin.
    pub sparse: bool,
    /// Whether TYPE A converts line ends. Clients that choose it for a disk image would damage it,
    /// so it is off, and TYPE A then moves bytes as TYPE I does.
    pub ascii: bool,
    /// What one session may move per second; 0 for as much as it can.
    pub session_rate: ByteSize,
    /// What all sessions of one account together may move per second; 0 for as much as they can.
    pub account_rate: ByteSize,
    /// Whether an upload over TLS counts as complete although the client ended the connection
    /// without ending TLS. An attacker who can interrupt the connection can then truncate uploads
    /// undetected.
    pub accept_truncated_tls: bool,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            block_size: ByteSize(1 << 20),
            buffers: ByteSize(24 << 20),
            listing_buffers: ByteSize(64 << 20),
            sendfile: true,
            sync: true,
            sparse: true,
            ascii: false,
            session_rate: ByteSize(0),
            account_rate: ByteSize(0),
            accept_truncated_tls: false,
        }
    }
}

impl Transfers {
    pub(super) fn check(&self, findings: &mut Findings) {
        let block = self.block_size.0;
        if !block.is_power_of_two() || !(64 << 10..=16 << 20).contains(&block) {
            findings.error(
                "transfers.block-size",
                "not a power of two within 64 KiB to 16 MiB",
                "choose \"1 MiB\", which suits most datastores, or another power of two",
            );
        }
        for (key, size, remedy) in [
            (
                "transfers.buffers",
                self.buffers,
                "choose a size in the range; \"24 MiB\" serves 50 transfers",
            ),
            (
                "transfers.listing-buffers",
                self.listing_buffers,
                "choose a size in the range; \"64 MiB\" sorts about a million names",
            ),
        ] {
            if !(4 << 20..=1 << 30).contains(&size.0) {
                findings.error(key, "not within 4 MiB to 1 GiB", remedy);
            }
        }
        for (key, rate) in [
            ("transfers.session-rate", self.session_rate),
            ("transfers.account-rate", self.account_rate),
        ] {
            check_rate(rate.0, key, findings);
        }
    }
}

/// Checks a number of bytes per second.
pub(super) fn check_rate(rate: u64, key: &str, findings: &mut Findings) {
    if (1..LEAST_RATE).contains(&rate) {
        findings.error(
            key,
            "slower than 1 KiB per second",
            "choose at least \"1 KiB\", or 0 for no limit",
        );
    }
}

/// Slower transfers would look stalled.
const LEAST_RATE: u64 = 1 << 10;
