//! `package.toml`: what a package is and holds, as data.

mod contents;
mod draft;
mod relationships;
mod system;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

pub use self::contents::{Content, ContentType, Mode, Payload, PayloadType};
pub use self::draft::Draft;
pub use self::relationships::{Constraint, Relation, Relationships};
pub use self::system::{HwPlatform, MaintenanceMode};
use crate::{Epoch, Error};

/// The contents of a `package.toml`.
///
/// Keys are the fields' names in kebab-case; unknown keys are refused. Values are checked by
/// [`Package::new`](crate::Package::new), which sees the whole package and reports everything at
/// once.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the descriptor has these flags, each on its own"
)]
pub struct Manifest {
    /// Name of the package (FORMAT.md I5).
    pub name: String,
    /// Name of its vendor (FORMAT.md I5).
    pub vendor: String,
    /// Exactly three ASCII letters or digits (FORMAT.md I6).
    pub vendor_code: String,
    /// The program's own version, unless the caller knows it: see [`Manifest::with_version`].
    pub version: Option<String>,
    /// Counts the packages built of one version, from `1` (FORMAT.md I2).
    pub release: String,
    /// When this version was released. The caller may overrule it, for instance by
    /// `SOURCE_DATE_EPOCH`.
    pub release_date: Epoch,
    /// One line of at most 80 characters (FORMAT.md I7).
    pub summary: String,
    /// What the package is for.
    pub description: String,
    /// Addresses, by a key such as `kb` (FORMAT.md I8).
    #[serde(default)]
    pub urls: BTreeMap<String, String>,
    /// The machine that the programs of the package are for; x86-64 unless said otherwise.
    #[serde(default)]
    pub machine: Machine,
    /// Who vouches for the package; community unless said otherwise.
    #[serde(default)]
    pub acceptance_level: AcceptanceLevel,
    /// When the host must be in maintenance mode.
    #[serde(default)]
    pub maintenance_mode: MaintenanceMode,
    /// Hardware that the package is limited to; any, if there is none.
    #[serde(default)]
    pub hwplatform: Vec<HwPlatform>,
    /// Words by which tools sort packages (FORMAT.md D9).
    #[serde(default)]
    pub software_tags: Vec<String>,
    /// Whether the host can install the package without a reboot (FORMAT.md H1).
    #[serde(default)]
    pub live_install_allowed: bool,
    /// Whether the host can remove the package without a reboot (FORMAT.md H1).
    #[serde(default)]
    pub live_remove_allowed: bool,
    /// Whether the host's CIM broker must be restarted after a live installation.
    #[serde(default)]
    pub cimom_restart: bool,
    /// Whether hosts that boot over the network may carry the package.
    #[serde(default)]
    pub stateless_ready: bool,
    /// Whether its files may lie over those of other packages. Not for community packages
    /// (FORMAT.md D5).
    #[serde(default)]
    pub overlay: bool,
    /// The archives that the contents go to, at least one.
    pub payloads: Vec<Payload>,
    /// Releases of the host that the bundle is offered for, such as `7.*` (FORMAT.md B8).
    pub platforms: Vec<String>,
    /// The component, by which hosts from 7.0 on know the package (FORMAT.md B6).
    pub component: Component,
    /// Where to read about the package and whom to ask (FORMAT.md B6).
    pub bulletin: Bulletin,
    /// What the package needs, excludes, replaces and offers.
    #[serde(default)]
    pub relationships: Relationships,
    /// Files and directories of the payloads.
    pub contents: Vec<Content>,
}

/// How a package appears in the component view of hosts from 7.0 on.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Component {
    /// Name of the component, of the same syntax as the package's.
    pub name: String,
    /// The name for people.
    pub ui_string: String,
}

/// Addresses that a bulletin must give.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Bulletin {
    /// Where to read about the package.
    pub kb_url: String,
    /// Where to ask about it.
    pub contact: String,
}

/// A machine that hosts run on. No field of a package tells it, and hosts install packages for the
/// other one without complaint, so that the name of the file and the description have to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Machine {
    /// x86-64.
    #[default]
    #[serde(rename = "x86-64")]
    X86_64,
    /// 64-bit Arm: ESXi on Arm.
    Aarch64,
}

impl Machine {
    /// What names of files end with, before their extension.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::X86_64 => "",
            Self::Aarch64 => "-arm64",
        }
    }
}

/// Who vouches for a package, from the least to the most trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AcceptanceLevel {
    /// Nobody: unsigned, and limited to certain locations.
    #[default]
    Community,
    /// A partner of the host's vendor.
    Partner,
    /// A partner, with the vendor's own tests.
    Accepted,
    /// The host's vendor.
    Certified,
}

/// The word that stands in a descriptor.
impl fmt::Display for AcceptanceLevel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Community => "community",
            Self::Partner => "partner",
            Self::Accepted => "accepted",
            Self::Certified => "certified",
        })
    }
}

impl Manifest {
    /// Reads the text of a `package.toml`.
    ///
    /// # Errors
    /// [`Error::Manifest`] with line, key and reason for whatever is not TOML, not a known key,
    /// missing or of the wrong type. For what breaks a rule besides, see [`Draft`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Draft::parse(text)?.finish()
    }

    /// Sets the program's version, as a build tool knows it; a semantic pre-release is mapped
    /// (FORMAT.md I4). Replaces the version of the file, if it gave one.
    #[must_use]
    pub fn with_version(self, upstream: &str) -> Self {
        Self {
            version: Some(upstream.to_owned()),
            ..self
        }
    }

    /// Sets the machine; for another one than x86-64 the description says so.
    #[must_use]
    pub fn with_machine(self, machine: Machine) -> Self {
        let description = match machine {
            Machine::X86_64 => self.description,
            Machine::Aarch64 => format!("{} For ESXi on Arm (aarch64) only.", self.description),
        };
        Self {
            description,
            machine,
            ..self
        }
    }

    /// The files to read for [`Package::new`](crate::Package::new), relative to the folder of
    /// `package.toml`, in the order of the file.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.contents
            .iter()
            .filter_map(|content| content.source.as_deref())
    }
}

/// Names the key or table of a line, for error messages.
fn key_of(line: &str, is_first: bool, message: &str) -> String {
    let line = line.trim();
    if line.starts_with('[') {
        return format!("table {}", line.trim_matches(['[', ']']));
    }
    // What is missing from the top of the file is reported at its first line, whatever that holds.
    let is_whole = is_first && message.starts_with("missing field");
    match line.split_once('=').filter(|_| !is_whole) {
        Some((key, _)) => format!("key {}", key.trim()),
        None => "package.toml".to_owned(),
    }
}
