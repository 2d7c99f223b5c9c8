//! The keys that users and anonymous access have in common.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use super::{ByteSize, Day, Umask};

/// What holds for an account: its root, its rights and its limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the file, and they are independent"
)]
pub struct Rules {
    /// The directory that the account sees as `/`; absolute.
    pub root: PathBuf,
    /// Denies all changes; absent means yes for anonymous users and no for all others.
    pub read_only: Option<bool>,
    /// Denies DELE and RMD. Files may still be replaced and renamed.
    #[serde(default)]
    pub no_delete: bool,
    /// Denies changes to what exists: not replaced, appended to, or renamed over, and with its times
    /// and permissions.
    #[serde(default)]
    pub no_overwrite: bool,
    /// Denies all but listing, making directories and storing new files.
    #[serde(default)]
    pub upload_only: bool,
    /// Permission bits that new files do not get; absent means [`super::Storage::umask`].
    pub umask: Option<Umask>,
    /// Patterns of names that listings leave out, such as `*.key`.
    #[serde(default)]
    pub hidden: Vec<String>,
    /// Patterns of names that can be listed and fetched only, such as `*.vmx`.
    #[serde(default)]
    pub protected: Vec<String>,
    /// Networks from which the account logs in; from everywhere if there are none.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// Sessions of the account at one time, 1 to 1000; absent means as many as [`super::Limits`]
    /// allows.
    pub sessions: Option<u16>,
    /// Bytes per second that all sessions of the account together may move, 0 for no limit; absent
    /// means [`super::Transfers::account_rate`].
    pub rate: Option<ByteSize>,
    /// The last day (UTC) on which the account logs in.
    pub expires: Option<Day>,
    /// Denies every login.
    #[serde(default)]
    pub disabled: bool,
}
