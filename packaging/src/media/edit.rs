//! Adding packages to a medium of 5.0 to 6.7 (FORMAT.md M5 to M12), and what removing them has in
//! common with that.

use std::collections::BTreeSet;

use super::bootcfg::base_name;
use super::changes::{Change, Changes, Content, Options};
use super::image::Image;
use super::imgdb::{Edit, Record};
use super::{Addition, Listed, MediaError, check, names};
use crate::inspect::{Descriptor, differences};
use crate::rules::{
    EDITED_RELEASES, Finding, Level, MEDIUM, MODULE_PAYLOAD, Releases, SAME_PACKAGE,
};
use crate::version::compare_loosely;

const DATABASE_NAME: &str = "imgdb.tgz";

/// Packages that come, with their places among those that were given.
type Arriving<'a> = Vec<(usize, &'a Addition)>;

/// A medium in the course of an edit.
pub(super) struct Course {
    /// Packages that go.
    pub(super) gone: Vec<(String, Record)>,
    /// Base names of modules that go.
    pub(super) modules: Vec<String>,
    pub(super) messages: Vec<String>,
}

impl Image {
    /// Adds packages, in place of older ones of their names.
    ///
    /// # Errors
    /// Everything that is wrong with the medium, with the packages, or with both together.
    pub fn add(&self, additions: &[Addition], options: &Options) -> Result<Changes, MediaError> {
        self.ensure_editable()?;
        let (mut course, new) = self.arriving(additions)?;
        if new.is_empty() && options.kernelopt.is_none() {
            return Ok(Changes {
                messages: course.messages,
                ..Changes::default()
            });
        }
        let arriving: Vec<_> = new.iter().map(|(_, one)| &one.vib.descriptor).collect();
        self.check(&mut course, &arriving)?;

        let mut profile = self.database.profile().clone();
        for (_, record) in &course.gone {
            profile.remove(&record.descriptor.id);
        }
        let mut taken = self.taken();
        for module in &course.modules {
            taken.remove(module);
        }
        let mut edit = Edit {
            gone: course.gone.iter().map(|(path, _)| path.clone()).collect(),
            new: Vec::new(),
        };
        let mut changes = Changes::default();
        let mut listed_files = Vec::new();
        for (place, addition) in &new {
            let mut payloads = Vec::new();
            for payload in &addition.vib.payloads {
                let file = names::module_name(payload, &taken)?;
                taken.insert(file.clone());
                if let Some((offset, size, sha256)) = addition.member(payload) {
                    changes.write.push(Change {
                        path: self.path_of_new(&file),
                        content: Content::Payload {
                            addition: *place,
                            offset,
                            size,
                            sha256,
                        },
                    });
                }
                listed_files.push(file.clone());
                payloads.push((payload.name.clone(), file));
            }
            edit.new.push(addition.record()?);
            profile.add(&Listed {
                id: addition.id().to_owned(),
                payloads,
            });
        }
        self.ensure_numbered(&taken)?;
        if new.is_empty() {
            self.write_configs(&[], &[], options, &mut changes)?;
            return self.finish(course, changes);
        }
        let names: Vec<_> = new.iter().map(|(_, one)| one.name()).collect();
        let name = options.name.clone();
        profile.set_name(&name.unwrap_or_else(|| profile.name_with(&names.join("+"))))?;
        let vendor = new
            .first()
            .map(|(_, one)| one.vib.descriptor.vendor.clone());
        if let Some(creator) = options.creator.clone().or(vendor) {
            profile.set_creator(&creator)?;
        }
        let released = new.iter().filter_map(|(_, one)| one.released()).max();
        let epoch = options.epoch.or(released);
        if let Some(epoch) = epoch {
            profile.set_modified(epoch);
        }
        lower_level(&mut profile, &arriving, &mut course.messages);
        self.write_configs(&course.modules, &listed_files, options, &mut changes)?;
        changes.write.push(Change {
            path: self.database_file(),
            content: Content::Bytes(self.database.edited(&edit, &profile, epoch)?),
        });
        self.finish(course, changes)
    }

    /// What comes, with its place among the additions, and what goes for it.
    fn arriving<'a>(
        &self,
        additions: &'a [Addition],
    ) -> Result<(Course, Arriving<'a>), MediaError> {
        let mut findings = Vec::new();
        let mut course = Course::new();
        let mut new = Arriving::new();
        for (place, addition) in additions.iter().enumerate() {
            findings.extend(addition.findings(self.release));
            if new.iter().any(|(_, other)| other.name() == addition.name()) {
                findings.push(same(
                    addition.id(),
                    "is given together with another of its name",
                ));
            }
            match self.known(addition) {
                Ok(Known::Same) => course
                    .messages
                    .push(format!("{} is already in the image", addition.id())),
                Ok(Known::Older(path, record)) => {
                    let (old, new) = (&record.descriptor.id, addition.id());
                    course.messages.push(format!("{new} replaces {old}"));
                    course.gone.push((path, *record));
                }
                Ok(Known::No) => {}
                Err(finding) => findings.push(finding),
            }
            if self.database.record(addition.id()).is_none() {
                new.push((place, addition));
            }
        }
        refuse(findings)?;
        Ok((course, new))
    }

    pub(super) fn ensure_editable(&self) -> Result<(), MediaError> {
        refuse(self.problems.clone())?;
        let old = self.release.and(Releases::up_to(6, 7));
        if old.is_empty() || self.database.has_later_folders() {
            return Err(MediaError::one(
                EDITED_RELEASES,
                format!("medium of {}", self.release),
                "has a database of components, which is not edited here: damage would show only at \
                 the next update of the host",
                "give the offline bundle to the vendor's Image Builder (Add-EsxSoftwareDepot, \
                 New-EsxImageProfile -CloneProfile, Set-EsxImageProfile -AcceptanceLevel \
                 CommunitySupported, Add-EsxSoftwarePackage, Export-EsxImageProfile -ExportToIso \
                 -NoSignatureCheck) or to Lifecycle Manager, or install it by a kickstart file",
            ));
        }
        Ok(())
    }

    /// What the image knows of a package.
    fn known(&self, addition: &Addition) -> Result<Known, Finding> {
        let descriptor = &addition.vib.descriptor;
        if let Some((_, record)) = self.database.record(&descriptor.id) {
            let differences = differences(&record.root, &addition.root);
            if differences.is_empty() {
                return Ok(Known::Same);
            }
            return Err(same(
                &descriptor.id,
                &format!("is in the image with another {}", differences.join(", ")),
            ));
        }
        let mut records = self.database.records();
        let Some(old) = records.find(|one| one.descriptor.name == descriptor.name) else {
            return Ok(Known::No);
        };
        let old = &old.descriptor;
        if compare_loosely(&old.version, &descriptor.version).is_lt()
            && let Some((path, record)) = self.database.record(&old.id)
        {
            return Ok(Known::Older(path.to_owned(), Box::new(record.clone())));
        }
        Err(same(
            &descriptor.id,
            &format!("is not newer than {}, which is in the image", old.id),
        ))
    }

    /// Notes the modules of what goes, and checks all that stays and comes together.
    pub(super) fn check(
        &self,
        course: &mut Course,
        arriving: &[&Descriptor],
    ) -> Result<(), MediaError> {
        let mut findings = Vec::new();
        for listed in self.database.profile().vibs() {
            let mut gone = course.gone.iter();
            let Some((_, record)) = gone.find(|(_, one)| one.descriptor.id == listed.id) else {
                continue;
            };
            let payloads = &record.descriptor.payloads;
            if record.descriptor.kind != "bootbank"
                || payloads
                    .iter()
                    .any(|one| !matches!(one.kind.as_str(), "tgz" | "vgz"))
            {
                findings.push(Finding::new(
                    MODULE_PAYLOAD,
                    &listed.id,
                    "has payloads that do not come from modules alone",
                    "use the vendor's Image Builder for it",
                ));
            }
            let files = listed.payloads.iter();
            course
                .modules
                .extend(files.map(|(_, file)| file.to_ascii_lowercase()));
        }
        let before: Vec<_> = self.database.records().map(|one| &one.descriptor).collect();
        let stays = before.iter().copied().filter(|one| {
            let mut gone = course.gone.iter();
            !gone.any(|(_, record)| record.descriptor.id == one.id)
        });
        let after: Vec<_> = stays.chain(arriving.iter().copied()).collect();
        findings.extend(check::findings(&before, &after, arriving));
        refuse(findings)
    }

    /// Base names that a new module cannot have.
    pub(super) fn taken(&self) -> BTreeSet<String> {
        let vibs = self.database.profile().vibs();
        let listed = vibs.into_iter().flat_map(|one| one.payloads);
        let listed = listed.map(|(_, file)| file.to_ascii_lowercase());
        let configs = self.configs.iter();
        let modules = configs.flat_map(|(_, config)| {
            let kernel = config.kernel().unwrap_or_default();
            let modules = config.modules().iter().map(|one| one.file.clone());
            modules.chain([kernel]).collect::<Vec<_>>()
        });
        let modules = modules.map(|file| base_name(&file).to_ascii_lowercase());
        let files = self.files.keys().map(|path| base_name(path).to_owned());
        listed.chain(modules).chain(files).collect()
    }

    /// The installers of 5.x number files themselves.
    pub(super) fn ensure_numbered(&self, after: &BTreeSet<String>) -> Result<(), MediaError> {
        if self.release.and(Releases::up_to(5, 5)).is_empty() {
            return Ok(());
        }
        refuse(names::gaps(&self.taken(), after))
    }

    /// A module beside the database, in the case of its name.
    fn path_of_new(&self, file: &str) -> String {
        let database = self.database_file();
        let (folder, name) = match database.rsplit_once('/') {
            Some((folder, name)) => (format!("{folder}/"), name),
            None => (String::new(), database.as_str()),
        };
        if name.chars().any(|c| c.is_ascii_lowercase()) {
            format!("{folder}{file}")
        } else {
            format!("{folder}{}", file.to_ascii_uppercase())
        }
    }

    pub(super) fn database_file(&self) -> String {
        let file = self.files.get(&self.database_path);
        file.map_or_else(|| self.database_path.clone(), |file| file.path.clone())
    }

    pub(super) fn write_configs(
        &self,
        gone: &[String],
        new: &[String],
        options: &Options,
        changes: &mut Changes,
    ) -> Result<(), MediaError> {
        for (path, config) in &self.configs {
            let mut edited = config.clone();
            for module in gone {
                edited = edited.without(module)?;
            }
            // In the style of the list: with a slash or without.
            let mut modules = config.modules().iter();
            let database = modules
                .find(|one| one.base_name().eq_ignore_ascii_case(DATABASE_NAME))
                .map_or("", |one| one.file.as_str());
            let folder = database.rsplit_once('/').map_or("", |(folder, _)| folder);
            let slash = if database.contains('/') { "/" } else { "" };
            let new: Vec<_> = new
                .iter()
                .map(|file| format!("{folder}{slash}{file}"))
                .collect();
            if !new.is_empty() {
                edited = edited.insert_before(DATABASE_NAME, &new)?;
            }
            if let Some(options) = &options.kernelopt {
                edited = edited.with_options(options)?;
            }
            if edited.text() != config.text() {
                changes.write.push(Change {
                    path: path.clone(),
                    content: Content::Bytes(edited.text().as_bytes().to_vec()),
                });
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        &self,
        course: Course,
        mut changes: Changes,
    ) -> Result<Changes, MediaError> {
        let written: BTreeSet<_> = changes
            .write
            .iter()
            .map(|change| change.path.to_ascii_lowercase())
            .collect();
        for module in &course.modules {
            let Some(path) = self.module_path(module) else {
                return Err(MediaError::one(
                    MEDIUM,
                    module.as_str(),
                    "is not on the medium",
                    "take a sound medium",
                ));
            };
            if let Some(file) = self.files.get(&path).filter(|_| !written.contains(&path)) {
                changes.remove.push(file.path.clone());
            }
        }
        changes.messages = course.messages;
        if self.files.keys().any(|path| path.starts_with("upgrade/")) {
            changes.messages.push(
                "UPGRADE/ is left as it is: Update Manager and Lifecycle Manager import from there \
                 and will not see the change (FORMAT.md M15)"
                    .to_owned(),
            );
        }
        Ok(changes)
    }
}

enum Known {
    No,
    Same,
    Older(String, Box<Record>),
}

impl Course {
    pub(super) fn new() -> Self {
        Self {
            gone: Vec::new(),
            modules: Vec::new(),
            messages: Vec::new(),
        }
    }
}

fn lower_level(profile: &mut super::Profile, arriving: &[&Descriptor], messages: &mut Vec<String>) {
    let levels = arriving.iter().filter_map(|one| {
        let level = one.acceptance_level.as_deref()?;
        level.parse::<Level>().ok()
    });
    if let Some(lowest) = levels.min()
        && profile.level().is_some_and(|level| lowest < level)
    {
        messages.push(format!(
            "the acceptance level of the image is lowered from {} to {}: its hosts accept {} \
             packages, and cannot use UEFI Secure Boot with them (FORMAT.md M9)",
            profile.level_text(),
            lowest.name(),
            lowest.name()
        ));
        profile.set_level(lowest);
    }
}

fn same(id: &str, problem: &str) -> Finding {
    Finding::new(
        SAME_PACKAGE,
        id,
        problem,
        "raise the version of the package, or remove the other one from the image first",
    )
}

pub(super) fn refuse(findings: Vec<Finding>) -> Result<(), MediaError> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(MediaError::Refused(findings))
}
