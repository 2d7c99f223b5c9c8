//! Constraints on other packages: which parts go together.

use super::{CONSTRAINT, Finding, Releases, interface, name};
use crate::manifest::{Constraint, Relation};
use crate::version::{Version, fields_problem};

/// Names that every host provides, with its own release as their version.
const HOST: [&str; 2] = ["esx-version", "esx-base"];

/// How versions may be compared.
const RELATIONS: [&str; 5] = ["<<", "<=", "=", ">=", ">>"];

/// What is wrong with a constraint of `list`, one of the descriptor's five lists.
pub fn constraint(list: &str, constraint: &Constraint) -> Option<Finding> {
    let relation = constraint.relation.map(Relation::symbol);
    let version = constraint.version.as_deref();
    parts(
        &format!("relationships.{list}"),
        &constraint.name,
        relation,
        version,
    )
}

/// What is wrong with the parts of a constraint as they stand in a descriptor; `key` ends in the
/// name of the list.
pub fn parts(
    key: &str,
    name: &str,
    relation: Option<&str>,
    version: Option<&str>,
) -> Option<Finding> {
    let found = |problem: &str, remedy: &str| {
        let place = format!("{key} {name:?}");
        Some(Finding::new(CONSTRAINT, place, problem, remedy))
    };
    if let Some(finding) = name::name(key, name) {
        return Some(finding);
    }
    let provides = key.ends_with("provides");
    match (relation, version) {
        (Some(relation), _) if !RELATIONS.contains(&relation) => found(
            &format!("has the relation {relation:?}"),
            "use one of <<, <=, =, >= and >>",
        ),
        (Some(_), _) if provides => found("has a relation", "give what is provided a version only"),
        (Some(_), None) => found(
            "has a relation without a version",
            "add the version or remove the relation",
        ),
        (None, Some(_)) if !provides => found(
            "has a version without a relation",
            "add a relation such as \">=\"",
        ),
        (_, Some(version)) if !is_version(version) => found(
            &format!("has the version {version:?}, which no package can have"),
            "write it like \"6.5.0\" or \"1.2-3\"",
        ),
        _ => None,
    }
}

/// What a package or a bundle says of the releases that it is for (FORMAT.md R10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// The releases.
    pub releases: Releases,
    /// Whether each of them is meant, also the old ones, as by a demand on `esx-version`. An
    /// interface says only when it came or went, and `5.*` is said of whole lines.
    pub each: bool,
}

impl Stated {
    /// Releases that are only a narrower choice.
    pub fn narrowed(releases: Releases) -> Self {
        Self {
            releases,
            each: false,
        }
    }

    /// Those in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            releases: self.releases & other.releases,
            each: self.each || other.each,
        }
    }

    /// Those whose objections count.
    pub fn judged(self) -> Releases {
        let current = self.releases & Releases::CURRENT;
        if self.each || current.is_empty() {
            self.releases
        } else {
            current
        }
    }
}

/// The releases of the host that meet everything that `depends` demands of it: names, relations and
/// versions; `None` if nothing is demanded of it. Interfaces of the host count (FORMAT.md H7).
pub fn hosts<'c>(
    depends: impl IntoIterator<Item = (&'c str, Option<&'c str>, Option<&'c str>)>,
) -> Option<Stated> {
    let stated = |(name, relation, version)| match host(name, relation, version) {
        Some(releases) => Some(Stated {
            releases,
            each: true,
        }),
        None => interface::releases(name).map(Stated::narrowed),
    };
    depends.into_iter().filter_map(stated).reduce(Stated::and)
}

/// The releases that meet a demand of the host itself; `None` if it is none, or means nothing.
pub fn host(name: &str, relation: Option<&str>, version: Option<&str>) -> Option<Releases> {
    let (relation, version) = (relation?, version?);
    let means_something = RELATIONS.contains(&relation) && is_version(version);
    (HOST.contains(&name) && means_something).then(|| Releases::that_meet(relation, version))
}

/// Demands of the host that these releases do not meet.
pub fn excluded(place: &str, releases: Releases) -> Finding {
    Finding::new(
        CONSTRAINT.on(releases),
        place,
        format!("exclude the host itself: {releases}"),
        "widen what is demanded of esx-version, or take a package for this release",
    )
}

/// A whole version, or its upstream part alone.
fn is_version(text: &str) -> bool {
    text.len() <= Version::LIMIT
        && text.split('-').count() <= 2
        && text.split('-').all(|side| fields_problem(side).is_none())
}
