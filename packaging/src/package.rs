//! A package that keeps the rules, ready to be written.

use std::collections::BTreeSet;

use crate::contents;
use crate::error::Findings;
use crate::manifest::{self, AcceptanceLevel, Manifest};
use crate::payload::Payload;
use crate::rules::constraint::{constraint, excluded};
use crate::rules::{
    BOOT_BANK_NAME, Finding, INTERFACE, OVERLAY, PAYLOAD_NAME, PLATFORM, Releases, VERSION,
    interface, name, path,
};
use crate::source::Sources;
use crate::{Epoch, Error, Version};

/// A checked package: what it is, and the entries of its payloads. The bytes of its files are
/// somewhere else until it is written.
#[derive(Debug, Clone)]
pub struct Package {
    pub(crate) facts: Facts,
    pub(crate) payloads: Vec<Payload>,
}

/// What a package is: all that its index files and its bundle repeat.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) manifest: Manifest,
    pub(crate) version: Version,
    pub(crate) epoch: Epoch,
}

impl Facts {
    /// `VENDOR_bootbank_NAME_VERSION` (FORMAT.md I1).
    pub(crate) fn id(&self) -> String {
        let Manifest { vendor, name, .. } = &self.manifest;
        format!("{vendor}_bootbank_{name}_{}", self.version)
    }

    /// `NAME-VERSION`, the beginning of file names; with the machine behind it if that is not the
    /// usual one.
    pub(crate) fn stem(&self) -> String {
        let machine = self.manifest.machine.suffix();
        format!("{}-{}{machine}", self.manifest.name, self.version)
    }
}

impl Package {
    /// Brings together the description, the sizes of its sources and the release date.
    ///
    /// Each of [`Manifest::sources`] is opened once, and not read. `epoch` overrules
    /// [`Manifest::release_date`].
    ///
    /// # Errors
    /// [`Error::Refused`] with everything that breaks a rule, not only the first.
    pub fn new(manifest: Manifest, sources: &dyn Sources, epoch: Epoch) -> Result<Self, Error> {
        let mut findings = check_manifest(&manifest);
        let version = version(&manifest)
            .map_err(|finding| findings.push(finding))
            .ok();
        let entries = contents::resolve(&manifest, sources, &mut findings);
        let Some(version) = version.filter(|_| findings.is_empty()) else {
            return Err(Error::Refused(Findings::new(findings)));
        };
        let described = manifest.payloads.iter().zip(entries);
        let mut payloads: Vec<_> = described
            .map(|(described, entries)| Payload {
                name: described.name.clone(),
                kind: described.kind,
                vfat_name: described.vfat_name.clone(),
                entries,
            })
            .collect();
        // Hosts read forward and want them in this order (FORMAT.md A4).
        payloads.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Self {
            facts: Facts {
                manifest,
                version,
                epoch,
            },
            payloads,
        })
    }

    /// The version as the host will see it.
    pub fn version(&self) -> &Version {
        &self.facts.version
    }

    /// The payloads, sorted by name.
    pub fn payloads(&self) -> &[Payload] {
        &self.payloads
    }

    /// Who vouches for the package. Above community, hosts take it only when it has been signed
    /// (FORMAT.md S2).
    pub fn acceptance_level(&self) -> AcceptanceLevel {
        self.facts.manifest.acceptance_level
    }

    /// What hosts take and a careful packager would not write, by the same rules as the warnings of
    /// [`verify`](crate::verify::verify()), as far as the description shows it.
    pub fn warnings(&self) -> Vec<Finding> {
        let manifest = &self.facts.manifest;
        let mut findings = Vec::new();
        let mut ascii = |key: &str, value: &str| findings.extend(name::ascii(key, value));
        ascii("summary", &manifest.summary);
        ascii("description", &manifest.description);
        for (key, value) in &manifest.urls {
            ascii(&format!("urls.{key}"), value);
        }
        for tag in &manifest.software_tags {
            ascii("software-tags", tag);
        }
        for (number, platform) in manifest.hwplatform.iter().enumerate() {
            let place = |key: &str| format!("hwplatform {}, {key}", number + 1);
            ascii(&place("vendor"), &platform.vendor);
            ascii(
                &place("model"),
                platform.model.as_deref().unwrap_or_default(),
            );
        }
        let entries = self.payloads.iter().flat_map(|payload| &payload.entries);
        for entry in entries.filter(|entry| !entry.is_directory()) {
            let place = format!("contents {:?}", entry.path);
            findings.extend(path::unsaved_config(&place, &entry.path, entry.mode));
        }
        findings
    }

    /// `VENDOR_bootbank_NAME_VERSION`, by which hosts know the package (FORMAT.md I1).
    pub fn id(&self) -> String {
        self.facts.id()
    }
}

/// Everything that [`Package::new`] would refuse.
pub(crate) fn findings(manifest: &Manifest, sources: &dyn Sources) -> Vec<Finding> {
    let mut findings = check_manifest(manifest);
    findings.extend(version(manifest).err());
    let _entries = contents::resolve(manifest, sources, &mut findings);
    findings
}

fn version(manifest: &Manifest) -> Result<Version, Finding> {
    match &manifest.version {
        Some(upstream) => Version::from_upstream(upstream, &manifest.release),
        None => Err(Finding::new(
            VERSION,
            "version",
            "is missing",
            "set it in package.toml or let the caller of the packager give it",
        )),
    }
}

/// Checks every value but the version and the contents.
fn check_manifest(manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(name::name("name", &manifest.name));
    findings.extend(name::name("vendor", &manifest.vendor));
    findings.extend(name::vendor_code("vendor-code", &manifest.vendor_code));
    findings.extend(name::summary("summary", &manifest.summary));
    findings.extend(name::text("description", &manifest.description));
    for (key, value) in &manifest.urls {
        findings.extend(name::url("urls", key, value));
    }
    for tag in &manifest.software_tags {
        findings.extend(name::text("software-tags", tag));
    }
    for (number, platform) in manifest.hwplatform.iter().enumerate() {
        let place = |key: &str| format!("hwplatform {}, {key}", number + 1);
        findings.extend(name::text(&place("vendor"), &platform.vendor));
        let model = platform.model.as_deref();
        findings.extend(model.and_then(|model| name::text(&place("model"), model)));
    }
    findings.extend(check_payloads(&manifest.payloads));
    findings.extend(name::name("component.name", &manifest.component.name));
    findings.extend(name::text(
        "component.ui-string",
        &manifest.component.ui_string,
    ));
    findings.extend(name::text("bulletin.kb-url", &manifest.bulletin.kb_url));
    findings.extend(name::text("bulletin.contact", &manifest.bulletin.contact));
    findings.extend(check_platforms(&manifest.platforms));
    findings.extend(check_overlay(manifest));
    for (list, constraints) in manifest.relationships.in_order() {
        findings.extend(constraints.iter().filter_map(|one| constraint(list, one)));
    }
    findings.extend(check_hosts(manifest));
    findings
}

/// Some host that the bundle is offered for can install the package.
fn check_hosts(manifest: &Manifest) -> Option<Finding> {
    let hosts = manifest.relationships.hosts().ok()??.releases;
    let offered = Releases::named(manifest.platforms.iter().map(String::as_str));
    let offered = offered.unwrap_or(Releases::ALL);
    if !(hosts & offered).is_empty() {
        return None;
    }
    let depends = manifest.relationships.depends.iter();
    let mut interfaces = depends.filter_map(|one| Some((one, interface::releases(&one.name)?)));
    let missing = interfaces.find(|(_, provided)| (*provided & offered).is_empty());
    Some(match missing {
        Some((one, provided)) => Finding::new(
            INTERFACE,
            format!("relationships.depends {:?}", one.name),
            format!(
                "is {}, and platforms names no such release",
                interface::of(provided)
            ),
            "name a release that has it, or depend on another one",
        ),
        None if hosts.is_empty() => excluded("relationships.depends", Releases::ALL),
        None => excluded("relationships.depends", offered),
    })
}

fn check_platforms(platforms: &[String]) -> Vec<Finding> {
    if platforms.is_empty() {
        return vec![Finding::new(
            PLATFORM,
            "platforms",
            "is empty",
            "name the releases, for instance [\"7.*\", \"8.*\"]",
        )];
    }
    platforms
        .iter()
        .filter_map(|platform| name::platform("platforms", platform))
        .collect()
}

fn check_overlay(manifest: &Manifest) -> Option<Finding> {
    (manifest.overlay && manifest.acceptance_level == AcceptanceLevel::Community).then(|| {
        Finding::new(
            OVERLAY,
            "overlay",
            "is true in a community package, which hosts refuse",
            "set it to false",
        )
    })
}

/// Names of payloads: each sound, and no two alike, neither in the VIB nor in the boot bank.
fn check_payloads(payloads: &[manifest::Payload]) -> Vec<Finding> {
    if payloads.is_empty() {
        let remedy = "name one, for instance [{ name = \"hello\" }]";
        return vec![Finding::new(PAYLOAD_NAME, "payloads", "is empty", remedy)];
    }
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    let mut files = BTreeSet::new();
    for payload in payloads {
        let place = format!("payloads {:?}", payload.name);
        if let Some(finding) = name::payload_name("payloads", &payload.name) {
            findings.push(finding);
            continue;
        }
        let vfat_name = payload.vfat_name.as_deref();
        let key = format!("{place}, vfat-name");
        findings.extend(vfat_name.and_then(|name| name::vfat_name(&key, name)));
        let file = name::boot_bank_name(&payload.name, payload.kind, vfat_name);
        if !names.insert(&payload.name) {
            let problem = "is there twice";
            findings.push(Finding::new(
                PAYLOAD_NAME,
                place,
                problem,
                "keep one of them",
            ));
        } else if !files.insert(file.clone()) {
            findings.push(Finding::new(
                BOOT_BANK_NAME,
                place,
                format!("becomes {file} in the boot bank, as another payload does"),
                "let their first 8 characters differ, or give one a vfat-name",
            ));
        }
    }
    findings
}
