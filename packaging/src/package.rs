//! A package that keeps the rules, ready to be written.

use std::collections::BTreeMap;

use crate::contents::{self, Entry};
use crate::error::Findings;
use crate::manifest::{AcceptanceLevel, Manifest};
use crate::rules::constraint::constraint;
use crate::rules::{Finding, PLATFORM, SIGNATURE, VERSION, name};
use crate::{Epoch, Error, Version};

/// A checked package: what it is, and the entries of its payload.
#[derive(Debug, Clone)]
pub struct Package {
    pub(crate) facts: Facts,
    pub(crate) entries: Vec<Entry>,
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

    /// `NAME-VERSION`, the beginning of file names.
    pub(crate) fn stem(&self) -> String {
        format!("{}-{}", self.manifest.name, self.version)
    }
}

impl Package {
    /// Brings together the description, the bytes of its sources and the release date.
    ///
    /// `sources` holds the bytes of each of [`Manifest::sources`] under the same name; a source
    /// that is not there is reported as missing. `epoch` overrules [`Manifest::release_date`].
    ///
    /// # Errors
    /// [`Error::Refused`] with everything that breaks a rule, not only the first.
    pub fn new(
        manifest: Manifest,
        sources: &BTreeMap<String, Vec<u8>>,
        epoch: Epoch,
    ) -> Result<Self, Error> {
        let mut findings = check_manifest(&manifest);
        let version = version(&manifest)
            .map_err(|finding| findings.push(finding))
            .ok();
        let entries = contents::resolve(&manifest, sources, &mut findings);
        match version {
            Some(version) if findings.is_empty() => Ok(Self {
                facts: Facts {
                    manifest,
                    version,
                    epoch,
                },
                entries,
            }),
            _ => Err(Error::Refused(Findings::new(findings))),
        }
    }

    /// The version as the host will see it.
    pub fn version(&self) -> &Version {
        &self.facts.version
    }

    /// Files and directories of the payload, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// `VENDOR_bootbank_NAME_VERSION`, by which hosts know the package (FORMAT.md I1).
    pub fn id(&self) -> String {
        self.facts.id()
    }
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
    findings.extend(name::payload_name("payload", &manifest.payload));
    findings.extend(name::name("component.name", &manifest.component.name));
    findings.extend(name::text(
        "component.ui-string",
        &manifest.component.ui_string,
    ));
    findings.extend(name::text("bulletin.kb-url", &manifest.bulletin.kb_url));
    findings.extend(name::text("bulletin.contact", &manifest.bulletin.contact));
    findings.extend(check_platforms(&manifest.platforms));
    findings.extend(check_level(manifest.acceptance_level));
    for (list, constraints) in manifest.relationships.in_order() {
        findings.extend(constraints.iter().filter_map(|one| constraint(list, one)));
    }
    findings
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

fn check_level(level: AcceptanceLevel) -> Option<Finding> {
    (level != AcceptanceLevel::Community).then(|| {
        Finding::new(
            SIGNATURE,
            format!("acceptance-level \"{level}\""),
            "needs a signed package, and this writer does not sign",
            "set it to \"community\"",
        )
    })
}
