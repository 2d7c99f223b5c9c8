//! Which releases of the host a package is for: by what it demands of them, by its software
//! platforms, and by what its bundle is offered for (FORMAT.md R10, H7).

use std::collections::BTreeMap;

use super::Severity::{Error, Warning};
use super::report::Report;
use crate::inspect::{Bundle, DepotVib, Descriptor, Relation};
use crate::rules::constraint::Stated;
use crate::rules::{self, Finding, Releases, constraint, interface};

const DEPENDENCY: &str =
    "[DependencyError] VIB .. requires .., but the requirement cannot be satisfied";

/// Releases that the package says it is for, if it says anything. Reports those that it cannot be
/// installed on: of those that are asked for, each; else only if no other is left.
pub(super) fn stated(descriptor: &Descriptor, report: &mut Report) -> Option<Stated> {
    let interest = report.releases();
    let demanded = demanded(descriptor);
    let left = demanded.map_or(Releases::ALL, |stated| stated.releases) & interest;
    if report.is_asked() || left.is_empty() {
        report_excluded(descriptor, interest, report);
    }
    // Of a package for no release at all, the rest is told nevertheless.
    if left.is_empty() {
        return None;
    }
    let platforms = descriptor.software_platforms.iter();
    let platforms = platforms.map(|text| text.rsplit_once(' ').map_or("", |(_, version)| version));
    let narrowed = Releases::named(platforms).filter(|named| !(*named & left).is_empty());
    let narrowed = narrowed.map(Stated::narrowed);
    match (demanded, narrowed) {
        (Some(demanded), Some(platforms)) => Some(demanded.and(platforms)),
        (one, other) => one.or(other),
    }
}

/// Releases that meet what the package demands of the host, if it demands anything.
fn demanded(descriptor: &Descriptor) -> Option<Stated> {
    constraint::hosts(descriptor.relationships.depends.iter().map(parts))
}

fn parts(one: &Relation) -> (&str, Option<&str>, Option<&str>) {
    (&one.name, one.relation.as_deref(), one.version.as_deref())
}

fn report_excluded(descriptor: &Descriptor, interest: Releases, report: &mut Report) {
    let depends = &descriptor.relationships.depends;
    let hosts = depends.iter().filter_map(|one| {
        let (name, relation, version) = parts(one);
        constraint::host(name, relation, version)
    });
    let excluded = interest.without(hosts.fold(Releases::ALL, Releases::and));
    if !excluded.is_empty() {
        let finding = constraint::excluded("relationships.depends", excluded);
        report.found(Error, finding).says(DEPENDENCY);
    }
    for (name, provided) in interfaces(descriptor) {
        let lacking = interest.without(provided);
        if lacking.is_empty() {
            continue;
        }
        let remedy = "take a package for this release, with a driver made for it";
        let problem = format!("is {}, which {lacking} lacks", interface::of(provided));
        let finding = lacks(name, lacking, problem, remedy);
        report.found(Error, finding).says(DEPENDENCY);
    }
}

/// Interfaces of the host that the package demands, with the releases that provide them.
fn interfaces(descriptor: &Descriptor) -> impl Iterator<Item = (&str, Releases)> {
    let depends = descriptor.relationships.depends.iter();
    depends.filter_map(|one| Some((one.name.as_str(), interface::releases(&one.name)?)))
}

fn lacks(name: &str, on: Releases, problem: String, remedy: &str) -> Finding {
    let place = format!("relationships.depends {name:?}");
    Finding::new(rules::INTERFACE.on(on), place, problem, remedy)
}

/// Releases that each VIB of a bundle is offered for, by the index and by the bulletins that name it.
/// Where the two contradict each other, the index counts.
pub(super) struct Offers<'b> {
    bulletins: BTreeMap<&'b str, Releases>,
    /// By name, the releases that some VIB of that name can be installed on.
    served: BTreeMap<&'b str, Releases>,
}

impl<'b> Offers<'b> {
    pub(super) fn new(bundle: &'b Bundle) -> Self {
        let mut bulletins: BTreeMap<&str, Releases> = BTreeMap::new();
        for bulletin in &bundle.bulletins {
            let platforms = bulletin.platforms.iter().map(String::as_str);
            let releases = Releases::named(platforms).unwrap_or(Releases::ALL);
            for id in &bulletin.vibs {
                let known = bulletins.entry(id).or_insert(Releases::NONE);
                *known = known.or(releases);
            }
        }
        let mut served: BTreeMap<&str, Releases> = BTreeMap::new();
        for vib in bundle.vibs.iter().filter_map(|file| file.vib.as_ref()) {
            let known = served.entry(&vib.descriptor.name);
            let known = known.or_insert(Releases::NONE);
            let own = demanded(&vib.descriptor);
            *known = known.or(own.map_or(Releases::ALL, |stated| stated.releases));
        }
        Self { bulletins, served }
    }

    /// Those that a VIB is offered for; `None` if nothing is said.
    pub(super) fn of(&self, file: &DepotVib) -> Option<Releases> {
        let by_bulletins = self.bulletins.get(file.id.as_str()).copied();
        let by_bulletins = by_bulletins.filter(|releases| *releases != Releases::ALL);
        match (file.offered, by_bulletins) {
            (Some(index), Some(bulletins)) => {
                let both = index & bulletins;
                Some(if both.is_empty() { index } else { both })
            }
            (one, other) => one.or(other),
        }
    }

    /// Says so if a VIB is offered for releases that lack an interface which it needs, and no other
    /// VIB of its name serves those.
    pub(super) fn check(&self, file: &DepotVib, report: &mut Report) {
        let (Some(vib), Some(offered)) = (&file.vib, self.of(file)) else {
            return;
        };
        let served = self.served.get(vib.descriptor.name.as_str());
        let unserved = offered.without(served.copied().unwrap_or(Releases::ALL));
        if report.is_asked() || unserved == offered {
            return;
        }
        for (name, provided) in interfaces(&vib.descriptor) {
            let lacking = unserved.without(provided);
            if lacking.is_empty() {
                continue;
            }
            let problem = format!(
                "is {}, and the bundle is offered for {lacking}, too",
                interface::of(provided)
            );
            let remedy = "offer it for the releases that have the interface, or add a package for the others";
            let finding = lacks(name, lacking, problem, remedy);
            report.found(Warning, finding).says(DEPENDENCY);
        }
    }
}
