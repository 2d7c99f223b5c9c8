//! Acceptance levels: who vouches for a package, and which rules that spares it.

use std::str::FromStr;

use serde::Serialize;

/// An acceptance level, from the least to the most trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Anybody's.
    Community,
    /// A partner of the vendor.
    Partner,
    /// Checked by the vendor.
    Accepted,
    /// Tested by the vendor.
    Certified,
}

impl Level {
    /// All of them, as descriptors spell them.
    pub const NAMES: [&str; 4] = ["community", "partner", "accepted", "certified"];

    /// As a descriptor spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Community => "community",
            Self::Partner => "partner",
            Self::Accepted => "accepted",
            Self::Certified => "certified",
        }
    }
}

/// As a descriptor spells it. The error carries nothing: the caller knows where the text stood.
impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "community" => Ok(Self::Community),
            "partner" => Ok(Self::Partner),
            "accepted" => Ok(Self::Accepted),
            "certified" => Ok(Self::Certified),
            _ => Err(()),
        }
    }
}

/// The levels that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Levels {
    /// Every level.
    All,
    /// Community alone.
    Community,
    /// Every level above community.
    AboveCommunity,
}

impl Levels {
    /// Whether a package of this level has to keep the rule. One whose level is not known keeps
    /// them all.
    pub fn include(self, level: Option<Level>) -> bool {
        match (self, level) {
            (Self::All, _) | (_, None) => true,
            (Self::Community, Some(level)) => level == Level::Community,
            (Self::AboveCommunity, Some(level)) => level != Level::Community,
        }
    }
}
