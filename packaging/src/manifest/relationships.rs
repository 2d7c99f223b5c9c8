//! Relations to other packages, as `package.toml` has them.

use std::fmt;

use serde::Deserialize;

use crate::rules::constraint::{self, Stated};

/// Relations to other packages and to the host, which provides names such as `esx-version`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Relationships {
    /// Needed for the installation.
    #[serde(default)]
    pub depends: Vec<Constraint>,
    /// Must not be installed at the same time.
    #[serde(default)]
    pub conflicts: Vec<Constraint>,
    /// Removed by the installation of this package.
    #[serde(default)]
    pub replaces: Vec<Constraint>,
    /// Names, with or without a version, that others may depend on.
    #[serde(default)]
    pub provides: Vec<Constraint>,
    /// Known to work together with this package.
    #[serde(default)]
    pub compatible_with: Vec<Constraint>,
}

impl Relationships {
    /// The five lists with their elements' names, in the descriptor's order (FORMAT.md D3).
    pub(crate) fn in_order(&self) -> [(&'static str, &[Constraint]); 5] {
        [
            ("depends", &self.depends),
            ("conflicts", &self.conflicts),
            ("replaces", &self.replaces),
            ("provides", &self.provides),
            ("compatibleWith", &self.compatible_with),
        ]
    }

    /// Releases of the host that the package says it can be installed on, if it says anything; `Err`
    /// if what it depends on breaks rules, so that nobody can tell.
    pub(crate) fn hosts(&self) -> Result<Option<Stated>, Unclear> {
        let depends = || self.depends.iter();
        if depends().any(|one| constraint::constraint("depends", one).is_some()) {
            return Err(Unclear);
        }
        Ok(constraint::hosts(depends().map(|one| {
            let relation = one.relation.map(Relation::symbol);
            (one.name.as_str(), relation, one.version.as_deref())
        })))
    }
}

/// Nobody can tell which releases a package is for.
pub(crate) struct Unclear;

/// A name, with a relation and a version or without both (FORMAT.md I10).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Constraint {
    /// Name of a package, or one that a package provides.
    pub name: String,
    /// How the version found is to compare with `version`. Not for `provides`.
    pub relation: Option<Relation>,
    /// A version; without a release part, the release of the version found is ignored.
    pub version: Option<String>,
}

/// Comparison of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum Relation {
    /// `<<`
    #[serde(rename = "<<")]
    Before,
    /// `<=`
    #[serde(rename = "<=")]
    UpTo,
    /// `=`
    #[serde(rename = "=")]
    Exactly,
    /// `>=`
    #[serde(rename = ">=")]
    From,
    /// `>>`
    #[serde(rename = ">>")]
    After,
}

impl Relation {
    /// As a descriptor spells it.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Before => "<<",
            Self::UpTo => "<=",
            Self::Exactly => "=",
            Self::From => ">=",
            Self::After => ">>",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.symbol())
    }
}
