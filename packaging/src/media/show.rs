//! What a medium holds, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::image::Image;
use crate::rules::{Finding, Releases};

/// What `image show` tells. Its JSON form has these fields in kebab-case; keys may be added within
/// one number of the layout.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Summary {
    /// Number of the JSON layout: 1.
    pub format: u32,
    /// The release, in JSON as a list of one.
    pub release: Releases,
    /// `build` of `boot.cfg`; up to 6.7 media have none.
    pub build: Option<String>,
    /// Name of the profile.
    pub profile: String,
    /// Its creator.
    pub creator: String,
    /// Its acceptance level, as written.
    pub level: String,
    /// How firmware starts the medium; a tree does not say.
    pub boot_entries: Vec<String>,
    /// Paths of `boot.cfg`.
    pub configs: Vec<String>,
    /// The kernel's file.
    pub kernel: String,
    /// Boot options of the medium.
    pub kernelopt: Option<String>,
    /// Modules, in the order of `boot.cfg`.
    pub modules: Vec<SummaryModule>,
    /// Packages of the profile.
    pub vibs: Vec<SummaryVib>,
    /// Whether there is something for Update Manager to import, which is not looked into.
    pub has_upgrade_folder: bool,
    /// What does not agree.
    pub problems: Vec<Finding>,
}

/// A module.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SummaryModule {
    /// As `boot.cfg` names it.
    pub file: String,
    /// Options behind the name.
    pub options: String,
    /// Size in bytes; absent if the medium has no such file.
    pub size: Option<u64>,
    /// Whether it is gzipped.
    pub gzipped: bool,
}

/// A package.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SummaryVib {
    /// Id.
    pub id: String,
    /// Acceptance level, as written.
    pub level: Option<String>,
    /// Payloads and their modules.
    pub payloads: Vec<(String, String)>,
}

impl Image {
    /// What it holds.
    pub fn summary(&self) -> Summary {
        let profile = self.database.profile();
        let config = self.configs.first().map(|(_, config)| config);
        let modules = config.map_or(&[][..], |config| config.modules());
        let level = |id: &str| {
            let (_, record) = self.database.record(id)?;
            record.descriptor.acceptance_level.clone()
        };
        Summary {
            format: 1,
            release: self.release,
            build: self.build.clone(),
            profile: profile.name().to_owned(),
            creator: profile.creator().to_owned(),
            level: profile.level_text().to_owned(),
            boot_entries: self.boot_entries.clone(),
            configs: self.configs.iter().map(|(path, _)| path.clone()).collect(),
            kernel: config
                .and_then(super::BootConfig::kernel)
                .unwrap_or_default(),
            kernelopt: config.and_then(|one| one.value("kernelopt")),
            modules: modules
                .iter()
                .map(|module| {
                    let path = self.module_path(module.base_name());
                    let file = path.as_ref().and_then(|path| self.files.get(path));
                    let gzipped = path.and_then(|path| self.gzipped.get(&path).copied());
                    SummaryModule {
                        file: module.file.clone(),
                        options: module.options.clone(),
                        size: file.map(|file| file.size),
                        gzipped: gzipped.unwrap_or(false),
                    }
                })
                .collect(),
            vibs: profile
                .vibs()
                .into_iter()
                .map(|listed| SummaryVib {
                    level: level(&listed.id),
                    id: listed.id,
                    payloads: listed.payloads,
                })
                .collect(),
            has_upgrade_folder: self.files.keys().any(|path| path.starts_with("upgrade/")),
            problems: self.problems.clone(),
        }
    }
}

/// A text of several lines. Control characters of the medium do not reach a terminal.
impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.lines(&mut text)?;
        out.write_str(&text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"))
    }
}

impl Summary {
    fn lines(&self, out: &mut String) -> fmt::Result {
        use fmt::Write as _;
        let build = self.build.as_deref().unwrap_or("-");
        writeln!(out, "release:  {} (build {build})", self.release)?;
        writeln!(out, "profile:  {} by {}", self.profile, self.creator)?;
        writeln!(out, "level:    {}", self.level)?;
        for entry in &self.boot_entries {
            writeln!(out, "boots:    {entry}")?;
        }
        writeln!(out, "configs:  {}", self.configs.join(" "))?;
        writeln!(out, "kernel:   {}", self.kernel)?;
        if let Some(options) = &self.kernelopt {
            writeln!(out, "options:  {options}")?;
        }
        writeln!(out, "modules:  {}", self.modules.len())?;
        for module in &self.modules {
            let size = module
                .size
                .map_or("missing".into(), |size| size.to_string());
            let gzip = if module.gzipped { "gzip" } else { "plain" };
            let line = format!("  {size:>12} {gzip:5} {} {}", module.file, module.options);
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out, "packages: {}", self.vibs.len())?;
        for vib in &self.vibs {
            let payloads = vib.payloads.iter();
            let payloads: Vec<_> = payloads.map(|(_, file)| file.as_str()).collect();
            let level = vib.level.as_deref().unwrap_or("-");
            writeln!(out, "  {} ({level}): {}", vib.id, payloads.join(" "))?;
        }
        if self.has_upgrade_folder {
            writeln!(
                out,
                "UPGRADE/: Update Manager and Lifecycle Manager import from there; what was added \
                 to the image is not in it"
            )?;
        }
        for problem in &self.problems {
            writeln!(out, "problem:  {problem}")?;
        }
        Ok(())
    }
}
